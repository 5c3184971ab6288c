#include "live/trace_table.h"

#include <algorithm>

#include "base/json_writer.h"
#include "query/fields.h"

namespace obs::live {

namespace {

// Of a trace with more, the others are only counted.
constexpr std::size_t spans_told_apart = 4096;

constexpr std::uint8_t status_error = 2;

void learn(std::string& known, std::string_view said) {
    if (known.empty()) known = said;
}

void text_field(JsonWriter& json, std::string_view name, std::string_view text) {
    if (!text.empty()) json.field(name, text);
}

template <class Number>
std::optional<Number> sum_of(const std::vector<WatchedTrace::Span>& spans,
                             std::optional<Number> WatchedTrace::Span::* value) {
    std::optional<Number> sum;
    for (const WatchedTrace::Span& span : spans)
        if (span.counts && span.*value) sum = sum.value_or(Number{}) + *(span.*value);
    return sum;
}

// What a span repeats from below counts when it settles that it is the only one who knows.
template <class Number>
std::optional<Number> usage_of(std::optional<Number> own, std::optional<Number> repeated) {
    return own ? own : repeated;
}
std::optional<Tokens> repeated_tokens(const SpanBatch& rows, std::size_t row) {
    const auto prompt = rows.rollup_prompt_tokens[row], completion = rows.rollup_completion_tokens[row];
    if (!prompt && !completion) return std::nullopt;
    return prompt.value_or(Tokens{}) + completion.value_or(Tokens{});
}

std::int64_t milliseconds(Nanos duration) {
    return (duration.count + (duration.count < 0 ? -500'000 : 500'000)) / 1'000'000;
}

}  // namespace

std::optional<Usd> WatchedTrace::cost() const {
    return sum_of(spans, &Span::cost);
}
std::optional<Tokens> WatchedTrace::tokens() const {
    return sum_of(spans, &Span::tokens);
}

bool WatchedTrace::was_seen_by(std::uint32_t filter) const {
    return std::ranges::find(seen_by, filter) != seen_by.end();
}

std::string WatchedTrace::data() const {
    std::string out;
    JsonWriter json(out);
    json.begin_object().field("trace_id", id.hex()).field("span_id", span.hex()).field("org_id", org);
    json.field("project_id", project);
    text_field(json, "service_name", service);
    text_field(json, "span_name", name);
    text_field(json, "operation_type", operation);
    text_field(json, "provider", provider);
    text_field(json, "model", model);
    text_field(json, "environment", environment);
    text_field(json, "user_id", user);
    text_field(json, "session_id", session);
    if (const auto sum = cost()) json.field("cost_usd", *sum);
    if (const auto sum = tokens()) json.field("total_tokens", sum->count);
    json.field("duration_ms", milliseconds(end - begin)).field("status_code", query::status_word(status));
    json.field("span_count", span_count).field("error_count", error_count).field("settled", settled);
    json.field("ts", rfc3339(begin)).field("timestamp", rfc3339(begin)).end_object();
    return out;
}

void WatchedTrace::append_to(SpanBatch& rows) const {
    const std::size_t row = rows.size();
    rows.ts.put(row, begin);
    rows.duration.put(row, end - begin);
    rows.org_id.put(row, org);
    rows.project_id.put(row, project);
    rows.trace_id.put(row, id);
    rows.span_id.put(row, span);
    rows.span_name.put(row, name);
    rows.is_root.put(row, 1);
    rows.operation_type.put(row, operation);
    rows.service_name.put(row, service);
    rows.environment.put(row, environment);
    rows.provider.put(row, provider);
    rows.model.put(row, model);
    rows.status_code.put(row, status);
    rows.total_tokens.put(row, tokens());
    rows.total_cost.put(row, cost());
    if (!user.empty()) rows.user_id.put(row, user);
    if (!session.empty()) rows.session_id.put(row, session);
}

TraceTable::Key TraceTable::key_of(std::string_view org, std::string_view project, TraceId trace) {
    Key key{std::string(org), trace};
    (key.tenant += '\n') += project;
    return key;
}

TraceTable::Heard TraceTable::add(const SpanBatch& rows, std::size_t row) {
    Key key = key_of(rows.org_id[row], rows.project_id[row], rows.trace_id[row]);
    const auto [at, is_new] = traces_.try_emplace(key);
    WatchedTrace& trace = at->second;
    if (is_new) {
        in_order_.push_back(std::move(key));
        trace.id = rows.trace_id[row];
        trace.org = rows.org_id[row];
        trace.project = rows.project_id[row];
        trace.begin = rows.ts[row];
        trace.end = trace.begin + rows.duration[row];
        trace.span = rows.span_id[row];
    }
    const SpanId id = rows.span_id[row];
    if (trace.spans.size() < spans_told_apart) {
        if (std::ranges::find(trace.spans, id, &WatchedTrace::Span::id) != trace.spans.end())
            return {&trace, false};
        trace.spans.push_back({id, usage_of(rows.total_cost[row], rows.rollup_cost[row]),
                               usage_of(rows.total_tokens[row], repeated_tokens(rows, row)),
                               rows.is_call[row] != 0});
        ++spans_;
    }
    ++trace.span_count;
    trace.settled = false;
    trace.begin = std::min(trace.begin, rows.ts[row]);
    trace.end = std::max(trace.end, rows.ts[row] + rows.duration[row]);
    const std::uint8_t status = rows.status_code[row];
    if (status == status_error) ++trace.error_count;
    const bool is_root = rows.parent_span_id[row].is_zero();
    if (is_root && !trace.has_root) {
        trace.has_root = true;
        trace.span = id;
        trace.status = status;
        trace.name = rows.span_name[row];
        trace.service = rows.service_name[row];
        trace.operation = rows.operation_type[row];
    } else if (!trace.has_root) {
        trace.status = std::max(trace.status, status);
        learn(trace.name, rows.span_name[row]);
        learn(trace.service, rows.service_name[row]);
        learn(trace.operation, rows.operation_type[row]);
    }
    if (rows.is_call[row] != 0 && trace.model.empty()) {
        trace.model = rows.model[row];
        trace.provider = rows.provider[row];
    }
    learn(trace.environment, rows.environment[row]);
    learn(trace.user, rows.user_id[row]);
    learn(trace.session, rows.session_id[row]);
    return {&trace, true};
}

WatchedTrace* TraceTable::settle(const SettledTrace& settled) {
    const auto found = traces_.find(key_of(settled.org, settled.project, settled.id));
    if (found == traces_.end()) return nullptr;
    WatchedTrace& trace = found->second;
    trace.settled = true;
    if (settled.calls && trace.spans.size() < spans_told_apart)
        for (WatchedTrace::Span& span : trace.spans)
            span.counts = std::ranges::find(*settled.calls, span.id) != settled.calls->end();
    return &trace;
}

void TraceTable::make_room() {
    while ((traces_.size() > limits_.traces || spans_ > limits_.spans) && !in_order_.empty()) {
        const auto oldest = traces_.find(in_order_.front());
        spans_ -= oldest->second.spans.size();
        traces_.erase(oldest);
        in_order_.pop_front();
    }
}

void TraceTable::clear() {
    traces_.clear();
    in_order_.clear();
    spans_ = 0;
}

}  // namespace obs::live
