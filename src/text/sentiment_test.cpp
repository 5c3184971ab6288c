// Moods of sentences of our making, as the Python package vaderSentiment 3.3.2 rates them, and of texts.
// tests/sentiment compares thousands, and measures how often both are right.
#include "text/sentiment.h"

#include <string>

#include <gtest/gtest.h>

namespace obs {
namespace {

struct MoodCase {
    std::string what, sentence;
    double mood;
};
class MoodOfSentence : public testing::TestWithParam<MoodCase> {};
TEST_P(MoodOfSentence, isThatOfTheOriginal) {
    const auto mood = mood_of_sentence(GetParam().sentence);
    ASSERT_TRUE(mood);
    EXPECT_DOUBLE_EQ(*mood, GetParam().mood);
    EXPECT_EQ(mood_of(GetParam().sentence), mood);
}
INSTANTIATE_TEST_SUITE_P(
    Facts, MoodOfSentence,
    testing::Values(MoodCase{"plain", "The refund came quickly and I am happy.", 0.5719},
                    MoodCase{"negated", "This answer is not helpful.", -0.3252},
                    MoodCase{"boosted", "The new version is very helpful.", 0.4754},
                    MoodCase{"dampened", "It is kind of helpful, at least for me.", 0.3626},
                    MoodCase{"shouted", "This is TERRIBLE support.", -0.2808},
                    MoodCase{"all_shouted", "THIS IS TERRIBLE SUPPORT.", -0.1027},
                    MoodCase{"exclamations", "I love it!!!", 0.7249},
                    MoodCase{"questions", "Why is this so bad????", -0.7544},
                    MoodCase{"but", "The design is nice, but the export is broken and useless.", -0.7876},
                    MoodCase{"contraction", "It doesn't work, and that isn't good.", -0.3412},
                    MoodCase{"typesetters_apostrophe", "That isn\u2019t good.", -0.3412},
                    MoodCase{"no_before", "There are no errors left.", 0.2584},
                    MoodCase{"never_so", "I was never so happy.", 0.7702},
                    MoodCase{"least", "The least helpful answer of all.", -0.3252},
                    MoodCase{"emoticon", "Thanks :)", 0.7096},
                    MoodCase{"emoji", "That was quick \U0001F602", 0.4404},
                    MoodCase{"phrase", "With caching on, your tool is the bomb.", 0.6124},
                    MoodCase{"without_doubt", "Without doubt a great idea.", 0.7359}),
    [](const auto& test) { return test.param.what; });

struct TextCase {
    std::string what, text;
    bool positive;
};
class MoodOfText : public testing::TestWithParam<TextCase> {};
TEST_P(MoodOfText, hasTheSignOfItsWords) {
    const auto mood = mood_of(GetParam().text);
    ASSERT_TRUE(mood);
    EXPECT_EQ(*mood > 0, GetParam().positive) << *mood;
}
INSTANTIATE_TEST_SUITE_P(
    Texts, MoodOfText,
    testing::Values(
        TextCase{"of_a_customer", "I waited three weeks. Your support is awful and I want my money back!",
                 false},
        TextCase{"of_an_answer", "You're welcome! I am glad that it works now. Enjoy your day.", true},
        TextCase{"short", "Great, thanks", true},
        TextCase{"with_a_foreign_word", "The Zeitgeist is wonderful, das they say, and it is fun.", true}),
    [](const auto& test) { return test.param.what; });

TEST(MoodOfText, isTheMeanOfItsSentences) {
    EXPECT_DOUBLE_EQ(*mood_of("This answer is not helpful. I love it!!! It has four parts."),
                     (-0.3252 + 0.7249) / 2);
    EXPECT_DOUBLE_EQ(*mood_of("This answer is not helpful\nI love it!!!"), (-0.3252 + 0.7249) / 2);
    EXPECT_DOUBLE_EQ(*mood_of("\"I love it!!!\" This answer is not helpful (yet)."),
                     (*mood_of_sentence("\"I love it!!!\"") - 0.3252) / 2);
}

struct NoMoodCase {
    std::string what, text;
};
class NoMood : public testing::TestWithParam<NoMoodCase> {};
TEST_P(NoMood, isAbsent) {
    EXPECT_EQ(mood_of(GetParam().text), std::nullopt);
}
INSTANTIATE_TEST_SUITE_P(
    Texts, NoMood,
    testing::Values(NoMoodCase{"nothing", ""}, NoMoodCase{"blanks", " \n\t "},
                    NoMoodCase{"without_words_of_mood", "The order has 12 items and ships on Monday."},
                    NoMoodCase{"german", "Das ist super und die Antwort war nicht fatal."},
                    NoMoodCase{"french", "C'est une excellent solution pour les clients, merci."},
                    NoMoodCase{"spanish", "Hola, esta es una solution fatal para los clientes."},
                    NoMoodCase{"italian", "Il super servizio della banca che sono, grazie."},
                    NoMoodCase{"dutch", "Het is een super idee en niet fatal voor ons."},
                    NoMoodCase{"chinese", "\u6211\u8981\u7533\u8bf7\u9000\u6b3e good"},
                    NoMoodCase{"russian", "\u042d\u0442\u043e \u043e\u0447\u0435\u043d\u044c super"},
                    NoMoodCase{"bytes_that_are_no_text", std::string("\xff\xfe\x80\x00", 4)}),
    [](const auto& test) { return test.param.what; });

TEST(MoodOfText, looksAtItsBeginning) {
    std::string text(mood_bytes, ' ');
    EXPECT_EQ(mood_of(text + "I love it"), std::nullopt);
    text.replace(0, 9, "I love it");
    EXPECT_EQ(mood_of(text + "I hate it"), mood_of("I love it"));
}

TEST(MoodOfText, endsForEndlessSentences) {
    std::string text;
    while (text.size() < 3 * mood_bytes) text += "good but bad ";
    EXPECT_TRUE(mood_of(text));
    EXPECT_TRUE(mood_of_sentence(text));
    EXPECT_EQ(mood_of(std::string(mood_bytes, '!')), std::nullopt);
}

}  // namespace
}  // namespace obs
