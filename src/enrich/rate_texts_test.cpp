// Moods and coherence of spans.
#include "enrich/rate_texts.h"

#include <string>

#include <gtest/gtest.h>

#include "enrich/enrich.h"

namespace obs {
namespace {

struct CoherenceCase {
    std::string what;
    SharedTerms shared;
    std::optional<double> expected;
};
class CoherenceOf : public testing::TestWithParam<CoherenceCase> {};
TEST_P(CoherenceOf, comparesQuestionAnswerAndSentences) {
    EXPECT_EQ(coherence_of(GetParam().shared), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(Shares, CoherenceOf,
                         testing::Values(CoherenceCase{"too_short_a_question", {2, 50, 2, 4, 4}, {}},
                                         CoherenceCase{"too_short_an_answer", {50, 2, 2, 1, 1}, {}},
                                         CoherenceCase{"one_sentence", {10, 4, 3, 0, 0}, 0.75},
                                         CoherenceCase{"several_sentences", {4, 40, 4, 4, 2}, 0.75},
                                         CoherenceCase{"nothing_in_common", {10, 10, 0, 3, 0}, 0.0},
                                         CoherenceCase{"all_in_common", {10, 10, 10, 3, 3}, 1.0}),
                         [](const auto& test) { return test.param.what; });

SpanBatch span_of(std::string_view kind, std::string_view input, std::string_view output) {
    SpanBatch spans;
    spans.ts.put(0, UnixNanos{1});
    spans.kind.put(0, kind);
    spans.input_text.put(0, input);
    spans.output_text.put(0, output);
    return spans;
}

class ReadTexts : public testing::Test {
protected:
    SpanBatch read(SpanBatch spans) {
        enricher_.read_texts(spans, 0, spans.size());
        return spans;
    }
    const PriceBoard prices_{std::move(*PriceTable::load())};
    const Tokeniser tokeniser_;
    const Enricher enricher_{prices_, tokeniser_};
};

TEST_F(ReadTexts, rateWhatModelsWereToldAndSaid) {
    const SpanBatch spans = read(span_of("llm", "Your product is terrible. Where is my refund for order 12?",
                                         "I am glad to help! The refund for order 12 is on its way."));
    EXPECT_LT(spans.input_sentiment[0].value(), -0.05);
    EXPECT_GT(spans.output_sentiment[0].value(), 0.05);
    EXPECT_GT(spans.coherence[0].value(), 0.0);
    EXPECT_FALSE(spans.search_text[0].empty());
}

TEST_F(ReadTexts, sayNothingOfToolsAndTexts) {
    for (const char* kind : {"tool", "retriever", "embedding", "other", ""}) {
        const SpanBatch spans =
            read(span_of(kind, "terrible awful order refund", "great wonderful order refund"));
        EXPECT_FALSE(spans.input_sentiment[0] || spans.output_sentiment[0] || spans.coherence[0]) << kind;
    }
}

TEST_F(ReadTexts, leaveOutWhatIsUnknown) {
    const SpanBatch spans = read(span_of("llm", "List the orders", "12, 13"));
    EXPECT_FALSE(spans.input_sentiment[0] || spans.output_sentiment[0] || spans.coherence[0]);
}

TEST_F(ReadTexts, followTheTexts) {
    SpanBatch spans =
        read(span_of("llm", "I love the red blue green house", "I love the red blue green house"));
    ASSERT_TRUE(spans.output_sentiment[0] && spans.coherence[0]);
    Text other;
    other.put(0, "I hate it");
    spans.output_text = other;
    spans = read(std::move(spans));
    EXPECT_LT(spans.output_sentiment[0].value(), 0);
    EXPECT_FALSE(spans.coherence[0]);
}

}  // namespace
}  // namespace obs
