#include "serve/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace obs::serve {

namespace {

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

// The format knows three escapes, and quotes only inside labels.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"')
            out += "\\\"";
        else
            out += c;
    }
    return out;
}

std::string shown(const MetricLabels& labels, std::string_view bound = {}) {
    std::string out;
    for (const auto& [name, value] : labels)
        fmt::format_to(std::back_inserter(out), "{}{}=\"{}\"", out.empty() ? "" : ",", name, escaped(value));
    if (!bound.empty()) fmt::format_to(std::back_inserter(out), "{}le=\"{}\"", out.empty() ? "" : ",", bound);
    return out.empty() ? out : "{" + out + "}";
}

const std::vector<double> seconds{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
const std::vector<double> bytes{256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216};

}  // namespace

MetricsText::Family& MetricsText::family(std::string_view name, std::string_view type,
                                         std::string_view help) {
    const auto found = families_.find(name);
    if (found != families_.end()) return found->second;
    return families_.emplace(name, Family{std::string(type), std::string(help), {}}).first->second;
}

void MetricsText::counter(std::string_view name, std::string_view help, const MetricLabels& labels,
                          double value) {
    family(name, "counter", help).samples += fmt::format("{}{} {}\n", name, shown(labels), number(value));
}

void MetricsText::gauge(std::string_view name, std::string_view help, const MetricLabels& labels,
                        double value) {
    family(name, "gauge", help).samples += fmt::format("{}{} {}\n", name, shown(labels), number(value));
}

void MetricsText::histogram(std::string_view name, std::string_view help, const MetricLabels& labels,
                            const HistogramFigures& figures) {
    std::string& samples = family(name, "histogram", help).samples;
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < figures.counts.size(); ++i) {
        below += figures.counts[i];
        const std::string bound = i < figures.bounds.size() ? number(figures.bounds[i]) : "+Inf";
        samples += fmt::format("{}_bucket{} {}\n", name, shown(labels, bound), below);
    }
    samples +=
        fmt::format("{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, shown(labels), number(figures.sum), below);
}

std::string MetricsText::text() const {
    std::string out;
    for (const auto& [name, family] : families_)
        out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{3}", name, family.help, family.type,
                           family.samples);
    return out;
}

std::string Metrics::scrape() const {
    MetricsText text;
    for (const MetricSource& source : sources_) source(text);
    return text.text();
}

Buckets::Buckets(std::vector<double> bounds) {
    figures_.counts.resize(bounds.size() + 1);
    figures_.bounds = std::move(bounds);
}

void Buckets::observe(double value) {
    const auto at = std::ranges::lower_bound(figures_.bounds, value);
    ++figures_.counts[static_cast<std::size_t>(at - figures_.bounds.begin())];
    figures_.sum += value;
}

void HttpMetrics::count(const Exchange& exchange) {
    const std::string method(exchange.method), endpoint(exchange.endpoint);
    const std::lock_guard lock(mutex_);
    ++requests_[{method, endpoint, exchange.status}];
    durations_.try_emplace({method, endpoint}, seconds)
        .first->second.observe(std::chrono::duration<double>(exchange.duration).count());
    Sizes& sizes = sizes_.try_emplace(endpoint, Sizes{Buckets(bytes), Buckets(bytes)}).first->second;
    sizes.request.observe(static_cast<double>(exchange.request_bytes));
    sizes.response.observe(static_cast<double>(exchange.response_bytes));
}

void HttpMetrics::write(MetricsText& out) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, count] : requests_) {
        const auto& [method, endpoint, status] = key;
        out.counter("http_requests_total", "Requests to the API, by their answer.",
                    {{"method", method}, {"endpoint", endpoint}, {"status", std::to_string(status)}},
                    static_cast<double>(count));
    }
    for (const auto& [key, buckets] : durations_)
        out.histogram("http_request_duration_seconds", "Time from the head of a request to its answer.",
                      {{"method", key.first}, {"endpoint", key.second}}, buckets.figures());
    for (const auto& [endpoint, sizes] : sizes_) {
        out.histogram("http_request_size_bytes", "Bodies of requests.", {{"endpoint", endpoint}},
                      sizes.request.figures());
        out.histogram("http_response_size_bytes", "Bodies of answers.", {{"endpoint", endpoint}},
                      sizes.response.figures());
    }
}

}  // namespace obs::serve
