#include "store/contract_test.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <set>
#include <stop_token>
#include <thread>
#include <type_traits>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "model/random_batches.h"
#include "store/field.h"

namespace obs::test {

using namespace std::chrono_literals;
using enum Operator;
using testing::ElementsAre;
using testing::ElementsAreArray;

namespace {

std::string sorted_words(std::string words) {
    std::vector<std::string> list;
    for (std::size_t at = 0; at < words.size();) {
        const std::size_t end = std::min(words.find(' ', at), words.size());
        list.push_back(words.substr(at, end - at));
        at = end + 1;
    }
    std::sort(list.begin(), list.end());
    return fmt::format("{}", fmt::join(list, " "));
}

std::string cell_text(const Cell& cell) {
    struct Printer {
        std::string operator()(std::monostate) const { return "-"; }
        std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
        std::string operator()(double number) const { return fmt::format("{:.9g}", number); }
        std::string operator()(const std::string& text) const { return text; }
        std::string operator()(const std::vector<std::string>& list) const {
            return fmt::format("[{}]", fmt::join(list, ","));
        }
    };
    return std::visit(Printer{}, cell);
}

std::vector<std::string> texts_of(std::span<const TestRow> rows) {
    std::vector<std::string> texts;
    for (const TestRow& row : rows) texts.push_back(row.text());
    std::sort(texts.begin(), texts.end());
    return texts;
}

const std::string& text_at(const TestRow& row, std::string_view column) {
    static const std::string none;
    const Given* value = row.get(column);
    return value == nullptr ? none : std::get<std::string>(*value);
}

// What a row is called: the name of a span or metric point, else its first text.
const std::string& name_of(const TestRow& row) {
    switch (row.table()) {
        case TableId::spans: return text_at(row, "span_name");
        case TableId::logs: return text_at(row, "body");
        case TableId::metric_points: return text_at(row, "metric_name");
        case TableId::scores: return text_at(row, "name");
        case TableId::audit: return text_at(row, "route");
    }
    return text_at(row, {});
}

std::string names_of(std::span<const TestRow> rows) {
    std::vector<std::string> list;
    for (const TestRow& row : rows) list.push_back(name_of(row));
    return fmt::format("{}", fmt::join(list, " "));
}

}  // namespace

std::string store_name(const testing::TestParamInfo<StoreMaker>& test) {
    return test.param.name;
}

void PrintTo(const StoreMaker& maker, std::ostream* out) {
    *out << maker.name;
}

void StoreContract::SetUp() {
    static std::atomic<int> tests = 0;
    org_ = fmt::format("org{}", ++tests);
    store_ = GetParam().make();
    ASSERT_NE(store_, nullptr);
    const Result<void> migrated = store_->migrate();
    ASSERT_TRUE(migrated.has_value()) << migrated.error().message;
}

void StoreContract::fill_in(TestRow& row) {
    if (row.get("org_id") == nullptr) row.set("org_id", org_);
    if (row.get("project_id") == nullptr) row.project("p");
    if (row.get("seq") == nullptr) row.seq(seq_);
}

std::string StoreContract::new_id() {
    return fmt::format("{}-{}", org_, ++writes_);
}

void StoreContract::write_under(std::string_view id, std::vector<TestRow> rows) {
    ++seq_;
    for (TestRow& row : rows) fill_in(row);
    const Result<void> written = store_->write(batch_of(rows), id);
    ASSERT_TRUE(written.has_value()) << written.error().message;
}

std::vector<TestRow> StoreContract::write(std::vector<TestRow> rows) {
    ++seq_;
    std::map<std::int32_t, std::vector<TestRow>> days;
    for (TestRow& row : rows) {
        fill_in(row);
        days[day_of(row.ts())].push_back(row);
    }
    for (const auto& [day, part] : days) {
        const Result<void> written = store_->write(batch_of(part), new_id());
        EXPECT_TRUE(written.has_value()) << written.error().message;
    }
    return rows;
}

RowQuestion StoreContract::rows_where(Filter filter, TableId table) const {
    RowQuestion question(Scope(org_, {}));
    question.table = table;
    question.filter = std::move(filter);
    question.limit = 1000;
    return question;
}

GroupQuestion StoreContract::groups_where(Filter filter) const {
    GroupQuestion question(Scope(org_, {}));
    question.filter = std::move(filter);
    return question;
}

std::vector<TestRow> StoreContract::ask(const RowQuestion& question) {
    const Result<Rows> answer = store_->rows(question, {});
    if (!answer) {
        ADD_FAILURE() << answer.error().message;
        return {};
    }
    return rows_of(answer->batch);
}

std::string StoreContract::names(const RowQuestion& question) {
    return names_of(ask(question));
}

std::string StoreContract::figures(const GroupQuestion& question) {
    const Result<Table> answer = store_->groups(question, {});
    if (!answer) return answer.error().message;
    std::vector<std::string> lines;
    for (const auto& row : answer->rows) {
        std::vector<std::string> cells;
        for (const Cell& cell : row) cells.push_back(cell_text(cell));
        lines.push_back(fmt::format("{}", fmt::join(cells, " ")));
    }
    return fmt::format("{}", fmt::join(lines, "; "));
}

RowQuestion::Position StoreContract::position_of(const RowQuestion& question, const TestRow& row) {
    RowQuestion::Position position;
    position.ts = row.ts();
    if (const Given* id = row.get("trace_id"))
        position.trace_id = *TraceId::from_bytes(std::get<std::string>(*id));
    if (const Given* id = row.get("span_id"))
        position.span_id = *SpanId::from_bytes(std::get<std::string>(*id));
    for (const Order& order : question.order) {
        std::optional<Scalar>& value = position.values.emplace_back();
        const Given* given = row.get(order.field.column->name);
        if (given == nullptr) {
            // A row leaves out zeros; they are missing only where the column has presence.
            const bool zero = kind_of(order.field) == FieldKind::number && !order.field.column->optional;
            if (zero) value = std::int64_t{0};
            continue;
        }
        if (const auto* text = std::get_if<std::string>(given)) value = *text;
        if (const auto* whole = std::get_if<std::int64_t>(given)) value = *whole;
        if (const auto* real = std::get_if<double>(given)) value = *real;
    }
    return position;
}

std::vector<TestRow> StoreContract::walk(RowQuestion question, const std::function<void()>& between) {
    std::vector<TestRow> all;
    for (;;) {
        const std::vector<TestRow> page = ask(question);
        all.insert(all.end(), page.begin(), page.end());
        if (page.size() < question.limit || testing::Test::HasFailure()) return all;
        question.after = position_of(question, page.back());
        if (between) between();
    }
}

// ---- writing

TEST_P(StoreContract, what_was_written_is_found_with_all_its_values) {
    const std::vector<TestRow> written = write({span("chat")
                                                    .at(3s)
                                                    .model("gpt-4o")
                                                    .tokens(120, 30)
                                                    .cost(600'000)
                                                    .tags({"b", "a"})
                                                    .attribute("n", "5", AttributeType::integer)});
    EXPECT_EQ(texts_of(ask(rows_where())), texts_of(written));
}

TEST_P(StoreContract, writing_again_under_the_same_id_changes_nothing) {
    write_under(org() + "-x", {span("a"), span("b")});
    write_under(org() + "-x", {span("a"), span("b")});
    write_under(org() + "-x", {span("c")});
    EXPECT_EQ(sorted_words(names(Filter{})), "a b");
    write_under(org() + "-y", {span("c")});
    EXPECT_EQ(sorted_words(names(Filter{})), "a b c");
}

TestRow version(std::string_view id, double value) {
    return score("judge").set("score_id", std::string(id)).set("value", value);
}

TEST_P(StoreContract, the_last_version_of_a_score_is_the_one_there_is) {
    const auto values = [&] {
        std::string text;
        for (const TestRow& row : ask(rows_where({}, TableId::scores)))
            text += fmt::format("{}={} ", std::get<std::string>(*row.get("score_id")),
                                std::get<double>(*row.get("value")));
        return text;
    };
    write({version("a", 1), version("b", 2).at(1s)});
    EXPECT_EQ(values(), "b=2 a=1 ");
    write({version("a", 3).at(2s)});
    EXPECT_EQ(values(), "a=3 b=2 ");
    write({version("a", 4).at(-48h), version("b", 5).at(48h)});
    EXPECT_EQ(values(), "b=5 a=4 ") << "whatever day it was given for";
    write({version("a", 6).at(3s), version("a", 7).at(4s), version("a", 8).at(3s)});
    EXPECT_EQ(values(), "b=5 a=7 ") << "of a request the one that was given last";
    write_under(new_id(), {version("b", 9).at(5s).seq(1)});
    EXPECT_EQ(values(), "b=5 a=7 ") << "what was sent earlier comes late";
    write({version("a", 10).at(1s).project("q")});
    EXPECT_EQ(values(), "b=5 a=7 a=10 ") << "ids are those of a project";
}

TEST_P(StoreContract, a_score_that_is_taken_back_is_gone) {
    const auto taken_back = [](std::string_view id) {
        return TestRow(TableId::scores).at(0s).set("score_id", std::string(id));
    };
    write({version("a", 1), version("b", 2).at(-48h), version("c", 3)});
    write({taken_back("a"), taken_back("b"), taken_back("unknown")});
    EXPECT_EQ(ask(rows_where({}, TableId::scores)).size(), 1U);
    write({version("d", 4), taken_back("d")});
    EXPECT_EQ(ask(rows_where({}, TableId::scores)).size(), 1U) << "in the same request";
    write({version("a", 5)});
    EXPECT_EQ(ask(rows_where({}, TableId::scores)).size(), 2U) << "an id may be used again";
}

TEST_P(StoreContract, scores_without_an_id_are_all_kept) {
    write({score("judge"), score("judge"), score("judge")});
    write({score("judge")});
    EXPECT_EQ(ask(rows_where({}, TableId::scores)).size(), 4U);
}

TEST_P(StoreContract, an_id_is_remembered_behind_many_others) {
    write_under(org() + "-first", {span("a")});
    for (int i = 0; i < 100; ++i) write({span(fmt::format("x{}", i))});
    write_under(org() + "-first", {span("a")});
    EXPECT_EQ(names(where("span_name", eq, {"a"})), "a");
}

TEST_P(StoreContract, values_of_every_kind_come_back_as_they_were) {
    const std::string nul("a\0b", 3);
    const std::pair<const char*, std::string> texts[] = {{"tab", "a\tb"},
                                                         {"newline", "a\nb\r\n"},
                                                         {"quotes", "'\"`"},
                                                         {"nul", nul},
                                                         {"backslash_n", "\\N"},
                                                         {"backslashes", "\\\\t\\"},
                                                         {"null", "NULL"},
                                                         {"braces", "{p:String}"},
                                                         {"emoji", "🙂 👩‍👩‍👧"},
                                                         {"mebibyte", std::string(1 << 20, 'x')},
                                                         {"spaces", "  "},
                                                         {"percent", "%_?"}};
    std::vector<TestRow> rows;
    for (const auto& [what, text] : texts)
        rows.push_back(span(what)
                           .input(text)
                           .user(text)
                           .model(text)
                           .tags({text, "x"})
                           .attribute(text.substr(0, 40), text));
    const std::vector<TestRow> written = write(rows);
    EXPECT_EQ(texts_of(ask(rows_where())), texts_of(written));
    for (const auto& [what, text] : texts) {
        SCOPED_TRACE(what);
        EXPECT_EQ(names(where("input_text", eq, {text})), what);
        EXPECT_EQ(names(where("user_id", in, {text, "other"})), what);
        EXPECT_EQ(names(where("model", eq, {text})), what);
        EXPECT_EQ(names(where("tags", contains, {text})), what);
        EXPECT_EQ(names(where("attributes." + text.substr(0, 40), eq, {text})), what);
    }
}

TEST_P(StoreContract, extremes_of_numbers_survive) {
    constexpr std::int64_t low = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t high = std::numeric_limits<std::int64_t>::max();
    constexpr double infinite = std::numeric_limits<double>::infinity();
    const std::vector<TestRow> written = write({
        span("high")
            .set("seed", high)
            .set("duration", high)
            .set("total_cost", high)
            .set("temperature", infinite),
        span("low")
            .set("seed", low)
            .set("duration", low)
            .set("total_cost", low)
            .set("temperature", -infinite),
        span("nan").set("temperature", std::numeric_limits<double>::quiet_NaN()).set("seed", std::int64_t{0}),
        span("near").set("seed", high - 1).set("temperature", std::numeric_limits<double>::denorm_min()),
    });
    EXPECT_EQ(texts_of(ask(rows_where())), texts_of(written));
    EXPECT_EQ(names(where("seed", eq, {high})), "high");
    EXPECT_EQ(names(where("seed", gte, {high})), "high");
    EXPECT_EQ(names(where("duration", lt, {low + 1})), "low");
    EXPECT_EQ(names(where("temperature", gt, {1e308})), "high");
    EXPECT_EQ(sorted_words(names(where("temperature", present))), "high low nan near");
}

TEST_P(StoreContract, ids_may_hold_zero_bytes) {
    std::string zeros(16, '\0'), short_zeros(8, '\0');
    zeros[3] = '\x01';
    short_zeros[7] = '\xff';
    std::string other = zeros;
    other[15] = '\n';
    write({span("a").set("trace_id", zeros).set("span_id", short_zeros),
           span("b").set("trace_id", other).at(1s)});
    EXPECT_EQ(names(where("trace_id", eq, {zeros})), "a");
    EXPECT_EQ(names(where("trace_id", eq, {other})), "b");
    EXPECT_EQ(names(where("span_id", in, {short_zeros})), "a");
}

template <class Batch>
std::vector<TestRow> random_rows(std::uint64_t seed) {
    return rows_of(AnyBatch(random_batch<Batch>(seed, 200)));
}

TEST_P(StoreContract, every_column_of_every_table_comes_back) {
    const std::vector<TestRow> tables[] = {random_rows<SpanBatch>(1), random_rows<LogBatch>(2),
                                           random_rows<MetricBatch>(3), random_rows<ScoreBatch>(4)};
    for (std::vector<TestRow> rows : tables) {
        SCOPED_TRACE(table_name(rows.front().table()));
        for (TestRow& row : rows) row.set("org_id", org());
        // A score without a name takes one back.
        if (rows.front().table() == TableId::scores)
            for (TestRow& row : rows)
                if (row.get("name") == nullptr) row.set("name", "n");
        const std::vector<TestRow> written = write(rows);
        EXPECT_EQ(texts_of(ask(rows_where({}, rows.front().table()))), texts_of(written));
    }
}

// ---- filters

struct FilterCase {
    std::string what;
    Filter filter;
    std::string expected;
};

std::vector<TestRow> filter_rows() {
    return {
        span("a")
            .at(1s)
            .model("gpt-4o")
            .user("u-1")
            .tokens(120, 30)
            .cost(600'000)
            .took(2s)
            .tags({"prod", "eu"})
            .attribute("tier", "gold")
            .attribute("n", "5", AttributeType::integer)
            .set("temperature", 0.5)
            .set("status_code", std::int64_t{1})
            .set("streaming", std::int64_t{1})
            .set("parent_span_id", span_bytes("root"))
            .terms("hello world refund"),
        span("b")
            .at(2s)
            .model("GPT-4O-mini")
            .user("U-2")
            .tokens(0, 0)
            .tags({"Prod"})
            .attribute("tier", "Silver")
            .attribute("n", "12", AttributeType::integer)
            .set("status_code", std::int64_t{2})
            .set("streaming", std::int64_t{0})
            .set("temperature", -1.0),
        span("c").at(3s),
        span("d")
            .at(4s)
            .model("claude")
            .user("100%_\\x")
            .tokens(7, 1)
            .cost(0)
            .took(-5ns)
            .tags({"eu"})
            .attribute("n", "abc")
            .attribute("tier", "5"),
        span("e")
            .at(5s)
            .model("Größe")
            .user("a'b\"c")
            .input("ÄÖÜ naïve ПРИВЕТ ΑΘΗΝΑ 世界")
            .output("line one\nline two\tend")
            .attribute("n", "12.5", AttributeType::number)
            .terms("hello"),
    };
}

std::vector<FilterCase> filter_cases() {
    const std::int64_t at_d = noon.since_epoch + 4'000'000'000;
    return {
        {"text_equal", where("model", eq, {"gpt-4o"}), "a"},
        {"text_equal_minds_case", where("model", eq, {"GPT-4o"}), ""},
        {"text_equal_nothing", where("model", eq, {""}), ""},
        {"text_unequal_matches_missing", where("model", ne, {"gpt-4o"}), "b c d e"},
        {"text_unequal_nothing", where("model", ne, {""}), "a b c d e"},
        {"text_in", where("model", in, {"gpt-4o", "claude", "none"}), "a d"},
        {"text_in_nothing", where("model", in, {}), ""},
        {"text_not_in_matches_missing", where("model", not_in, {"gpt-4o", "claude"}), "b c e"},
        {"text_less_by_bytes", where("model", lt, {"b"}), "b e"},
        {"text_less_or_equal", where("model", lte, {"claude"}), "b d e"},
        {"text_greater", where("model", gt, {"claude"}), "a"},
        {"text_greater_or_equal", where("model", gte, {"claude"}), "a d"},
        {"text_contains_any_case", where("model", contains, {"-4O"}), "a b"},
        {"text_not_contains_matches_missing", where("model", not_contains, {"-4o"}), "c d e"},
        {"text_starts", where("model", starts_with, {"Gpt"}), "a b"},
        {"text_ends", where("model", ends_with, {"MINI"}), "b"},
        {"text_ends_only_there", where("model", ends_with, {"4o"}), "a"},
        {"text_missing", where("model", missing), "c"},
        {"text_present", where("model", present), "a b d e"},
        {"regex_any_case", where("model", regex, {"^GPT-4o$"}), "a"},
        {"regex_anywhere", where("model", regex, {"min|lau"}), "b d"},
        {"regex_class", where("model", regex, {"-\\d[a-z]"}), "a b"},
        {"regex_of_everything_needs_a_value", where("model", regex, {".*"}), "a b d e"},
        {"regex_dot_is_a_line_break_too", where("output_text", regex, {"one.line"}), "e"},
        {"regex_unicode", where("input_text", regex, {"привет .θ"}), "e"},
        {"percent_is_literal", where("user_id", contains, {"%"}), "d"},
        {"underscore_is_literal", where("user_id", contains, {"u_1"}), ""},
        {"percent_is_no_wildcard", where("user_id", starts_with, {"u%"}), ""},
        {"backslash_is_literal", where("user_id", contains, {"_\\X"}), "d"},
        {"backslash_at_the_end", where("user_id", contains, {"\\"}), "d"},
        {"long_text_starts", where("user_id", starts_with, {"100%_"}), "d"},
        {"quotes", where("user_id", eq, {"a'b\"c"}), "e"},
        {"quotes_contained", where("user_id", contains, {"'B\""}), "e"},
        {"german_case", where("input_text", contains, {"äöü"}), "e"},
        {"french_case", where("input_text", contains, {"NAÏVE"}), "e"},
        {"russian_case", where("input_text", contains, {"привет"}), "e"},
        {"greek_case", where("input_text", contains, {"αθηνα"}), "e"},
        {"chinese", where("input_text", ends_with, {"世界"}), "e"},
        {"dictionary_case", where("model", starts_with, {"GRÖ"}), "e"},
        {"line_break", where("output_text", contains, {"ONE\nline"}), "e"},
        {"tab", where("output_text", contains, {"two\tend"}), "e"},

        {"tokens_equal", where("total_tokens", eq, {150}), "a"},
        {"tokens_zero_is_data", where("total_tokens", eq, {0}), "b"},
        {"tokens_unequal_matches_missing", where("total_tokens", ne, {150}), "b c d e"},
        {"tokens_less", where("total_tokens", lt, {8}), "b"},
        {"tokens_less_or_equal", where("total_tokens", lte, {8}), "b d"},
        {"tokens_greater", where("total_tokens", gt, {8}), "a"},
        {"tokens_greater_or_equal", where("total_tokens", gte, {8}), "a d"},
        {"tokens_against_a_fraction", where("total_tokens", gt, {7.5}), "a d"},
        {"tokens_in", where("total_tokens", in, {0, 8, 9}), "b d"},
        {"tokens_not_in", where("total_tokens", not_in, {0, 8}), "a c e"},
        {"tokens_missing", where("total_tokens", missing), "c e"},
        {"tokens_present", where("total_tokens", present), "a b d"},
        {"cost_zero_is_data", where("total_cost", eq, {0}), "d"},
        {"cost_missing", where("total_cost", missing), "b c e"},
        {"cost_greater", where("total_cost", gte, {600'000}), "a"},
        {"duration_negative", where("duration", lt, {0}), "d"},
        {"duration_is_never_missing", where("duration", missing), ""},
        {"duration_greater", where("duration", gte, {2'000'000'000}), "a"},
        {"time_equal", where("ts", eq, {at_d}), "d"},
        {"time_between", all_of({where("ts", gt, {at_d - 2'000'000'000}), where("ts", lte, {at_d})}), "c d"},
        {"real_equal", where("temperature", eq, {0.5}), "a"},
        {"real_less_than_a_whole_number", where("temperature", lt, {1}), "a b"},
        {"real_missing", where("temperature", missing), "c d e"},
        {"small_number", where("status_code", eq, {2}), "b"},
        {"small_number_zero", where("status_code", in, {0}), "c d e"},
        {"small_number_unequal", where("status_code", ne, {0}), "a b"},
        {"flag_zero_is_data", where("streaming", eq, {0}), "b"},
        {"flag_unequal_matches_missing", where("streaming", ne, {1}), "b c d e"},
        {"flag_missing", where("streaming", missing), "c d e"},

        {"id_equal", where("trace_id", eq, {trace_bytes("a")}), "a"},
        {"id_unequal", where("trace_id", ne, {trace_bytes("a")}), "b c d e"},
        {"id_in", where("span_id", in, {span_bytes("b"), span_bytes("e"), span_bytes("z")}), "b e"},
        {"id_not_in", where("span_id", not_in, {span_bytes("b"), span_bytes("e")}), "a c d"},
        {"id_missing", where("parent_span_id", missing), "b c d e"},
        {"id_present", where("parent_span_id", present), "a"},
        {"id_unequal_matches_missing", where("parent_span_id", ne, {span_bytes("root")}), "b c d e"},

        {"tag", where("tags", contains, {"prod"}), "a"},
        {"tag_minds_case", where("tags", contains, {"Prod"}), "b"},
        {"tag_is_no_substring", where("tags", contains, {"pro"}), ""},
        {"no_such_tag_matches_missing", where("tags", not_contains, {"eu"}), "b c e"},
        {"tag_equal", where("tags", eq, {"eu"}), "a d"},
        {"tag_unequal", where("tags", ne, {"eu"}), "b c e"},
        {"tag_in", where("tags", in, {"prod", "Prod"}), "a b"},
        {"tag_not_in", where("tags", not_in, {"prod", "Prod"}), "c d e"},
        {"tags_missing", where("tags", missing), "c e"},
        {"tags_present", where("tags", present), "a b d"},

        {"attribute_equal", where("attributes.tier", eq, {"gold"}), "a"},
        {"attribute_minds_case", where("attributes.tier", eq, {"GOLD"}), ""},
        {"attribute_unequal_matches_missing", where("attributes.tier", ne, {"gold"}), "b c d e"},
        {"attribute_in", where("attributes.tier", in, {"gold", "Silver"}), "a b"},
        {"attribute_not_in", where("attributes.tier", not_in, {"gold", "Silver"}), "c d e"},
        {"attribute_contains", where("attributes.tier", contains, {"IL"}), "b"},
        {"attribute_not_contains", where("attributes.tier", not_contains, {"IL"}), "a c d e"},
        {"attribute_starts", where("attributes.tier", starts_with, {"GO"}), "a"},
        {"attribute_ends", where("attributes.tier", ends_with, {"ER"}), "b"},
        {"attribute_regex", where("attributes.tier", regex, {"^(gold|silver)$"}), "a b"},
        {"attribute_missing", where("attributes.tier", missing), "c e"},
        {"attribute_present", where("attributes.tier", present), "a b d"},
        {"attribute_nobody_has", where("attributes.none", eq, {"gold"}), ""},
        {"attribute_nobody_has_missing", where("attributes.none", missing), "a b c d e"},
        {"attribute_number_as_text", where("attributes.n", eq, {"5"}), "a"},
        {"attribute_number", where("attributes.n", eq, {5}), "a"},
        {"attribute_number_unequal", where("attributes.n", ne, {5}), "b c d e"},
        {"attribute_number_greater", where("attributes.n", gt, {5}), "b e"},
        {"attribute_number_less", where("attributes.n", lt, {12.25}), "a b"},
        {"attribute_number_less_or_equal", where("attributes.n", lte, {12.5}), "a b e"},
        {"attribute_number_greater_or_equal", where("attributes.n", gte, {12}), "b e"},
        {"attribute_number_in", where("attributes.n", in, {5, 12.5}), "a e"},
        {"attribute_text_ordered_as_text", where("attributes.n", gte, {"a"}), "d"},
        {"attribute_text_that_reads_as_a_number", where("attributes.tier", eq, {5}), "d"},
        {"attributes_missing", where("attributes", missing), "c"},
        {"attributes_present", where("attributes", present), "a b d e"},

        {"derived_equal", where("tokens_per_second", eq, {15}), "a"},
        {"derived_greater", where("tokens_per_second", gt, {14.5}), "a"},
        {"derived_missing_without_time", where("tokens_per_second", missing), "b c d e"},
        {"derived_end", where("end", gte, {at_d - 1'000'000'000}), "a c d e"},
        {"derived_end_exact", where("end", eq, {at_d - 5}), "d"},

        {"search_one_word", where("input_text", search, {"hello"}), "a e"},
        {"search_all_words", where("output_text", search, {"refund", "hello"}), "a"},
        {"search_whole_words", where("input_text", search, {"ello"}), ""},
        {"search_last_word", where("input_text", search, {"refund"}), "a"},
        {"search_nothing", where("input_text", search, {}), ""},

        {"all_of_nothing", all_of({}), "a b c d e"},
        {"any_of_nothing", any_of({}), ""},
        {"none_of_nothing", none_of({}), "a b c d e"},
        {"any", any_of({where("model", eq, {"claude"}), where("total_tokens", eq, {150})}), "a d"},
        {"any_counts_a_row_once", any_of({where("model", present), where("total_tokens", present)}),
         "a b d e"},
        {"none", none_of({where("model", eq, {"claude"}), where("total_tokens", eq, {150})}), "b c e"},
        {"none_of_a_missing_value", none_of({where("total_tokens", lt, {1000})}), "c e"},
        {"none_of_an_opposite", none_of({where("total_tokens", ne, {150})}), "a"},
        {"none_of_none", none_of({none_of({where("model", regex, {"gpt"})})}), "a b"},
        {"nested",
         all_of({any_of({where("tags", contains, {"eu"}),
                         all_of({where("status_code", eq, {2}), where("streaming", eq, {0})})}),
                 none_of({where("total_cost", eq, {0})})}),
         "a b"},
    };
}

TEST_P(StoreContract, filters_mean_the_same_everywhere) {
    write(filter_rows());
    for (const FilterCase& test : filter_cases()) {
        SCOPED_TRACE(test.what);
        EXPECT_EQ(sorted_words(names(test.filter)), test.expected);
    }
}

TEST_P(StoreContract, an_invalid_regex_is_refused) {
    write({span("a").model("x")});
    const Result<Rows> answer = store().rows(rows_where(where("model", regex, {"("})), {});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, ErrorKind::invalid_input);
}

TEST_P(StoreContract, logs_are_searched_too) {
    write({log("one").set("search_text", "alpha beta").at(1s), log("two").set("search_text", "beta").at(2s)});
    const Filter filter = where("body", search, {"alpha"}, TableId::logs);
    EXPECT_EQ(names(rows_where(filter, TableId::logs)), "one");
}

// ---- scope and window

TEST_P(StoreContract, another_organisation_or_project_is_never_seen) {
    write({span("mine").project("p").at(1s), span("other").project("q").at(2s),
           span("foreign").project("p").set("org_id", org() + "x").at(3s)});
    const auto seen = [&](std::vector<std::string> projects) {
        RowQuestion question(Scope(org(), std::move(projects)));
        return names(question);
    };
    EXPECT_EQ(seen({"p"}), "mine");
    EXPECT_EQ(seen({"p", "q"}), "other mine");
    EXPECT_EQ(seen({}), "other mine");
    EXPECT_EQ(seen({"x"}), "");
    RowQuestion by_id(Scope(org(), {"p"}));
    by_id.filter =
        any_of({where("span_id", eq, {span_bytes("foreign")}), where("span_id", eq, {span_bytes("other")})});
    EXPECT_EQ(names(by_id), "");
    GroupQuestion count(Scope(org(), {"p"}));
    count.aggregates = {{Aggregate::Function::count, {}, 0.5, {}, "n"}};
    EXPECT_EQ(figures(count), "1");
}

// Some stores read few projects one by one, and many together.
TEST_P(StoreContract, rows_of_several_projects_come_in_one_order) {
    for (const int projects : {2, 16, 17, 40}) {
        SCOPED_TRACE(projects);
        const std::string other = fmt::format("{}-{}", org(), projects);
        std::vector<TestRow> rows;
        for (int i = 0; i < 3 * projects; ++i)
            rows.push_back(span(fmt::format("s{}", i))
                               .set("org_id", other)
                               .project(fmt::format("p{}", i * 7 % projects))
                               .model(i % 2 == 0 ? "even" : "odd")
                               .at(std::chrono::seconds(i)));
        write(rows);
        std::reverse(rows.begin(), rows.end());
        RowQuestion question(Scope(other, {}));
        question.limit = 7;
        EXPECT_EQ(names_of(walk(question)), names_of(rows));
        question.scope = Scope(other, {"p0", "p1", "nobody's"});
        std::vector<TestRow> of_two;
        for (const TestRow& row : rows)
            if (text_at(row, "project_id") == "p0" || text_at(row, "project_id") == "p1")
                of_two.push_back(row);
        EXPECT_EQ(names_of(walk(question)), names_of(of_two));
        question.filter = where("model", eq, {"even"});
        std::erase_if(of_two, [](const TestRow& row) { return text_at(row, "model") != "even"; });
        EXPECT_EQ(names_of(walk(question)), names_of(of_two));
    }
}

TEST_P(StoreContract, a_project_that_comes_later_is_seen) {
    EXPECT_EQ(names(Filter{}), "");
    write({span("a").project("p").at(1s)});
    EXPECT_EQ(names(Filter{}), "a");
    write({span("b").project("q").at(2s)});
    EXPECT_EQ(names(Filter{}), "b a");
}

TEST_P(StoreContract, the_same_span_twice_is_told_apart_by_the_filter) {
    write({span("a").model("first").at(1s)});
    write({span("a").model("second").at(1s)});
    for (const char* model : {"first", "second"}) {
        const std::vector<TestRow> found = ask(rows_where(where("model", eq, {model})));
        ASSERT_EQ(found.size(), 1u) << model;
        EXPECT_EQ(text_at(found.front(), "model"), model);
    }
}

TEST_P(StoreContract, rows_are_found_by_their_times) {
    write({span("a").at(1s), span("b").at(2s), span("b2").at(2s), span("c").at(3s + 1ns), span("d").at(26h)});
    const auto at = [](std::chrono::nanoseconds after_noon) { return noon.since_epoch + after_noon.count(); };
    EXPECT_EQ(sorted_words(names(where("ts", in, {at(2s), at(3s + 1ns), at(26h), at(4s)}))), "b b2 c d");
    EXPECT_EQ(names(where("ts", in, {at(1s), std::int64_t{-1}, 0.5})), "a");
    EXPECT_EQ(names(where("ts", in, {at(3s), std::int64_t{0}})), "");
}

TEST_P(StoreContract, what_is_not_there_is_known_for_the_whole_window) {
    std::vector<TestRow> rows;
    for (int i = 0; i < 5000; ++i) rows.push_back(span("x").at(std::chrono::seconds(i)).model("m"));
    write(rows);
    const Result<Rows> answer = store().rows(rows_where(where("model", eq, {"nowhere"})), {});
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(size_of(answer->batch), 0u);
    EXPECT_FALSE(answer->scanned_to);
}

TEST_P(StoreContract, a_window_includes_its_start_and_not_its_end) {
    write({span("a").at(1s), span("b").at(2s), span("c").at(3s), span("later").at(48h)});
    RowQuestion question = rows_where();
    question.window = {noon + Nanos::seconds(1), noon + Nanos::seconds(3)};
    EXPECT_EQ(names(question), "b a");
    question.window = {noon + Nanos::seconds(2), {}};
    EXPECT_EQ(names(question), "later c b");
    question.window = {{}, noon + Nanos::seconds(2)};
    EXPECT_EQ(names(question), "a");
    question.window = {noon + Nanos::seconds(3), noon + Nanos::seconds(3)};
    EXPECT_EQ(names(question), "");
}

// ---- order and pages

// A value of the column that is greater for a greater rank.
Given ranked(const ColumnInfo& column, std::int64_t rank) {
    switch (column.type) {
        case ColumnType::text:
        case ColumnType::dict: return fmt::format("m{}", rank);
        case ColumnType::trace_id: return std::string(15, '\0') + static_cast<char>(rank);
        case ColumnType::span_id: return std::string(7, '\0') + static_cast<char>(rank);
        case ColumnType::f64: return static_cast<double>(rank) / 4;
        default: return rank;
    }
}

TEST_P(StoreContract, rows_are_ordered_by_every_sortable_column) {
    for (const ColumnInfo& column : columns_of(TableId::spans)) {
        if (!column.has(sortable) || column.name == "ts") continue;
        SCOPED_TRACE(column.name);
        const std::string project(column.name);
        std::vector<TestRow> rows;
        const std::int64_t ranks[] = {2, 1, 3, 1, 0, 0};  // 0: not given
        for (std::size_t i = 0; i < std::size(ranks); ++i) {
            TestRow row = span(fmt::format("r{}", i)).at(std::chrono::seconds(i)).project(project);
            if (column.name == "trace_id" || column.name == "span_id")
                row.set(column.name, ranked(column, 0));
            if (ranks[i] > 0) row.set(column.name, ranked(column, ranks[i]));
            if (column.name == "span_name" && ranks[i] == 0) row.set("span_name", std::string());
            rows.push_back(std::move(row.user(fmt::format("r{}", i))));
        }
        write(rows);
        RowQuestion question(Scope(org(), {project}));
        const auto order = [&](bool descending) {
            question.order = {{field(column.name), descending}};
            std::string found;
            for (const TestRow& row : ask(question)) found += text_at(row, "user_id") + " ";
            return found;
        };
        const bool zero_is_data = kind_of(field(column.name)) == FieldKind::number && !column.optional;
        EXPECT_EQ(order(true), "r2 r0 r3 r1 r5 r4 ");
        EXPECT_EQ(order(false), zero_is_data ? "r4 r5 r1 r3 r0 r2 " : "r1 r3 r0 r2 r4 r5 ");
    }
}

TEST_P(StoreContract, rows_come_newest_first_and_oldest_first) {
    write({span("b").at(2s), span("a").at(1s)});
    write({span("d").at(24h), span("c").at(3s)});
    RowQuestion question = rows_where();
    EXPECT_EQ(names(question), "d c b a");
    question.order = {{field("ts"), true}};
    EXPECT_EQ(names(question), "d c b a");
    question.order = {{field("ts"), false}};
    EXPECT_EQ(names(question), "a b c d");
    question.limit = 2;
    EXPECT_EQ(names(question), "a b");
}

TEST_P(StoreContract, each_field_of_an_order_goes_its_own_way) {
    write({span("a").model("x").tokens(1, 0).at(1s), span("b").model("x").tokens(2, 0).at(2s),
           span("c").model("y").tokens(1, 0).at(3s), span("d").model("y").tokens(1, 0).at(4s)});
    RowQuestion question = rows_where();
    question.order = {{field("model"), false}, {field("total_tokens"), true}};
    EXPECT_EQ(names(question), "b a c d");
    question.order = {{field("model"), true}, {field("total_tokens"), false}};
    EXPECT_EQ(names(question), "d c a b");
}

TEST_P(StoreContract, equal_times_are_ordered_by_ids) {
    std::vector<TestRow> rows;
    for (char i = 1; i <= 4; ++i)
        rows.push_back(span(fmt::format("s{}", int{i}))
                           .set("trace_id", std::string(15, '\0') + char(i / 3 + 1))
                           .set("span_id", std::string(7, '\xf0') + char(-i)));
    write(rows);
    EXPECT_EQ(names(Filter{}), "s3 s4 s1 s2");
    RowQuestion question = rows_where();
    question.order = {{field("ts"), false}};
    EXPECT_EQ(names(question), "s2 s1 s4 s3");
}

TEST_P(StoreContract, nan_comes_behind_numbers_and_before_missing) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    write({point("nan").set("value", nan).at(1s), point("none").at(2s), point("one").set("value", 1.0).at(3s),
           point("minus").set("value", -std::numeric_limits<double>::infinity()).at(4s)});
    RowQuestion question = rows_where({}, TableId::metric_points);
    question.order = {{field("value", TableId::metric_points), true}};
    EXPECT_EQ(names(question), "one minus nan none");
    question.order.front().descending = false;
    EXPECT_EQ(names(question), "minus one nan none");
}

TEST_P(StoreContract, pages_hold_exactly_the_rows_of_the_first_page_while_rows_arrive) {
    std::vector<TestRow> rows;
    for (int i = 0; i < 60; ++i) {
        // Many rows are equal by time and by every field that orders them.
        TestRow row = span(fmt::format("s{}", i)).at(std::chrono::seconds(i / 20));
        if (i % 3 != 0) row.tokens(i % 4, 0).model(i % 2 == 0 ? "even" : "odd");
        rows.push_back(std::move(row));
    }
    write(rows);
    const std::vector<Order> orders[] = {
        {},
        {{field("ts"), false}},
        {{field("total_tokens"), true}},
        {{field("total_tokens"), false}},
        {{field("model"), true}, {field("total_tokens"), false}},
        {{field("duration"), true}},
        {{field("trace_id"), false}},
    };
    int late = 0;
    for (const std::vector<Order>& order : orders) {
        SCOPED_TRACE(&order - orders);
        RowQuestion question = rows_where();
        question.up_to_seq = last_seq();
        question.order = order;
        const std::string expected = names(question);
        question.limit = 7;
        const std::vector<TestRow> found = walk(question, [&] {
            const int n = ++late;
            write({span(fmt::format("late{}", n))
                       .at(std::chrono::seconds(n % 4))
                       .tokens(n % 4, 0)
                       .model("even")});
        });
        EXPECT_EQ(names_of(found), expected);
    }
}

// ---- what comes back

TEST_P(StoreContract, only_the_wanted_columns_come_along) {
    write({span("a").model("m").user("u").tokens(1, 2).tags({"t"}).attribute("k", "v")});
    RowQuestion question = rows_where();
    question.columns = {find_column(TableId::spans, "model"), find_column(TableId::spans, "total_tokens")};
    const TestRow expected =
        TestRow(TableId::spans).at(0s).trace("a").id("a").model("m").set("total_tokens", std::int64_t{3});
    EXPECT_EQ(texts_of(ask(question)), texts_of({{expected}}));
}

TEST_P(StoreContract, content_is_cut_at_a_character) {
    write({span("a").input("äöü").output("abc").user("a long user id")});
    RowQuestion question = rows_where();
    question.content_bytes = 5;
    const TestRow row = ask(question).at(0);
    EXPECT_EQ(text_at(row, "input_text"), "äö");
    EXPECT_EQ(text_at(row, "output_text"), "abc");
    EXPECT_EQ(text_at(row, "user_id"), "a long user id");
    question.content_bytes = 0;
    EXPECT_EQ(text_at(ask(question).at(0), "input_text"), "");
}

TEST_P(StoreContract, a_stream_hands_over_all_rows_in_pieces) {
    std::vector<TestRow> rows;
    for (int i = 0; i < 5000; ++i)
        rows.push_back(span(fmt::format("s{}", i)).at(std::chrono::milliseconds(i)));
    write(rows);
    RowQuestion question = rows_where();
    question.limit = 0;
    std::vector<TestRow> found;
    const auto collect = [&](AnyBatch piece) {
        const std::vector<TestRow> more = rows_of(piece);
        found.insert(found.end(), more.begin(), more.end());
        return true;
    };
    ASSERT_TRUE(store().stream(question, collect, {}).has_value());
    std::reverse(rows.begin(), rows.end());
    EXPECT_EQ(names_of(found), names_of(rows));

    found.clear();
    question.limit = 10;
    ASSERT_TRUE(store().stream(question, collect, {}).has_value());
    EXPECT_EQ(found.size(), 10u);

    question.limit = 0;
    int pieces = 0;
    ASSERT_TRUE(store().stream(question, [&](AnyBatch) { return ++pieces < 1; }, {}).has_value());
    EXPECT_EQ(pieces, 1);
}

TEST_P(StoreContract, a_trace_is_handed_over_whole) {
    for (const int spans : {1, 999, 1000, 1500}) {
        SCOPED_TRACE(spans);
        const std::string trace = fmt::format("t{}", spans);
        std::vector<TestRow> rows;
        for (int i = 0; i < spans; ++i)
            rows.push_back(
                span(fmt::format("s{}-{}", spans, i)).trace(trace).at(std::chrono::seconds(i / 2)));
        rows.push_back(span("other").at(1s));
        write(rows);
        RowQuestion question = rows_where(where("trace_id", eq, {trace_bytes(trace)}));
        question.limit = 0;
        std::size_t found = 0;
        ASSERT_TRUE(store().stream(question,
                                   [&](const AnyBatch& piece) {
                                       found += size_of(piece);
                                       return true;
                                   },
                                   {}));
        EXPECT_EQ(found, static_cast<std::size_t>(spans));
        question.limit = 2000;
        EXPECT_EQ(ask(question).size(), static_cast<std::size_t>(spans));
    }
}

// ---- groups

Aggregate figure(Aggregate::Function function, std::string_view of = {}, Filter only = {},
                 double level = 0.5) {
    Aggregate aggregate;
    aggregate.function = function;
    if (!of.empty()) aggregate.field = field(of);
    aggregate.level = level;
    aggregate.only = std::move(only);
    aggregate.name = "x";
    return aggregate;
}

std::vector<TestRow> group_rows() {
    return {span("a").model("m1").user("u1").tokens(10, 5).cost(100).took(1s).tags({"x", "y"}).at(1s),
            span("b").model("m1").user("u2").tokens(20, 10).took(3s).tags({"y"}).at(2s).set("status_code",
                                                                                            std::int64_t{2}),
            span("c").model("m2").user("u1").tokens(0, 0).cost(0).took(-1s).at(2h).attribute("tier", "gold"),
            span("d").at(26h).took(2s).set("temperature", 0.25)};
}

TEST_P(StoreContract, every_figure_is_exact) {
    using enum Aggregate::Function;
    write(group_rows());
    struct Case {
        std::string what;
        Aggregate aggregate;
        std::string expected;
    };
    const Case cases[] = {
        {"count", figure(count), "4"},
        {"count_only", figure(count, {}, where("status_code", eq, {2})), "1"},
        {"count_only_none", figure(count, {}, where("model", eq, {"none"})), "0"},
        {"sum", figure(sum, "prompt_tokens"), "30"},
        {"sum_only", figure(sum, "prompt_tokens", where("user_id", eq, {"u2"})), "20"},
        {"sum_of_nothing_is_unknown", figure(sum, "client_cost"), "-"},
        {"sum_of_zero_is_zero", figure(sum, "total_cost", where("model", eq, {"m2"})), "0"},
        {"sum_of_reals", figure(sum, "temperature"), "0.25"},
        {"negative_durations_stay_out_of_sums", figure(sum, "duration"), "6000000000"},
        {"min", figure(min, "completion_tokens"), "0"},
        {"max", figure(max, "completion_tokens"), "10"},
        {"negative_durations_stay_out_of_min", figure(min, "duration"), "1000000000"},
        {"max_of_nothing_is_unknown", figure(max, "reasoning_tokens"), "-"},
        {"min_of_time", figure(min, "ts"), "1767960001000000000"},
        {"avg", figure(avg, "prompt_tokens"), "10"},
        {"avg_of_known_values_only", figure(avg, "total_cost"), "50"},
        {"negative_durations_stay_out_of_avg", figure(avg, "duration"), "2e+09"},
        {"avg_of_nothing_is_unknown", figure(avg, "client_cost"), "-"},
        {"median_between_values", figure(quantile, "prompt_tokens"), "10"},
        {"median_of_durations", figure(quantile, "duration"), "2e+09"},
        {"quantile_interpolates", figure(quantile, "prompt_tokens", {}, 0.75), "15"},
        {"quantile_top", figure(quantile, "prompt_tokens", {}, 1.0), "20"},
        {"quantile_bottom", figure(quantile, "prompt_tokens", {}, 0.0), "0"},
        {"quantile_of_derived", figure(quantile, "tokens_per_second"), "4.16666667"},
        {"quantile_of_nothing_is_unknown", figure(quantile, "client_cost"), "-"},
        {"distinct", figure(distinct, "user_id"), "2"},
        {"distinct_of_ids", figure(distinct, "trace_id"), "4"},
        {"values", figure(values, "model"), "[m1,m2]"},
        {"values_of_lists", figure(values, "tags"), "[x,y]"},
        {"values_of_nothing", figure(values, "tool_name"), "[]"},
        {"derived_max", figure(max, "tokens_per_second"), "5"},
    };
    for (const Case& test : cases) {
        SCOPED_TRACE(test.what);
        GroupQuestion question = groups_where();
        question.aggregates = {test.aggregate};
        EXPECT_EQ(figures(question), test.expected);
    }
}

TEST_P(StoreContract, rows_are_grouped_by_fields_and_time) {
    using enum Aggregate::Function;
    write(group_rows());
    GroupQuestion question = groups_where();
    question.aggregates = {figure(count), figure(sum, "prompt_tokens")};
    question.aggregates[1].name = "tokens";
    const auto grouped_by = [&](std::vector<std::string_view> fields) {
        question.group_by.clear();
        for (const std::string_view name : fields) question.group_by.push_back(field(name));
        return figures(question);
    };
    EXPECT_EQ(grouped_by({"model"}), "m1 2 30; m2 1 0; - 1 -");
    EXPECT_EQ(grouped_by({"model", "user_id"}), "m1 u1 1 10; m1 u2 1 20; m2 u1 1 0; - - 1 -");
    EXPECT_EQ(grouped_by({"status_code"}), "0 3 10; 2 1 20");
    EXPECT_EQ(grouped_by({"tags"}), "x 1 10; y 2 30; - 2 0");
    EXPECT_EQ(grouped_by({"attributes.tier"}), "gold 1 0; - 3 30");
    question.interval = Nanos::hours(1);
    EXPECT_EQ(grouped_by({}), "1767960000000000000 2 30; 1767967200000000000 1 0; 1768053600000000000 1 -");
    question.interval = Nanos::days(1);
    EXPECT_EQ(grouped_by({"model"}),
              "1767916800000000000 m1 2 30; 1767916800000000000 m2 1 0; 1768003200000000000 - 1 -");
    const Result<Table> table = store().groups(question, {});
    ASSERT_TRUE(table.has_value());
    EXPECT_THAT(table->columns, ElementsAre("bucket", "model", "x", "tokens"));
}

TEST_P(StoreContract, groups_are_ordered_and_limited) {
    using enum Aggregate::Function;
    write(group_rows());
    GroupQuestion question = groups_where();
    question.group_by = {field("model")};
    question.aggregates = {figure(sum, "prompt_tokens")};
    question.order_by = "x";
    EXPECT_EQ(figures(question), "m1 30; m2 0; - -");
    question.descending = false;
    EXPECT_EQ(figures(question), "m2 0; m1 30; - -");
    question.limit = 1;
    EXPECT_EQ(figures(question), "m2 0");
    question.order_by.clear();
    EXPECT_EQ(figures(question), "m1 30");
}

TEST_P(StoreContract, groups_see_window_filter_and_sequence) {
    using enum Aggregate::Function;
    write(group_rows());
    const std::uint64_t before = last_seq();
    write({span("late").model("m1").at(1s)});
    GroupQuestion question = groups_where(where("model", present));
    question.aggregates = {figure(count)};
    EXPECT_EQ(figures(question), "4");
    question.up_to_seq = before;
    EXPECT_EQ(figures(question), "3");
    question.window = {noon, noon + Nanos::hours(1)};
    EXPECT_EQ(figures(question), "2");
}

TEST_P(StoreContract, no_rows_are_one_row_without_groups_and_none_with) {
    using enum Aggregate::Function;
    GroupQuestion question = groups_where();
    question.aggregates = {figure(count), figure(sum, "prompt_tokens")};
    EXPECT_EQ(figures(question), "0 -");
    question.group_by = {field("model")};
    EXPECT_EQ(figures(question), "");
}

TEST_P(StoreContract, the_same_question_has_the_same_answer_however_often_it_is_asked) {
    using enum Aggregate::Function;
    write(group_rows());
    GroupQuestion question = groups_where();
    question.group_by = {field("model")};
    question.aggregates = {figure(sum, "duration")};
    question.aggregates.push_back(figure(max, "end"));
    question.aggregates.back().name = "end";
    for (int times = 0; times < 8; ++times)
        EXPECT_EQ(figures(question),
                  "m1 4000000000 1767960005000000000; m2 - 1767967199000000000; - 2000000000 "
                  "1768053602000000000");
}

// ---- figures of model calls

std::string text_of(const Result<FigureTables>& answer) {
    if (!answer) return answer.error().message;
    std::string text;
    for (const Table& table : answer->sets) {
        text += text.empty() ? "" : " | ";
        for (std::size_t row = 0; row < table.rows.size(); ++row) {
            std::vector<std::string> cells;
            for (const Cell& cell : table.rows[row]) cells.push_back(cell_text(cell));
            text += fmt::format("{}{}", row == 0 ? "" : "; ", fmt::join(cells, " "));
        }
    }
    return text;
}

FigureQuestion calls_between(const std::string& org, UnixNanos from, UnixNanos to) {
    using enum Aggregate::Function;
    FigureQuestion question(Scope(org, {}));
    question.pieces = {{from, to, {}}};
    question.aggregates = {figure(count), figure(sum, "total_cost"), figure(quantile, "duration")};
    for (std::size_t at = 0; at < question.aggregates.size(); ++at)
        question.aggregates[at].name = fmt::format("x{}", at);
    return question;
}

std::vector<TestRow> call_rows() {
    std::vector<TestRow> rows = group_rows();
    for (TestRow& row : rows) row.set("is_call", std::int64_t{1});
    rows.push_back(span("wrapper").model("m1").cost(1'000'000).took(9s).at(1s));
    return rows;
}

TEST_P(StoreContract, one_question_answers_several_groupings_of_calls_alone) {
    write(call_rows());
    FigureQuestion question = calls_between(org(), noon, noon + Nanos::days(2));
    question.group_by = {field("model"), field("user_id")};
    question.sets = {{}, {.groups = {0}}, {.groups = {0, 1}}};
    EXPECT_EQ(
        text_of(store().figures(question, {})),
        "4 100 2e+09 | m1 2 100 2e+09; m2 1 0 -; - 1 - 2e+09 | m1 u1 1 100 1e+09; m1 u2 1 - 3e+09; m2 u1 "
        "1 0 -; - - 1 - 2e+09");
}

TEST_P(StoreContract, steps_lie_between_edges_also_uneven_ones) {
    write(call_rows());
    FigureQuestion question = calls_between(org(), noon + Nanos::seconds(2), noon + Nanos::hours(26));
    question.edges = {noon, noon + Nanos::hours(1), noon + Nanos::hours(26)};
    question.group_by = {field("model")};
    question.sets = {{.by_time = true, .groups = {}}, {.by_time = true, .groups = {0}}, {}};
    EXPECT_EQ(text_of(store().figures(question, {})),
              "1767960000000000000 1 - 3e+09; 1767963600000000000 1 0 - | 1767960000000000000 m1 1 - 3e+09; "
              "1767963600000000000 m2 1 0 - | 2 0 3e+09");
    question.edges = {noon, noon + Nanos::hours(13), noon + Nanos::hours(26)};
    question.sets = {{.by_time = true, .groups = {}}};
    EXPECT_EQ(text_of(store().figures(question, {})), "1767960000000000000 2 0 3e+09");
}

TEST_P(StoreContract, groups_are_ordered_and_limited_and_filtered) {
    write(call_rows());
    FigureQuestion question = calls_between(org(), noon, noon + Nanos::days(2));
    question.group_by = {field("tags")};
    question.sets = {{.groups = {0}}};
    question.filter = where("model", present);
    question.order_by = "x0";
    EXPECT_EQ(text_of(store().figures(question, {})), "y 2 100 2e+09; x 1 100 1e+09; - 1 0 -");
    question.order_by = "x2";
    question.descending = false;
    question.limit = 2;
    EXPECT_EQ(text_of(store().figures(question, {})), "x 1 100 1e+09; y 2 100 2e+09");
    question.up_to_seq = 0;
    EXPECT_EQ(text_of(store().figures(question, {})), "");
}

TEST_P(StoreContract, questions_that_make_no_sense_are_refused) {
    const auto refused = [&](const auto& change) {
        FigureQuestion question = calls_between(org(), noon, noon + Nanos::hours(2));
        question.sets = {{}};
        change(question);
        const auto answer = store().figures(question, {});
        EXPECT_FALSE(answer);
        if (!answer) {
            EXPECT_EQ(answer.error().kind, ErrorKind::invalid_input) << answer.error().message;
        }
    };
    refused([](FigureQuestion& q) { q.sets.clear(); });
    refused([](FigureQuestion& q) { q.pieces.clear(); });
    refused(
        [](FigureQuestion& q) { q.pieces.push_back({noon + Nanos::hours(3), noon + Nanos::hours(4), {}}); });
    refused([](FigureQuestion& q) { q.sets = {{.by_time = true, .groups = {}}}; });
    refused([](FigureQuestion& q) { q.group_by = {field("tags")}; });
    refused([](FigureQuestion& q) {
        q.pieces = {{noon + Nanos::seconds(1), noon + Nanos::hours(1), RollupLevel::hour}};
    });
    refused([](FigureQuestion& q) {
        q.pieces.front().level = RollupLevel::hour;
        q.filter = where("user_id", eq, {"u1"});
    });
}

// ---- amending

SpanKey key_of(const TestRow& row) {
    return {row.ts(), *TraceId::from_bytes(std::get<std::string>(*row.get("trace_id"))),
            *SpanId::from_bytes(std::get<std::string>(*row.get("span_id")))};
}

TEST_P(StoreContract, usage_moves_to_the_rollup_and_back) {
    const TestRow wrapper = span("wrapper").tokens(10, 5).cost(7).set("is_call", std::int64_t{1});
    const TestRow sibling = span("sibling").tokens(10, 5).cost(7).set("is_call", std::int64_t{1});
    write({wrapper, sibling});
    const std::string before = texts_of(ask(rows_where(where("span_name", eq, {"sibling"})))).at(0);
    Amendments amendments;
    amendments.org = org();
    amendments.project = "p";
    amendments.seq = 99;
    amendments.to_rollup = {key_of(wrapper), key_of(span("nobody"))};
    for (int times = 0; times < 2; ++times) {
        ASSERT_TRUE(store().amend(amendments).has_value());
        const std::string text = ask(rows_where(where("span_name", eq, {"wrapper"}))).at(0).text();
        EXPECT_EQ(names(where("prompt_tokens", missing)), "wrapper");
        EXPECT_EQ(names(where("total_tokens", missing)), "wrapper");
        EXPECT_EQ(names(where("total_cost", missing)), "wrapper");
        EXPECT_EQ(names(where("is_call", eq, {0})), "wrapper");
        EXPECT_EQ(names(where("amended_seq", eq, {99})), "wrapper");
        EXPECT_THAT(text,
                    testing::HasSubstr("rollup_prompt_tokens=10 rollup_completion_tokens=5 rollup_cost=7"));
    }
    amendments.to_own = std::move(amendments.to_rollup);
    amendments.to_rollup.clear();
    for (int times = 0; times < 2; ++times) {
        ASSERT_TRUE(store().amend(amendments).has_value());
        EXPECT_EQ(sorted_words(names(where("prompt_tokens", eq, {10}))), "sibling wrapper");
        EXPECT_EQ(sorted_words(names(where("total_tokens", eq, {15}))), "sibling wrapper");
        EXPECT_EQ(sorted_words(names(where("total_cost", eq, {7}))), "sibling wrapper");
        EXPECT_EQ(sorted_words(names(where("is_call", eq, {1}))), "sibling wrapper");
        EXPECT_EQ(names(where("rollup_cost", present)), "");
    }
    EXPECT_EQ(texts_of(ask(rows_where(where("span_name", eq, {"sibling"})))).at(0), before);
}

TEST_P(StoreContract, a_span_becomes_the_root_of_its_trace) {
    const TestRow orphan = span("orphan").set("parent_span_id", span_bytes("lost")).at(1s);
    write({orphan, span("other").at(30h)});
    Amendments amendments;
    amendments.org = org();
    amendments.project = "p";
    amendments.to_root = {key_of(orphan)};
    ASSERT_TRUE(store().amend(amendments).has_value());
    EXPECT_EQ(names(where("is_root", eq, {1})), "orphan");
    EXPECT_EQ(names(Filter{}), "other orphan");
    // The question for the span to show of a trace: its root, else its first.
    RowQuestion shown = rows_where();
    shown.order = {{field("is_root"), true}, {field("ts"), false}};
    EXPECT_EQ(names(shown), "orphan other");
}

TEST_P(StoreContract, a_root_for_the_time_being_is_none_any_more) {
    const TestRow first = span("first").set("is_root", std::int64_t{1}).at(1s);
    write({first, span("root").set("is_root", std::int64_t{1})});
    Amendments amendments;
    amendments.org = org();
    amendments.project = "p";
    amendments.not_root = {key_of(first)};
    for (int times = 0; times < 2; ++times) {
        ASSERT_TRUE(store().amend(amendments).has_value());
        EXPECT_EQ(names(where("is_root", eq, {1})), "root");
        EXPECT_EQ(names(where("is_root", eq, {0})), "first");
    }
}

TEST_P(StoreContract, of_a_span_that_came_twice_one_row_goes) {
    const auto row = [](std::int64_t seq, const std::string& text) {
        return span("a").set("seq", seq).output(text);
    };
    write({row(7, "less"), span("other").set("seq", std::int64_t{7})});
    write({row(8, "more")});
    write({span("a").set("seq", std::int64_t{7}).project("q")});
    Amendments amendments;
    amendments.org = org();
    amendments.project = "p";
    amendments.repeated = {{key_of(row(7, "")), 7}, {key_of(span("nobody")), 7}};
    for (int times = 0; times < 2; ++times) {
        ASSERT_TRUE(store().amend(amendments).has_value());
        EXPECT_EQ(names(where("output_text", eq, {"more"})), "a");
        EXPECT_EQ(names(where("output_text", eq, {"less"})), "");
        EXPECT_EQ(sorted_words(names(where("project_id", eq, {"p"}))), "a other");
    }
    // Together with another change of the same key: it holds for the row that stays.
    amendments.to_root = {key_of(row(8, ""))};
    ASSERT_TRUE(store().amend(amendments).has_value());
    EXPECT_EQ(names(where("is_root", eq, {1})), "a");
}

TEST_P(StoreContract, content_that_came_later_is_found) {
    write({span("a").model("m").tokens(1, 2).at(1s), span("b").input("kept").at(2s)});
    const TestRow later = span("a")
                              .at(1s)
                              .input("hello")
                              .output("there")
                              .terms("hello there")
                              .model("ignored")
                              .set("stop_reason", std::string("stop"))
                              .set("flags", std::int64_t{flag_content_joined});
    Amendments amendments;
    amendments.org = org();
    amendments.project = "p";
    amendments.content = std::get<SpanBatch>(batch_of({{later}}));
    for (int times = 0; times < 2; ++times) {
        ASSERT_TRUE(store().amend(amendments).has_value());
        EXPECT_EQ(names(where("input_text", search, {"hello", "there"})), "a");
        EXPECT_EQ(names(where("output_text", eq, {"there"})), "a");
        EXPECT_EQ(names(where("stop_reason", eq, {"stop"})), "a");
        EXPECT_EQ(names(where("flags", eq, {std::int64_t{flag_content_joined}})), "a");
        EXPECT_EQ(names(where("model", eq, {"m"})), "a");
        EXPECT_EQ(names(where("total_tokens", eq, {3})), "a");
        EXPECT_EQ(names(where("input_text", eq, {"kept"})), "b");
        EXPECT_EQ(names(Filter{}), "b a");
    }
}

TEST_P(StoreContract, several_amendments_of_one_row_all_hold) {
    const TestRow row = span("a").tokens(1, 2).set("is_call", std::int64_t{1});
    write({row});
    Amendments amendments;
    amendments.org = org();
    amendments.project = "p";
    amendments.to_rollup = {key_of(row)};
    amendments.to_root = {key_of(row)};
    amendments.content = std::get<SpanBatch>(batch_of({{span("a").input("text")}}));
    ASSERT_TRUE(store().amend(amendments).has_value());
    EXPECT_EQ(names(all_of({where("is_root", eq, {1}), where("is_call", eq, {0}),
                            where("prompt_tokens", missing), where("input_text", eq, {"text"})})),
              "a");
}

TEST_P(StoreContract, calls_are_priced_anew) {
    const auto call = [](std::string_view name, std::uint64_t seq) {
        return span(name).tokens(10, 5).seq(seq).set("is_call", std::int64_t{1});
    };
    write({call("priced", 1).cost(7).set("cost_source", "server").set("price_rule", "old"),
           call("unpriced", 2), call("wrapper", 3).cost(7).set("is_call", std::int64_t{0}),
           call("later", 4).cost(7), call("other", 5).cost(7)});
    const auto anew = [&](std::string_view name, std::uint64_t seq) {
        return call(name, seq).set("price_rule", "new").set("cost_source", "server").cost(9);
    };
    Amendments amendments;
    amendments.org = org();
    amendments.project = "p";
    amendments.seq = 99;
    amendments.costs = std::get<SpanBatch>(
        batch_of({{anew("priced", 1), anew("unpriced", 2).set("prompt_cost", std::int64_t{4}),
                   anew("wrapper", 3), anew("later", 3), anew("nobody", 1)}}));
    for (int times = 0; times < 2; ++times) {
        ASSERT_TRUE(store().amend(amendments).has_value());
        EXPECT_EQ(sorted_words(names(where("total_cost", eq, {9}))), "priced unpriced");
        EXPECT_EQ(sorted_words(names(where("price_rule", eq, {"new"}))), "priced unpriced");
        EXPECT_EQ(names(where("prompt_cost", eq, {4})), "unpriced");
        EXPECT_EQ(sorted_words(names(where("total_cost", eq, {7}))), "later other wrapper");
        EXPECT_EQ(sorted_words(names(where("prompt_tokens", eq, {10}))),
                  "later other priced unpriced wrapper");
    }
    // And that they cost nothing that is known.
    amendments.costs = std::get<SpanBatch>(batch_of({{call("priced", 1)}}));
    ASSERT_TRUE(store().amend(amendments).has_value());
    EXPECT_EQ(names(where("total_cost", missing)), "priced");
    EXPECT_EQ(names(where("price_rule", eq, {"new"})), "unpriced");
    // Priced anew and a wrapper from then on: it takes the new cost with it.
    amendments.costs = std::get<SpanBatch>(batch_of({{anew("other", 5)}}));
    amendments.to_rollup = {key_of(call("other", 5))};
    ASSERT_TRUE(store().amend(amendments).has_value());
    EXPECT_THAT(ask(rows_where(where("span_name", eq, {"other"}))).at(0).text(),
                testing::HasSubstr("rollup_cost=9"));
}

TEST_P(StoreContract, only_rows_of_the_project_are_amended) {
    const TestRow row = span("a");
    write({row});
    Amendments amendments;
    amendments.org = org();
    amendments.project = "q";
    amendments.to_root = {key_of(row)};
    ASSERT_TRUE(store().amend(amendments).has_value());
    EXPECT_EQ(names(where("is_root", eq, {1})), "");
}

// ---- erasing

TEST_P(StoreContract, rows_before_a_time_are_forgotten) {
    write({span("old").at(-48h), span("edge").at(0s), span("new").at(1s),
           span("foreign").at(-48h).set("org_id", org() + "x"), span("q").at(-1h).project("q")});
    write({log("old").at(-48h)});
    Forget what;
    what.org = org();
    what.project = "p";
    what.before = noon;
    ASSERT_TRUE(store().forget(what).has_value());
    EXPECT_EQ(names(Filter{}), "new edge q");
    EXPECT_EQ(names(rows_where({}, TableId::logs)), "old");
    RowQuestion foreign(Scope(org() + "x", {}));
    EXPECT_EQ(names(foreign), "foreign");
    what.project.clear();
    ASSERT_TRUE(store().forget(what).has_value());
    EXPECT_EQ(names(Filter{}), "new edge");
}

TEST_P(StoreContract, rows_of_a_user_are_forgotten) {
    write({span("a").user("u1").at(1s), span("b").user("u2").at(2s), span("c").at(3s),
           span("d").user("u1").at(30h)});
    Forget what;
    what.org = org();
    what.user_id = "u1";
    ASSERT_TRUE(store().forget(what).has_value());
    EXPECT_EQ(names(Filter{}), "c b");
}

TEST_P(StoreContract, content_is_forgotten_and_the_row_stays) {
    const TestRow bare = write({span("a").at(1s).model("m").user("u1").tokens(1, 2).tags({"t"})}).at(0);
    write({TestRow(bare)
               .id("old")
               .set("span_name", std::string("old"))
               .at(-1s)
               .input("in")
               .output("out")
               .terms("in out")
               .set("error_message", std::string("secret"))
               .set("input_sentiment", -0.5)
               .set("coherence", 0.25)
               .set("events", std::string("[]"))});
    Forget what;
    what.what = Forget::What::content;
    what.org = org();
    what.before = noon;
    ASSERT_TRUE(store().forget(what).has_value());
    const TestRow expected = TestRow(bare).id("old").set("span_name", std::string("old")).at(-1s);
    EXPECT_EQ(texts_of(ask(rows_where(where("span_name", eq, {"old"})))), texts_of({{expected}}));
    EXPECT_EQ(names(where("input_text", search, {"in"})), "");
    EXPECT_EQ(names(Filter{}), "a old");
}

// ---- budgets, cancelling, several at once

TEST_P(StoreContract, a_scan_over_budget_says_how_far_it_came_and_goes_on) {
    constexpr int days = 12, rows_a_day = 20'000;
    std::vector<std::string> expected;
    for (int day = 0; day < days; ++day) {
        std::vector<TestRow> rows;
        for (int i = 0; i < rows_a_day; ++i) {
            const auto at = std::chrono::hours(24 * day) + std::chrono::milliseconds(i);
            rows.push_back(span(fmt::format("s{}", day * rows_a_day + i)).at(at));
            if (i % 1000 == 0) rows.back().model("rare");
            if (i % 1000 == 0) expected.push_back(name_of(rows.back()));
        }
        write(rows);
    }
    std::reverse(expected.begin(), expected.end());
    RowQuestion question = rows_where(where("model", contains, {"RAR"}));
    question.budget.rows = 2 * rows_a_day;
    std::vector<std::string> found;
    int stops = 0;
    for (;;) {
        const Result<Rows> answer = store().rows(question, {});
        ASSERT_TRUE(answer.has_value()) << answer.error().message;
        for (const TestRow& row : rows_of(answer->batch)) found.push_back(name_of(row));
        if (!answer->scanned_to) break;
        ASSERT_TRUE(!question.window.to || *answer->scanned_to < *question.window.to) << "no progress";
        question.window.to = answer->scanned_to;
        ++stops;
    }
    EXPECT_GE(stops, 2);
    EXPECT_THAT(found, ElementsAreArray(expected));
}

TEST_P(StoreContract, a_cancelled_question_says_so) {
    write({span("a")});
    std::stop_source stopped;
    stopped.request_stop();
    const Cancel cancels[] = {{stopped.get_token()}, {{}, std::chrono::steady_clock::now() - 1s}};
    for (const Cancel& cancel : cancels) {
        const Result<Rows> rows = store().rows(rows_where(), cancel);
        ASSERT_FALSE(rows.has_value());
        EXPECT_EQ(rows.error().kind, ErrorKind::cancelled);
        GroupQuestion question = groups_where();
        question.aggregates = {figure(Aggregate::Function::count)};
        const Result<Table> table = store().groups(question, cancel);
        ASSERT_FALSE(table.has_value());
        EXPECT_EQ(table.error().kind, ErrorKind::cancelled);
        const Result<void> stream = store().stream(rows_where(), [](AnyBatch) { return true; }, cancel);
        ASSERT_FALSE(stream.has_value());
        EXPECT_EQ(stream.error().kind, ErrorKind::cancelled);
    }
}

TEST_P(StoreContract, readers_beside_a_writer_see_whole_writes) {
    constexpr int writes = 60, rows_a_write = 25;
    std::atomic<bool> done = false;
    std::atomic<int> torn = 0, went_back = 0, failed = 0;
    const auto read = [&] {
        std::size_t before = 0;
        while (!done) {
            RowQuestion question = rows_where();
            question.limit = 10'000;
            question.columns = {find_column(TableId::spans, "seq")};
            const Result<Rows> answer = store().rows(question, {});
            if (!answer) {
                ++failed;
                continue;
            }
            const std::size_t found = size_of(answer->batch);
            if (found % rows_a_write != 0) ++torn;
            if (found < before) ++went_back;
            before = found;
        }
    };
    {
        std::vector<std::jthread> readers;
        for (int i = 0; i < 3; ++i) readers.emplace_back(read);
        for (int i = 0; i < writes; ++i) {
            std::vector<TestRow> rows;
            for (int row = 0; row < rows_a_write; ++row)
                rows.push_back(
                    span(fmt::format("s{}-{}", i, row)).at(std::chrono::seconds((i * 37 + row) % 500)));
            write(rows);
        }
        done = true;
    }
    EXPECT_EQ(torn, 0);
    EXPECT_EQ(went_back, 0);
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(figures([&] {
                  GroupQuestion question = groups_where();
                  question.aggregates = {figure(Aggregate::Function::count)};
                  return question;
              }()),
              std::to_string(writes * rows_a_write));
}

TEST_P(StoreContract, health_counts_amended_rows_once) {
    const std::uint64_t before = store().health().rows;
    const std::vector<TestRow> rows = write({span("a"), span("b")});
    Amendments amendments;
    amendments.org = org();
    amendments.project = "p";
    amendments.to_root = {key_of(rows.front())};
    ASSERT_TRUE(store().amend(amendments).has_value());
    EXPECT_EQ(store().health().rows, before + 2);
}

TEST_P(StoreContract, health_counts_rows) {
    const std::uint64_t before = store().health().rows;
    write({span("a"), span("b")});
    const StoreHealth health = store().health();
    EXPECT_TRUE(health.ok) << health.reason;
    EXPECT_EQ(health.rows, before + 2);
}

}  // namespace obs::test
