#include "serve/measured_store.h"

#include <chrono>
#include <numeric>

namespace obs::serve {

namespace {

std::string_view name_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::invalid_input: return "invalid_input";
        case ErrorKind::not_found: return "not_found";
        case ErrorKind::unauthenticated: return "unauthenticated";
        case ErrorKind::forbidden: return "forbidden";
        case ErrorKind::too_large: return "too_large";
        case ErrorKind::overloaded: return "overloaded";
        case ErrorKind::unavailable: return "unavailable";
        case ErrorKind::cancelled: return "cancelled";
        case ErrorKind::corrupt: return "corrupt";
        case ErrorKind::internal: return "internal";
    }
    return {};
}

const std::vector<double> bounds{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5};

}  // namespace

template <class Ask>
auto MeasuredStore::measured(std::string_view query, Ask&& ask) {
    const auto began = std::chrono::steady_clock::now();
    auto answer = ask();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const std::lock_guard lock(mutex_);
    durations_.try_emplace(std::string(query), bounds).first->second.observe(took.count());
    if (!answer) ++errors_[{std::string(query), std::string(name_of(answer.error().kind))}];
    return answer;
}

Result<Rows> MeasuredStore::rows(const RowQuestion& question, const Cancel& cancel) {
    return measured("rows", [&] { return store_.rows(question, cancel); });
}

Result<Table> MeasuredStore::groups(const GroupQuestion& question, const Cancel& cancel) {
    return measured("groups", [&] { return store_.groups(question, cancel); });
}

Result<FigureTables> MeasuredStore::figures(const FigureQuestion& question, const Cancel& cancel) {
    return measured("figures", [&] { return store_.figures(question, cancel); });
}

Result<void> MeasuredStore::stream(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                                   const Cancel& cancel) {
    return measured("stream", [&] { return store_.stream(question, sink, cancel); });
}

void MeasuredStore::write_metrics(MetricsText& out) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [query, buckets] : durations_) {
        const auto& counts = buckets.figures().counts;
        out.counter("db_queries_total", "Questions to the store.", {{"query", query}},
                    static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0})));
        out.histogram("db_query_duration_seconds", "Time the store took to answer.", {{"query", query}},
                      buckets.figures());
    }
    for (const auto& [key, count] : errors_)
        out.counter("db_errors_total", "Questions that the store did not answer.",
                    {{"query", key.first}, {"error_type", key.second}}, static_cast<double>(count));
}

}  // namespace obs::serve
