// The words that sentiment.cpp knows: those with a mood, those that change the mood of others, and the common
// ones that tell English from other languages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace obs {

// A word in one place of fixed size, filled up with zeros, so that two are compared without a call. Longer
// words keep their beginning and equal nothing.
class ShortWord {
public:
    static constexpr std::size_t longest = 24;

    ShortWord() = default;
    explicit ShortWord(std::string_view text) {
        for (const char c : text) push_back(c);
    }
    void push_back(char c) {
        if (size_ < longest) text_[size_] = c;
        ++size_;
    }
    bool fits() const { return size_ <= longest; }
    std::string_view beginning() const { return {text_.data(), size_ < longest ? size_ : longest}; }
    std::uint64_t hash() const;
    friend bool operator==(const ShortWord& a, const ShortWord& b) {
        return a.fits() && b.fits() && a.eight(0) == b.eight(0) && a.eight(8) == b.eight(8) &&
               a.eight(16) == b.eight(16);
    }

private:
    std::uint64_t eight(std::size_t from) const {
        std::uint64_t bytes;
        std::memcpy(&bytes, text_.data() + from, sizeof bytes);
        return bytes;
    }

    std::array<char, longest> text_{};
    std::size_t size_ = 0;
};

// Words that rules speak of.
enum class Role : std::uint8_t { none, no, either, never, so, without, doubt, least, at, but, kind, of };

struct MoodWord {
    double mood = 0, boost = 0;
    bool has_mood = false, boosts = false, negates = false;
    std::int8_t english = 0;  // 1 when the word is English, -1 when it is of another language
    Role role = Role::none;
    bool in_phrase = false;
};
using WordId = std::uint16_t;  // 0: none that we know

struct Phrase {
    std::array<WordId, 3> words{};
    std::size_t length = 0;
    double weight = 0;
};

class MoodWords {
public:
    // Made once; thread-safe.
    static const MoodWords& all();

    WordId find(const ShortWord& word) const {
        if (!word.fits()) return 0;
        const std::uint64_t hash = word.hash();
        // Most words are unknown, which the bits tell without a look at the table.
        if ((seen_[(hash >> 6) % seen_bits] >> (hash % 64) & 1) == 0) return 0;
        for (std::size_t at = hash;; ++at) {
            const WordId id = table_[at % table_size];
            if (id == 0 || texts_[id] == word) return id;
        }
    }
    const MoodWord& operator[](WordId id) const { return words_[id]; }

    // The weight of the first phrase that stands there.
    static std::optional<double> weight_of(const std::vector<Phrase>& phrases, std::span<const WordId> words);
    const std::vector<Phrase>& phrases() const { return phrases_; }
    const std::vector<Phrase>& boosting_phrases() const { return boosting_phrases_; }

private:
    static constexpr std::size_t table_size = 1 << 15, seen_bits = 1 << 10;

    MoodWords();
    WordId add(std::string_view text);
    Phrase phrase(std::string_view text, double weight);

    std::vector<MoodWord> words_;
    std::vector<ShortWord> texts_;  // by id, as words_
    std::vector<WordId> table_ = std::vector<WordId>(table_size);
    std::vector<std::uint64_t> seen_ = std::vector<std::uint64_t>(seen_bits);
    std::vector<Phrase> phrases_, boosting_phrases_;
};

inline std::uint64_t ShortWord::hash() const {
    __extension__ using Wide = unsigned __int128;
    const auto mixed = [](std::uint64_t a, std::uint64_t b) {
        const Wide product = static_cast<Wide>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    };
    constexpr std::uint64_t first_key = 0x9E3779B97F4A7C15, second_key = 0xD1B54A32D192ED03;
    const std::uint64_t front = mixed(eight(0) ^ first_key, eight(8) ^ second_key);
    return eight(16) == 0 ? front : mixed(front ^ first_key, eight(16) ^ second_key);
}

}  // namespace obs
