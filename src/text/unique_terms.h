// The terms of one row, each once.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace obs {

// Of a few bytes; not for tables that an enemy fills, which here cost him only his own row.
inline std::uint64_t short_hash(std::string_view bytes) {
    constexpr std::uint64_t multiplier = 0x9E3779B97F4A7C15;
    std::uint64_t hash = bytes.size() * multiplier;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        std::uint64_t block = 0;
        std::memcpy(&block, at, 8);
        hash = (hash ^ block) * multiplier;
        hash ^= hash >> 29;
    }
    if (left > 0) {
        std::uint64_t block = 0;
        std::memcpy(&block, at, left);
        hash = (hash ^ block) * multiplier;
    }
    return hash ^ (hash >> 32);
}

// An open table over the text that it fills. Starting a row costs nothing: slots of older rows count as
// empty.
class UniqueTerms {
public:
    void start(std::string& out) {
        // One long row must not keep its table for ever.
        if (slots_.size() > 16'384) std::vector<Slot>(1024).swap(slots_);
        out_ = &out;
        terms_ = 0;
        ++row_;
        separate_ = !out.empty();
    }

    // Appends the term to the row unless it is there.
    void add(std::string_view term) {
        const std::uint64_t hash = short_hash(term);
        for (std::size_t at = hash;; ++at) {
            Slot& slot = slots_[at & (slots_.size() - 1)];
            if (slot.row != row_) {
                append(term, hash, slot);
                return;
            }
            if (slot.hash == hash && term == std::string_view(*out_).substr(slot.offset, slot.length)) return;
        }
    }
    std::uint64_t row() const { return row_; }

private:
    struct Slot {
        std::uint64_t row = 0, hash = 0;
        std::uint32_t offset = 0, length = 0;
    };

    void append(std::string_view term, std::uint64_t hash, Slot& slot) {
        if (separate_) *out_ += ' ';
        separate_ = true;
        slot = {row_, hash, static_cast<std::uint32_t>(out_->size()),
                static_cast<std::uint32_t>(term.size())};
        *out_ += term;
        if (++terms_ * 2 > slots_.size()) grow();
    }

    void grow() {
        std::vector<Slot> old(slots_.size() * 4);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.row != row_) continue;
            std::size_t at = slot.hash;
            while (slots_[at & (slots_.size() - 1)].row == row_) ++at;
            slots_[at & (slots_.size() - 1)] = slot;
        }
    }

    std::vector<Slot> slots_ = std::vector<Slot>(1024);
    std::string* out_ = nullptr;
    std::size_t terms_ = 0;
    std::uint64_t row_ = 0;
    bool separate_ = false;
};

}  // namespace obs
