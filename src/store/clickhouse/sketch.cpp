#include "store/clickhouse/sketch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

namespace obs {

namespace {

// What stands before each part of a state.
enum Mark : std::uint8_t { mapping = 2, positive = 1, negative = 3, zeros = 4, sparse = 4, dense = 12 };

constexpr std::uint64_t most_ranges = 1 << 20;

class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    bool take(std::uint8_t mark) {
        if (rest_.empty() || static_cast<std::uint8_t>(rest_.front()) != mark) return false;
        rest_.remove_prefix(1);
        return true;
    }
    double number() {
        double value = 0;
        if (rest_.size() < sizeof value) return fail_with(value);
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
        return value;
    }
    std::uint64_t count() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) return fail_with(value);
            const auto byte = static_cast<std::uint8_t>(rest_.front());
            rest_.remove_prefix(1);
            value |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80) return value;
        }
        return fail_with(value);
    }
    std::int64_t integer() {
        const std::uint64_t value = count();
        return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
    }
    bool failed() const { return failed_; }

private:
    template <class T>
    T fail_with(T) {
        failed_ = true;
        return T{};
    }
    std::string_view rest_;
    bool failed_ = false;
};

// Counts by the number of their range.
bool read_ranges(Reader& from, std::map<std::int64_t, double>& ranges) {
    const bool is_dense = from.take(dense);
    if (!is_dense && !from.take(sparse)) return false;
    const std::uint64_t count = from.count();
    std::int64_t key = is_dense ? from.integer() : 0;
    const std::int64_t step = is_dense ? from.integer() : 0;
    if (count > most_ranges) return false;
    for (std::uint64_t i = 0; i < count && !from.failed(); ++i) {
        if (!is_dense) key += from.integer();
        if (const double here = from.number(); here != 0) ranges[key] += here;
        key += step;
    }
    return !from.failed();
}

}  // namespace

Result<Sketch> Sketch::parse(std::string_view state) {
    const auto corrupt = [] {
        return fail(ErrorKind::corrupt, "the store gave a sketch that cannot be read");
    };
    Reader from(state);
    if (!from.take(mapping)) return corrupt();
    const double gamma = from.number(), offset = from.number();
    std::map<std::int64_t, double> above, below;
    if (!from.take(positive) || !read_ranges(from, above) || !from.take(negative) ||
        !read_ranges(from, below) || !from.take(zeros) || !(gamma > 1))
        return corrupt();
    const double zero = from.number();
    if (from.failed()) return corrupt();
    const double accuracy = (gamma - 1) / (gamma + 1);
    const auto value = [&](std::int64_t key) {
        return std::exp((static_cast<double>(key) - offset) * std::log(gamma)) * (1 + accuracy);
    };
    Sketch sketch;
    for (auto at = below.rbegin(); at != below.rend(); ++at)
        sketch.ranges_.push_back({-value(at->first), at->second});
    if (zero > 0) sketch.ranges_.push_back({0, zero});
    for (const auto& [key, count] : above) sketch.ranges_.push_back({value(key), count});
    for (const Range& range : sketch.ranges_) sketch.count_ += range.count;
    return sketch;
}

double Sketch::value_at(double rank) const {
    double seen = 0;
    for (const Range& range : ranges_) {
        seen += range.count;
        if (seen > rank) return range.value;
    }
    return ranges_.back().value;
}

double Sketch::quantile(double level) const {
    const double rank = std::clamp(level, 0.0, 1.0) * (count_ - 1);
    const double low = value_at(std::floor(rank)), high = value_at(std::ceil(rank));
    return low + (rank - std::floor(rank)) * (high - low);
}

}  // namespace obs
