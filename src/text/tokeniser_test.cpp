#include "text/tokeniser.h"

#include <algorithm>
#include <random>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace obs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string index(std::string_view text) {
    std::string out;
    Tokeniser().append_index_terms(text, out);
    return out;
}

std::vector<std::string> split(const std::string& terms) {
    std::vector<std::string> parts;
    std::size_t from = 0;
    while (from < terms.size()) {
        const std::size_t to = std::min(terms.find(' ', from), terms.size());
        parts.push_back(terms.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

// What a store does: all terms of the question are among the row's.
bool finds(std::string_view question, std::string_view text) {
    const std::vector<std::string> row = split(index(text)), asked = Tokeniser().query_terms(question);
    return !asked.empty() && std::ranges::all_of(asked, [&](const std::string& term) {
        return std::ranges::find(row, term) != row.end();
    });
}

struct SearchCase {
    std::string what;
    std::string_view question, text;
    bool found;
};
class Search : public testing::TestWithParam<SearchCase> {};

TEST_P(Search, findsWhatAPersonExpects) {
    EXPECT_EQ(finds(GetParam().question, GetParam().text), GetParam().found)
        << "text: " << index(GetParam().text)
        << "\nquestion: " << testing::PrintToString(Tokeniser().query_terms(GetParam().question));
}

const SearchCase english[] = {
    {"plural", "refund", "I want two refunds.", true},
    {"singular", "refunds", "a refund please", true},
    {"past", "refunded", "Will you refund me?", true},
    {"participle", "refunding", "it was refunded", true},
    {"any_case", "REFUND", "Refund", true},
    {"all_words_needed", "refund invoice", "refund please", false},
    {"in_any_order", "please refund", "refund, please", true},
    {"another_word", "fund", "refund", false},
    {"genitive", "customer", "the customer's order", true},
    {"curly_genitive", "customer", "the customer\u2019s order", true},
    {"contraction", "don't", "we don't know", true},
    {"punctuation", "order", "(order)", true},
    {"only_signs_find_nothing", "?!", "what?!", false},
};
const SearchCase ids[] = {
    {"number", "404", "status 404 returned", true},
    {"part_of_a_number", "40", "status 404 returned", false},
    {"snake_case_whole", "get_user", "call get_user now", true},
    {"snake_case_part", "user", "call get_users now", true},
    {"snake_case_is_one_name", "get_user", "get the user", false},
    {"dunder", "init", "def __init__(self)", true},
    {"mail_whole", "john.doe@example.com", "write to John.Doe@Example.com!", true},
    {"mail_part", "example", "write to john.doe@example.com", true},
    {"uuid", "123e4567-e89b-12d3-a456-426614174000", "id=123E4567-E89B-12D3-A456-426614174000;", true},
    {"version", "v1.2.3", "released V1.2.3 today", true},
    {"words_with_digits_have_no_stem", "gpt4s", "gpt4", false},
    {"identifier_in_foreign_text", "foo_bar", "请调用foo_bar函数", true},
    {"path", "config", "/etc/app/config.yaml", true},
};
const SearchCase latin[] = {
    {"without_accent", "cafe", "Un caf\u00e9 noir", true},
    {"with_accent", "caf\u00e9", "CAFE", true},
    {"composed_or_not", "caf\u00e9", "cafe\u0301", true},
    {"german_sharp_s", "STRASSE", "die Stra\u00dfe", true},
    {"french_article", "heure", "l'heure", true},
    {"turkish_dot", "istanbul", "\u0130stanbul", true},
    {"full_width", "refund", "\uff32\uff25\uff26\uff35\uff2e\uff24", true},
    {"ligature", "office", "o\ufb03ce", true},
};
const SearchCase scripts[] = {
    {"chinese_inside_a_sentence", "退款", "我要申请退款", true},
    {"chinese_longer", "申请退款", "我要申请退款", true},
    {"chinese_one_character", "退", "我要申请退款", true},
    {"chinese_other_word", "付款", "我要申请退款", false},
    {"chinese_not_next_to_each_other", "退申", "我要申请退款", false},
    {"chinese_with_english", "退款 order", "我要申请退款 for orders", true},
    {"chinese_number", "2024年", "发布于2024年", true},
    {"chinese_rare_plane", "𠮷野", "𠮷野家", true},
    {"japanese_kanji", "返金", "商品の返金をお願いします", true},
    {"japanese_kana", "お願い", "商品の返金をお願いします", true},
    {"japanese_long_vowel", "サーバー", "サーバーエラー", true},
    {"japanese_half_width", "サーバー", "ｻｰﾊﾞｰエラー", true},
    {"korean_with_particle", "환불", "환불을 요청합니다", true},
    {"korean_one_syllable", "책", "책을 샀다", true},
    {"korean_other", "환영", "환불을 요청합니다", false},
    {"thai", "คืนเงิน", "ฉันต้องการคืนเงินค่าสินค้า", true},
    {"thai_other", "สวัสดี", "ฉันต้องการคืนเงิน", false},
    {"lao", "ຄືນເງິນ", "ຂ້ອຍຕ້ອງການຄືນເງິນ", true},
    {"khmer", "សងប្រាក់", "ខ្ញុំចង់សងប្រាក់វិញ", true},
    {"myanmar", "ပြန်အမ်း", "ငွေပြန်အမ်းချင်ပါတယ်", true},
    {"arabic_with_article", "كتاب", "قرأت الكتاب", true},
    {"arabic_vowels", "كتاب", "كِتَاب", true},
    {"arabic_digits", "123", "رقم ١٢٣", true},
    {"russian_inflected", "возврат", "оформить возвраты", true},
    {"russian_case", "ВОЗВРАТ", "возврата", true},
    {"greek", "επιστροφή", "ΕΠΙΣΤΡΟΦΗ χρημάτων", true},
    {"hindi", "किताब", "किताबें पढ़ो", true},
    {"hebrew", "החזר", "בקשת החזר כספי", true},
};

const auto name = [](const auto& test) { return test.param.what; };
INSTANTIATE_TEST_SUITE_P(English, Search, testing::ValuesIn(english), name);
INSTANTIATE_TEST_SUITE_P(Ids, Search, testing::ValuesIn(ids), name);
INSTANTIATE_TEST_SUITE_P(Latin, Search, testing::ValuesIn(latin), name);
INSTANTIATE_TEST_SUITE_P(Scripts, Search, testing::ValuesIn(scripts), name);

TEST(IndexTerms, holdEachTermOnce) {
    EXPECT_THAT(split(index("Refund refunds, refunded; REFUND 7 7")), ElementsAre("refund", "7"));
    EXPECT_THAT(split(index("退款退款")), UnorderedElementsAre("退", "款", "退款", "款退"));
}

TEST(IndexTerms, ofSeveralTextsAreShared) {
    const std::string_view texts[] = {"refund please", "your refunds"};
    std::string out = "kept";
    Tokeniser().append_index_terms(texts, out);
    EXPECT_EQ(out, "kept refund pleas your");
}

TEST(IndexTerms, ofNothingAreNothing) {
    EXPECT_EQ(index(""), "");
    EXPECT_EQ(index(" \t\n.,_'"), "");
    EXPECT_EQ(index("\xff\xfe\xc3"), "");
}

TEST(IndexTerms, surviveBrokenText) {
    EXPECT_TRUE(finds("refund", "\xffrefund\xc3"));
    EXPECT_TRUE(finds("refund", std::string_view("a\0refund\0b", 10)));
}

TEST(IndexTerms, areCutWhenTheyAreLong) {
    const std::string blob(10'000, 'A');
    EXPECT_EQ(index(blob).size(), 64u);
    EXPECT_TRUE(finds(blob, "data " + blob));
    std::string cyrillic;
    for (int i = 0; i < 100; ++i) cyrillic += "ж1";
    EXPECT_TRUE(finds(cyrillic, cyrillic));
    EXPECT_LE(index(cyrillic).size(), 64u);
}

TEST(IndexTerms, endAtTheLimitOfEachText) {
    const std::string text = "first " + std::string(100, '.') + " last";
    const std::string_view texts[] = {text, "second"};
    std::string out;
    Tokeniser({.text_bytes = 50}).append_index_terms(texts, out);
    EXPECT_EQ(out, "first second");
    out.clear();
    Tokeniser({.text_bytes = 4}).append_index_terms("退款", out);
    EXPECT_EQ(out, "退") << "a character is not cut in two";
}

// Characters of all scripts below U+3000 and some Han, signs and spaces among them.
std::string random_text(std::mt19937& random, int characters) {
    std::uniform_int_distribution<std::uint32_t> any(0, 0x2FFF), han(0x4E00, 0x4E40), choice(0, 9);
    std::string text;
    for (int i = 0; i < characters; ++i) {
        const std::uint32_t kind = choice(random);
        const std::uint32_t c = kind == 0  ? ' '
                                : kind < 4 ? any(random) % 0x80
                                : kind < 6 ? han(random)
                                           : any(random);
        if (c < 0x80) {
            text += static_cast<char>(c);
        } else if (c < 0x800) {
            text += static_cast<char>(0xC0 | (c >> 6));
            text += static_cast<char>(0x80 | (c & 0x3F));
        } else {
            text += static_cast<char>(0xE0 | (c >> 12));
            text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
            text += static_cast<char>(0x80 | (c & 0x3F));
        }
    }
    return text;
}

TEST(IndexTerms, holdNoWhiteSpaceAndNoTermTwice) {
    std::mt19937 random(7);
    const std::vector<std::string> terms = split(index(random_text(random, 20'000)));
    EXPECT_GT(terms.size(), 4'000u);
    EXPECT_EQ(std::set<std::string>(terms.begin(), terms.end()).size(), terms.size());
    for (const std::string& term : terms) {
        EXPECT_FALSE(term.empty());
        EXPECT_LE(term.size(), 64u);
        EXPECT_EQ(term.find_first_of(std::string("\t\n\r\v\f\0", 6)), std::string::npos) << term;
    }
}

TEST(AnySearch, findsWhateverStandsBetweenSpaces) {
    std::mt19937 random(11);
    int asked = 0;
    for (int round = 0; round < 300; ++round) {
        const std::string text = random_text(random, 200);
        const std::vector<std::string> row = split(index(text));
        const std::set<std::string> terms(row.begin(), row.end());
        for (const std::string& part : split(text)) {
            for (const std::string& term : Tokeniser().query_terms(part)) {
                EXPECT_TRUE(terms.contains(term)) << "'" << term << "' of '" << part << "'";
                ++asked;
            }
        }
    }
    EXPECT_GT(asked, 20'000);
}

TEST(QueryTerms, ofAQuestionWithoutWordsAreNone) {
    EXPECT_THAT(Tokeniser().query_terms(" ?! "), IsEmpty());
}

TEST(QueryTerms, askForPairsAlone) {
    EXPECT_THAT(Tokeniser().query_terms("退款吗"), ElementsAre("退款", "款吗"));
    EXPECT_THAT(Tokeniser().query_terms("退"), ElementsAre("退"));
    EXPECT_THAT(Tokeniser().query_terms("get_user refunds"), ElementsAre("get_user", "refund"));
}

TEST(Terms, areTheSameInEveryThread) {
    const std::string_view text = "Refunds for 我要申请退款 and get_users";
    const std::string expected = index(text);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < 200; ++round) EXPECT_EQ(index(text), expected);
        });
}

TEST(Terms, areCompleteAfterARowOfVeryManyTerms) {
    std::string many;
    for (int i = 0; i < 12'000; ++i) many += std::to_string(i) + ' ';
    std::vector<std::string> first;
    for (int i = 0; i < 50; ++i) first.push_back(index("word number " + std::to_string(i)));
    EXPECT_EQ(split(index(many)).size(), 12'000u);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(index("word number " + std::to_string(i)), first[i]);
}

TEST(Terms, doNotDependOnWhatCameBefore) {
    const std::string expected = index("hoping generalization university");
    for (int i = 0; i < 20'000; ++i)
        index("word" + std::string(1, static_cast<char>('a' + i % 26)) + std::to_string(i));
    for (char c = 'a'; c <= 'z'; ++c)
        for (char d = 'a'; d <= 'z'; ++d)
            for (char e = 'a'; e <= 'z'; ++e) index(std::string{c, d, e, 'i', 'n', 'g'});
    EXPECT_EQ(index("hoping generalization university"), expected);
}

struct SharedCase {
    std::string what, question, answer;
    std::vector<std::size_t> counts;  // as SharedTerms has them
};
class Shared : public testing::TestWithParam<SharedCase> {};
TEST_P(Shared, isWhatBothTextsAreAbout) {
    std::string terms, alike;
    const SharedTerms shared = Tokeniser().append_index_terms(GetParam().question, GetParam().answer, terms);
    EXPECT_THAT((std::vector{shared.first, shared.second, shared.common, shared.neighbours, shared.linked}),
                testing::ElementsAreArray(GetParam().counts));
    Tokeniser().append_index_terms(std::vector<std::string_view>{GetParam().question, GetParam().answer},
                                   alike);
    EXPECT_EQ(terms, alike);
}
INSTANTIATE_TEST_SUITE_P(
    Texts, Shared,
    testing::Values(
        SharedCase{"nothing", "", "", {0, 0, 0, 0, 0}},
        SharedCase{"stems", "When do refunds arrive?", "Refunding arrives fast", {2, 3, 2, 0, 0}},
        SharedCase{"function_words_alone", "What is it for?", "It is what it is.", {0, 0, 0, 0, 0}},
        SharedCase{"repeated", "refund refund order", "order order order", {2, 1, 1, 0, 0}},
        SharedCase{"linked", "x", "The order shipped. The order was big. Rain fell.", {1, 5, 0, 2, 1}},
        SharedCase{"linked_over_a_gap", "x", "Order. Rain. Order.", {1, 2, 0, 2, 0}},
        SharedCase{"lines", "x", "red\nred\n\nblue blue", {1, 2, 0, 2, 1}},
        SharedCase{"points_inside", "x", "3.5 at example.com", {1, 4, 0, 0, 0}},
        SharedCase{"of_the_question_alone", "red red", "blue. red. red.", {1, 2, 1, 2, 1}},
        SharedCase{"no_sentences_in_the_question", "red. red. red.", "red", {1, 1, 1, 0, 0}},
        SharedCase{"chinese", "退款", "我要退款", {3, 7, 3, 0, 0}}),
    [](const auto& test) { return test.param.what; });

}  // namespace
}  // namespace obs
