// Owned bytes of a request body, with 64 readable zero bytes behind the end (simdjson reads ahead of itself).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace obs {

class Buffer {
public:
    static constexpr std::size_t padding = 64;

    Buffer() = default;
    explicit Buffer(std::string_view content) { append(content); }
    Buffer(Buffer&& other) noexcept { *this = std::move(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        bytes_ = std::move(other.bytes_);
        size_ = std::exchange(other.size_, 0);
        capacity_ = std::exchange(other.capacity_, 0);
        front_ = std::exchange(other.front_, 0);
        return *this;
    }

    std::size_t size() const { return size_; }
    std::size_t capacity() const { return capacity_; }
    bool empty() const { return size_ == 0; }
    char* data() { return bytes_.get() + front_; }
    const char* data() const { return bytes_.get() + front_; }
    std::string_view view() const { return {data(), size_}; }

    // Room for `capacity` bytes in all; the content stays.
    void reserve(std::size_t capacity) {
        if (capacity <= capacity_) return;
        char* grown = static_cast<char*>(std::realloc(bytes_.get(), front_ + capacity + padding));
        if (grown == nullptr) throw std::bad_alloc();
        static_cast<void>(bytes_.release());
        bytes_.reset(grown);
        capacity_ = capacity;
        clear_padding();
    }
    // New bytes are not initialised; the caller writes them through data().
    void resize(std::size_t size) {
        reserve(size);
        size_ = size;
        clear_padding();
    }
    // The first `count` bytes are gone; nothing is moved. At most size().
    void drop_front(std::size_t count) {
        front_ += count;
        size_ -= count;
        capacity_ -= count;
    }
    // Grows by doubling, so that a claimed length costs nothing before its bytes arrive.
    void append(std::string_view more) {
        if (size_ + more.size() > capacity_) reserve(std::max(size_ + more.size(), capacity_ * 2));
        if (!more.empty()) std::memcpy(data() + size_, more.data(), more.size());
        size_ += more.size();
        clear_padding();
    }

private:
    struct Free {
        void operator()(char* bytes) const noexcept { std::free(bytes); }
    };
    void clear_padding() {
        if (bytes_) std::memset(data() + size_, 0, padding);
    }

    std::unique_ptr<char[], Free> bytes_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;  // behind the front
    std::size_t front_ = 0;     // bytes before the content
};

}  // namespace obs
