// Snowball stems, by script: the language of a question of one word cannot be known, its script can.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

#include "text/characters.h"

struct sb_stemmer;

namespace obs {

// Used by one thread.
class Stems {
public:
    // Latin letters are stemmed as English, Cyrillic as Russian, Greek, Arabic, Armenian, Devanagari (Hindi)
    // and Tamil as themselves; other words are their own stem. The answer lives until the next call.
    std::string_view of(std::string_view word, CharClass script);

private:
    struct Delete {
        void operator()(sb_stemmer* stemmer) const noexcept;
    };
    using Stemmer = std::unique_ptr<sb_stemmer, Delete>;
    sb_stemmer* stemmer_of(CharClass script);

    std::array<Stemmer, static_cast<std::size_t>(CharClass::other_letter)> stemmers_;
};

}  // namespace obs
