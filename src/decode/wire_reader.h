// Pulls the fields of one protobuf message from its bytes: no copies, no exceptions, no objects. Errors
// stick: after the first one next() is false, every value is zero or empty, and error() says what is wrong.
//
//     WireReader in(message);
//     while (in.next()) switch (in.tag()) {
//         case wire_tag(1, Wire::length): name = in.bytes(); break;
//         default: in.skip();  // unknown number, or a wire type that the field does not have
//     }
//     return in.error() == nullptr;
//
// Up to 20 bytes behind the message may be read (never used); base/buffer.h has room for that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace obs {

enum class Wire : std::uint32_t {
    varint = 0,
    fixed64 = 1,
    length = 2,
    group = 3,
    group_end = 4,
    fixed32 = 5
};

constexpr std::uint32_t wire_tag(std::uint32_t number, Wire wire) {
    return number << 3 | static_cast<std::uint32_t>(wire);
}

class WireReader {
public:
    explicit WireReader(std::string_view message)
        : at_(message.data()), end_(message.data() + message.size()) {}

    // Moves to the next field and reads its tag; the value of the field before must have been read or
    // skipped.
    bool next() {
        if (at_ >= end_) return false;
        begin_ = at_;
        tag_ = static_cast<unsigned char>(*at_);
        if (tag_ < 0x80) [[likely]] {
            ++at_;
        } else {
            tag_ = long_tag();
        }
        if (tag_ < 8 || (tag_ & 7) == 4 || (tag_ & 7) > 5) [[unlikely]]
            fail(tag_ < 8          ? "a field number of zero"
                 : (tag_ & 7) == 4 ? "a group that ends and never began"
                                   : "a wire type that does not exist");
        return error_ == nullptr;
    }
    std::uint32_t tag() const { return tag_; }
    // For packed numbers, which have no tags: something is left and nothing went wrong.
    bool has_more() {
        begin_ = at_;
        return at_ < end_;
    }

    std::uint64_t varint() {
        const auto first = static_cast<unsigned char>(*at_);
        std::uint64_t value = first;
        if (first < 0x80) [[likely]] {
            ++at_;
        } else {
            value = long_varint();
        }
        if (at_ > end_) [[unlikely]]
            return fail("a number that is cut short");
        return value;
    }
    // Fields of 32 bits take the low half of what was sent.
    std::uint32_t varint32() { return static_cast<std::uint32_t>(varint()); }
    std::uint64_t fixed64() { return fixed<std::uint64_t>(); }
    std::uint32_t fixed32() { return fixed<std::uint32_t>(); }
    double fixed_double() {
        const std::uint64_t bits = fixed64();
        double value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    std::string_view bytes() {
        const std::uint64_t size = varint();
        if (size > static_cast<std::uint64_t>(end_ - at_)) [[unlikely]] {
            fail("a length that goes past the end of its message");
            return {};
        }
        const std::string_view content(at_, size);
        at_ += size;
        return content;
    }
    // Leaves out the value of the current field, whatever it is; groups with all that is in them.
    void skip() {
        switch (static_cast<Wire>(tag_ & 7)) {
            case Wire::varint: varint(); break;
            case Wire::fixed64: fixed64(); break;
            case Wire::length: bytes(); break;
            case Wire::fixed32: fixed32(); break;
            default: skip_group();
        }
    }

    // What is wrong, a literal; null if all is well.
    const char* error() const { return error_; }
    // Where the field began that could not be read.
    const char* position() const { return begin_; }

private:
    // protobuf's own limit on nesting.
    static constexpr int deepest_group = 100;

    std::uint64_t fail(const char* what) {
        if (error_ == nullptr) error_ = what;
        at_ = end_;
        return 0;
    }
    template <class T>
    T fixed() {
        T value;
        std::memcpy(&value, at_, sizeof value);
        at_ += sizeof value;
        if (at_ > end_) [[unlikely]]
            return static_cast<T>(fail("a number that is cut short"));
        return value;
    }
    std::uint64_t long_varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 70; shift += 7) {
            const auto byte = static_cast<unsigned char>(*at_++);
            value |= shift < 64 ? static_cast<std::uint64_t>(byte & 0x7f) << shift : 0;
            if (byte < 0x80) return value;
        }
        return fail("a number of more than ten bytes");
    }
    std::uint32_t long_tag() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 35; shift += 7) {
            const auto byte = static_cast<unsigned char>(*at_++);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte >= 0x80) continue;
            if (at_ > end_) break;
            return static_cast<std::uint32_t>(value);
        }
        fail(at_ > end_ ? "a field that is cut short" : "a field number that is too large");
        return 8;  // valid to look at, never used
    }
    void skip_group() {
        std::uint32_t open[deepest_group];
        int depth = 0;
        open[depth++] = tag_ >> 3;
        while (depth > 0 && error_ == nullptr) {
            if (at_ >= end_) {
                fail("a group that does not end");
                return;
            }
            const auto first = static_cast<unsigned char>(*at_);
            tag_ = first;
            if (first < 0x80) {
                ++at_;
            } else {
                tag_ = long_tag();
            }
            if (error_ != nullptr) return;
            const std::uint32_t number = tag_ >> 3;
            if (number == 0 || (tag_ & 7) > 5) {
                fail("a field inside a group that cannot be");
            } else if ((tag_ & 7) == static_cast<std::uint32_t>(Wire::group_end)) {
                if (open[--depth] != number) fail("a group that ends under another number");
            } else if ((tag_ & 7) != static_cast<std::uint32_t>(Wire::group)) {
                skip();
            } else if (depth == deepest_group) {
                fail("groups nested too deep");
            } else {
                open[depth++] = number;
            }
        }
    }

    const char* at_;
    const char* end_;
    const char* begin_ = nullptr;
    std::uint32_t tag_ = 0;
    const char* error_ = nullptr;
};

// The usual case alone: at `at` is a field with this tag of one byte and a length of one or two. Gives its
// content and moves behind it. False if it is anything else, broken fields too: WireReader says which.
inline bool take_bytes(const char*& at, const char* end, std::uint32_t tag, std::string_view& content) {
    if (at >= end || static_cast<unsigned char>(*at) != tag) return false;
    std::ptrdiff_t size = static_cast<unsigned char>(at[1]);
    const char* begin = at + 2;
    if (size >= 0x80) {
        const auto second = static_cast<unsigned char>(*begin++);
        if (second >= 0x80) return false;
        size = (size & 0x7f) | second << 7;
    }
    if (size > end - begin) return false;
    content = std::string_view(begin, static_cast<std::size_t>(size));
    at = begin + size;
    return true;
}

}  // namespace obs
