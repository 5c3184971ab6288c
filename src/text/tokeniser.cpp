#include "text/tokeniser.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/utf8.h>

#include "text/characters.h"
#include "text/function_words.h"
#include "text/stems.h"
#include "text/unique_terms.h"

namespace obs {
namespace {

constexpr std::size_t longest_term = 64;

// --- bytes ---

enum Kind : std::uint8_t { none = 0, letter = 1, digit = 2, underscore = 4, beyond_ascii = 8 };

struct Byte {
    std::uint8_t kind = none;
    char lower = 0;
};

constexpr std::array<Byte, 256> make_bytes() {
    std::array<Byte, 256> bytes{};
    for (int c = 'a'; c <= 'z'; ++c) bytes[c] = bytes[c - 'a' + 'A'] = {letter, static_cast<char>(c)};
    for (int c = '0'; c <= '9'; ++c) bytes[c] = {digit, static_cast<char>(c)};
    bytes['_'] = {underscore, '_'};
    for (int c = 128; c < 256; ++c) bytes[c] = {beyond_ascii, 0};
    return bytes;
}
constexpr std::array<Byte, 256> bytes = make_bytes();

const Byte& byte_of(char c) {
    return bytes[static_cast<unsigned char>(c)];
}

std::uint8_t kinds_in(std::string_view word) {
    std::uint8_t kinds = none;
    for (const char c : word) kinds |= byte_of(c).kind;
    return kinds;
}

std::string_view cut(std::string_view text, std::size_t length) {
    if (text.size() <= length) return text;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
    return text.substr(0, length);
}

// At a line's end, and at `.`, `!` or `?` before a blank.
bool ends_sentence(std::string_view text, std::size_t at) {
    const char c = text[at];
    if (c == '\n') return true;
    if (c != '.' && c != '!' && c != '?') return false;
    return at + 1 == text.size() || text[at + 1] == ' ' || text[at + 1] == '\n';
}

// --- what a thread keeps ---

// Stems of the English words that were met last. A word that the sentence has already is recognised without
// its stem.
class KnownWords {
public:
    static constexpr std::size_t longest = 26;
    struct Word {
        std::uint64_t sentence = 0;
        std::uint8_t length = 0, stem_length = 0;
        bool counts = true;  // is no function word
        std::array<char, longest> text{};
        std::array<char, longest + 2> stem{};
        std::string_view stem_text() const { return {stem.data(), stem_length}; }
    };

    // The word's place, which may hold another word.
    Word& place_of(std::string_view word) { return words_[short_hash(word) % words_.size()]; }

private:
    std::vector<Word> words_ = std::vector<Word>(16'384);
};

struct ThreadState {
    UniqueTerms terms;
    KnownWords known;
    Stems stems;
    std::string folded, word;
};

// --- the walk over one row's texts, or one question ---

enum class Purpose { index, question };

class Walk {
public:
    Walk(ThreadState& state, Purpose purpose, std::size_t term_bytes)
        : state_(state), purpose_(purpose), term_bytes_(term_bytes) {
        state_.terms.start();
    }

    void text(std::string_view text);
    // The text behind is compared with those before, and its sentences with each other.
    void answer(std::string_view text);

private:
    void folded_text(std::string_view text);
    void compound(std::string_view word, CharClass script);
    void piece(std::string_view word, std::uint8_t kinds, CharClass script);
    void stemmed(std::string_view word, CharClass script);

    ThreadState& state_;
    Purpose purpose_;
    std::size_t term_bytes_;
    bool sentences_ = false;
};

// The characters of text beyond ASCII, after folding.
class FoldedWalk {
public:
    FoldedWalk(std::string_view text, std::string& word) : text_(text), word_(word) { word_.clear(); }

    // `on_word(word, script)`, `on_pair(characters)` and `on_single(character, script)` in the order of the
    // text.
    template <class OnWord, class OnGram>
    void run(OnWord on_word, OnGram on_gram) {
        const auto* at = reinterpret_cast<const std::uint8_t*>(text_.data());
        const auto size = static_cast<std::int32_t>(text_.size());
        for (std::int32_t next = 0; next < size;) {
            const std::int32_t begin = next;
            UChar32 character = 0;
            U8_NEXT(at, next, size, character);
            const CharClass of =
                character < 0 ? CharClass::separator : class_of(static_cast<char32_t>(character));
            if (!is_pair(of) || of != run_of_) end_run(on_gram);
            if (is_pair(of)) {
                end_word(on_word);
                gram(begin, next, of, on_gram);
            } else {
                letter(static_cast<char32_t>(character), text_.substr(begin, next - begin), of, on_word);
            }
        }
        end_run(on_gram);
        end_word(on_word);
    }

private:
    template <class OnGram>
    void gram(std::int32_t begin, std::int32_t end, CharClass of, OnGram& on_gram) {
        if (run_length_ > 0) on_gram(text_.substr(last_, end - last_), of, 2);
        run_of_ = of;
        last_ = begin;
        ++run_length_;
        if (of == CharClass::pair_east) on_gram(text_.substr(begin, end - begin), of, 1);
        last_end_ = end;
    }

    // A character that stands alone is its own word.
    template <class OnGram>
    void end_run(OnGram& on_gram) {
        if (run_length_ == 1) on_gram(text_.substr(last_, last_end_ - last_), run_of_, 0);
        run_length_ = 0;
        run_of_ = CharClass::separator;
    }

    template <class OnWord>
    void letter(char32_t character, std::string_view spelled, CharClass of, OnWord& on_word) {
        if (of == CharClass::separator || of == CharClass::apostrophe) {
            end_word(on_word);
            after_apostrophe_ = of == CharClass::apostrophe;
        } else if (of == CharClass::mark) {
            if (!word_.empty() && script_ != CharClass::latin) word_ += spelled;
        } else if (of == CharClass::digit) {
            append(ascii_digit(character));
        } else if (of == CharClass::underscore) {
            word_ += '_';
        } else {
            if (script_ == CharClass::separator) script_ = of;
            append(without_accent(character, of));
        }
    }

    template <class OnWord>
    void end_word(OnWord& on_word) {
        const bool genitive = after_apostrophe_ && word_ == "s";
        if (!word_.empty() && !genitive) on_word(std::string_view(word_), script_);
        word_.clear();
        script_ = CharClass::separator;
        after_apostrophe_ = false;
    }

    void append(char32_t character) {
        std::array<char, 4> encoded{};
        std::int32_t length = 0;
        U8_APPEND_UNSAFE(encoded.data(), length, static_cast<UChar32>(character));
        word_.append(encoded.data(), static_cast<std::size_t>(length));
    }

    std::string_view text_;
    std::string& word_;
    CharClass script_ = CharClass::separator, run_of_ = CharClass::separator;
    bool after_apostrophe_ = false;
    std::int32_t last_ = 0, last_end_ = 0;
    std::size_t run_length_ = 0;
};

void Walk::text(std::string_view text) {
    std::array<char, longest_term> word{};
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t begin = at;
        std::uint8_t kinds = none;
        std::size_t length = 0;
        for (; at < text.size(); ++at) {
            const Byte& byte = byte_of(text[at]);
            if (byte.kind == none) break;
            kinds |= byte.kind;
            if (length < term_bytes_) word[length++] = byte.lower;
        }
        if (begin == at) {
            if (sentences_ && ends_sentence(text, at)) state_.terms.end_sentence();
            ++at;
        } else if ((kinds & beyond_ascii) != 0) {
            folded_text(text.substr(begin, at - begin));
        } else if ((kinds & underscore) != 0) {
            compound({word.data(), length}, CharClass::latin);
        } else {
            piece({word.data(), length}, kinds, CharClass::latin);
        }
        // The s of a genitive is no word.
        if (begin != at && at + 1 < text.size() && text[at] == '\'' && byte_of(text[at + 1]).lower == 's' &&
            (at + 2 == text.size() || byte_of(text[at + 2]).kind == none))
            at += 2;
    }
}

void Walk::answer(std::string_view answer) {
    state_.terms.begin_answer();
    sentences_ = true;
    text(answer);
    state_.terms.end_sentence();
}

void Walk::folded_text(std::string_view text) {
    UErrorCode error = U_ZERO_ERROR;
    static const icu::Normalizer2* const fold = icu::Normalizer2::getNFKCCasefoldInstance(error);
    state_.folded.clear();
    icu::StringByteSink<std::string> sink(&state_.folded);
    fold->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())), sink,
                        nullptr, error);
    if (U_FAILURE(error)) return;
    FoldedWalk(state_.folded, state_.word)
        .run([&](std::string_view word, CharClass script) { compound(cut(word, term_bytes_), script); },
             [&](std::string_view gram, CharClass of, int characters) {
                 // A question needs the pairs alone: a text that holds them holds their characters.
                 const bool alone = characters == 0, single = characters == 1;
                 if (single && purpose_ == Purpose::question) return;
                 if (alone && purpose_ == Purpose::index && of == CharClass::pair_east) return;
                 state_.terms.add(gram);
             });
}

// foo_bar is found as a whole and by its parts; __init__ is init.
void Walk::compound(std::string_view word, CharClass script) {
    const std::size_t first = word.find_first_not_of('_');
    if (first == std::string_view::npos) return;
    word = word.substr(first, word.find_last_not_of('_') + 1 - first);
    if (word.find('_') == std::string_view::npos) return piece(word, kinds_in(word), script);
    state_.terms.add(word);
    if (purpose_ == Purpose::question) return;
    while (!word.empty()) {
        const std::string_view part = word.substr(0, word.find('_'));
        if (!part.empty()) piece(part, kinds_in(part), script);
        word.remove_prefix(std::min(part.size() + 1, word.size()));
    }
}

// Numbers, ids and words with digits in them have no stem.
void Walk::piece(std::string_view word, std::uint8_t kinds, CharClass script) {
    if ((kinds & digit) != 0) {
        state_.terms.add(word);
    } else {
        stemmed(word, script);
    }
}

void Walk::stemmed(std::string_view word, CharClass script) {
    if (word.size() > KnownWords::longest) return state_.terms.add(state_.stems.of(word, script));
    KnownWords::Word& known = state_.known.place_of(word);
    const bool same =
        known.length == word.size() && std::memcmp(known.text.data(), word.data(), word.size()) == 0;
    if (same && known.sentence == state_.terms.sentence()) return;
    if (!same) {
        const std::string_view stem = cut(state_.stems.of(word, script), known.stem.size());
        known.length = static_cast<std::uint8_t>(word.size());
        known.stem_length = static_cast<std::uint8_t>(stem.size());
        std::ranges::copy(word, known.text.begin());
        std::ranges::copy(stem, known.stem.begin());
        known.counts = !is_function_word(word);
    }
    known.sentence = state_.terms.sentence();
    state_.terms.add(known.stem_text(), known.counts);
}

ThreadState& this_thread() {
    thread_local ThreadState state;
    return state;
}

}  // namespace

Tokeniser::Tokeniser(Limits limits) : limits_(limits) {
    limits_.term_bytes = std::clamp<std::size_t>(limits_.term_bytes, 4, longest_term);
}

void Tokeniser::append_index_terms(std::span<const std::string_view> texts, std::string& out) const {
    ThreadState& state = this_thread();
    Walk walk(state, Purpose::index, limits_.term_bytes);
    for (const std::string_view text : texts) walk.text(cut(text, limits_.text_bytes));
    const std::string_view terms = state.terms.joined();
    if (!out.empty() && !terms.empty()) out += ' ';
    out += terms;
}

SharedTerms Tokeniser::append_index_terms(std::string_view question, std::string_view answer,
                                          std::string& out) const {
    ThreadState& state = this_thread();
    Walk walk(state, Purpose::index, limits_.term_bytes);
    walk.text(cut(question, limits_.text_bytes));
    walk.answer(cut(answer, limits_.text_bytes));
    const std::string_view terms = state.terms.joined();
    if (!out.empty() && !terms.empty()) out += ' ';
    out += terms;
    return state.terms.shared();
}

std::vector<std::string> Tokeniser::query_terms(std::string_view question) const {
    ThreadState& state = this_thread();
    Walk(state, Purpose::question, limits_.term_bytes).text(cut(question, limits_.text_bytes));
    std::vector<std::string> terms;
    for (std::string_view left = state.terms.joined(); !left.empty();) {
        const std::size_t space = std::min(left.find(' '), left.size());
        terms.emplace_back(left.substr(0, space));
        left.remove_prefix(std::min(space + 1, left.size()));
    }
    return terms;
}

}  // namespace obs
