// GET /metrics: figures in the text format of Prometheus. Every part of the program keeps its own counters
// and hands them over when it is asked.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace obs::serve {

using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

// Observations by size. `counts` has one element more than `bounds`: what is above all of them.
struct HistogramFigures {
    std::vector<double> bounds;
    std::vector<std::uint64_t> counts;
    double sum = 0;
};

// Gathers the samples of one scrape. Samples of one name may come from several sources; its type and help are
// those that came first.
class MetricsText {
public:
    void counter(std::string_view name, std::string_view help, const MetricLabels& labels, double value);
    void gauge(std::string_view name, std::string_view help, const MetricLabels& labels, double value);
    void histogram(std::string_view name, std::string_view help, const MetricLabels& labels,
                   const HistogramFigures& figures);
    std::string text() const;

private:
    struct Family {
        std::string type, help, samples;
    };
    Family& family(std::string_view name, std::string_view type, std::string_view help);

    std::map<std::string, Family, std::less<>> families_;
};

using MetricSource = std::function<void(MetricsText&)>;

// All sources of the program. Sources are added before the first scrape; they are called on a worker, one
// scrape at a time or several.
class Metrics {
public:
    void add(MetricSource source) { sources_.push_back(std::move(source)); }
    std::string scrape() const;

private:
    std::vector<MetricSource> sources_;
};

// Counts durations or sizes into fixed buckets. Not thread-safe by itself.
class Buckets {
public:
    explicit Buckets(std::vector<double> bounds);
    void observe(double value);
    const HistogramFigures& figures() const { return figures_; }

private:
    HistogramFigures figures_;
};

// http_requests_total and its relatives (contract 1.3). Thread-safe.
class HttpMetrics {
public:
    struct Exchange {
        std::string_view method;    // one of the routes' methods, or `other`
        std::string_view endpoint;  // pattern of the route, or `unmatched`; never a path
        int status;
        std::chrono::nanoseconds duration;
        std::size_t request_bytes, response_bytes;
    };
    void count(const Exchange& exchange);
    void write(MetricsText& out) const;

private:
    struct Sizes {
        Buckets request, response;
    };
    mutable std::mutex mutex_;
    std::map<std::tuple<std::string, std::string, int>, std::uint64_t> requests_;
    std::map<std::pair<std::string, std::string>, Buckets> durations_;
    std::map<std::string, Sizes> sizes_;
};

}  // namespace obs::serve
