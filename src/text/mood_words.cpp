#include "text/mood_words.h"

#include <algorithm>
#include <utility>

#include "text/function_words.h"
#include "text/lexicon.h"

namespace obs {

const MoodWords& MoodWords::all() {
    static const MoodWords words;
    return words;
}

MoodWords::MoodWords() : words_(1), texts_(1) {
    for (const auto& [text, weight] : lexicon::moods) {
        if (text.size() > ShortWord::longest) continue;
        MoodWord& word = words_[add(text)];
        word.mood = weight;
        word.has_mood = true;
    }
    for (const auto& [text, weight] : lexicon::boosters) {
        if (text.contains(' ')) {
            boosting_phrases_.push_back(phrase(text, weight));
            continue;
        }
        MoodWord& word = words_[add(text)];
        word.boost = weight;
        word.boosts = true;
    }
    for (const auto& [text, weight] : lexicon::phrases) phrases_.push_back(phrase(text, weight));
    for (const std::string_view text : lexicon::negations) words_[add(text)].negates = true;
    for (const std::string_view text : foreign_words()) words_[add(text)].english = -1;
    for (const std::string_view text : english_words()) words_[add(text)].english = 1;
    constexpr std::pair<std::string_view, Role> roles[] = {
        {"no", Role::no},       {"or", Role::either}, {"nor", Role::either},      {"never", Role::never},
        {"so", Role::so},       {"this", Role::so},   {"without", Role::without}, {"doubt", Role::doubt},
        {"least", Role::least}, {"at", Role::at},     {"very", Role::at},         {"but", Role::but},
        {"kind", Role::kind},   {"of", Role::of}};
    for (const auto& [text, role] : roles) words_[add(text)].role = role;
}

Phrase MoodWords::phrase(std::string_view text, double weight) {
    Phrase made{.weight = weight};
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const WordId id = add(text.substr(0, end));
        words_[id].in_phrase = true;
        made.words.at(made.length++) = id;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return made;
}

WordId MoodWords::add(std::string_view text) {
    const ShortWord word(text);
    if (const WordId known = find(word); known != 0) return known;
    const auto id = static_cast<WordId>(words_.size());
    words_.emplace_back();
    texts_.push_back(word);
    const std::uint64_t hash = word.hash();
    seen_[(hash >> 6) % seen_bits] |= std::uint64_t{1} << (hash % 64);
    std::size_t at = hash;
    while (table_[at % table_size] != 0) ++at;
    table_[at % table_size] = id;
    return id;
}

std::optional<double> MoodWords::weight_of(const std::vector<Phrase>& phrases,
                                           std::span<const WordId> words) {
    for (const Phrase& phrase : phrases)
        if (phrase.length == words.size() && std::equal(words.begin(), words.end(), phrase.words.begin()))
            return phrase.weight;
    return std::nullopt;
}

}  // namespace obs
