// One span a step: a prompt and an answer of about 1.5 KB together. `terms` is the bytes of the search column
// for each span, `texts` what it was made of.
#include <random>

#include <benchmark/benchmark.h>

#include "text/sentiment.h"
#include "text/tokeniser.h"

namespace obs {
namespace {

// Words follow Zipf's law over a vocabulary of this size, as in real text: half of a text is its commonest
// words.
std::vector<std::string> texts_of(const std::vector<std::string>& vocabulary, std::string_view between,
                                  std::size_t bytes) {
    std::mt19937 random(42);
    std::vector<double> weights;
    for (std::size_t rank = 1; rank <= vocabulary.size(); ++rank)
        weights.push_back(1.0 / static_cast<double>(rank));
    std::discrete_distribution<std::size_t> zipf(weights.begin(), weights.end());
    std::vector<std::string> texts;
    for (int i = 0; i < 512; ++i) {
        std::string text;
        while (text.size() < bytes) text.append(vocabulary[zipf(random)]).append(between);
        texts.push_back(std::move(text));
    }
    return texts;
}

// Syllables, so that words have the lengths and endings of English ones.
std::vector<std::string> english_words() {
    constexpr std::string_view heads[] = {"re", "con", "in",  "de",  "pro", "ex",
                                          "un", "com", "dis", "per", "sub", "a"};
    constexpr std::string_view roots[] = {"fund",  "form", "port", "duct", "tract", "mit",  "vert",
                                          "scrib", "pos",  "sult", "cess", "tain",  "pend", "gress"};
    constexpr std::string_view tails[] = {"",   "s",  "ed",   "ing",  "ion", "able",
                                          "er", "ly", "ment", "ions", "ive", "al"};
    std::vector<std::string> words{"the", "to",  "of",   "and", "a",  "in",  "is",
                                   "for", "you", "that", "it",  "on", "with"};
    for (std::string_view head : heads)
        for (std::string_view root : roots)
            for (std::string_view tail : tails) words.push_back(std::string(head).append(root).append(tail));
    std::shuffle(words.begin() + 13, words.end(), std::mt19937(1));
    return words;
}

// Words of one or two of the 2,000 commonest Han characters.
std::vector<std::string> chinese_words() {
    std::mt19937 random(3);
    const auto character = [&] {
        const auto c = static_cast<std::uint32_t>(0x4E00 + random() % 2000);
        return std::string{static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
                           static_cast<char>(0x80 | (c & 0x3F))};
    };
    std::vector<std::string> words;
    for (int i = 0; i < 6000; ++i) words.push_back(i % 4 == 0 ? character() : character() + character());
    return words;
}

void index(benchmark::State& state, const std::vector<std::string>& texts) {
    const Tokeniser tokeniser;
    std::string out;
    std::size_t at = 0, bytes = 0, terms = 0;
    for (auto _ : state) {
        const std::string& text = texts[at++ % texts.size()];
        out.clear();
        tokeniser.append_index_terms(text, out);
        benchmark::DoNotOptimize(out.data());
        bytes += text.size();
        terms += out.size();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
    state.counters["texts"] = static_cast<double>(bytes) / static_cast<double>(state.iterations());
    state.counters["terms"] = static_cast<double>(terms) / static_cast<double>(state.iterations());
}

void english(benchmark::State& state) {
    index(state, texts_of(english_words(), " ", 1500));
}
void english_with_signs(benchmark::State& state) {
    index(state, texts_of(english_words(), "'s, ", 1500));
}
void chinese(benchmark::State& state) {
    index(state, texts_of(chinese_words(), "", 1500));
}
void accented(benchmark::State& state) {
    std::vector<std::string> words = english_words();
    for (std::size_t i = 0; i < words.size(); i += 3) words[i] += "\u00e9";
    index(state, texts_of(words, " ", 1500));
}
BENCHMARK(english);
BENCHMARK(english_with_signs);
BENCHMARK(accented);
BENCHMARK(chinese);

void question(benchmark::State& state) {
    const Tokeniser tokeniser;
    for (auto _ : state) benchmark::DoNotOptimize(tokeniser.query_terms("refunded orders 退款"));
}
BENCHMARK(question);

// As people write to models: half of the words hold sentences together, one in twenty carries a mood.
void mood(benchmark::State& state) {
    std::vector<std::string> words = english_words();
    for (std::size_t i = 7; i < words.size(); i += 20) words[i] = i % 40 == 7 ? "great" : "not helpful.";
    const std::vector<std::string> texts = texts_of(words, " ", 1500);
    std::size_t at = 0;
    for (auto _ : state) benchmark::DoNotOptimize(mood_of(texts[at++ % texts.size()]));
}
BENCHMARK(mood);

void question_and_answer(benchmark::State& state) {
    std::vector<std::string> sentences = english_words();
    for (std::size_t i = 5; i < sentences.size(); i += 12) sentences[i] += '.';
    const std::vector<std::string> questions = texts_of(english_words(), " ", 500),
                                   answers = texts_of(sentences, " ", 1000);
    const Tokeniser tokeniser;
    std::string out;
    std::size_t at = 0;
    for (auto _ : state) {
        out.clear();
        const std::size_t next = at++ % questions.size();
        benchmark::DoNotOptimize(tokeniser.append_index_terms(questions[next], answers[next], out));
    }
}
BENCHMARK(question_and_answer);

}  // namespace
}  // namespace obs
