#include <array>
#include <string_view>

#include "decode/json.h"
#include "decode/readers.h"

namespace obs {

namespace {

constexpr std::array<std::string_view, 3> temporalities = {"AGGREGATION_TEMPORALITY_UNSPECIFIED",
                                                           "AGGREGATION_TEMPORALITY_DELTA",
                                                           "AGGREGATION_TEMPORALITY_CUMULATIVE"};
// In the order of MetricType.
constexpr std::array<std::string_view, 5> data_fields = {"gauge", "sum", "histogram", "exponentialHistogram",
                                                         "summary"};

class MetricRequest {
public:
    MetricRequest(std::string_view body, PointRows& rows) : rows_(rows), reader_(body, rows.lists) {}

    bool read() {
        return reader_.request([&](std::string_view key, JsonValue value) {
            if (key != "resourceMetrics") return true;
            return reader_.list(key, value, [&](std::size_t, JsonValue element) {
                rows_.envelopes.open_resource();
                if (!resource_metrics(element)) return false;
                rows_.envelopes.close_resource();
                return true;
            });
        });
    }
    Error error() const { return reader_.error(); }

private:
    bool resource_metrics(JsonValue resource_metrics) {
        return reader_.object(resource_metrics, [&](std::string_view key, JsonValue value) {
            if (key == "resource")
                return reader_.resource(value, rows_.envelopes.resource_attributes()) || reader_.in(key);
            if (key != "scopeMetrics") return true;
            return reader_.list(key, value, [&](std::size_t, JsonValue element) {
                rows_.envelopes.open_scope();
                if (!scope_metrics(element)) return false;
                rows_.envelopes.close_scope();
                return true;
            });
        });
    }

    bool scope_metrics(JsonValue scope_metrics) {
        return reader_.object(scope_metrics, [&](std::string_view key, JsonValue value) {
            RawScope& scope = rows_.envelopes.scope();
            if (key == "scope") return reader_.scope(value, scope) || reader_.in(key);
            if (key == "schemaUrl") return reader_.text(key, value, scope.schema_url);
            if (key != "metrics") return true;
            return reader_.list(key, value, [&](std::size_t, JsonValue element) { return metric(element); });
        });
    }

    bool metric(JsonValue metric) {
        MetricFields fields;
        rows_.open_metric();
        const bool read = reader_.object(metric, [&](std::string_view key, JsonValue value) {
            if (key == "name") return reader_.text(key, value, fields.name);
            if (key == "description") return reader_.text(key, value, fields.description);
            if (key == "unit") return reader_.text(key, value, fields.unit);
            for (std::size_t i = 0; i < data_fields.size(); ++i) {
                if (key != data_fields[i]) continue;
                if (fields.type) return reader_.refuse("more than one kind of data") || reader_.in(key);
                fields.type = static_cast<MetricType>(i);
                return data(value, fields) || reader_.in(key);
            }
            return true;
        });
        if (read) rows_.close_metric(fields);
        return read;
    }

    bool data(JsonValue data, MetricFields& fields) {
        const bool has_temporality = fields.type != MetricType::gauge && fields.type != MetricType::summary;
        return reader_.object(data, [&](std::string_view key, JsonValue value) {
            if (key == "dataPoints") {
                return reader_.list(key, value, [&](std::size_t, JsonValue element) {
                    rows_.open_point();
                    point_.clear();
                    if (!point(*fields.type, element)) return false;
                    rows_.close_point(*fields.type, point_);
                    return true;
                });
            }
            if (key == "aggregationTemporality" && has_temporality)
                return reader_.enumeration(key, value, temporalities, fields.temporality);
            if (key == "isMonotonic" && fields.type == MetricType::sum)
                return reader_.boolean(key, value, fields.is_monotonic);
            return true;
        });
    }

    bool point(MetricType type, JsonValue point) {
        if (type == MetricType::summary) point_.sum = 0;  // not optional there
        return reader_.object(point, [&](std::string_view key, JsonValue value) {
            if (key == "startTimeUnixNano") return reader_.unsigned64(key, value, point_.start);
            if (key == "timeUnixNano") return reader_.unsigned64(key, value, point_.time);
            if (key == "flags") return reader_.unsigned32(key, value, point_.flags);
            if (key == "attributes") return reader_.attributes(key, value, rows_.attributes());
            switch (type) {
                case MetricType::gauge:
                case MetricType::sum: return number_field(key, value);
                case MetricType::histogram: return histogram_field(key, value);
                case MetricType::exponential_histogram: return exponential_field(key, value);
                default: return summary_field(key, value);
            }
        });
    }

    bool number_field(std::string_view key, JsonValue value) {
        if (key == "exemplars") return exemplars(key, value);
        return number(key, value, point_.value);
    }

    // asDouble or asInt.
    bool number(std::string_view key, JsonValue value, NumberValue& out) {
        if (key != "asDouble" && key != "asInt") return true;
        if (!out.missing()) return reader_.refuse("more than one value") || reader_.in(key);
        double as_double = 0;
        std::int64_t as_integer = 0;
        if (key == "asDouble") {
            if (!reader_.number(key, value, as_double)) return false;
            out.set(as_double);
        } else {
            if (!reader_.signed64(key, value, as_integer)) return false;
            out.set(as_integer);
        }
        return true;
    }

    bool optional(std::string_view key, JsonValue value, std::optional<double>& out) {
        double read = 0;
        if (!reader_.number(key, value, read)) return false;
        out = read;
        return true;
    }

    bool counts(std::string_view key, JsonValue value, std::vector<std::uint64_t>& out) {
        return reader_.list(key, value, [&](std::size_t, JsonValue element) {
            std::uint64_t count = 0;
            if (!reader_.unsigned64({}, element, count)) return false;
            point_.append(out, count);
            return true;
        });
    }

    bool histogram_field(std::string_view key, JsonValue value) {
        if (key == "count") return reader_.unsigned64(key, value, point_.count);
        if (key == "sum") return optional(key, value, point_.sum);
        if (key == "min") return optional(key, value, point_.min);
        if (key == "max") return optional(key, value, point_.max);
        if (key == "bucketCounts") return counts(key, value, point_.bucket_counts);
        if (key == "explicitBounds") {
            return reader_.list(key, value, [&](std::size_t, JsonValue element) {
                double bound = 0;
                if (!reader_.number({}, element, bound)) return false;
                point_.append(point_.bounds, bound);
                return true;
            });
        }
        if (key == "exemplars") return exemplars(key, value);
        return true;
    }

    bool exponential_field(std::string_view key, JsonValue value) {
        if (key == "count") return reader_.unsigned64(key, value, point_.count);
        if (key == "sum") return optional(key, value, point_.sum);
        if (key == "min") return optional(key, value, point_.min);
        if (key == "max") return optional(key, value, point_.max);
        if (key == "scale") return reader_.signed32(key, value, point_.scale);
        if (key == "zeroCount") return reader_.unsigned64(key, value, point_.zero_count);
        if (key == "zeroThreshold") return reader_.number(key, value, point_.zero_threshold);
        if (key == "positive") return buckets(value, point_.positive) || reader_.in(key);
        if (key == "negative") return buckets(value, point_.negative) || reader_.in(key);
        if (key == "exemplars") return exemplars(key, value);
        return true;
    }

    bool buckets(JsonValue value, Buckets& buckets) {
        return reader_.object(value, [&](std::string_view key, JsonValue content) {
            if (key == "offset") return reader_.signed32(key, content, buckets.offset);
            if (key == "bucketCounts") return counts(key, content, buckets.counts);
            return true;
        });
    }

    bool summary_field(std::string_view key, JsonValue value) {
        if (key == "count") return reader_.unsigned64(key, value, point_.count);
        if (key == "sum") return optional(key, value, point_.sum);
        if (key != "quantileValues") return true;
        return reader_.list(key, value, [&](std::size_t, JsonValue element) {
            std::pair<double, double> read{};
            const bool well = reader_.object(element, [&](std::string_view name, JsonValue content) {
                if (name == "quantile") return reader_.number(name, content, read.first);
                if (name == "value") return reader_.number(name, content, read.second);
                return true;
            });
            point_.append(point_.quantiles, read);
            return well;
        });
    }

    bool exemplars(std::string_view field, JsonValue exemplars) {
        return reader_.list(field, exemplars, [&](std::size_t, JsonValue exemplar) {
            ExemplarFields fields;
            RawRange attributes = rows_.lists.begin_list();
            const bool read = reader_.object(exemplar, [&](std::string_view key, JsonValue value) {
                if (key == "timeUnixNano") return reader_.unsigned64(key, value, fields.time);
                if (key == "traceId") return reader_.text(key, value, fields.trace_id);
                if (key == "spanId") return reader_.text(key, value, fields.span_id);
                if (key == "filteredAttributes") return reader_.attributes(key, value, attributes);
                return number(key, value, fields.value);
            });
            if (read) rows_.add_exemplar(fields, attributes);
            return read;
        });
    }

    PointRows& rows_;
    JsonReader reader_;
    PointFields point_;
};

}  // namespace

Result<void> read_json(std::string_view body, PointRows& rows) {
    MetricRequest request(body, rows);
    if (!request.read()) return std::unexpected(request.error());
    return {};
}

}  // namespace obs
