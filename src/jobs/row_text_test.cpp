#include "jobs/row_text.h"

#include <gtest/gtest.h>

#include "store/test_rows.h"

namespace obs::jobs {
namespace {

using obs::test::batch_of;
using obs::test::span;
using obs::test::TestRow;
using query::Content;
using query::Selection;
using namespace std::chrono_literals;

Selection selected(const std::vector<std::string>& names, TableId table = TableId::spans) {
    return Selection::exactly(table, names, Content::shown).value();
}

std::string text_of(ExportFormat format, const std::vector<std::string>& fields, std::vector<TestRow> rows) {
    RowText text(format, selected(fields));
    std::string out;
    text.begin(out);
    if (!rows.empty()) {
        const AnyBatch batch = batch_of(rows);
        text.append(batch, size_of(batch), out);
    }
    text.end(out);
    return out;
}

struct CellCase {
    std::string_view value, cell;
    bool text = true;
};

TEST(CsvCell, isQuotedAndNeverAFormula) {
    const CellCase cases[] = {
        {"", ""},
        {"plain text", "plain text"},
        {"with, comma", "\"with, comma\""},
        {"two\nlines", "\"two\nlines\""},
        {"a \"word\"", "\"a \"\"word\"\"\""},
        {"=1+1", "\"'=1+1\""},
        {"+49 30", "\"'+49 30\""},
        {"-2", "\"'-2\""},
        {"-2", "-2", false},
        {"@SUM(A1)", "\"'@SUM(A1)\""},
        {"\t=1", "\"'\t=1\""},
        {"\r=1", "\"'\r=1\""},
        {"\n=1", "\"'\n=1\""},
        {"a=1", "a=1"},
        {"=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""},
    };
    for (const CellCase& test : cases) {
        std::string out;
        append_csv_cell(test.value, test.text, out);
        EXPECT_EQ(out, test.cell) << test.value;
    }
}

struct FieldCase {
    std::string what;
    std::vector<std::string> fields;
    std::string csv, json;
};

// One row with something of every kind.
TestRow everything() {
    return span("s")
        .at(1500ms)
        .took(12'345'678ns)
        .model("gpt-4o")
        .user("=cmd")
        .tokens(120, 30)
        .cost(1'234'500)
        .tags({"a", "b,c"})
        .input("hello\nworld")
        .set("status_code", std::int64_t{2})
        .set("span_kind", std::int64_t{3})
        .set("is_call", std::int64_t{1})
        .set("temperature", 0.5)
        .set("seed", std::int64_t{-7})
        .set("flags", std::int64_t{5})
        .set("input_messages", "[{\"role\":\n\"user\"}]")
        .attribute("plan", "-gold")
        .attribute("n", "-5", AttributeType::integer);
}

class RowTextOf : public testing::TestWithParam<FieldCase> {};
TEST_P(RowTextOf, isTheSameInEveryFormat) {
    const FieldCase& test = GetParam();
    std::string header;
    for (const std::string& name : test.fields) header += (header.empty() ? "" : ",") + name;
    EXPECT_EQ(text_of(ExportFormat::csv, test.fields, {everything()}), header + "\r\n" + test.csv + "\r\n");
    EXPECT_EQ(text_of(ExportFormat::jsonl, test.fields, {everything()}), test.json + "\n");
    EXPECT_EQ(text_of(ExportFormat::json, test.fields, {everything()}), "[\n" + test.json + "\n]\n");
}
INSTANTIATE_TEST_SUITE_P(
    Fields, RowTextOf,
    testing::Values(
        FieldCase{"times",
                  {"timestamp"},
                  "2026-01-09T12:00:01.500Z",
                  R"({"timestamp":"2026-01-09T12:00:01.500Z"})"},
        FieldCase{
            "durations", {"duration_ms", "latency_ms"}, "12,12", R"({"duration_ms":12,"latency_ms":12})"},
        FieldCase{"words",
                  {"status_code", "span_kind"},
                  "ERROR,client",
                  R"({"status_code":"ERROR","span_kind":"client"})"},
        FieldCase{"numbers",
                  {"prompt_tokens", "temperature", "model_parameters.seed"},
                  "120,0.5,-7",
                  R"({"prompt_tokens":120,"temperature":0.5,"model_parameters.seed":-7})"},
        FieldCase{"money", {"total_cost_usd"}, "0.0012345", R"({"total_cost_usd":0.0012345})"},
        FieldCase{"flags", {"is_call"}, "true", R"({"is_call":true})"},
        FieldCase{"lists", {"tags"}, R"("[""a"",""b,c""]")", R"({"tags":["a","b,c"]})"},
        FieldCase{"repairs",
                  {"flags"},
                  R"("[""negative_duration"",""time_unit_repaired""]")",
                  R"({"flags":["negative_duration","time_unit_repaired"]})"},
        FieldCase{"texts",
                  {"model", "user_id", "input_text"},
                  "gpt-4o,\"'=cmd\",\"hello\nworld\"",
                  R"({"model":"gpt-4o","user_id":"=cmd","input_text":"hello\nworld"})"},
        FieldCase{"json",
                  {"input_messages"},
                  "\"[{\"\"role\"\":\n\"\"user\"\"}]\"",
                  R"({"input_messages":[{"role": "user"}]})"},
        FieldCase{"attributes",
                  {"attributes"},
                  R"("{""plan"":""-gold"",""n"":-5}")",
                  R"({"attributes":{"plan":"-gold","n":-5}})"},
        FieldCase{"one_attribute",
                  {"attributes.plan", "attributes.n"},
                  "\"'-gold\",-5",
                  R"({"attributes.plan":"-gold","attributes.n":-5})"},
        FieldCase{"settings",
                  {"model_parameters"},
                  R"("{""temperature"":0.5,""seed"":-7}")",
                  R"({"model_parameters":{"temperature":0.5,"seed":-7}})"},
        FieldCase{"what_is_missing",
                  {"ttft_ms", "session_id", "attributes.none", "parent_span_id", "client_cost_usd"},
                  ",,,,",
                  "{}"}),
    [](const auto& test) { return test.param.what; });

TEST(RowText, keepsTheOrderOfTheFields) {
    EXPECT_EQ(text_of(ExportFormat::csv, {"model", "ts", "prompt_tokens"}, {everything()}),
              "model,ts,prompt_tokens\r\ngpt-4o,2026-01-09T12:00:01.500Z,120\r\n");
}

TEST(RowText, ofNothingIsWhole) {
    EXPECT_EQ(text_of(ExportFormat::csv, {"model", "attributes.a,b"}, {}), "model,\"attributes.a,b\"\r\n");
    EXPECT_EQ(text_of(ExportFormat::json, {"model"}, {}), "[]\n");
    EXPECT_EQ(text_of(ExportFormat::jsonl, {"model"}, {}), "");
}

TEST(RowText, joinsBatches) {
    RowText text(ExportFormat::json, selected({"model"}));
    std::string out;
    text.begin(out);
    for (const char* model : {"a", "b"}) {
        const AnyBatch batch = batch_of(std::vector<TestRow>{span("1").model(model), span("2").model("cut")});
        text.append(batch, 1, out);
    }
    text.end(out);
    EXPECT_EQ(out, "[\n{\"model\":\"a\"},\n{\"model\":\"b\"}\n]\n");
}

TEST(Selected, refusesWhatIsNotThereAndHidesWhatMayNotBeSeen) {
    const std::vector<std::string> names = {"input_text", "model", "attributes.x", "model", "timestamp"};
    const auto hidden = Selection::exactly(TableId::spans, names, Content::hidden);
    ASSERT_TRUE(hidden);
    ASSERT_EQ(hidden->members().size(), 2u);
    EXPECT_EQ(hidden->members()[0].name, "model");
    EXPECT_EQ(hidden->members()[1].name, "timestamp");
    const std::vector<std::string> unknown = {"model", "colour"};
    EXPECT_FALSE(Selection::exactly(TableId::spans, unknown, Content::shown));
    for (const auto& member : Selection::exactly(TableId::spans, {}, Content::hidden)->members())
        EXPECT_FALSE(member.field->is_content()) << member.name;
}

}  // namespace
}  // namespace obs::jobs
