// Bytes on their way to a socket, in order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace obs::net {

class Output {
public:
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }

    // Small pieces are put together, so that one write takes them all.
    void append(std::string_view bytes) {
        if (bytes.empty()) return;
        size_ += bytes.size();
        if (!pieces_.empty() && !pieces_.back().shared && pieces_.back().own.size() + bytes.size() <= piece)
            pieces_.back().own += bytes;
        else
            pieces_.push_back({std::string(bytes), nullptr});
    }
    // A big piece is taken over without a copy.
    void append(std::string&& bytes) {
        if (bytes.size() < piece) return append(std::string_view(bytes));
        size_ += bytes.size();
        pieces_.push_back({std::move(bytes), nullptr});
    }
    // The same of one that others have too.
    void append(std::shared_ptr<const std::string> bytes) {
        if (bytes->size() < worth_sharing) return append(std::string_view(*bytes));
        size_ += bytes->size();
        pieces_.push_back({{}, std::move(bytes)});
    }

    // Calls back with up to `count` pieces from the front.
    template <class Visit>
    void front(std::size_t count, Visit visit) const {
        for (std::size_t n = 0; n < std::min(count, pieces_.size()); ++n)
            visit(pieces_[n].view().substr(n == 0 ? offset_ : 0));
    }
    void consume(std::size_t bytes) {
        size_ -= bytes;
        while (bytes > 0) {
            const std::size_t rest = pieces_.front().view().size() - offset_;
            if (bytes < rest) {
                offset_ += bytes;
                return;
            }
            bytes -= rest;
            offset_ = 0;
            pieces_.pop_front();
        }
    }

private:
    static constexpr std::size_t piece = 16 << 10;  // a TLS record
    static constexpr std::size_t worth_sharing = 2 << 10;

    struct Part {
        std::string own;
        std::shared_ptr<const std::string> shared;
        std::string_view view() const { return shared ? std::string_view(*shared) : std::string_view(own); }
    };
    std::deque<Part> pieces_;
    std::size_t offset_ = 0;  // of the first piece: already gone
    std::size_t size_ = 0;
};

}  // namespace obs::net
