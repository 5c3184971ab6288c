// The terms of one row, each once.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokeniser.h"

namespace obs {

// Of a few bytes; not for tables that an enemy fills, which here would cost him only the speed of his own
// row.
inline std::uint64_t short_hash(std::string_view bytes) {
    __extension__ using Wide = unsigned __int128;
    constexpr std::uint64_t first_key = 0x9E3779B97F4A7C15, last_key = 0xD1B54A32D192ED03;
    const auto load = []<class Block>(const char* at, Block block) {
        std::memcpy(&block, at, sizeof block);
        return static_cast<std::uint64_t>(block);
    };
    const auto mixed = [](std::uint64_t a, std::uint64_t b) {
        const Wide product = static_cast<Wide>(a ^ first_key) * (b ^ last_key);
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    };
    const char* at = bytes.data();
    const std::size_t size = bytes.size();
    if (size < 4) {
        std::uint64_t all = size;
        for (std::size_t i = 0; i < size; ++i) all = all << 8 | static_cast<unsigned char>(at[i]);
        return mixed(all, 0);
    }
    if (size < 8) return mixed(load(at, std::uint32_t{}) << 32 | load(at + size - 4, std::uint32_t{}), size);
    std::uint64_t hash = size;
    std::size_t done = 0;
    for (; done + 16 < size; done += 8) hash = mixed(load(at + done, std::uint64_t{}), hash);
    return mixed(load(at + done, std::uint64_t{}) ^ hash, load(at + size - 8, std::uint64_t{}));
}

// An open table over the terms of a row. Starting a row costs nothing: slots of older rows count as empty.
class UniqueTerms {
public:
    void start() {
        ++row_;
        place_ = 1;
        answer_begins_ = 0;
        shared_ = {};
        has_words_ = linked_ = had_words_ = false;
        // One long row must not keep its table for ever, and a number that comes again must find no old
        // slots.
        if (slots_.size() > most_slots_kept || mark_of_row() == 0) std::vector<Slot>(1024).swap(slots_);
        if (mark_of_row() == 0) ++row_;
        text_.clear();
        count_ = 0;
    }

    // `counts`: whether it is compared with other texts and sentences.
    void add(std::string_view term, bool counts = true) {
        const std::uint64_t hash = short_hash(term);
        const auto mark = static_cast<std::uint32_t>(hash >> 32);
        for (std::size_t at = hash;; ++at) {
            Slot& slot = slots_[at & (slots_.size() - 1)];
            if (slot.row != mark_of_row()) {
                slot.place = 0;
                slot.asked = false;
                if (counts) note_new(slot);
                append(term, mark, slot);
                return;
            }
            if (slot.mark == mark && slot.length == term.size() &&
                std::memcmp(text_.data() + slot.offset, term.data(), term.size()) == 0) {
                if (counts) note_again(slot);
                return;
            }
        }
    }

    // What comes from here on is compared with what came before.
    void begin_answer() {
        answer_begins_ = ++place_;
        has_words_ = false;
    }
    // Of the answer.
    void end_sentence() {
        if (!has_words_) return;
        if (had_words_) {
            ++shared_.neighbours;
            shared_.linked += linked_ ? 1 : 0;
        }
        had_words_ = true;
        has_words_ = linked_ = false;
        ++place_;
    }
    const SharedTerms& shared() const { return shared_; }
    // Another one for every sentence: a term that is met again in one sentence says nothing new.
    std::uint64_t sentence() const { return row_ << 24 | place_; }

    // Separated by one space.
    std::string_view joined() const { return text_; }
    // Another one after every start; never 0.
    std::uint64_t row() const { return row_; }

private:
    struct Slot {
        std::uint32_t row = 0, mark = 0, offset = 0, length = 0;
        // The sentence it was met in last, and whether in the first text.
        std::uint32_t place = 0;
        bool asked = false;
    };
    static constexpr std::size_t most_slots_kept = 16'384;

    std::uint32_t mark_of_row() const { return static_cast<std::uint32_t>(row_); }

    void append(std::string_view term, std::uint32_t mark, Slot& slot) {
        if (!text_.empty()) text_ += ' ';
        slot.row = mark_of_row();
        slot.mark = mark;
        slot.offset = static_cast<std::uint32_t>(text_.size());
        slot.length = static_cast<std::uint32_t>(term.size());
        text_ += term;
        if (++count_ * 2 > slots_.size()) grow();
    }

    void note_new(Slot& slot) {
        ++(answer_begins_ == 0 ? shared_.first : shared_.second);
        slot.asked = answer_begins_ == 0;
        slot.place = place_;
        has_words_ = true;
    }
    void note_again(Slot& slot) {
        if (answer_begins_ != 0 && slot.asked && slot.place < answer_begins_) {
            ++shared_.second;
            ++shared_.common;
        }
        linked_ = linked_ || (slot.place + 1 == place_ && slot.place >= answer_begins_);
        slot.place = place_;
        has_words_ = true;
    }

    void grow() {
        std::vector<Slot> old(slots_.size() * 4);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.row != mark_of_row()) continue;
            std::size_t at = short_hash(std::string_view(text_).substr(slot.offset, slot.length));
            while (slots_[at & (slots_.size() - 1)].row == mark_of_row()) ++at;
            slots_[at & (slots_.size() - 1)] = slot;
        }
    }

    std::vector<Slot> slots_ = std::vector<Slot>(1024);
    std::string text_;
    std::size_t count_ = 0;
    std::uint64_t row_ = 0;
    std::uint32_t place_ = 1, answer_begins_ = 0;
    SharedTerms shared_;
    bool has_words_ = false, had_words_ = false, linked_ = false;  // of this sentence, and the one before
};

}  // namespace obs
