#include <opentelemetry/proto/collector/logs/v1/logs_service.pb.h>
#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb.h>

#include "decode/log_rows.h"
#include "decode/point_rows.h"
#include "decode/reference_decode.h"
#include "decode/span_rows.h"

namespace obs {

namespace {

namespace common = opentelemetry::proto::common::v1;
namespace metrics = opentelemetry::proto::metrics::v1;
namespace trace = opentelemetry::proto::trace::v1;
using opentelemetry::proto::collector::logs::v1::ExportLogsServiceRequest;
using opentelemetry::proto::collector::metrics::v1::ExportMetricsServiceRequest;
using opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
template <class T>
using Repeated = google::protobuf::RepeatedPtrField<T>;

// The messages die before the rows are read, so all texts are copied.
struct Copier {
    AttributeLists& lists;

    void write(ValueJson& json, const common::AnyValue& value) const {
        switch (value.value_case()) {
            case common::AnyValue::kStringValue: json.text(value.string_value()); break;
            case common::AnyValue::kBoolValue: json.boolean(value.bool_value()); break;
            case common::AnyValue::kIntValue: json.integer(value.int_value()); break;
            case common::AnyValue::kDoubleValue: json.number(value.double_value()); break;
            case common::AnyValue::kBytesValue: json.bytes(value.bytes_value()); break;
            case common::AnyValue::kArrayValue:
                if (!json.begin_list()) break;
                for (const auto& element : value.array_value().values()) write(json, element);
                json.end_list();
                break;
            case common::AnyValue::kKvlistValue:
                if (!json.begin_map()) break;
                for (const auto& pair : value.kvlist_value().values()) {
                    if (!json.begin_entry()) continue;
                    json.key(pair.key());
                    write(json, pair.value());
                    json.end_entry();
                }
                json.end_map();
                break;
            default: json.empty();
        }
    }
    RawValue value(const common::AnyValue& value) const {
        switch (value.value_case()) {
            case common::AnyValue::kStringValue:
                return RawValue::of_text(lists.kept_text(value.string_value()));
            case common::AnyValue::kBoolValue: return RawValue::of_boolean(value.bool_value());
            case common::AnyValue::kIntValue: return RawValue::of_integer(value.int_value());
            case common::AnyValue::kDoubleValue: return RawValue::of_number(value.double_value());
            case common::AnyValue::kBytesValue: return lists.bytes(value.bytes_value());
            case common::AnyValue::kArrayValue:
            case common::AnyValue::kKvlistValue: write(lists.reset_json(), value); return lists.take_json();
            default: return {};
        }
    }
    void attributes(const Repeated<common::KeyValue>& pairs, RawRange& list) const {
        for (const auto& pair : pairs)
            if (lists.has_room(list)) lists.add(list, pair.key()) = value(pair.value());
    }
    void dropped(std::uint32_t count) const {
        if (count != 0) lists.raise(flag_attributes_dropped);
    }
    template <class Resource>
    void resource(const Resource& resource, RawRange& list) const {
        attributes(resource.attributes(), list);
        dropped(resource.dropped_attributes_count());
    }
    template <class Envelope>
    void scope(const Envelope& envelope, RawScope& scope) const {
        scope.name = lists.kept_text(envelope.scope().name());
        scope.version = lists.kept_text(envelope.scope().version());
        scope.schema_url = lists.kept_text(envelope.schema_url());
        attributes(envelope.scope().attributes(), scope.attributes);
        dropped(envelope.scope().dropped_attributes_count());
    }
};

void convert(const trace::Span& span, SpanRows& rows) {
    const Copier copier{rows.lists};
    rows.open_span();
    SpanFields fields;
    fields.trace_id = span.trace_id();
    fields.span_id = span.span_id();
    fields.parent_span_id = span.parent_span_id();
    fields.trace_state = span.trace_state();
    fields.name = span.name();
    fields.kind = static_cast<std::uint32_t>(span.kind());
    fields.start = span.start_time_unix_nano();
    fields.end = span.end_time_unix_nano();
    fields.status_message = span.status().message();
    fields.status_code = static_cast<std::uint32_t>(span.status().code());
    fields.dropped_attributes = span.dropped_attributes_count();
    fields.dropped_events = span.dropped_events_count();
    fields.dropped_links = span.dropped_links_count();
    copier.attributes(span.attributes(), rows.attributes());
    for (const auto& event : span.events()) {
        if (!rows.has_room_for_event()) break;
        RawRange list = rows.lists.begin_list();
        copier.attributes(event.attributes(), list);
        rows.add_event(event.time_unix_nano(), rows.lists.kept_text(event.name()), list,
                       event.dropped_attributes_count() != 0);
    }
    for (const auto& link : span.links()) {
        if (!rows.has_room_for_link()) break;
        RawRange list = rows.lists.begin_list();
        copier.attributes(link.attributes(), list);
        rows.add_link({link.trace_id(), link.span_id(), link.dropped_attributes_count() != 0}, list);
    }
    rows.close_span(fields);
}

NumberValue number_of(const metrics::NumberDataPoint& point) {
    NumberValue value;
    if (point.value_case() == metrics::NumberDataPoint::kAsDouble) value.set(point.as_double());
    if (point.value_case() == metrics::NumberDataPoint::kAsInt) value.set(std::int64_t{point.as_int()});
    return value;
}
NumberValue number_of(const metrics::Exemplar& exemplar) {
    NumberValue value;
    if (exemplar.value_case() == metrics::Exemplar::kAsDouble) value.set(exemplar.as_double());
    if (exemplar.value_case() == metrics::Exemplar::kAsInt) value.set(std::int64_t{exemplar.as_int()});
    return value;
}

void convert(const Repeated<metrics::Exemplar>& exemplars, PointRows& rows) {
    for (const auto& exemplar : exemplars) {
        RawRange list = rows.lists.begin_list();
        Copier{rows.lists}.attributes(exemplar.filtered_attributes(), list);
        rows.add_exemplar(
            {exemplar.time_unix_nano(), number_of(exemplar), exemplar.trace_id(), exemplar.span_id()}, list);
    }
}

template <class Point>
void read_common(const Point& point, PointFields& fields, PointRows& rows) {
    fields.start = point.start_time_unix_nano();
    fields.time = point.time_unix_nano();
    fields.flags = point.flags();
    Copier{rows.lists}.attributes(point.attributes(), rows.attributes());
}
template <class Point>
void read_statistics(const Point& point, PointFields& fields) {
    fields.count = point.count();
    if (point.has_sum()) fields.sum = point.sum();
    if (point.has_min()) fields.min = point.min();
    if (point.has_max()) fields.max = point.max();
}
void read(const metrics::NumberDataPoint& point, PointFields& fields, PointRows& rows) {
    fields.value = number_of(point);
    convert(point.exemplars(), rows);
}
void read(const metrics::HistogramDataPoint& point, PointFields& fields, PointRows& rows) {
    read_statistics(point, fields);
    for (const std::uint64_t count : point.bucket_counts()) fields.append(fields.bucket_counts, count);
    for (const double bound : point.explicit_bounds()) fields.append(fields.bounds, bound);
    convert(point.exemplars(), rows);
}
void read(const metrics::ExponentialHistogramDataPoint& point, PointFields& fields, PointRows& rows) {
    read_statistics(point, fields);
    fields.scale = point.scale();
    fields.zero_count = point.zero_count();
    fields.zero_threshold = point.zero_threshold();
    fields.positive.offset = point.positive().offset();
    fields.negative.offset = point.negative().offset();
    for (const std::uint64_t count : point.positive().bucket_counts())
        fields.append(fields.positive.counts, count);
    for (const std::uint64_t count : point.negative().bucket_counts())
        fields.append(fields.negative.counts, count);
    convert(point.exemplars(), rows);
}
void read(const metrics::SummaryDataPoint& point, PointFields& fields, PointRows&) {
    fields.count = point.count();
    fields.sum = point.sum();
    for (const auto& quantile : point.quantile_values())
        fields.append(fields.quantiles, std::pair{quantile.quantile(), quantile.value()});
}
template <class Data>
void convert(const Data& data, MetricType type, MetricFields& metric, PointRows& rows) {
    metric.type = type;
    for (const auto& point : data.data_points()) {
        PointFields fields;
        rows.open_point();
        read_common(point, fields, rows);
        read(point, fields, rows);
        rows.close_point(type, fields);
    }
}

template <class Rows, class Raw, class Request, class Convert>
std::optional<Decoded<Raw>> decode(std::string_view body, const DecodeLimits& limits, UnixNanos now,
                                   std::string_view items, Convert&& convert_request) {
    google::protobuf::Arena arena;
    auto* request = google::protobuf::Arena::CreateMessage<Request>(&arena);
    if (!request->ParseFromArray(body.data(), static_cast<int>(body.size()))) return std::nullopt;
    Decoded<Raw> decoded;
    Rows rows(decoded.rows, Encoding::protobuf, limits, now);
    convert_request(*request, rows);
    decoded.rejected = rows.refusals.total();
    decoded.message = rows.refusals.message(items);
    return decoded;
}

}  // namespace

bool protobuf_parses_traces(std::string_view body, google::protobuf::Arena& arena) {
    auto* request = google::protobuf::Arena::CreateMessage<ExportTraceServiceRequest>(&arena);
    return request->ParseFromArray(body.data(), static_cast<int>(body.size()));
}

std::optional<Decoded<RawSpans>> protobuf_traces(std::string_view body, const DecodeLimits& limits,
                                                 UnixNanos now) {
    return decode<SpanRows, RawSpans, ExportTraceServiceRequest>(
        body, limits, now, "spans", [](const ExportTraceServiceRequest& request, SpanRows& rows) {
            for (const auto& resource : request.resource_spans()) {
                rows.envelopes.open_resource();
                Copier{rows.lists}.resource(resource.resource(), rows.envelopes.resource_attributes());
                for (const auto& scope : resource.scope_spans()) {
                    rows.envelopes.open_scope();
                    Copier{rows.lists}.scope(scope, rows.envelopes.scope());
                    for (const auto& span : scope.spans()) convert(span, rows);
                    rows.envelopes.close_scope();
                }
                rows.envelopes.close_resource();
            }
        });
}

std::optional<Decoded<RawLogs>> protobuf_logs(std::string_view body, const DecodeLimits& limits,
                                              UnixNanos now) {
    return decode<LogRows, RawLogs, ExportLogsServiceRequest>(
        body, limits, now, "log records", [](const ExportLogsServiceRequest& request, LogRows& rows) {
            const Copier copier{rows.lists};
            for (const auto& resource : request.resource_logs()) {
                rows.envelopes.open_resource();
                copier.resource(resource.resource(), rows.envelopes.resource_attributes());
                for (const auto& scope : resource.scope_logs()) {
                    rows.envelopes.open_scope();
                    copier.scope(scope, rows.envelopes.scope());
                    for (const auto& record : scope.log_records()) {
                        rows.open_record();
                        LogFields fields;
                        fields.trace_id = record.trace_id();
                        fields.span_id = record.span_id();
                        fields.severity_text = record.severity_text();
                        fields.severity_number = static_cast<std::uint32_t>(record.severity_number());
                        fields.event_name = record.event_name();
                        fields.time = record.time_unix_nano();
                        fields.observed_time = record.observed_time_unix_nano();
                        fields.dropped_attributes = record.dropped_attributes_count();
                        copier.attributes(record.attributes(), rows.attributes());
                        fields.body = copier.value(record.body());
                        rows.close_record(fields);
                    }
                    rows.envelopes.close_scope();
                }
                rows.envelopes.close_resource();
            }
        });
}

std::optional<Decoded<RawMetrics>> protobuf_metrics(std::string_view body, const DecodeLimits& limits,
                                                    UnixNanos now) {
    return decode<PointRows, RawMetrics, ExportMetricsServiceRequest>(
        body, limits, now, "data points", [](const ExportMetricsServiceRequest& request, PointRows& rows) {
            const Copier copier{rows.lists};
            for (const auto& resource : request.resource_metrics()) {
                rows.envelopes.open_resource();
                copier.resource(resource.resource(), rows.envelopes.resource_attributes());
                for (const auto& scope : resource.scope_metrics()) {
                    rows.envelopes.open_scope();
                    copier.scope(scope, rows.envelopes.scope());
                    for (const auto& metric : scope.metrics()) {
                        MetricFields fields{metric.name(), metric.description(), metric.unit(), {}, 0, false};
                        rows.open_metric();
                        if (metric.has_gauge()) convert(metric.gauge(), MetricType::gauge, fields, rows);
                        if (metric.has_sum()) {
                            convert(metric.sum(), MetricType::sum, fields, rows);
                            fields.temporality =
                                static_cast<std::uint32_t>(metric.sum().aggregation_temporality());
                            fields.is_monotonic = metric.sum().is_monotonic();
                        }
                        if (metric.has_histogram()) {
                            convert(metric.histogram(), MetricType::histogram, fields, rows);
                            fields.temporality =
                                static_cast<std::uint32_t>(metric.histogram().aggregation_temporality());
                        }
                        if (metric.has_exponential_histogram()) {
                            convert(metric.exponential_histogram(), MetricType::exponential_histogram, fields,
                                    rows);
                            fields.temporality = static_cast<std::uint32_t>(
                                metric.exponential_histogram().aggregation_temporality());
                        }
                        if (metric.has_summary())
                            convert(metric.summary(), MetricType::summary, fields, rows);
                        rows.close_metric(fields);
                    }
                    rows.envelopes.close_scope();
                }
                rows.envelopes.close_resource();
            }
        });
}

}  // namespace obs
