#include "decode/describe.h"

#include <string_view>

#include <fmt/format.h>

#include "base/json_writer.h"
#include "decode/value_json.h"

namespace obs {

namespace {

std::string quoted(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

template <class Raw>
std::string describe_scope(const Raw& rows, std::size_t row) {
    const RawScope& scope = rows.scopes[rows.scope[row]];
    return fmt::format("  scope {} {} {} {} of resource {}\n", quoted(scope.name), quoted(scope.version),
                       quoted(scope.schema_url), describe(rows.raw, scope.attributes),
                       describe(rows.raw, rows.resources[scope.resource].attributes));
}

template <class T>
std::string optional(std::string_view name, const T& value) {
    return value ? fmt::format(" {}={}", name, *value) : std::string();
}

}  // namespace

std::string describe(const RawValue& value) {
    char room[32];
    switch (value.type) {
        case AttributeType::text: return quoted(value.text());
        case AttributeType::integer: return fmt::format("{}", value.integer);
        case AttributeType::number: return fmt::format("double {}", double_text(value.number, room));
        case AttributeType::boolean: return value.boolean ? "true" : "false";
        case AttributeType::json: return fmt::format("json {}", value.text());
        case AttributeType::bytes: return fmt::format("bytes {}", value.text());
        case AttributeType::empty: return "empty";
    }
    return "?";
}

std::string describe(const RawAttributes& raw, RawRange range) {
    std::string text = "{";
    for (std::uint32_t i = range.begin; i < range.end; ++i)
        text += fmt::format("{}{}: {}", i == range.begin ? "" : ", ", raw.key(raw.list[i]),
                            describe(raw.list[i].value));
    return text + "}";
}

std::string describe_flags(std::uint32_t flags) {
    constexpr std::string_view names[] = {
        "negative_duration", "unfinished",      "time_unit_repaired", "bad_parent_id", "attributes_dropped",
        "attributes_cut",    "value_truncated", "invalid_utf8",       "usage_ignored", "link_dropped"};
    std::string text;
    for (std::size_t bit = 0; bit < std::size(names); ++bit)
        if ((flags >> bit & 1) != 0) text += fmt::format("{}{}", text.empty() ? "" : " ", names[bit]);
    return text;
}

std::string describe(const RawSpans& rows) {
    std::string text;
    const SpanBatch& batch = rows.batch;
    for (std::size_t row = 0; row < batch.size(); ++row) {
        text += fmt::format("{} {} < {} {} kind={} status={} {} start={} duration={} state={} [{}]\n",
                            batch.trace_id[row].hex(), batch.span_id[row].hex(),
                            batch.parent_span_id[row].hex(), quoted(batch.span_name[row]),
                            batch.span_kind[row], batch.status_code[row], quoted(batch.error_message[row]),
                            batch.ts[row].since_epoch, batch.duration[row].count,
                            quoted(batch.trace_state[row]), describe_flags(batch.flags[row]));
        text += describe_scope(rows, row);
        text += fmt::format("  {}\n", describe(rows.raw, rows.attributes[row]));
        for (std::uint32_t i = row == 0 ? 0 : rows.events_end[row - 1]; i < rows.events_end[row]; ++i)
            text += fmt::format("  event {} {} {}\n", rows.events[i].time.since_epoch,
                                quoted(rows.events[i].name), describe(rows.raw, rows.events[i].attributes));
        for (std::uint32_t i = row == 0 ? 0 : rows.links_end[row - 1]; i < rows.links_end[row]; ++i)
            text += fmt::format("  link {} {} {}\n", rows.links[i].trace_id.hex(),
                                rows.links[i].span_id.hex(), describe(rows.raw, rows.links[i].attributes));
    }
    return text;
}

std::string describe(const RawLogs& rows) {
    std::string text;
    const LogBatch& batch = rows.batch;
    for (std::size_t row = 0; row < batch.size(); ++row) {
        text += fmt::format("{} observed={} {} {} severity={} {} event={} body={} [{}]\n",
                            batch.ts[row].since_epoch, batch.observed_ts[row].since_epoch,
                            batch.trace_id[row].hex(), batch.span_id[row].hex(), batch.severity_number[row],
                            quoted(batch.severity_text[row]), quoted(batch.event_name[row]),
                            describe(rows.body[row]), describe_flags(batch.flags[row]));
        text += describe_scope(rows, row);
        text += fmt::format("  {}\n", describe(rows.raw, rows.attributes[row]));
    }
    return text;
}

std::string describe(const RawMetrics& rows) {
    std::string text;
    const MetricBatch& batch = rows.batch;
    for (std::size_t row = 0; row < batch.size(); ++row) {
        text += fmt::format("{} {} unit={} {} temporality={} monotonic={} ts={} start={} flags={}",
                            quoted(batch.metric_name[row]), batch.metric_type[row], quoted(batch.unit[row]),
                            quoted(batch.description[row]), batch.temporality[row], batch.is_monotonic[row],
                            batch.ts[row].since_epoch, batch.start_ts[row].since_epoch, batch.flags[row]);
        text += optional("value", batch.value[row]) + optional("int", batch.value_int[row]) +
                optional("count", batch.count[row]) + optional("sum", batch.sum[row]) +
                optional("min", batch.min[row]) + optional("max", batch.max[row]);
        text += fmt::format(" {} {} provider={} model={}\n", batch.distribution[row], batch.exemplars[row],
                            quoted(batch.provider[row]), quoted(batch.model[row]));
        text += describe_scope(rows, row);
        text += fmt::format("  {}\n", describe(rows.raw, rows.attributes[row]));
    }
    return text;
}

}  // namespace obs
