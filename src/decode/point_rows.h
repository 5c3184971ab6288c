// The rules of metric points, the same for both encodings.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "decode/attribute_lists.h"
#include "decode/envelopes.h"
#include "decode/refusals.h"

namespace obs {

enum class MetricType : std::uint8_t { gauge, sum, histogram, exponential_histogram, summary };

// What all points of a metric share, known when its last field was read.
struct MetricFields {
    std::string_view name, description, unit;
    std::optional<MetricType> type;  // none: a metric without data
    std::uint32_t temporality = 0;
    bool is_monotonic = false;
};

// A value that is either; neither is legal only in a point that says so.
struct NumberValue {
    std::optional<double> number;
    std::optional<std::int64_t> integer;
    void set(double value) { *this = {value, std::nullopt}; }
    void set(std::int64_t value) { *this = {std::nullopt, value}; }
    bool missing() const { return !number && !integer; }
};

struct Buckets {
    std::int32_t offset = 0;
    std::vector<std::uint64_t> counts;
};

// The fields of a point as they were sent. Reused from point to point: clear() keeps the room.
struct PointFields {
    // More buckets than any SDK makes (160); a point that has more is refused.
    static constexpr std::size_t most_buckets = 1 << 16;

    std::uint64_t start = 0, time = 0;
    std::uint32_t flags = 0;
    NumberValue value;        // gauge, sum
    std::uint64_t count = 0;  // the others
    std::optional<double> sum, min, max;
    std::vector<std::uint64_t> bucket_counts;  // histogram
    std::vector<double> bounds;
    std::int32_t scale = 0;  // exponential histogram
    std::uint64_t zero_count = 0;
    double zero_threshold = 0;
    Buckets positive, negative;
    std::vector<std::pair<double, double>> quantiles;  // summary: quantile, value
    bool too_many = false;                             // elements over most_buckets were left out

    void clear();
    // Appends to one of the lists above.
    template <class T>
    void append(std::vector<T>& list, T element) {
        if (list.size() < most_buckets) {
            list.push_back(element);
        } else {
            too_many = true;
        }
    }
};

struct ExemplarFields {
    std::uint64_t time = 0;
    NumberValue value;
    std::string_view trace_id, span_id;
};

class PointRows {
public:
    PointRows(RawMetrics& out, Encoding encoding, const DecodeLimits& limits, UnixNanos now)
        : lists(out.raw, limits),
          envelopes(out, lists),
          out_(out),
          encoding_(encoding),
          window_{now, limits.oldest, limits.newest},
          exemplars_(limits.value_bytes, limits.depth),
          distribution_(limits.value_bytes, limits.depth) {}

    AttributeLists lists;
    Envelopes<RawMetrics> envelopes;
    Refusals refusals;

    void open_metric();
    void close_metric(const MetricFields& fields);

    // Between these two come the point's attributes and exemplars, in any order.
    void open_point();
    void close_point(MetricType type, const PointFields& fields);
    RawRange& attributes() { return attributes_; }
    // `attributes` must be the list that was built last; it is written out and forgotten.
    void add_exemplar(const ExemplarFields& fields, RawRange attributes);

private:
    bool refuse(MetricType type, const PointFields& fields, UnixNanos time);
    void write_distribution(MetricType type, const PointFields& fields);
    void write_buckets(std::string_view key, const Buckets& buckets);
    void put_model(std::size_t row);

    RawMetrics& out_;
    const Encoding encoding_;
    const TimeWindow window_;
    ValueJson exemplars_, distribution_;
    RawRange attributes_;
    std::uint32_t first_attribute_ = 0;
    bool has_exemplars_ = false;
    std::size_t metric_row_ = 0;
    std::size_t point_index_ = 0;
};

}  // namespace obs
