// The mood of an English text, by the rules of VADER (Hutto and Gilbert 2014): words have moods, and their
// neighbours change them. docs/quality.md tells what is done differently and how often it is right.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace obs {

// Thread-safe, and the same for the same text everywhere.

// From -1 to 1: the mean over the sentences that have a word with a mood. Nothing when no sentence has one,
// or when the text does not read as English. Looks at the first `mood_bytes`.
std::optional<double> mood_of(std::string_view text);
inline constexpr std::size_t mood_bytes = 1024;

// Of one sentence in any language, as the original rates it, to four digits.
std::optional<double> mood_of_sentence(std::string_view sentence);

}  // namespace obs
