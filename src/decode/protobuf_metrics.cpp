#include <bit>
#include <string_view>
#include <vector>

#include "decode/protobuf.h"
#include "decode/protobuf_envelopes.h"
#include "decode/readers.h"

namespace obs {

namespace {

constexpr std::uint32_t gauge = wire_tag(5, Wire::length);
constexpr std::uint32_t sum = wire_tag(7, Wire::length);
constexpr std::uint32_t histogram = wire_tag(9, Wire::length);
constexpr std::uint32_t exponential_histogram = wire_tag(10, Wire::length);
constexpr std::uint32_t summary = wire_tag(11, Wire::length);

std::int32_t zigzag(std::uint32_t value) {
    return static_cast<std::int32_t>(value >> 1 ^ (0 - (value & 1)));
}

class MetricRequest {
public:
    MetricRequest(std::string_view body, PointRows& rows)
        : body_(body), rows_(rows), reader_(body, rows.lists) {}

    bool read() {
        const auto read_item = [this](std::string_view message) {
            rows_.open_metric();
            return metric(message);
        };
        return ProtobufEnvelopes(rows_, reader_, {"resource_metrics", "scope_metrics", "metrics"}, read_item)
            .read(body_);
    }
    Error error() const { return reader_.error(); }

private:
    bool metric(std::string_view message) {
        MetricFields fields;
        std::uint32_t data_tag = 0;
        data_.clear();
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::length): fields.name = in.bytes(); break;
                case wire_tag(2, Wire::length): fields.description = in.bytes(); break;
                case wire_tag(3, Wire::length): fields.unit = in.bytes(); break;
                case gauge:
                case sum:
                case histogram:
                case exponential_histogram:
                case summary:
                    // Of different kinds the last one counts, pieces of one kind are one.
                    if (in.tag() != data_tag) data_.clear();
                    data_tag = in.tag();
                    data_.push_back(in.bytes());
                    break;
                default: in.skip();
            }
        }
        if (!reader_.done(in)) return false;
        std::size_t index = 0;
        for (const std::string_view piece : data_) {
            fields.type = type_of(data_tag);
            if (!data(piece, fields, index)) return reader_.in(name_of(*fields.type));
        }
        rows_.close_metric(fields);
        return true;
    }

    static MetricType type_of(std::uint32_t data_tag) {
        switch (data_tag) {
            case gauge: return MetricType::gauge;
            case sum: return MetricType::sum;
            case histogram: return MetricType::histogram;
            case exponential_histogram: return MetricType::exponential_histogram;
            default: return MetricType::summary;
        }
    }
    static std::string_view name_of(MetricType type) {
        switch (type) {
            case MetricType::gauge: return "gauge";
            case MetricType::sum: return "sum";
            case MetricType::histogram: return "histogram";
            case MetricType::exponential_histogram: return "exponential_histogram";
            default: return "summary";
        }
    }

    bool data(std::string_view message, MetricFields& fields, std::size_t& index) {
        const bool has_temporality = fields.type != MetricType::gauge && fields.type != MetricType::summary;
        WireReader in(message);
        while (in.next()) {
            if (in.tag() == wire_tag(1, Wire::length)) {
                rows_.open_point();
                point_.clear();
                if (!point(*fields.type, in.bytes())) return reader_.in("data_points", index);
                rows_.close_point(*fields.type, point_);
                ++index;
            } else if (in.tag() == wire_tag(2, Wire::varint) && has_temporality) {
                fields.temporality = in.varint32();
            } else if (in.tag() == wire_tag(3, Wire::varint) && fields.type == MetricType::sum) {
                fields.is_monotonic = in.varint() != 0;
            } else {
                in.skip();
            }
        }
        return reader_.done(in);
    }

    bool point(MetricType type, std::string_view message) {
        switch (type) {
            case MetricType::gauge:
            case MetricType::sum: return number_point(message);
            case MetricType::histogram: return histogram_point(message);
            case MetricType::exponential_histogram: return exponential_point(message);
            default: return summary_point(message);
        }
    }

    bool number_point(std::string_view message) {
        WireReader in(message);
        std::size_t attributes = 0, exemplars = 0;
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(2, Wire::fixed64): point_.start = in.fixed64(); break;
                case wire_tag(3, Wire::fixed64): point_.time = in.fixed64(); break;
                case wire_tag(4, Wire::fixed64): point_.value.set(in.fixed_double()); break;
                case wire_tag(5, Wire::length):
                    if (!exemplar(in.bytes(), exemplars)) return false;
                    break;
                case wire_tag(6, Wire::fixed64):
                    point_.value.set(static_cast<std::int64_t>(in.fixed64()));
                    break;
                case wire_tag(7, Wire::length):
                    if (!attribute(in.bytes(), attributes)) return false;
                    break;
                case wire_tag(8, Wire::varint): point_.flags = in.varint32(); break;
                default: in.skip();
            }
        }
        return reader_.done(in);
    }

    bool histogram_point(std::string_view message) {
        WireReader in(message);
        std::size_t attributes = 0, exemplars = 0;
        const auto to_double = [](std::uint64_t bits) { return std::bit_cast<double>(bits); };
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(2, Wire::fixed64): point_.start = in.fixed64(); break;
                case wire_tag(3, Wire::fixed64): point_.time = in.fixed64(); break;
                case wire_tag(4, Wire::fixed64): point_.count = in.fixed64(); break;
                case wire_tag(5, Wire::fixed64): point_.sum = in.fixed_double(); break;
                case wire_tag(6, Wire::fixed64): point_.append(point_.bucket_counts, in.fixed64()); break;
                case wire_tag(6, Wire::length):
                    if (!packed_fixed64(in.bytes(), "bucket_counts", [&](std::uint64_t bits) {
                            point_.append(point_.bucket_counts, bits);
                        }))
                        return false;
                    break;
                case wire_tag(7, Wire::fixed64): point_.append(point_.bounds, in.fixed_double()); break;
                case wire_tag(7, Wire::length):
                    if (!packed_fixed64(in.bytes(), "explicit_bounds", [&](std::uint64_t bits) {
                            point_.append(point_.bounds, to_double(bits));
                        }))
                        return false;
                    break;
                case wire_tag(8, Wire::length):
                    if (!exemplar(in.bytes(), exemplars)) return false;
                    break;
                case wire_tag(9, Wire::length):
                    if (!attribute(in.bytes(), attributes)) return false;
                    break;
                case wire_tag(10, Wire::varint): point_.flags = in.varint32(); break;
                case wire_tag(11, Wire::fixed64): point_.min = in.fixed_double(); break;
                case wire_tag(12, Wire::fixed64): point_.max = in.fixed_double(); break;
                default: in.skip();
            }
        }
        return reader_.done(in);
    }

    bool exponential_point(std::string_view message) {
        WireReader in(message);
        std::size_t attributes = 0, exemplars = 0;
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::length):
                    if (!attribute(in.bytes(), attributes)) return false;
                    break;
                case wire_tag(2, Wire::fixed64): point_.start = in.fixed64(); break;
                case wire_tag(3, Wire::fixed64): point_.time = in.fixed64(); break;
                case wire_tag(4, Wire::fixed64): point_.count = in.fixed64(); break;
                case wire_tag(5, Wire::fixed64): point_.sum = in.fixed_double(); break;
                case wire_tag(6, Wire::varint): point_.scale = zigzag(in.varint32()); break;
                case wire_tag(7, Wire::fixed64): point_.zero_count = in.fixed64(); break;
                case wire_tag(8, Wire::length):
                    if (!buckets(in.bytes(), point_.positive)) return reader_.in("positive");
                    break;
                case wire_tag(9, Wire::length):
                    if (!buckets(in.bytes(), point_.negative)) return reader_.in("negative");
                    break;
                case wire_tag(10, Wire::varint): point_.flags = in.varint32(); break;
                case wire_tag(11, Wire::length):
                    if (!exemplar(in.bytes(), exemplars)) return false;
                    break;
                case wire_tag(12, Wire::fixed64): point_.min = in.fixed_double(); break;
                case wire_tag(13, Wire::fixed64): point_.max = in.fixed_double(); break;
                case wire_tag(14, Wire::fixed64): point_.zero_threshold = in.fixed_double(); break;
                default: in.skip();
            }
        }
        return reader_.done(in);
    }

    bool summary_point(std::string_view message) {
        WireReader in(message);
        std::size_t attributes = 0, quantiles = 0;
        point_.sum = 0;  // not optional here
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(2, Wire::fixed64): point_.start = in.fixed64(); break;
                case wire_tag(3, Wire::fixed64): point_.time = in.fixed64(); break;
                case wire_tag(4, Wire::fixed64): point_.count = in.fixed64(); break;
                case wire_tag(5, Wire::fixed64): point_.sum = in.fixed_double(); break;
                case wire_tag(6, Wire::length):
                    if (!quantile(in.bytes())) return reader_.in("quantile_values", quantiles);
                    ++quantiles;
                    break;
                case wire_tag(7, Wire::length):
                    if (!attribute(in.bytes(), attributes)) return false;
                    break;
                case wire_tag(8, Wire::varint): point_.flags = in.varint32(); break;
                default: in.skip();
            }
        }
        return reader_.done(in);
    }

    bool quantile(std::string_view message) {
        std::pair<double, double> read{};
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::fixed64): read.first = in.fixed_double(); break;
                case wire_tag(2, Wire::fixed64): read.second = in.fixed_double(); break;
                default: in.skip();
            }
        }
        point_.append(point_.quantiles, read);
        return reader_.done(in);
    }

    bool buckets(std::string_view message, Buckets& buckets) {
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::varint): buckets.offset = zigzag(in.varint32()); break;
                case wire_tag(2, Wire::varint): point_.append(buckets.counts, in.varint()); break;
                case wire_tag(2, Wire::length): {
                    WireReader packed(in.bytes());
                    while (packed.has_more()) point_.append(buckets.counts, packed.varint());
                    if (!reader_.done(packed)) return reader_.in("bucket_counts");
                    break;
                }
                default: in.skip();
            }
        }
        return reader_.done(in);
    }

    template <class Append>
    bool packed_fixed64(std::string_view content, std::string_view field, Append&& append) {
        WireReader packed(content);
        while (packed.has_more()) append(packed.fixed64());
        return reader_.done(packed) || reader_.in(field);
    }

    bool attribute(std::string_view message, std::size_t& index) {
        if (!reader_.attribute(message, rows_.attributes())) return reader_.in("attributes", index);
        ++index;
        return true;
    }

    bool exemplar(std::string_view message, std::size_t& index) {
        ExemplarFields fields;
        std::size_t attributes = 0;
        RawRange list = rows_.lists.begin_list();
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(2, Wire::fixed64): fields.time = in.fixed64(); break;
                case wire_tag(3, Wire::fixed64): fields.value.set(in.fixed_double()); break;
                case wire_tag(4, Wire::length): fields.span_id = in.bytes(); break;
                case wire_tag(5, Wire::length): fields.trace_id = in.bytes(); break;
                case wire_tag(6, Wire::fixed64):
                    fields.value.set(static_cast<std::int64_t>(in.fixed64()));
                    break;
                case wire_tag(7, Wire::length):
                    if (!reader_.attribute(in.bytes(), list)) {
                        reader_.in("filtered_attributes", attributes);
                        return reader_.in("exemplars", index);
                    }
                    ++attributes;
                    break;
                default: in.skip();
            }
        }
        if (!reader_.done(in)) return reader_.in("exemplars", index);
        rows_.add_exemplar(fields, list);
        ++index;
        return true;
    }

    std::string_view body_;
    PointRows& rows_;
    ProtobufReader reader_;
    std::vector<std::string_view> data_;
    PointFields point_;
};

}  // namespace

Result<void> read_protobuf(std::string_view body, PointRows& rows) {
    MetricRequest request(body, rows);
    if (!request.read()) return std::unexpected(request.error());
    return {};
}

}  // namespace obs
