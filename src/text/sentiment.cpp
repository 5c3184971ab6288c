#include "text/sentiment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "text/lexicon.h"
#include "text/mood_words.h"

namespace obs {

namespace {

// What the original found by experiment.
constexpr double shouted = 0.733, negated = -0.74, never_so = 1.25;
constexpr double one_word_away = 0.95, two_words_away = 0.9;
constexpr double before_but = 0.5, behind_but = 1.5;
constexpr double exclamation = 0.292, question = 0.18, many_questions = 0.96;
constexpr double usual_most = 15;  // what a sum of moods rarely exceeds, squared

// A longer sentence goes on as another one.
constexpr std::size_t most_words = 256;

// ----- bytes

enum Kind : std::uint8_t { other = 0, space = 1, punctuation = 2, upper = 4, lower = 8, high = 16 };

struct Byte {
    std::uint8_t kind = other;
    char small = 0;
};
constexpr std::array<Byte, 256> make_bytes() {
    std::array<Byte, 256> bytes{};
    for (int c = 0; c < 256; ++c) bytes[c] = {c >= 128 ? high : other, static_cast<char>(c)};
    for (int c = 'a'; c <= 'z'; ++c) {
        bytes[c].kind = lower;
        bytes[c - 'a' + 'A'] = {upper, static_cast<char>(c)};
    }
    for (const char c : {' ', '\t', '\n', '\v', '\f', '\r', '\x1c', '\x1d', '\x1e', '\x1f'})
        bytes[static_cast<unsigned char>(c)].kind = space;
    for (const char c : std::string_view("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"))
        bytes[static_cast<unsigned char>(c)].kind = punctuation;
    return bytes;
}
constexpr std::array<Byte, 256> bytes = make_bytes();

const Byte& byte_of(char c) {
    return bytes[static_cast<unsigned char>(c)];
}

// ----- a sentence

struct Token {
    WordId word = 0;
    bool shouts = false;  // in capitals
    bool negates = false;
};

// Letters beyond ASCII count for capitals too.
bool is_shouted(std::string_view token) {
    bool any = false;
    const auto* at = reinterpret_cast<const std::uint8_t*>(token.data());
    for (std::int32_t next = 0; next < static_cast<std::int32_t>(token.size());) {
        UChar32 character = 0;
        U8_NEXT(at, next, static_cast<std::int32_t>(token.size()), character);
        if (character < 0) continue;
        if (u_isULowercase(character) != 0) return false;
        any = any || u_isUUppercase(character) != 0;
    }
    return any;
}

std::size_t characters_in(std::string_view token) {
    return static_cast<std::size_t>(
        std::ranges::count_if(token, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// What is left of short ones was an emoticon.
std::string_view without_punctuation(std::string_view token) {
    std::string_view word = token;
    while (!word.empty() && byte_of(word.front()).kind == punctuation) word.remove_prefix(1);
    while (!word.empty() && byte_of(word.back()).kind == punctuation) word.remove_suffix(1);
    return word.size() == token.size() || (word.size() > 2 && characters_in(word) > 2) ? word : token;
}

// A token as it is read: most are plain words, which need no second look.
struct Read {
    std::string_view text;
    std::uint8_t kinds = other;
    ShortWord small;  // in lower case
};

class Sentence {
public:
    void start() {
        count_ = moody_ = 0;
        shouting_ = 0;
        exclamations_ = questions_ = 0;
        english_ = 0;
        has_but_ = false;
    }
    bool full() const { return count_ == most_words; }

    void add(const Read& read) {
        Token& made = tokens_[count_];
        made = {};
        if ((read.kinds & punctuation) != 0) {
            add_signs(read.text);
            read_punctuated(read.text, made);
        } else {
            made.word = words_.find(read.small);
            made.shouts = shouts(read.text, read.kinds);
        }
        shouting_ += made.shouts ? 1 : 0;
        if (made.word != 0) {
            const MoodWord& word = words_[made.word];
            made.negates = made.negates || word.negates;
            english_ += word.english;
            has_but_ = has_but_ || word.role == Role::but;
            if (word.has_mood) moods_of_[moody_++] = static_cast<std::uint16_t>(count_);
        }
        ++count_;
    }

    std::optional<double> mood() {
        emphasis_ = count_ > shouting_ && shouting_ > 0;
        bool known = false;
        if (moody_ > 0) std::fill_n(moods_.begin(), count_, 0.0);
        for (std::size_t i = 0; i < moody_; ++i) {
            const std::size_t at = moods_of_[i];
            if (word(at).boosts || (role(at) == Role::kind && role(at + 1) == Role::of)) continue;
            known = true;
            moods_[at] = mood_at(at);
        }
        if (!known) return std::nullopt;
        if (has_but_) weigh_but();
        return normal(sum());
    }

    // English words less those of other languages.
    int english() const { return english_; }

private:
    static bool shouts(std::string_view word, std::uint8_t kinds) {
        return (kinds & high) != 0 ? is_shouted(word) : (kinds & (upper | lower)) == upper;
    }
    void add_signs(std::string_view token) {
        for (const char c : token) {
            exclamations_ += c == '!' ? 1 : 0;
            questions_ += c == '?' ? 1 : 0;
        }
    }
    void read_punctuated(std::string_view token, Token& made) const {
        const std::string_view word = without_punctuation(token);
        ShortWord small;
        std::uint8_t kinds = other;
        for (const char c : word) {
            const Byte& byte = byte_of(c);
            kinds |= byte.kind;
            small.push_back(byte.small);
        }
        made.word = words_.find(small);
        made.shouts = shouts(word, kinds);
        made.negates = (kinds & punctuation) != 0 && small.beginning().contains("n't");
    }

    const MoodWord& word(std::size_t at) const { return words_[tokens_[at].word]; }
    Role role(std::size_t at) const { return at < count_ ? word(at).role : Role::none; }
    bool has_mood(std::size_t at) const { return at < count_ && word(at).has_mood; }

    double mood_at(std::size_t at) const {
        const double plain = word(at).mood;
        double mood = plain;
        // A `no` before a word with a mood turns it round, and has none of its own.
        if (role(at) == Role::no && has_mood(at + 1)) mood = 0;
        if ((at > 0 && role(at - 1) == Role::no) || (at > 1 && role(at - 2) == Role::no) ||
            (at > 2 && role(at - 3) == Role::no && role(at - 1) == Role::either))
            mood = plain * negated;
        if (tokens_[at].shouts && emphasis_) mood += mood > 0 ? shouted : -shouted;
        for (std::size_t away = 0; away < 3 && at > away; ++away) {
            if (has_mood(at - away - 1)) continue;
            mood += boost(at - away - 1, mood, away);
            mood *= turn(at, away);
            if (away == 2) mood = by_phrases(at, mood);
        }
        return mood * by_least(at);
    }

    double boost(std::size_t at, double mood, std::size_t away) const {
        if (!word(at).boosts) return 0;
        double boost = mood < 0 ? -word(at).boost : word(at).boost;
        if (tokens_[at].shouts && emphasis_) boost += mood > 0 ? shouted : -shouted;
        return boost * (away == 1 ? one_word_away : away == 2 ? two_words_away : 1);
    }

    // What the word so far before this one does to it, as a factor.
    double turn(std::size_t at, std::size_t away) const {
        const std::size_t before = at - away - 1;
        const bool so_next = role(at - 1) == Role::so, doubted_next = role(at - 1) == Role::doubt;
        if (away == 1) {
            if (role(before) == Role::never && so_next) return never_so;
            if (role(before) == Role::without && doubted_next) return 1;
        }
        if (away == 2) {
            if ((role(before) == Role::never && role(at - 2) == Role::so) || so_next) return never_so;
            if (role(before) == Role::without && (role(at - 2) == Role::doubt || doubted_next)) return 1;
        }
        return tokens_[before].negates ? negated : 1;
    }

    double by_phrases(std::size_t at, double mood) const {
        const std::size_t first = at - 3, last = std::min(at + 3, count_);
        bool any = false;
        for (std::size_t i = first; i < last; ++i) any = any || word(i).in_phrase;
        if (!any) return mood;
        std::array<WordId, 6> ids{};
        for (std::size_t i = first; i < last; ++i) ids[i - first] = tokens_[i].word;
        const auto found = [&](const std::vector<Phrase>& phrases, std::size_t begin, std::size_t length) {
            return begin + length > last - first
                       ? std::nullopt
                       : MoodWords::weight_of(phrases, std::span(ids).subspan(begin, length));
        };
        // Where phrases begin, from the third word before this one on, and how long they are.
        constexpr std::pair<std::size_t, std::size_t> behind[] = {{2, 2}, {1, 3}, {1, 2}, {0, 3}, {0, 2}};
        for (const auto& [begin, length] : behind)
            if (const auto weight = found(words_.phrases(), begin, length)) {
                mood = *weight;
                break;
            }
        for (const std::size_t length : {2, 3})
            if (const auto weight = found(words_.phrases(), 3, length)) mood = *weight;
        for (const auto& [begin, length] : {behind[3], behind[4], behind[2]})
            if (const auto weight = found(words_.boosting_phrases(), begin, length)) mood += *weight;
        return mood;
    }

    // `least` turns a mood round, but not `at least` and `very least`.
    double by_least(std::size_t at) const {
        if (at == 0 || role(at - 1) != Role::least || has_mood(at - 1)) return 1;
        return at > 1 && role(at - 2) == Role::at ? 1 : negated;
    }

    // What stands behind a `but` weighs more. The original looks a mood up by its value, and so finds the
    // first of several equal ones: kept, so that both say the same.
    void weigh_but() {
        const auto is_but = [&](const Token& token) { return words_[token.word].role == Role::but; };
        const auto begin = tokens_.begin(), end = begin + static_cast<std::ptrdiff_t>(count_);
        const auto but = std::find_if(begin, end, is_but) - begin;
        if (but == static_cast<std::ptrdiff_t>(count_)) return;
        const auto first = moods_.begin(), last = first + static_cast<std::ptrdiff_t>(count_);
        for (auto each = first; each != last; ++each) {
            if (*each == 0) continue;
            const auto found = std::find(first, last, *each);
            const auto at = found - first;
            if (at != but) *found *= at < but ? before_but : behind_but;
        }
    }

    double sum() const {
        double sum = 0;
        for (std::size_t at = 0; at < count_; ++at) sum += moods_[at];
        double signs = static_cast<double>(std::min<std::size_t>(exclamations_, 4)) * exclamation;
        if (questions_ > 3)
            signs += many_questions;
        else if (questions_ > 1)
            signs += static_cast<double>(questions_) * question;
        return sum > 0 ? sum + signs : sum < 0 ? sum - signs : sum;
    }

    static double normal(double sum) {
        return std::round(std::clamp(sum / std::sqrt(sum * sum + usual_most), -1.0, 1.0) * 10'000) / 10'000;
    }

    const MoodWords& words_ = MoodWords::all();
    std::array<Token, most_words> tokens_{};
    std::array<double, most_words> moods_{};
    std::array<std::uint16_t, most_words> moods_of_{};  // where words with a mood stand
    std::size_t count_ = 0, moody_ = 0, shouting_ = 0, exclamations_ = 0, questions_ = 0;
    int english_ = 0;
    bool has_but_ = false;
    bool emphasis_ = false;  // some words are in capitals, others not
};

// ----- texts

// Signs that have a name are replaced by it; the apostrophe of typesetters by that of typewriters.
std::string spelled_out(std::string_view text) {
    std::string out;
    bool blank = true;
    const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto size = static_cast<std::int32_t>(text.size());
    for (std::int32_t next = 0; next < size;) {
        const std::int32_t begin = next;
        UChar32 character = 0;
        U8_NEXT(at, next, size, character);
        const auto sign = static_cast<char32_t>(character);
        const auto named = character < 128
                               ? lexicon::emoji.end()
                               : std::ranges::lower_bound(lexicon::emoji, sign, {}, &lexicon::Emoji::sign);
        if (named != lexicon::emoji.end() && named->sign == sign) {
            if (!blank) out += ' ';
            out += named->name;
            blank = false;
        } else if (character == 0x2019) {
            out += '\'';
            blank = false;
        } else if (character >= 128 && u_isUWhiteSpace(character) != 0) {
            out += ' ';
            blank = false;  // as the original, which knows the blank alone
        } else {
            out += text.substr(begin, static_cast<std::size_t>(next - begin));
            blank = character == ' ';
        }
    }
    return out;
}

// Whether a sentence ends behind this token: `.`, `!` or `?`, perhaps in quotes or brackets.
bool ends_sentence(std::string_view token) {
    while (!token.empty() && std::string_view("\"')]}*").contains(token.back())) token.remove_suffix(1);
    return !token.empty() && std::string_view(".!?").contains(token.back());
}

// Calls on_token(read) and, at ends of lines, on_line().
template <class OnToken, class OnLine>
void each_token(std::string_view text, OnToken on_token, OnLine on_line) {
    for (std::size_t at = 0; at < text.size();) {
        if (byte_of(text[at]).kind == space) {
            if (text[at++] == '\n') on_line();
            continue;
        }
        const std::size_t begin = at;
        Read read;
        for (; at < text.size(); ++at) {
            const Byte& byte = byte_of(text[at]);
            if (byte.kind == space) break;
            read.kinds |= byte.kind;
            read.small.push_back(byte.small);
        }
        read.text = text.substr(begin, at - begin);
        on_token(read);
    }
}

bool is_ascii(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) >= 128; });
}

std::string_view beginning_of(std::string_view text) {
    if (text.size() <= mood_bytes) return text;
    std::size_t end = mood_bytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end);
}

// Scripts without Latin letters are not English, whatever words stand between.
bool is_mostly_latin(std::string_view text) {
    const auto beyond =
        std::ranges::count_if(text, [](char c) { return static_cast<unsigned char>(c) >= 128; });
    return beyond * 3 < std::ssize(text);
}

}  // namespace

std::optional<double> mood_of(std::string_view text) {
    text = beginning_of(text);
    std::string spelled;
    if (!is_ascii(text)) {
        spelled = spelled_out(text);
        text = spelled;
        if (!is_mostly_latin(text)) return std::nullopt;
    }
    thread_local Sentence sentence;
    sentence.start();
    double sum = 0;
    int sentences = 0, english = 0;
    const auto end_sentence = [&] {
        english += sentence.english();
        if (const auto mood = sentence.mood()) {
            sum += *mood;
            ++sentences;
        }
        sentence.start();
    };
    each_token(
        text,
        [&](const Read& read) {
            sentence.add(read);
            if (sentence.full() || ((read.kinds & punctuation) != 0 && ends_sentence(read.text)))
                end_sentence();
        },
        end_sentence);
    end_sentence();
    if (sentences == 0 || english < 0) return std::nullopt;
    return sum / sentences;
}

std::optional<double> mood_of_sentence(std::string_view text) {
    std::string spelled;
    if (!is_ascii(text)) {
        spelled = spelled_out(text);
        text = spelled;
    }
    Sentence sentence;
    sentence.start();
    each_token(
        text,
        [&](const Read& read) {
            if (!sentence.full()) sentence.add(read);
        },
        [] {});
    return sentence.mood();
}

}  // namespace obs
