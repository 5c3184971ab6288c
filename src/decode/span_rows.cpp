#include "decode/span_rows.h"

#include <algorithm>

#include <fmt/format.h>

namespace obs {

namespace {
std::uint8_t clamp_to_byte(std::uint32_t value) {
    return static_cast<std::uint8_t>(std::min(value, 255U));
}
}  // namespace

void SpanRows::open_span() {
    envelopes.open_item();
    attributes_ = lists.begin_list();
    first_attribute_ = attributes_.begin;
    first_event_ = out_.events.size();
    first_link_ = out_.links.size();
}

bool SpanRows::has_room(std::size_t count, std::size_t limit) {
    if (count < limit && out_.events.size() + out_.links.size() < limits_.events_and_links_in_all)
        return true;
    lists.raise(flag_attributes_cut);
    return false;
}

void SpanRows::add_event(std::uint64_t time, std::string_view name, RawRange attributes, bool dropped) {
    const TimeReading read = read_time(time);
    if (read.repaired) lists.raise(flag_time_unit_repaired);
    if (dropped) lists.raise(flag_attributes_dropped);
    out_.events.push_back({read.time, lists.text(name), attributes});
}

void SpanRows::add_link(const LinkFields& fields, RawRange attributes) {
    const auto trace = read_trace_id(encoding_, fields.trace_id);
    const auto span = read_span_id(encoding_, fields.span_id);
    if (trace.id.is_zero() || span.id.is_zero()) {
        lists.raise(flag_link_dropped);
        lists.drop_from(attributes.begin);
        return;
    }
    if (fields.dropped) lists.raise(flag_attributes_dropped);
    out_.links.push_back({trace.id, span.id, attributes});
}

bool SpanRows::refuse(const SpanFields& fields, const IdReading<TraceId>& trace,
                      const IdReading<SpanId>& span, UnixNanos start) {
    const auto refused = [&](Reason reason, auto&& why) {
        refusals.add(reason, [&] {
            std::string ids;
            if (!trace.id.is_zero()) ids += fmt::format(" (trace {}", trace.id.hex());
            if (!span.id.is_zero()) ids += fmt::format("{}span {}", ids.empty() ? " (" : ", ", span.id.hex());
            if (!ids.empty()) ids += ')';
            return fmt::format("resource_spans[{}].scope_spans[{}].spans[{}]{}: {}",
                               envelopes.resource_index(), envelopes.scope_index(), envelopes.item_index(),
                               ids, why());
        });
        return true;
    };
    if (trace.id.is_zero())
        return refused(Reason::trace_id,
                       [&] { return what_is_wrong("trace id", encoding_, fields.trace_id); });
    if (span.id.is_zero())
        return refused(Reason::span_id, [&] { return what_is_wrong("span id", encoding_, fields.span_id); });
    if (!window_.holds(start))
        return refused(window_.reason(start), [&] { return window_.describe("start time", start); });
    return false;
}

void SpanRows::put_times(std::size_t row, const SpanFields& fields, TimeReading start) {
    SpanBatch& batch = out_.batch;
    batch.ts.put(row, start.time);
    if (start.repaired) lists.raise(flag_time_unit_repaired);
    if (fields.end == 0) {
        lists.raise(flag_unfinished);
        return;
    }
    const TimeReading end = read_time(fields.end);
    if (end.repaired) lists.raise(flag_time_unit_repaired);
    const Nanos duration = end.time - start.time;
    if (duration < Nanos{}) lists.raise(flag_negative_duration);
    batch.duration.put(row, duration);
}

void SpanRows::close_span(const SpanFields& fields) {
    const auto trace = read_trace_id(encoding_, fields.trace_id);
    const auto span = read_span_id(encoding_, fields.span_id);
    const TimeReading start = read_time(fields.start);
    if (refuse(fields, trace, span, start.time)) [[unlikely]] {
        lists.drop_from(first_attribute_);
        out_.events.erase(out_.events.begin() + static_cast<std::ptrdiff_t>(first_event_), out_.events.end());
        out_.links.erase(out_.links.begin() + static_cast<std::ptrdiff_t>(first_link_), out_.links.end());
        lists.take_flags();
        envelopes.close_item();
        return;
    }
    SpanBatch& batch = out_.batch;
    const std::size_t row = batch.size();
    put_times(row, fields, start);
    batch.trace_id.put(row, trace.id);
    batch.span_id.put(row, span.id);
    const auto parent = read_span_id(encoding_, fields.parent_span_id);
    if (parent.wrong) lists.raise(flag_bad_parent_id);
    if (!parent.id.is_zero()) batch.parent_span_id.put(row, parent.id);
    if (!fields.trace_state.empty()) batch.trace_state.put(row, lists.text(fields.trace_state));
    batch.span_name.put(row, lists.text(fields.name));
    if (fields.kind != 0) batch.span_kind.put(row, clamp_to_byte(fields.kind));
    if (fields.status_code != 0) batch.status_code.put(row, clamp_to_byte(fields.status_code));
    if (!fields.status_message.empty()) batch.error_message.put(row, lists.text(fields.status_message));
    if ((fields.dropped_attributes | fields.dropped_events | fields.dropped_links) != 0)
        lists.raise(flag_attributes_dropped);

    out_.scope.push_back(envelopes.scope_code());
    out_.attributes.push_back(attributes_);
    out_.events_end.push_back(static_cast<std::uint32_t>(out_.events.size()));
    out_.links_end.push_back(static_cast<std::uint32_t>(out_.links.size()));
    if (const std::uint32_t flags = lists.take_flags(); flags != 0) batch.flags.put(row, flags);
    envelopes.close_item();
}

}  // namespace obs
