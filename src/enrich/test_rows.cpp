#include "enrich/test_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "decode/decode.h"
#include "enrich/enrich.h"

namespace obs::testing_rows {

namespace {

template <class T>
std::string number_json(T value) {
    std::string json;
    if constexpr (std::is_same_v<T, Tokens>) {
        json = std::to_string(value.count);
    } else if constexpr (std::is_same_v<T, Usd>) {
        append_json_usd(json, value);
    } else if constexpr (std::is_same_v<T, Nanos>) {
        append_json_number(json, static_cast<double>(value.count) / 1e6);
    } else if constexpr (std::is_same_v<T, UnixNanos>) {
        json = '"' + rfc3339(value) + '"';
    } else if constexpr (std::is_same_v<T, double>) {
        append_json_number(json, value);
    } else {
        json = std::to_string(value);
    }
    return json;
}

std::string text_json(std::string_view text) {
    std::string json;
    if (!text.empty()) append_json_string(json, text);
    return json;
}

std::string show(const Text& column, std::size_t row) {
    return text_json(column[row]);
}
std::string show(const Dict& column, std::size_t row) {
    return text_json(column[row]);
}
std::string show(const TextList& column, std::size_t row) {
    std::string json;
    const auto items = column[row];
    if (items.empty()) return json;
    JsonWriter writer(json);
    writer.begin_array();
    for (const std::string_view item : items) writer.value(item);
    writer.end_array();
    return json;
}
std::string show(const Map& column, std::size_t row) {
    std::string json;
    const auto entries = column[row];
    if (entries.empty()) return json;
    JsonWriter writer(json);
    writer.begin_object();
    for (const Map::Entry& entry : entries) writer.field(entry.key, entry.value);
    writer.end_object();
    return json;
}
template <class T>
std::string show(const Fixed<T>& column, std::size_t row) {
    if constexpr (std::is_same_v<T, TraceId> || std::is_same_v<T, SpanId>) {
        return column[row].is_zero() ? std::string() : '"' + column[row].hex() + '"';
    } else {
        return number_json(column[row]);
    }
}
template <class T>
std::string show(const Optional<T>& column, std::size_t row) {
    return column[row] ? number_json(*column[row]) : std::string();
}

template <class Batch>
std::vector<Shown> show_rows(const Batch& batch) {
    std::vector<Shown> rows(batch.size());
    batch.for_each_column([&](const ColumnInfo& info, const auto& column) {
        for (std::size_t row = 0; row < rows.size(); ++row)
            if (std::string json = show(column, row); !json.empty())
                rows[row][info.api_name()] = std::move(json);
    });
    return rows;
}

// Arguments are JSON text: blanks in it mean nothing.
std::string calls_key(const JsonElement& calls) {
    std::string key;
    JsonArray list;
    std::string_view text;
    std::optional<JsonElement> parsed = calls;
    if (calls.get(text) == simdjson::SUCCESS) parsed = parse_json(text, 2);
    if (!parsed || parsed->get(list) != simdjson::SUCCESS) return key;
    for (const JsonElement item : list) {
        JsonObject call;
        if (item.get(call) != simdjson::SUCCESS) continue;
        std::string arguments(text_member(call, "arguments"));
        if (const auto json = parse_json(arguments, 3)) {
            arguments.clear();
            append_compact(arguments, *json);
        }
        key += std::string(text_member(call, "id")) + '/' + std::string(text_member(call, "name")) + '/' +
               arguments + ';';
    }
    return key;
}

bool same(std::string_view name, const JsonElement& expected, const std::string& shown_json) {
    if (expected.is_null()) return shown_json.empty();
    const std::optional<JsonElement> actual = parse_json(shown_json.empty() ? "null" : shown_json, 1);
    std::string_view word;
    const bool is_text = expected.get(word) == simdjson::SUCCESS;
    if (is_text && word == "*") return !shown_json.empty();
    if (is_text && word.empty()) return shown_json.empty();
    if (!actual) return false;
    if (name == "tool_calls") return calls_key(expected) == calls_key(*actual);
    if (name == "status_code")
        return word == (shown_json == "2" ? "ERROR" : shown_json == "1" ? "OK" : "UNSET");
    if (expected.is_bool()) return shown_json == (expected.get_bool().value_unsafe() ? "1" : "0");
    double wanted = 0, given = 0;
    if (expected.get(wanted) == simdjson::SUCCESS)
        return actual->get(given) == simdjson::SUCCESS && std::fabs(wanted - given) < 1e-9;
    if (expected.is_array()) {
        std::vector<std::string> a, b;
        for (const JsonElement item : array_of(expected)) a.push_back(text_or_json(item));
        if (!actual->is_array()) return false;
        for (const JsonElement item : array_of(*actual)) b.push_back(text_or_json(item));
        std::ranges::sort(a);
        std::ranges::sort(b);
        return a == b;
    }
    std::string_view shown_word;
    return is_text && actual->get(shown_word) == simdjson::SUCCESS && word == shown_word;
}

const Enricher& enricher() {
    static const PriceBoard prices = [] {
        auto loaded = PriceTable::load();
        if (!loaded) throw std::runtime_error(loaded.error().message);
        return PriceBoard(std::move(*loaded));
    }();
    static const Tokeniser tokeniser;
    static const Enricher made(prices, tokeniser);
    return made;
}

template <class Batch>
void append_all(Batch& to, const Batch& from) {
    for (std::size_t row = 0; row < from.size(); ++row) append_row(to, from, row);
}

bool has_usage(const SpanBatch& spans, std::size_t row) {
    return spans.prompt_tokens[row] || spans.completion_tokens[row] || spans.total_tokens[row];
}

}  // namespace

std::vector<Shown> shown(const SpanBatch& spans) {
    return show_rows(spans);
}
std::vector<Shown> shown(const ScoreBatch& scores) {
    return show_rows(scores);
}

std::vector<std::string> differences(const JsonObject& expected, const Shown& row) {
    std::vector<std::string> found;
    for (const auto field : expected) {
        const auto at = row.find(field.key);
        const std::string json = at == row.end() ? std::string() : at->second;
        if (same(field.key, field.value, json)) continue;
        std::string wanted;
        append_compact(wanted, field.value);
        found.push_back(fmt::format("{}: expected {}, shown {}", field.key, wanted, json));
    }
    return found;
}

void understand(Signal signal, Encoding encoding, std::string_view body, Understood& understood) {
    const Buffer buffer(body);
    DecodeLimits limits;
    limits.oldest = Nanos::days(36'500);
    const UnixNanos now{1'800'000'000'000'000'000};
    const Tenant tenant;
    if (signal == Signal::traces) {
        auto decoded = decode_traces(encoding, buffer.view(), limits, now);
        ASSERT_TRUE(decoded) << decoded.error().message;
        EnrichedSpans enriched = enricher().spans(std::move(decoded->rows), tenant);
        append_all(understood.spans, enriched.spans);
        append_all(understood.pending, enriched.pending);
        append_all(understood.scores, enriched.scores);
    } else if (signal == Signal::logs) {
        auto decoded = decode_logs(encoding, buffer.view(), limits, now);
        ASSERT_TRUE(decoded) << decoded.error().message;
        EnrichedLogs enriched = enricher().logs(std::move(decoded->rows), tenant);
        append_all(understood.logs, enriched.logs);
        append_all(understood.content, enriched.content);
        append_all(understood.scores, enriched.scores);
    }
}

void settle(Understood& understood) {
    SpanBatch& spans = understood.spans;
    for (std::size_t event = 0; event < understood.content.size(); ++event)
        for (std::size_t row = 0; row < spans.size(); ++row) {
            const SpanId named = understood.content.span_id[event];
            const bool meant = named.is_zero()
                                   ? understood.content.response_id[event] == spans.response_id[row]
                                   : named == spans.span_id[row];
            if (meant) merge_content(spans, row, understood.content, event);
        }
    std::unordered_map<SpanId, std::size_t> row_of;
    for (std::size_t row = 0; row < spans.size(); ++row) row_of[spans.span_id[row]] = row;
    std::vector<bool> above(spans.size());
    for (std::size_t row = 0; row < spans.size(); ++row) {
        if (spans.is_call[row] == 0 || !has_usage(spans, row)) continue;
        for (auto parent = row_of.find(spans.parent_span_id[row]); parent != row_of.end();
             parent = row_of.find(spans.parent_span_id[parent->second]))
            above[parent->second] = true;
    }
    for (std::size_t row = 0; row < spans.size(); ++row) {
        if (!above[row] || spans.is_call[row] == 0) continue;
        spans.is_call.set(row, 0);
        spans.rollup_prompt_tokens.set(row, spans.prompt_tokens[row]);
        spans.prompt_tokens.set(row, {});
        spans.completion_tokens.set(row, {});
        spans.total_tokens.set(row, {});
    }
}

}  // namespace obs::testing_rows
