#include "query/filter_grammar.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "query/condition.h"
#include "query/filter_text.h"

namespace obs::query {
namespace {

constexpr UnixNanos now{1'700'000'000'000'000'000};

Result<Filter> parsed(const std::string& json) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    EXPECT_EQ(parser.parse(json).get(root), simdjson::SUCCESS) << json;
    return parse_filter(TableId::spans, root, now);
}

std::string leaf(std::string_view field, std::string_view op, std::string_view value) {
    return fmt::format(R"({{"field":"{}","operator":"{}","value":{}}})", field, op, value);
}

struct GoodCase {
    std::string what;
    std::string json;
    std::string filter;
};
class GoodFilter : public testing::TestWithParam<GoodCase> {};

TEST_P(GoodFilter, isAQuestionInTheUnitsOfTheStore) {
    const auto filter = parsed(GetParam().json);
    ASSERT_TRUE(filter) << filter.error().message;
    EXPECT_EQ(text_of(*filter), GetParam().filter);
}

const GoodCase grammar_cases[] = {
    {"the_seeds_body",
     R"({"operator":"AND","conditions":[
        {"field":"model","operator":"eq","value":"gpt-4o"},
        {"field":"total_cost_usd","operator":"gt","value":0.01},
        {"field":"input_text","operator":"search","value":"refund policy"}]})",
     R"(all(model eq "gpt-4o", total_cost gt 10000000, search_text search "refund" "polici"))"},
    {"the_originals_spelling",
     R"({"operator":"or","filters":[{"field":"model","operator":"eq","value":"a"},
        {"operator":"Not","filters":[{"field":"provider","operator":"eq","value":"b"}]}]})",
     R"(any(model eq "a", none(provider eq "b")))"},
    {"a_leaf_alone", leaf("model", "eq", R"("a")"), R"(model eq "a")"},
    {"spellings_mixed_in_depth",
     R"({"operator":"AND","conditions":[{"operator":"OR","filters":[
        {"field":"model","operator":"eq","value":"a"}]}]})",
     R"(all(any(model eq "a")))"},
};
INSTANTIATE_TEST_SUITE_P(Grammars, GoodFilter, testing::ValuesIn(grammar_cases),
                         [](const auto& test) { return test.param.what; });

const GoodCase operator_cases[] = {
    {"ne", leaf("model", "ne", R"("a")"), R"(none(model eq "a"))"},
    {"gt", leaf("total_tokens", "gt", "5"), "total_tokens gt 5"},
    {"gte", leaf("total_tokens", "gte", "5"), "total_tokens gte 5"},
    {"lt", leaf("total_tokens", "lt", "5"), "total_tokens lt 5"},
    {"lte", leaf("total_tokens", "lte", "5"), "total_tokens lte 5"},
    {"in", leaf("model", "in", R"(["a","b"])"), R"(model in "a" "b")"},
    {"in_with_one", leaf("model", "in", R"(["a"])"), R"(model eq "a")"},
    {"in_of_numbers", leaf("total_tokens", "in", "[1,2]"), "total_tokens in 1 2"},
    {"not_in", leaf("model", "not_in", R"(["a","b"])"), R"(none(model in "a" "b"))"},
    {"nin", leaf("model", "nin", R"(["a"])"), R"(none(model eq "a"))"},
    {"notin", leaf("model", "notin", R"(["a"])"), R"(none(model eq "a"))"},
    {"contains", leaf("input_text", "contains", R"("50%_")"), R"(input_text contains "50%_")"},
    {"not_contains", leaf("input_text", "not_contains", R"("x")"), R"(input_text not_contains "x")"},
    {"starts_with", leaf("model", "starts_with", R"("gpt")"), R"(model starts_with "gpt")"},
    {"ends_with", leaf("model", "ends_with", R"("mini")"), R"(model ends_with "mini")"},
    {"regex", leaf("input_text", "regex", R"("(a+)+$")"), R"(input_text regex "(a+)+$")"},
    {"search_without_words_finds_nothing", leaf("input_text", "search", R"("?!")"), "any()"},
};
INSTANTIATE_TEST_SUITE_P(Operators, GoodFilter, testing::ValuesIn(operator_cases),
                         [](const auto& test) { return test.param.what; });

const GoodCase field_cases[] = {
    {"timestamp_is_ts", leaf("timestamp", "gte", R"("now-1h")"), "ts gte 1699996400000000000"},
    {"ts_as_epoch", leaf("ts", "lt", "1699564800"), "ts lt 1699564800000000000"},
    {"ts_as_rfc3339", leaf("ts", "eq", R"("2023-11-14T22:13:20Z")"), "ts eq 1700000000000000000"},
    {"latency_is_duration", leaf("latency_ms", "gt", "1.5"), "duration gt 1500000"},
    {"a_shown_duration_is_found", leaf("duration_ms", "eq", "250"),
     "all(duration gte 249500000, duration lt 250500000)"},
    {"a_duration_that_is_never_shown", leaf("duration_ms", "eq", "1.5"), "any()"},
    {"ttft_alias", leaf("time_to_first_token_ms", "lte", "100"), "ttft lte 100000000"},
    {"input_cost", leaf("input_cost_usd", "gte", "0.07"), "prompt_cost gte 70000000"},
    {"output_cost", leaf("output_cost_usd", "eq", "0.000001"), "completion_cost eq 1000"},
    {"less_than_a_nano_dollar", leaf("total_cost_usd", "lt", "0.0000000015"), "total_cost lte 1"},
    {"no_such_amount", leaf("total_cost_usd", "eq", "0.00000000015"), "any()"},
    {"a_fraction_of_a_token", leaf("total_tokens", "gte", "1.5"), "total_tokens gt 1"},
    {"a_huge_number", leaf("total_tokens", "gt", "1e300"), "total_tokens gt 9223372036854775807"},
    {"beyond_64_bits", leaf("total_tokens", "lt", "18446744073709551615"),
     "total_tokens lte 9223372036854775807"},
    {"tokens_per_second", leaf("tokens_per_second", "gt", "20"), "tokens_per_second gt 20f"},
    {"temperature", leaf("temperature", "eq", "0"), "temperature eq 0f"},
    {"model_parameters_key", leaf("model_parameters.temperature", "lt", "1"), "temperature lt 1f"},
    {"model_parameters_absent", leaf("model_parameters", "eq", "null"),
     "none(temperature present, top_p present, top_k present, max_tokens present, seed present)"},
    {"status_word", leaf("status_code", "eq", R"("error")"), "status_code eq 2"},
    {"status_success", leaf("status_code", "in", R"(["SUCCESS","UNSET"])"), "status_code in 1 0"},
    {"status_is_always_there", leaf("status_code", "ne", "null"), "all()"},
    {"span_kind_word", leaf("span_kind", "ne", R"("client")"), "span_kind ne 3"},
    {"flag", leaf("streaming", "eq", "true"), "streaming eq 1"},
    {"short_trace_id", leaf("trace_id", "eq", R"("A1b2c3d4e5f60718")"),
     "trace_id eq 0x0000000000000000a1b2c3d4e5f60718"},
    {"trace_id_as_uuid", leaf("trace_id", "eq", R"("01234567-89ab-cdef-0123-456789abcdef")"),
     "trace_id eq 0x0123456789abcdef0123456789abcdef"},
    {"root_spans", leaf("parent_span_id", "eq", "null"), "parent_span_id missing"},
    {"tags_contain", leaf("tags", "contains", R"("a")"), R"(any(tags contains "a"))"},
    {"tags_in", leaf("tags", "in", R"(["a","b"])"), R"(any(tags contains "a", tags contains "b"))"},
    {"tags_not_contain", leaf("tags", "not_contains", R"("a")"), R"(none(tags contains "a"))"},
    {"attribute_text", leaf("attributes.tier", "eq", R"("gold")"), R"(attributes.tier eq "gold")"},
    {"attribute_number", leaf("metadata.retries", "gt", "2"), "attributes.retries gt 2"},
    {"attribute_flag", leaf("attributes.cached", "eq", "true"), R"(attributes.cached eq "true")"},
    {"attribute_with_dots", leaf("attributes.http.route", "eq", R"("/x")"),
     R"(attributes.http.route eq "/x")"},
    {"attribute_mixed", leaf("attributes.n", "in", R"(["a",1])"),
     R"(any(attributes.n eq "a", attributes.n eq 1))"},
    {"attribute_missing", leaf("attributes.tier", "eq", "null"), "attributes.tier missing"},
    {"any_attributes", leaf("metadata", "ne", "null"), "attributes present"},
    {"empty_text_is_missing_text", leaf("user_id", "eq", R"("")"), "user_id missing"},
    {"missing", leaf("total_cost_usd", "eq", "null"), "total_cost missing"},
    {"present", leaf("total_cost_usd", "ne", "null"), "total_cost present"},
};
INSTANTIATE_TEST_SUITE_P(Fields, GoodFilter, testing::ValuesIn(field_cases),
                         [](const auto& test) { return test.param.what; });

struct BadCase {
    std::string what;
    std::string json;
    std::string field;    // Error::field
    std::string mention;  // a part of the message
};
class BadFilter : public testing::TestWithParam<BadCase> {};

TEST_P(BadFilter, isRefusedByName) {
    const auto filter = parsed(GetParam().json);
    ASSERT_FALSE(filter) << text_of(*filter);
    EXPECT_EQ(filter.error().kind, ErrorKind::invalid_input);
    EXPECT_EQ(filter.error().field, GetParam().field);
    EXPECT_NE(filter.error().message.find(GetParam().mention), std::string::npos) << filter.error().message;
}

std::string nested(int depth) {
    std::string json = leaf("model", "eq", R"("a")");
    for (int i = 0; i < depth; ++i) json = R"({"operator":"AND","conditions":[)" + json + "]}";
    return json;
}
std::string wide(int leaves) {
    std::string json = R"({"operator":"OR","conditions":[)";
    for (int i = 0; i < leaves; ++i) json += (i == 0 ? "" : ",") + leaf("model", "eq", R"("a")");
    return json + "]}";
}

const BadCase bad_cases[] = {
    {"unknown_field", leaf("colour", "eq", R"("red")"), "colour", "unknown field"},
    {"unknown_operator", leaf("model", "resembles", R"("x")"), "model", "operator"},
    {"text_for_a_number", leaf("total_tokens", "gt", R"("many")"), "total_tokens", "a number"},
    {"number_for_text", leaf("model", "eq", "4"), "model", "text"},
    {"number_for_contains", leaf("model", "contains", "4"), "model", "text"},
    {"null_for_gt", leaf("total_tokens", "gt", "null"), "total_tokens", "a number"},
    {"in_without_a_list", leaf("model", "in", R"("a")"), "model", "a list"},
    {"in_an_empty_list", leaf("model", "in", "[]"), "model", "at least one"},
    {"in_with_null", leaf("model", "in", "[null]"), "model", "text"},
    {"a_list_for_eq", leaf("model", "eq", R"(["a"])"), "model", "lists go with in"},
    {"an_object_as_value", leaf("model", "eq", "{}"), "model", "a value is text"},
    {"regex_that_is_none", leaf("input_text", "regex", R"("(")"), "input_text", "regex"},
    {"regex_too_long", leaf("input_text", "regex", "\"" + std::string(501, 'a') + "\""), "input_text", "500"},
    {"regex_too_big", leaf("input_text", "regex", R"("((a{100}){100}){100}")"), "input_text", "regex"},
    {"regex_on_a_number", leaf("total_tokens", "regex", R"("1")"), "total_tokens", "does not take"},
    {"text_for_a_time", leaf("ts", "gt", R"("soon")"), "ts", "not a time"},
    {"status_that_is_none", leaf("status_code", "eq", R"("MAYBE")"), "status_code", "OK, ERROR or UNSET"},
    {"id_that_is_none", leaf("trace_id", "eq", R"("xyz")"), "trace_id", "hex"},
    {"attributes_without_key", leaf("attributes", "eq", R"("a")"), "attributes", "attributes.<key>"},
    {"attributes_with_empty_key", leaf("attributes.", "eq", R"("a")"), "attributes.", "unknown field"},
    {"unknown_parameter", leaf("model_parameters.colour", "eq", "1"), "model_parameters.colour",
     "unknown field"},
    {"text_for_attribute_gt", leaf("attributes.n", "gt", R"("1")"), "attributes.n", "a number"},
    {"a_field_nobody_filters", leaf("links", "eq", R"("a")"), "links", "cannot be filtered"},
    {"an_internal_column", leaf("org_id", "eq", R"("a")"), "org_id", "unknown field"},
    {"empty_group", R"({"operator":"AND","conditions":[]})", "conditions", "at least one"},
    {"empty_group_of_the_original", R"({"operator":"AND","filters":[]})", "filters", "at least one"},
    {"not_with_two", R"({"operator":"NOT","conditions":[)" + nested(0) + "," + nested(0) + "]}", "conditions",
     "NOT"},
    {"group_without_operator", R"({"conditions":[)" + nested(0) + "]}", "operator", "AND, OR or NOT"},
    {"group_of_unknown_operator", R"({"operator":"XOR","conditions":[)" + nested(0) + "]}", "operator",
     "XOR"},
    {"group_without_conditions", R"({"operator":"AND"})", "conditions", "list"},
    {"both_spellings_in_a_group",
     R"({"operator":"AND","conditions":[)" + nested(0) + R"(],"filters":[)" + nested(0) + "]}", "conditions",
     "both"},
    {"leaf_and_group", R"({"field":"model","operator":"AND","conditions":[]})", "field", "no conditions"},
    {"leaf_without_operator", R"({"field":"model","value":"a"})", "model", "operator"},
    {"leaf_without_value", R"({"field":"model","operator":"eq"})", "model", "value"},
    {"field_that_is_no_text", R"({"field":1,"operator":"eq","value":1})", "field", "text"},
    {"a_list", "[]", "filters", "object"},
    {"a_text", "\"model\"", "filters", "object"},
    {"too_deep", nested(33), "filters", "32"},
    {"too_wide", wide(1001), "filters", "1000"},
};
INSTANTIATE_TEST_SUITE_P(Mistakes, BadFilter, testing::ValuesIn(bad_cases),
                         [](const auto& test) { return test.param.what; });

TEST(FilterGrammar, takesAsMuchAsItPromises) {
    EXPECT_TRUE(parsed(nested(31)));
    EXPECT_TRUE(parsed(wide(1000)));
    EXPECT_TRUE(parsed(leaf("input_text", "regex", "\"" + std::string(500, 'a') + "\"")));
}

// Pieces of real filters in any order: most are nonsense, none may do harm.
TEST(FilterGrammar, survivesRandomFilters) {
    const std::string_view pieces[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\"field\"",
                                       "\"model\"",
                                       "\"operator\"",
                                       "\"eq\"",
                                       "\"in\"",
                                       "\"AND\"",
                                       "\"NOT\"",
                                       "\"value\"",
                                       "null",
                                       "1e308",
                                       "\"\\u0000\"",
                                       "\"conditions\"",
                                       "\"filters\"",
                                       "true",
                                       "-1",
                                       "\"attributes.\"",
                                       "\"tags\"",
                                       "\"ts\"",
                                       "\"regex\""};
    std::mt19937 random(7);
    simdjson::dom::parser parser;
    int read = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string json = R"({"field":)";
        for (auto i = random() % 12; i > 0; --i) json += pieces[random() % std::size(pieces)];
        simdjson::dom::element root;
        if (parser.parse(json + "}").get(root) != simdjson::SUCCESS) continue;
        ++read;
        static_cast<void>(parse_filter(TableId::spans, root, now));
    }
    EXPECT_GT(read, 0);
}

struct SlowCase {
    std::string what, json, attribute;
};
class SlowAttribute : public testing::TestWithParam<SlowCase> {};
TEST_P(SlowAttribute, isFound) {
    EXPECT_EQ(slow_attribute_of(*parsed(GetParam().json)), GetParam().attribute);
}
INSTANTIATE_TEST_SUITE_P(
    Questions, SlowAttribute,
    testing::Values(SlowCase{"eq_is_quick", leaf("attributes.a", "eq", "\"x\""), ""},
                    SlowCase{"in_is_quick", leaf("attributes.a", "in", "[\"x\",\"y\"]"), ""},
                    SlowCase{"columns_are_quick", leaf("model", "regex", "\"x\""), ""},
                    SlowCase{"gt_is_slow", leaf("attributes.a", "gt", "1"), "attributes.a"},
                    SlowCase{"ne_is_slow", leaf("attributes.a", "ne", "\"x\""), "attributes.a"},
                    SlowCase{"regex_is_slow", leaf("metadata.a", "regex", "\"x\""), "attributes.a"}),
    [](const auto& test) { return test.param.what; });

TEST(ContentReadBy, seesThroughGroups) {
    const auto reads = [](const std::string& json) { return content_read_by(*parsed(json)) != nullptr; };
    EXPECT_TRUE(reads(leaf("input_text", "eq", "\"x\"")));
    EXPECT_TRUE(reads(leaf("model", "search", "\"x\""))) << "search reads the text, whatever field it names";
    EXPECT_TRUE(
        reads(R"({"operator":"NOT","conditions":[)" + leaf("error_message", "contains", "\"x\"") + "]}"));
    EXPECT_FALSE(reads(leaf("model", "eq", "\"x\"")));
}

TEST(Narrowed, takesBoundsOnTimeThatAllRowsShare) {
    const std::string bounds = R"({"operator":"AND","conditions":[)" + leaf("ts", "gte", "\"2023-11-01\"") +
                               "," + leaf("ts", "lt", "\"2023-11-02\"") + "]}";
    const Window window = narrowed({}, *parsed(bounds));
    EXPECT_EQ(rfc3339(window.from.value()), "2023-11-01T00:00:00Z");
    EXPECT_EQ(rfc3339(window.to.value()), "2023-11-02T00:00:00Z");
    const Window either =
        narrowed({}, *parsed(R"({"operator":"OR","conditions":[)" + leaf("ts", "gte", "1") + "]}"));
    EXPECT_FALSE(either.from);
}

}  // namespace
}  // namespace obs::query
