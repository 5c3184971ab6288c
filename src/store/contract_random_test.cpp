// Random questions over random rows, compared with answers worked out from the rows as they were made: not
// from what a store gave back, and with none of the stores' code.
#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <tuple>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/contract_test.h"

namespace obs::test {

namespace {

using namespace std::chrono_literals;
using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
    return random() % limit;
}

std::string word(Random& random) {
    static constexpr std::string_view words[] = {"gpt-4o", "GPT-4O", "gpt-4o-mini", "claude",
                                                 "100%",   "a_b",    "a\\b"};
    return std::string(words[below(random, std::size(words))]);
}

// Rows are equal in much, and miss much.
TestRow random_row(Random& random, int number) {
    TestRow row = span(fmt::format("s{}", number));
    row.at(std::chrono::seconds(below(random, 40)) + std::chrono::hours(24 * below(random, 3)));
    const auto often = [&] { return below(random, 3) != 0; };
    if (often()) row.model(word(random));
    if (often()) row.user(word(random));
    if (often()) row.set("total_tokens", static_cast<std::int64_t>(below(random, 5)));
    if (often()) row.set("temperature", static_cast<double>(below(random, 5)) / 2);
    if (often()) row.took(std::chrono::nanoseconds(static_cast<int>(below(random, 5)) - 2));
    if (often()) row.set("status_code", static_cast<std::int64_t>(below(random, 3)));
    if (often()) row.tags({word(random)});
    if (often()) row.attribute("tier", word(random));
    return row;
}

enum class Kind { text, number, list };
struct Field {
    std::string_view name;
    Kind kind;
};
constexpr Field fields[] = {{"model", Kind::text},           {"user_id", Kind::text},
                            {"attributes.tier", Kind::text}, {"total_tokens", Kind::number},
                            {"temperature", Kind::number},   {"duration", Kind::number},
                            {"status_code", Kind::number},   {"tags", Kind::list}};

// The one value of a row's field, as text or number; nothing when it is missing.
struct Plain {
    std::optional<std::string> text{};
    std::optional<double> number{};
    bool missing() const { return !text && !number; }
};

Plain plain(const TestRow& row, std::string_view name) {
    const bool attribute = name.starts_with("attributes.");
    const Given* given = row.get(attribute ? "attributes" : name);
    if (given == nullptr && (name == "duration" || name == "status_code")) return {{}, 0.0};
    if (given == nullptr) return {};
    if (attribute) return {std::get<std::vector<Attribute>>(*given).front().value, {}};
    if (const auto* list = std::get_if<std::vector<std::string>>(given)) return {list->front(), {}};
    if (const auto* text = std::get_if<std::string>(given)) return {*text, {}};
    if (const auto* whole = std::get_if<std::int64_t>(given)) return {{}, static_cast<double>(*whole)};
    return {{}, std::get<double>(*given)};
}

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

int compared(const Plain& value, const Scalar& with) {
    if (value.text) return value.text->compare(std::get<std::string>(with));
    const double other = std::holds_alternative<double>(with)
                             ? std::get<double>(with)
                             : static_cast<double>(std::get<std::int64_t>(with));
    return *value.number < other ? -1 : *value.number > other ? 1 : 0;
}

bool is_in(const Plain& value, const std::vector<Scalar>& values) {
    return std::any_of(values.begin(), values.end(),
                       [&](const Scalar& one) { return compared(value, one) == 0; });
}

bool expected_condition(const TestRow& row, const Condition& condition, const Field& field) {
    const Plain value = plain(row, field.name);
    const auto text = [&] { return lower(std::get<std::string>(condition.values.front())); };
    const auto contains = [&] {
        if (value.missing()) return false;
        if (field.kind == Kind::list) return compared(value, condition.values.front()) == 0;
        return lower(*value.text).find(text()) != std::string::npos;
    };
    switch (condition.op) {
        case Operator::missing: return value.missing();
        case Operator::present: return !value.missing();
        case Operator::ne: return value.missing() || compared(value, condition.values.front()) != 0;
        case Operator::not_in: return value.missing() || !is_in(value, condition.values);
        case Operator::contains: return contains();
        case Operator::not_contains: return !contains();
        default: break;
    }
    if (value.missing()) return false;
    switch (condition.op) {
        case Operator::eq: return compared(value, condition.values.front()) == 0;
        case Operator::lt: return compared(value, condition.values.front()) < 0;
        case Operator::lte: return compared(value, condition.values.front()) <= 0;
        case Operator::gt: return compared(value, condition.values.front()) > 0;
        case Operator::gte: return compared(value, condition.values.front()) >= 0;
        case Operator::in: return is_in(value, condition.values);
        case Operator::starts_with: return lower(*value.text).starts_with(text());
        default: return lower(*value.text).ends_with(text());
    }
}

// A filter with what it means, as a function of a row.
struct Meant {
    Filter filter;
    std::function<bool(const TestRow&)> holds;
    std::string text;
};

Meant random_condition(Random& random) {
    using enum Operator;
    static constexpr Operator for_text[] = {eq,          ne,        lt,      lte,      gt,
                                            gte,         in,        not_in,  contains, not_contains,
                                            starts_with, ends_with, missing, present};
    static constexpr Operator for_number[] = {eq, ne, lt, lte, gt, gte, in, not_in, missing, present};
    static constexpr Operator for_list[] = {eq, ne, in, not_in, contains, not_contains, missing, present};
    const Field field = fields[below(random, std::size(fields))];
    Condition condition;
    condition.field = test::field(field.name);
    condition.op = field.kind == Kind::text     ? for_text[below(random, std::size(for_text))]
                   : field.kind == Kind::number ? for_number[below(random, std::size(for_number))]
                                                : for_list[below(random, std::size(for_list))];
    const bool many = condition.op == in || condition.op == not_in;
    const std::size_t count = condition.op == missing || condition.op == present ? 0
                              : many                                             ? 1 + below(random, 3)
                                                                                 : 1;
    for (std::size_t i = 0; i < count; ++i) {
        if (field.kind != Kind::number)
            condition.values.emplace_back(word(random));
        else if (below(random, 3) == 0 && !many)
            condition.values.emplace_back(static_cast<double>(below(random, 8)) / 2 - 1);
        else
            condition.values.emplace_back(static_cast<std::int64_t>(below(random, 5)) - 1);
    }
    std::string text = fmt::format("{} op{}", field.name, static_cast<int>(condition.op));
    for (const Scalar& value : condition.values)
        std::visit([&](const auto& one) { text += fmt::format(" {}", one); }, value);
    return {Filter::where(condition),
            [condition, field](const TestRow& row) { return expected_condition(row, condition, field); },
            text};
}

Meant random_filter(Random& random, int depth) {
    if (depth == 0 || below(random, 3) == 0) return random_condition(random);
    std::vector<Meant> parts;
    for (std::size_t i = 1 + below(random, 3); i > 0; --i) parts.push_back(random_filter(random, depth - 1));
    std::vector<Filter> filters;
    std::vector<std::string> texts;
    for (const Meant& part : parts) {
        filters.push_back(part.filter);
        texts.push_back(part.text);
    }
    const std::string inside = fmt::format("({})", fmt::join(texts, ", "));
    const auto count = [parts](const TestRow& row) {
        return std::count_if(parts.begin(), parts.end(), [&](const Meant& part) { return part.holds(row); });
    };
    const auto all = static_cast<std::ptrdiff_t>(parts.size());
    switch (below(random, 3)) {
        case 0:
            return {all_of(filters), [=](const TestRow& row) { return count(row) == all; }, "all" + inside};
        case 1: return {any_of(filters), [=](const TestRow& row) { return count(row) > 0; }, "any" + inside};
        default:
            return {none_of(filters), [=](const TestRow& row) { return count(row) == 0; }, "none" + inside};
    }
}

bool comes_before(const TestRow& a, const TestRow& b, const Order& order, std::string_view name) {
    const Plain x = plain(a, name), y = plain(b, name);
    if (x.missing() != y.missing()) return y.missing();
    const auto rank = [](const TestRow& row) {
        return std::tuple(row.ts(), std::get<std::string>(*row.get("trace_id")),
                          std::get<std::string>(*row.get("span_id")));
    };
    int way = 0;
    if (x.text) way = x.text->compare(*y.text);
    if (x.number) way = *x.number < *y.number ? -1 : *x.number > *y.number ? 1 : 0;
    if (way == 0) way = rank(a) < rank(b) ? -1 : 1;
    return order.descending ? way > 0 : way < 0;
}

std::string names_in(std::span<const TestRow> rows) {
    std::string names;
    for (const TestRow& row : rows) names += std::get<std::string>(*row.get("span_name")) + " ";
    return names;
}

}  // namespace

TEST_P(StoreContract, random_questions_are_answered_as_the_rows_were_made) {
    Random random(7);
    std::vector<TestRow> rows;
    for (int number = 0; number < 150; ++number) rows.push_back(random_row(random, number));
    write(rows);
    static constexpr std::string_view orders[] = {"model", "total_tokens", "duration", "status_code"};
    for (int round = 0; round < 250; ++round) {
        const Meant meant = random_filter(random, 3);
        const std::string_view by = orders[below(random, std::size(orders))];
        RowQuestion question = rows_where(meant.filter);
        question.order = {{field(by), below(random, 2) == 0}};
        SCOPED_TRACE(fmt::format("round {}: {} by {}", round, meant.text, by));
        std::vector<TestRow> expected;
        std::copy_if(rows.begin(), rows.end(), std::back_inserter(expected), meant.holds);
        std::sort(expected.begin(), expected.end(), [&](const TestRow& a, const TestRow& b) {
            return comes_before(a, b, question.order.front(), by);
        });
        EXPECT_EQ(names_in(ask(question)), names_in(expected));
        if (HasFailure()) return;
    }
}

}  // namespace obs::test
