#include "decode/log_rows.h"

#include <algorithm>

#include <fmt/format.h>

namespace obs {

void LogRows::open_record() {
    envelopes.open_item();
    attributes_ = lists.begin_list();
    first_attribute_ = attributes_.begin;
}

// Producers from before the field existed put the name into an attribute.
std::string_view LogRows::event_name(const LogFields& fields) const {
    if (!fields.event_name.empty()) return fields.event_name;
    std::string_view fallback, second;
    for (std::uint32_t i = attributes_.begin; i < attributes_.end; ++i) {
        const RawAttribute& attribute = out_.raw.list[i];
        if (attribute.value.type != AttributeType::text) continue;
        const std::string_view key = out_.raw.key(attribute);
        if (key == "event.name") fallback = attribute.value.text();
        if (key == "event_name") second = attribute.value.text();
    }
    return fallback.empty() ? second : fallback;
}

void LogRows::close_record(const LogFields& fields) {
    const TimeReading observed = read_time(fields.observed_time);
    TimeReading time = fields.time != 0 ? read_time(fields.time) : observed;
    if (time.time == UnixNanos{}) time.time = window_.now;
    if (!window_.holds(time.time)) {
        refusals.add(window_.reason(time.time), [&] {
            return fmt::format("resource_logs[{}].scope_logs[{}].log_records[{}]: {}",
                               envelopes.resource_index(), envelopes.scope_index(), envelopes.item_index(),
                               window_.describe("time", time.time));
        });
        lists.drop_from(first_attribute_);
        lists.take_flags();
        envelopes.close_item();
        return;
    }
    LogBatch& batch = out_.batch;
    const std::size_t row = batch.size();
    if (time.repaired || observed.repaired) lists.raise(flag_time_unit_repaired);
    batch.ts.put(row, time.time);
    if (observed.time != UnixNanos{}) batch.observed_ts.put(row, observed.time);
    // An id that cannot be used leaves the record without correlation.
    if (const TraceId id = read_trace_id(encoding_, fields.trace_id).id; !id.is_zero())
        batch.trace_id.put(row, id);
    if (const SpanId id = read_span_id(encoding_, fields.span_id).id; !id.is_zero())
        batch.span_id.put(row, id);
    if (fields.severity_number != 0)
        batch.severity_number.put(row, static_cast<std::uint8_t>(std::min(fields.severity_number, 255U)));
    batch.severity_text.put(row, lists.text(fields.severity_text));
    batch.event_name.put(row, lists.text(event_name(fields)));
    if (fields.dropped_attributes != 0) lists.raise(flag_attributes_dropped);

    out_.scope.push_back(envelopes.scope_code());
    out_.attributes.push_back(attributes_);
    out_.body.push_back(fields.body);
    if (const std::uint32_t flags = lists.take_flags(); flags != 0) batch.flags.put(row, flags);
    envelopes.close_item();
}

}  // namespace obs
