// A few threads for what would hold an I/O thread up: big bodies. Thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"

namespace obs::net {

class Workers {
public:
    explicit Workers(unsigned threads = 2, std::size_t queue = 64);
    // Finishes what is queued.
    ~Workers();

    // False when the queue is full; the job is then untouched.
    bool try_run(std::function<void()>& job) { return queue_.try_push(job); }

private:
    BoundedQueue<std::function<void()>> queue_;
    std::vector<std::jthread> threads_;  // last: they use the queue
};

}  // namespace obs::net
