// English words that carry a mood, and what changes it: the data of the package vaderSentiment, made into
// tables by the build.
#pragma once

#include <span>
#include <string_view>

namespace obs::lexicon {

struct Weighed {
    std::string_view text;
    double weight;
};
struct Emoji {
    char32_t sign;
    std::string_view name;
};

extern const std::span<const Weighed> moods;     // -4 to 4; a word, in lower case, or an emoticon
extern const std::span<const Weighed> boosters;  // `very`, `hardly`, `kind of`
extern const std::span<const Weighed> phrases;   // of two or three words
extern const std::span<const std::string_view> negations;
extern const std::span<const Emoji> emoji;  // ascending

}  // namespace obs::lexicon
