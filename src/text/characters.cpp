#include "text/characters.h"

#include <array>
#include <memory>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>

namespace obs {
namespace {

CharClass class_of_script(UScriptCode script) {
    switch (script) {
        case USCRIPT_LATIN: return CharClass::latin;
        case USCRIPT_CYRILLIC: return CharClass::cyrillic;
        case USCRIPT_GREEK: return CharClass::greek;
        case USCRIPT_ARABIC: return CharClass::arabic;
        case USCRIPT_ARMENIAN: return CharClass::armenian;
        case USCRIPT_DEVANAGARI: return CharClass::devanagari;
        case USCRIPT_TAMIL: return CharClass::tamil;
        case USCRIPT_HAN:
        case USCRIPT_HIRAGANA:
        case USCRIPT_KATAKANA:
        case USCRIPT_HANGUL:
        case USCRIPT_BOPOMOFO:
        case USCRIPT_YI: return CharClass::pair_east;
        case USCRIPT_THAI:
        case USCRIPT_LAO:
        case USCRIPT_KHMER:
        case USCRIPT_MYANMAR: return CharClass::pair_south;
        default: return CharClass::other_letter;
    }
}

CharClass look_up(char32_t character) {
    constexpr char32_t right_quote = 0x2019, prolonged_sound = 0x30FC;
    if (character == '_') return CharClass::underscore;
    if (character == '\'' || character == right_quote) return CharClass::apostrophe;
    if (character == prolonged_sound) return CharClass::pair_east;
    const auto point = static_cast<UChar32>(character);
    const std::uint32_t type = U_MASK(u_charType(point));
    if ((type & U_GC_ND_MASK) != 0) return CharClass::digit;
    if ((type & (U_GC_L_MASK | U_GC_M_MASK | U_GC_NL_MASK)) == 0) return CharClass::separator;
    UErrorCode error = U_ZERO_ERROR;
    const UScriptCode script = uscript_getScript(point, &error);
    if ((type & U_GC_M_MASK) != 0 && (script == USCRIPT_INHERITED || script == USCRIPT_COMMON))
        return CharClass::mark;
    return class_of_script(script);
}

// Asking ICU takes three table walks for a code point; this is one, for 64 KiB of memory.
using Plane = std::array<CharClass, 0x10000>;
std::unique_ptr<Plane> basic_plane() {
    auto plane = std::make_unique<Plane>();
    for (char32_t character = 0; character < plane->size(); ++character)
        (*plane)[character] = look_up(character);
    return plane;
}

}  // namespace

CharClass class_of(char32_t character) {
    static const std::unique_ptr<const Plane> plane = basic_plane();
    return character < plane->size() ? (*plane)[character] : look_up(character);
}

char32_t without_accent(char32_t character, CharClass of) {
    if (character < 0xC0 || of != CharClass::latin) return character;
    UErrorCode error = U_ZERO_ERROR;
    static const UNormalizer2* const nfd = unorm2_getNFDInstance(&error);
    std::array<char16_t, 8> parts{};
    const int length = unorm2_getDecomposition(nfd, static_cast<UChar32>(character), parts.data(),
                                               static_cast<int>(parts.size()), &error);
    return U_SUCCESS(error) && length > 0 ? parts[0] : character;
}

char32_t ascii_digit(char32_t digit) {
    const int value = u_charDigitValue(static_cast<UChar32>(digit));
    return value < 0 ? digit : U'0' + static_cast<char32_t>(value);
}

}  // namespace obs
