// What a code point is to the tokeniser, from ICU's properties.
#pragma once

#include <cstdint>

namespace obs {

enum class CharClass : std::uint8_t {
    separator,
    underscore,
    apostrophe,
    mark,  // of no script of its own: belongs to the letter before it
    digit,
    // Letters of scripts that put spaces between words.
    latin,
    cyrillic,
    greek,
    arabic,
    armenian,
    devanagari,
    tamil,
    other_letter,
    // Scripts whose words are not told apart by spaces: they are cut into pairs.
    pair_east,   // Han, kana, Hangul, Bopomofo, Yi: one character can be a word
    pair_south,  // Thai, Lao, Khmer, Myanmar: one character is no word
};

constexpr bool is_letter(CharClass c) {
    return c >= CharClass::latin && c <= CharClass::other_letter;
}
constexpr bool is_pair(CharClass c) {
    return c >= CharClass::pair_east;
}

CharClass class_of(char32_t character);
// é is e, ø stays; characters of other scripts stay as they are.
char32_t without_accent(char32_t character, CharClass of);
// ٣ is 3.
char32_t ascii_digit(char32_t digit);

}  // namespace obs
