// Builds the attribute lists of one request and gives every text its final form: valid UTF-8, within the
// limits, at a place where it stays. What had to be repaired or cut is collected as RowFlag bits until
// somebody takes them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decode/decode.h"
#include "decode/text_check.h"
#include "decode/value_json.h"
#include "model/raw_batches.h"

namespace obs {

class AttributeLists {
public:
    AttributeLists(RawAttributes& raw, const DecodeLimits& limits)
        : raw_(raw), limits_(limits), json_(limits.value_bytes, limits.depth) {}

    // Makes room for what a body of this size usually has.
    void expect(std::size_t body_bytes) {
        raw_.list.reserve(std::min(body_bytes / 40, limits_.attributes_in_all));
    }

    RawRange begin_list() const { return {size(), size()}; }
    // False if the list or the request has all it may have; the flag is raised.
    bool has_room(RawRange list) {
        if (list.end - list.begin < limits_.attributes && raw_.list.size() < limits_.attributes_in_all)
            [[likely]]
            return true;
        raise(flag_attributes_cut);
        return false;
    }
    // Only after has_room(). The value is for the caller to set, to one of the results below, before anything
    // else is added: written where it stays, because a value that is put together elsewhere and copied at
    // once makes the processor wait for its parts. The key's bytes must stay until the request is read.
    RawValue& add(RawRange& list, std::string_view key) {
        if (list.end != size()) [[unlikely]]
            move_to_end(list);
        const std::uint32_t code = code_of(key);
        RawAttribute& added = raw_.list.emplace_back();
        added.key = code;
        list.end = size();
        return added.value;
    }
    // Forgets all attributes from here on.
    void drop_from(std::uint32_t begin) { raw_.list.erase(raw_.list.begin() + begin, raw_.list.end()); }
    std::uint32_t size() const { return static_cast<std::uint32_t>(raw_.list.size()); }

    // The text as it may be kept; it stays in the request's body unless it has to be repaired.
    std::string_view text(std::string_view raw) {
        if (raw.size() <= limits_.value_bytes && is_text(raw)) [[likely]]
            return raw;
        return repaired(raw);
    }
    // The same of a text that will not stay where it is.
    std::string_view kept_text(std::string_view temporary);
    RawValue bytes(std::string_view raw);
    // For lists and maps: write to json() what reset_json() made empty, then take it.
    ValueJson& reset_json() {
        json_.reset();
        return json_;
    }
    RawValue take_json() {
        raise(json_.flags());
        return RawValue::of_text(keep(json_.view()), AttributeType::json);
    }
    // A copy that lives as long as the request.
    std::string_view keep(std::string_view text);

    void raise(std::uint32_t flags) { flags_ |= flags; }
    std::uint32_t take_flags() { return std::exchange(flags_, 0); }

private:
    // Attributes come in the same order again and again: what followed the last key the last time is tried
    // first.
    struct Follower {
        const char* key = nullptr;
        std::uint32_t size = 0;
        std::uint32_t code = 0;  // 0 = unknown
    };
    std::uint32_t code_of(std::string_view key) {
        const Follower& guess = followers_[last_key_];
        if (guess.size == key.size() && guess.code != 0 && same(guess.key, key)) [[likely]]
            return last_key_ = guess.code;
        return learn(key);
    }
    // As a call of memcmp, without the call: keys are short.
    static bool same(const char* a, std::string_view b) {
        const auto word = [](const char* from) {
            std::uint64_t value;
            std::memcpy(&value, from, sizeof value);
            return value;
        };
        const std::size_t size = b.size();
        if (size < 8) return std::memcmp(a, b.data(), size) == 0;
        for (std::size_t i = 0; i + 8 < size; i += 8)
            if (word(a + i) != word(b.data() + i)) return false;
        return word(a + size - 8) == word(b.data() + size - 8);
    }
    std::uint32_t learn(std::string_view key);
    std::string_view repaired(std::string_view raw);
    void move_to_end(RawRange& list);

    RawAttributes& raw_;
    const DecodeLimits& limits_;
    ValueJson json_;
    std::vector<Follower> followers_ = std::vector<Follower>(1);  // by code
    std::uint32_t last_key_ = 0;
    std::uint32_t flags_ = 0;
};

}  // namespace obs
