// Finds spikes of cost, tokens, latency and error rate as they happen: each project, model and service
// against what is usual for it at this hour. What is found goes into the catalog's log of anomalies and to
// whoever listens.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "alert/anomaly_baseline.h"
#include "alert/anomaly_watch.h"
#include "base/result.h"
#include "base/time.h"
#include "catalog/anomaly_log.h"
#include "catalog/catalog.h"
#include "model/live_events.h"
#include "query/figures.h"
#include "store/span_store.h"

namespace obs::alert {

class Anomalies {
public:
    struct Options {
        std::chrono::milliseconds look_every{10'000};
        Nanos keep = Nanos::days(395);  // anomalies that ended; 0 keeps for ever
        Clock clock = system_now;
    };
    static constexpr std::size_t most_series = 2'000;  // further ones are not watched

    // All outlive this; `listeners` may be null. Nothing happens before start().
    Anomalies(Options options, const Catalog& catalog, AnomalyLog& log, query::Figures figures,
              LiveEvents* listeners);
    ~Anomalies();

    void start();  // once
    void stop();
    // Looks once. What the store does not answer is looked at the next time.
    Result<void> look(const Cancel& cancel);

    struct Stats {
        std::uint64_t looks = 0, failures = 0, busy_nanos = 0;
        std::uint64_t reads = 0, reading_nanos = 0;  // of history
        std::size_t series = 0, lasting = 0;
    };
    Stats stats() const;

private:
    // Whose calls: `model` and its name in a project; `project` and its id.
    struct Key {
        std::string org, project;
        std::string_view dimension;
        std::string value;
        auto operator<=>(const Key&) const = default;
    };
    static constexpr std::size_t metrics = std::size(all_anomaly_metrics);
    // The shortest window has two of them, each longer one has one more.
    static constexpr std::size_t stretches = watched_windows.size() + 1;
    struct Series {
        History history;
        std::int64_t baselines_of = -1;  // hour
        std::array<std::optional<Baseline>, metrics> baselines{};
        std::array<Watch, metrics> watches{};
        std::array<Anomaly, metrics> lasting{};
        std::array<CallFigures, stretches> recent{};  // the last one first
        bool lasts() const;
    };
    struct Organisation {
        std::int64_t read_back_to = 0;  // hour from which on there is history; 0: none was read
        std::int64_t read_up_to = 0;    // hour, not part of it
        bool has_new_series = false;
        UnixNanos new_series_read{};
    };
    // Where the stretches of this look begin, the last one first.
    using Begins = std::array<UnixNanos, stretches>;

    void run(const std::stop_token& stop);
    Result<std::vector<std::string>> organisations() const;
    // `take` gets every group of calls: whose they are, the edge they lie behind, their figures.
    template <class Take>
    Result<void> ask(const std::string& org, std::vector<UnixNanos> edges, UnixNanos now,
                     const Cancel& cancel, Take take) const;
    Result<void> look_at(const std::string& org, const Begins& begins, UnixNanos now, const Cancel& cancel);
    // What is missing of the past: the last day at once, days before it a few at a time.
    Result<void> read_history(const std::string& org, UnixNanos now, const Cancel& cancel);
    Result<void> read_hours(const std::string& org, std::int64_t from, std::int64_t to, UnixNanos now,
                            const Cancel& cancel);
    void forget_old(UnixNanos now);
    void resume(UnixNanos now);
    Series* series_of(Key key);
    void judge(const Key& key, Series& series, const Begins& begins, UnixNanos now);
    void note(const Key& key, Series& series, std::size_t metric, Watch::News news, UnixNanos now);
    void put(const Anomaly& anomaly);
    void tell(const Anomaly& anomaly, std::string_view state, UnixNanos now);

    const Options options_;
    const Catalog& catalog_;
    AnomalyLog& log_;
    const query::Figures figures_;
    LiveEvents* const listeners_;

    // Of the thread that looks.
    std::map<Key, Series> all_;
    std::map<std::string, Organisation> organisations_;
    std::int64_t forgotten_at_ = 0;  // hour
    bool resumed_ = false, said_too_many_ = false;

    mutable std::mutex mutex_;
    std::condition_variable_any stopped_;
    Stats stats_;          // under mutex_
    std::jthread worker_;  // must be last: it uses everything above
};

}  // namespace obs::alert
