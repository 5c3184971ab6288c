#include "decode/point_rows.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

namespace obs {

namespace {

constexpr std::array<std::string_view, 5> type_names = {"gauge", "sum", "histogram", "exponential_histogram",
                                                        "summary"};
constexpr std::uint32_t no_recorded_value = 1;  // DataPointFlags

std::int64_t clamp_to_signed(std::uint64_t value) {
    return static_cast<std::int64_t>(
        std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max()));
}

template <class Write>
void entry(ValueJson& json, std::string_view key, Write&& write) {
    if (!json.begin_entry()) return;
    json.key(key);
    write();
    json.end_entry();
}

template <class List, class Write>
void list_entry(ValueJson& json, std::string_view key, const List& list, Write&& write) {
    entry(json, key, [&] {
        if (!json.begin_list()) return;
        for (const auto& element : list) write(element);
        json.end_list();
    });
}

void write_number(ValueJson& json, const NumberValue& value) {
    if (value.integer) {
        json.integer(*value.integer);
    } else {
        json.number(*value.number);
    }
}

void write_value(ValueJson& json, const RawValue& value) {
    switch (value.type) {
        case AttributeType::text:
        case AttributeType::bytes: json.text(value.text()); break;
        case AttributeType::integer: json.integer(value.integer); break;
        case AttributeType::number: json.number(value.number); break;
        case AttributeType::boolean: json.boolean(value.boolean); break;
        case AttributeType::json: json.raw(value.text()); break;
        case AttributeType::empty: json.empty(); break;
    }
}

}  // namespace

void PointFields::clear() {
    start = time = count = zero_count = 0;
    flags = 0;
    value = {};
    sum = min = max = std::nullopt;
    bucket_counts.clear();
    bounds.clear();
    scale = 0;
    zero_threshold = 0;
    positive.offset = negative.offset = 0;
    positive.counts.clear();
    negative.counts.clear();
    quantiles.clear();
    too_many = false;
}

void PointRows::open_metric() {
    envelopes.open_item();
    metric_row_ = out_.batch.size();
    point_index_ = 0;
}

void PointRows::close_metric(const MetricFields& fields) {
    if (!fields.type) {
        refusals.add(Reason::no_data, [&] {
            return fmt::format("resource_metrics[{}].scope_metrics[{}].metrics[{}]: no data",
                               envelopes.resource_index(), envelopes.scope_index(), envelopes.item_index());
        });
    }
    MetricBatch& batch = out_.batch;
    const std::string_view name = lists.text(fields.name);
    const std::string_view unit = lists.text(fields.unit);
    const std::string_view description = lists.text(fields.description);
    for (std::size_t row = metric_row_; row < batch.size(); ++row) {
        batch.metric_name.put(row, name);
        batch.unit.put(row, unit);
        batch.description.put(row, description);
        batch.metric_type.put(row, type_names[static_cast<std::size_t>(*fields.type)]);
        // A summary has no such field and always counts from its start.
        const std::uint32_t temporality = fields.type == MetricType::summary ? 2 : fields.temporality;
        if (temporality != 0)
            batch.temporality.put(row, static_cast<std::uint8_t>(std::min(temporality, 255U)));
        if (fields.is_monotonic) batch.is_monotonic.put(row, 1);
    }
    lists.take_flags();
    envelopes.close_item();
}

void PointRows::open_point() {
    attributes_ = lists.begin_list();
    first_attribute_ = attributes_.begin;
    has_exemplars_ = false;
}

void PointRows::add_exemplar(const ExemplarFields& fields, RawRange attributes) {
    // An exemplar without a value shows nothing.
    if (!fields.value.missing()) {
        if (!has_exemplars_) {
            exemplars_.reset();
            exemplars_.begin_list();
            has_exemplars_ = true;
        }
        const auto trace = read_trace_id(encoding_, fields.trace_id).id;
        const auto span = read_span_id(encoding_, fields.span_id).id;
        if (exemplars_.begin_map()) {
            entry(exemplars_, "time", [&] { exemplars_.text(rfc3339(read_time(fields.time).time)); });
            entry(exemplars_, "value", [&] { write_number(exemplars_, fields.value); });
            if (!trace.is_zero()) entry(exemplars_, "trace_id", [&] { exemplars_.text(trace.hex()); });
            if (!span.is_zero()) entry(exemplars_, "span_id", [&] { exemplars_.text(span.hex()); });
            entry(exemplars_, "attributes", [&] {
                if (!exemplars_.begin_map()) return;
                for (std::uint32_t i = attributes.begin; i < attributes.end; ++i)
                    entry(exemplars_, out_.raw.key(out_.raw.list[i]),
                          [&] { write_value(exemplars_, out_.raw.list[i].value); });
                exemplars_.end_map();
            });
            exemplars_.end_map();
        }
    }
    lists.drop_from(attributes.begin);
}

bool PointRows::refuse(MetricType type, const PointFields& fields, UnixNanos time) {
    const auto refused = [&](Reason reason, auto&& why) {
        refusals.add(reason, [&] {
            return fmt::format("resource_metrics[{}].scope_metrics[{}].metrics[{}].{}.data_points[{}]: {}",
                               envelopes.resource_index(), envelopes.scope_index(), envelopes.item_index(),
                               type_names[static_cast<std::size_t>(type)], point_index_, why());
        });
        return true;
    };
    if (fields.time == 0) return refused(Reason::no_time, [] { return "no time"; });
    if (!window_.holds(time))
        return refused(window_.reason(time), [&] { return window_.describe("time", time); });
    const bool is_number = type == MetricType::gauge || type == MetricType::sum;
    if (is_number && fields.value.missing() && (fields.flags & no_recorded_value) == 0)
        return refused(Reason::no_value, [] { return "no value"; });
    if (fields.too_many)
        return refused(Reason::buckets,
                       [] { return fmt::format("more than {} buckets", PointFields::most_buckets); });
    const std::size_t counts = fields.bucket_counts.size();
    const std::size_t bounds = fields.bounds.size();
    if (type == MetricType::histogram && counts != bounds + 1 && (counts != 0 || bounds != 0))
        return refused(Reason::buckets,
                       [&] { return fmt::format("{} buckets for {} bounds", counts, bounds); });
    return false;
}

void PointRows::write_buckets(std::string_view key, const Buckets& buckets) {
    ValueJson& json = distribution_;
    entry(json, key, [&] {
        if (!json.begin_map()) return;
        entry(json, "offset", [&] { json.integer(buckets.offset); });
        list_entry(json, "counts", buckets.counts,
                   [&](std::uint64_t count) { json.integer(clamp_to_signed(count)); });
        json.end_map();
    });
}

void PointRows::write_distribution(MetricType type, const PointFields& fields) {
    ValueJson& json = distribution_;
    json.reset();
    if (!json.begin_map()) return;
    switch (type) {
        case MetricType::histogram:
            list_entry(json, "bounds", fields.bounds, [&](double bound) { json.number(bound); });
            list_entry(json, "counts", fields.bucket_counts,
                       [&](std::uint64_t count) { json.integer(clamp_to_signed(count)); });
            break;
        case MetricType::exponential_histogram:
            entry(json, "scale", [&] { json.integer(fields.scale); });
            entry(json, "zero_count", [&] { json.integer(clamp_to_signed(fields.zero_count)); });
            entry(json, "zero_threshold", [&] { json.number(fields.zero_threshold); });
            write_buckets("positive", fields.positive);
            write_buckets("negative", fields.negative);
            break;
        default:
            list_entry(json, "quantiles", fields.quantiles, [&](const std::pair<double, double>& quantile) {
                if (!json.begin_map()) return;
                entry(json, "quantile", [&] { json.number(quantile.first); });
                entry(json, "value", [&] { json.number(quantile.second); });
                json.end_map();
            });
    }
    json.end_map();
}

void PointRows::put_model(std::size_t row) {
    std::string_view provider, system, answered, asked;
    for (std::uint32_t i = attributes_.begin; i < attributes_.end; ++i) {
        const RawAttribute& attribute = out_.raw.list[i];
        if (attribute.value.type != AttributeType::text) continue;
        const std::string_view key = out_.raw.key(attribute);
        if (key == "gen_ai.provider.name") provider = attribute.value.text();
        if (key == "gen_ai.system") system = attribute.value.text();
        if (key == "gen_ai.response.model") answered = attribute.value.text();
        if (key == "gen_ai.request.model") asked = attribute.value.text();
    }
    out_.batch.provider.put(row, provider.empty() ? system : provider);
    out_.batch.model.put(row, answered.empty() ? asked : answered);
}

void PointRows::close_point(MetricType type, const PointFields& fields) {
    const UnixNanos time = read_time(fields.time).time;
    const bool refused = refuse(type, fields, time);
    ++point_index_;
    if (refused) {
        lists.drop_from(first_attribute_);
        return;
    }
    MetricBatch& batch = out_.batch;
    const std::size_t row = batch.size();
    batch.ts.put(row, time);
    if (fields.start != 0) batch.start_ts.put(row, read_time(fields.start).time);
    if (fields.flags != 0) batch.flags.put(row, fields.flags);
    if (type == MetricType::gauge || type == MetricType::sum) {
        if (fields.value.integer) batch.value.put(row, static_cast<double>(*fields.value.integer));
        batch.value.put(row, fields.value.number);
        batch.value_int.put(row, fields.value.integer);
    } else {
        batch.count.put(row, clamp_to_signed(fields.count));
        batch.sum.put(row, fields.sum);
        batch.min.put(row, fields.min);
        batch.max.put(row, fields.max);
        write_distribution(type, fields);
        batch.distribution.put(row, distribution_.view());
    }
    if (has_exemplars_) {
        exemplars_.end_list();
        batch.exemplars.put(row, exemplars_.view());
    }
    put_model(row);
    out_.scope.push_back(envelopes.scope_code());
    out_.attributes.push_back(attributes_);
}

}  // namespace obs
