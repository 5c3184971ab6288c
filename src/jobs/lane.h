// Where jobs are worked on: a few threads, one job each at a time. What was begun by a process that is gone
// is begun again, and ends once.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/time.h"
#include "catalog/jobs.h"
#include "model/live_events.h"
#include "store/span_store.h"

namespace obs::jobs {

// How far a job is, for who asks meanwhile. From any thread.
class Progress {
public:
    void set(int per_cent) { per_cent_.store(per_cent, std::memory_order_relaxed); }
    int get() const { return per_cent_.load(std::memory_order_relaxed); }

private:
    std::atomic<int> per_cent_ = 0;
};

// One kind of job.
class Work {
public:
    virtual ~Work() = default;
    // On a thread of the lane. May be begun again from the start when a process ended in the middle of it, in
    // the worst case while the one before has not noticed yet that it lost the job. An error whose kind is
    // `invalid_input`, `too_large` or `overloaded` is told to who asked as it is.
    virtual Result<JobEnd> run(const Job& job, Progress& progress, const Cancel& cancel) = 0;
    // The job was cancelled, or has expired: what it made may go. From any thread.
    virtual void clear(const Job& job) = 0;
};

class Lane {
public:
    struct Options {
        std::string data;  // id of the data directory whose jobs are done here
        unsigned threads = 1;
        std::chrono::milliseconds look_every{1'000};  // for jobs that others added
        std::chrono::milliseconds keep_every{3'000};
        Nanos lease = Nanos::seconds(12);      // without a word for so long, a process has lost its job
        int most_attempts = 3;                 // of a job that ends its process
        Nanos forget_after = Nanos::days(30);  // jobs that failed, were cancelled or have expired
        Clock clock = system_now;
    };

    // All outlive this; `events` may be null.
    Lane(Options options, Jobs& jobs, std::map<std::string, Work*, std::less<>> work, LiveEvents* events);
    ~Lane() { stop(); }
    void start();
    // Jobs that are not done go back to those that wait.
    void stop();

    // There is a new job.
    void added(const Job& job);
    // Ends it here at once if it is worked on here; it was cancelled in the catalog.
    void cancelled(const Job& job);
    // What is known here of a job that is worked on here: more than the catalog, which hears of it every few
    // seconds.
    int progress_of(const Job& job) const;

    const Options& options() const { return options_; }

private:
    struct Running {
        Job job;
        Progress progress;
        std::stop_source stop;
    };

    void work(const std::stop_token& stop);
    void keep(const std::stop_token& stop);
    void run(Job job, const std::stop_token& stop);
    void end(const Job& job, Result<JobEnd> end, const std::stop_token& stop);
    void clear_if_over(const Job& job);
    void keep_running();
    void clean();
    void tell(const Job& job);
    Work* work_of(const Job& job) const;

    const Options options_;
    const std::string owner_;  // of this process and no other
    Jobs& jobs_;
    const std::map<std::string, Work*, std::less<>> work_;
    LiveEvents* const events_;

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    bool news_ = false;                                        // under mutex_
    std::map<std::string, std::shared_ptr<Running>> running_;  // under mutex_, by id
    std::vector<std::jthread> threads_;                        // last: they use everything above
};

}  // namespace obs::jobs
