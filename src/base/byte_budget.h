// One limit for all the bytes that are on their way: bodies being received, the journal's queue, the store's
// queue. It is the program's backpressure: from 75 % on the servers take up no new requests, at 100 % they
// refuse. Thread-safe; outlives its tokens.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace obs {

class ByteBudget {
public:
    struct Options {
        std::size_t limit = std::size_t{256} << 20;
        // Bodies above this size are few at a time, so that one of them finds room to be decompressed.
        std::size_t large_body = std::size_t{16} << 20;
        int large_bodies_at_once = 2;
    };
    // Only a body counts as large; what waits in a queue is already columns.
    enum class Use { body, queue };

    explicit ByteBudget(Options options) : options_(options) {}
    ByteBudget() : ByteBudget(Options{}) {}
    ByteBudget(const ByteBudget&) = delete;
    ByteBudget& operator=(const ByteBudget&) = delete;

    // Holds bytes of the budget until it is destroyed, on whatever thread that happens. One owner at a time.
    class Token {
    public:
        Token() = default;
        Token(Token&& other) noexcept { swap(other); }
        Token& operator=(Token&& other) noexcept {
            Token(std::move(other)).swap(*this);
            return *this;
        }
        ~Token() { release(); }

        std::size_t bytes() const { return bytes_; }
        // An empty token of the same budget and use.
        Token sibling() const { return budget_ == nullptr ? Token() : Token(*budget_, use_); }
        // Holds at least so many bytes from now on; false, and nothing changes, when there is no room.
        // A token without a budget (default constructed) has room for everything.
        bool grow_to(std::size_t bytes) {
            if (bytes <= bytes_) return true;
            if (budget_ != nullptr) {
                const bool becomes_large =
                    use_ == Use::body && !large_ && bytes > budget_->options_.large_body;
                if (becomes_large && !budget_->take_large()) return false;
                if (!budget_->take(bytes - bytes_)) {
                    if (becomes_large) budget_->large_.fetch_sub(1, std::memory_order_relaxed);
                    return false;
                }
                large_ = large_ || becomes_large;
            }
            bytes_ = bytes;
            return true;
        }
        void release() {
            if (budget_ != nullptr) {
                budget_->used_.fetch_sub(bytes_, std::memory_order_relaxed);
                if (large_) budget_->large_.fetch_sub(1, std::memory_order_relaxed);
            }
            bytes_ = 0;
            large_ = false;
        }

    private:
        friend class ByteBudget;
        Token(ByteBudget& budget, Use use) : budget_(&budget), use_(use) {}
        void swap(Token& other) noexcept {
            std::swap(budget_, other.budget_);
            std::swap(use_, other.use_);
            std::swap(bytes_, other.bytes_);
            std::swap(large_, other.large_);
        }

        ByteBudget* budget_ = nullptr;
        Use use_ = Use::queue;
        std::size_t bytes_ = 0;
        bool large_ = false;
    };

    // A token that holds nothing yet.
    Token token(Use use) { return {*this, use}; }
    // Nothing when there is no room.
    std::optional<Token> acquire(std::size_t bytes, Use use) {
        Token held(*this, use);
        if (!held.grow_to(bytes)) return std::nullopt;
        return held;
    }

    std::size_t limit() const { return options_.limit; }
    std::size_t used() const { return used_.load(std::memory_order_relaxed); }
    // Three quarters are in use: begin nothing new.
    bool under_pressure() const { return used() >= options_.limit / 4 * 3; }

private:
    bool take(std::size_t bytes) {
        std::size_t used = used_.load(std::memory_order_relaxed);
        do {
            if (bytes > options_.limit || used > options_.limit - bytes) return false;
        } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
        return true;
    }
    bool take_large() {
        int large = large_.load(std::memory_order_relaxed);
        do {
            if (large >= options_.large_bodies_at_once) return false;
        } while (!large_.compare_exchange_weak(large, large + 1, std::memory_order_relaxed));
        return true;
    }

    const Options options_;
    std::atomic<std::size_t> used_{0};
    std::atomic<int> large_{0};
};

}  // namespace obs
