#include "text/stems.h"

#include <libstemmer.h>

namespace obs {
namespace {

const char* language_of(CharClass script) {
    switch (script) {
        case CharClass::latin: return "english";
        case CharClass::cyrillic: return "russian";
        case CharClass::greek: return "greek";
        case CharClass::arabic: return "arabic";
        case CharClass::armenian: return "armenian";
        case CharClass::devanagari: return "hindi";
        case CharClass::tamil: return "tamil";
        default: return nullptr;
    }
}

}  // namespace

void Stems::Delete::operator()(sb_stemmer* stemmer) const noexcept {
    sb_stemmer_delete(stemmer);
}

sb_stemmer* Stems::stemmer_of(CharClass script) {
    const char* language = language_of(script);
    if (language == nullptr) return nullptr;
    Stemmer& stemmer = stemmers_[static_cast<std::size_t>(script)];
    if (!stemmer) stemmer.reset(sb_stemmer_new(language, "UTF_8"));
    return stemmer.get();
}

std::string_view Stems::of(std::string_view word, CharClass script) {
    sb_stemmer* stemmer = stemmer_of(script);
    if (stemmer == nullptr) return word;
    const auto* bytes = reinterpret_cast<const sb_symbol*>(word.data());
    const sb_symbol* stem = sb_stemmer_stem(stemmer, bytes, static_cast<int>(word.size()));
    if (stem == nullptr) return word;
    const auto length = static_cast<std::size_t>(sb_stemmer_length(stemmer));
    return length == 0 ? word : std::string_view(reinterpret_cast<const char*>(stem), length);
}

}  // namespace obs
