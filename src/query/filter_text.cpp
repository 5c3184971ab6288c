#include "query/filter_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/ids.h"
#include "query/fields.h"
#include "store/field.h"

namespace obs::query {

namespace {

std::string text_of(const Scalar& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *integer);
    if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}f", *number);
    const std::string& text = std::get<std::string>(value);
    const bool printable =
        std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f && c != '"'; });
    return printable ? fmt::format("\"{}\"", text) : "0x" + to_hex(std::as_bytes(std::span(text)));
}

std::string text_of(const Condition& condition) {
    std::string text = field_name(condition.field) + " ";
    if (condition.op == Operator::missing) return text + "missing";
    if (condition.op == Operator::present) return text + "present";
    text += name_of(condition.op);
    for (const Scalar& value : condition.values) text += " " + text_of(value);
    return text;
}

}  // namespace

std::string text_of(const Filter& filter) {
    if (filter.kind == Filter::Kind::condition) return text_of(filter.condition);
    std::string text;
    for (const Filter& child : filter.children) text += (text.empty() ? "" : ", ") + text_of(child);
    constexpr std::string_view names[] = {"all", "any", "none"};
    return fmt::format("{}({})", names[static_cast<std::size_t>(filter.kind)], text);
}

}  // namespace obs::query
