// A queue with a limit between two threads. Full means "refuse", never "grow".
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace obs {

template <class T>
class BoundedQueue {
public:
    explicit BoundedQueue(std::size_t limit) : limit_(limit) {}

    // False when the queue is full; the item is then untouched.
    bool try_push(T& item) {
        {
            const std::lock_guard lock(mutex_);
            if (items_.size() >= limit_) return false;
            items_.push_back(std::move(item));
        }
        filled_.notify_one();
        return true;
    }
    bool try_push(T&& item) { return try_push(item); }

    // Waits for an item; nothing once stop was asked for and the queue is empty.
    std::optional<T> pop(std::stop_token stop) {
        std::unique_lock lock(mutex_);
        filled_.wait(lock, stop, [&] { return !items_.empty(); });
        return take();
    }

    std::optional<T> try_pop() {
        const std::lock_guard lock(mutex_);
        return take();
    }

    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return items_.size();
    }

private:
    std::optional<T> take() {
        if (items_.empty()) return std::nullopt;
        std::optional<T> item(std::move(items_.front()));
        items_.pop_front();
        return item;
    }

    const std::size_t limit_;
    mutable std::mutex mutex_;
    std::condition_variable_any filled_;
    std::deque<T> items_;
};

}  // namespace obs
