// What the attributes of one span offered, before anybody decided what to take.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "enrich/keys.h"
#include "enrich/providers.h"
#include "model/raw_batches.h"

namespace obs {

struct FlatItem {
    std::uint64_t order;
    const RawAttribute* attribute;
    const KeyInfo* key;
};

// Reused from span to span. Everything points into the request.
class Found {
public:
    // What collecting needs to know of the span.
    struct Span {
        UnixNanos start;
        Nanos duration;
        bool server_ttft_in_milliseconds = false;
    };

    void reset(const Span& span);
    // Reads one attribute; of several candidates for a field the lowest rank is kept, of equals the last.
    void offer(const RawAttribute& attribute, const KeyInfo& key, RawAttributes& raw);
    // To be called after all attributes were offered.
    void finish();

    bool has(Field field) const { return rank_[index(field)] != unset; }
    std::uint8_t rank(Field field) const { return rank_[index(field)]; }
    const RawAttribute* winner(Field field) const { return winner_[index(field)]; }
    std::string_view text(Field field) const { return has(field) ? text_[index(field)] : std::string_view(); }
    std::int64_t integer(Field field) const { return integer_[index(field)]; }
    double number(Field field) const { return number_[index(field)]; }
    void set_text(Field field, std::string_view text);
    void set_integer(Field field, std::int64_t value);
    void set_number(Field field, double value);
    // The time to the first token from an event; weaker than an attribute of a lower rank.
    void offer_ttft(Nanos ttft, std::uint8_t rank);

    // Null if no attribute of this kind came.
    const RawValue* slot(Field field) const {
        const std::size_t at = slot_index(field);
        return slot_set_[at] ? &slot_[at]->value : nullptr;
    }
    bool has_slot(Field field) const { return slot_set_[slot_index(field)]; }
    const RawAttribute* slot_attribute(Field field) const { return slot_[slot_index(field)]; }

    // In the order of lists, items and inner items.
    const std::vector<FlatItem>& flat() const { return flat_; }
    bool has_list(FlatList list) const { return (lists_ >> static_cast<unsigned>(list) & 1) != 0; }

    std::string_view provider() const { return provider_; }
    std::string_view framework() const { return framework_; }
    // A count or cost that is none came along.
    bool usage_ignored() const { return usage_ignored_; }
    void ignore_usage() { usage_ignored_ = true; }

private:
    static constexpr std::uint8_t unset = 255;
    static constexpr std::size_t index(Field field) { return static_cast<std::size_t>(field); }
    static constexpr std::size_t slot_index(Field field) {
        return static_cast<std::size_t>(field) - scalar_count;
    }

    void offer_text(Field field, std::uint8_t rank, const RawAttribute& attribute, RawAttributes& raw);
    void offer_tokens(Field field, std::uint8_t rank, const RawAttribute& attribute);
    void offer_dollars(Field field, std::uint8_t rank, const RawAttribute& attribute);
    void offer_provider(std::uint8_t rank, const RawAttribute& attribute);
    void offer_ttft(Field field, std::uint8_t rank, const RawAttribute& attribute);
    void win(Field field, std::uint8_t rank, const RawAttribute* attribute) {
        rank_[index(field)] = rank;
        winner_[index(field)] = attribute;
    }

    Span span_;
    std::array<std::uint8_t, scalar_count> rank_;
    std::array<const RawAttribute*, scalar_count> winner_;
    std::array<std::string_view, scalar_count> text_;
    std::array<std::int64_t, scalar_count> integer_;
    std::array<double, scalar_count> number_;
    std::array<const RawAttribute*, field_count - scalar_count> slot_;
    std::array<bool, field_count - scalar_count> slot_set_;
    std::vector<FlatItem> flat_;
    std::uint32_t lists_ = 0;
    std::string_view provider_, framework_;
    std::uint8_t framework_rank_ = unset;
    bool usage_ignored_ = false;

    // Providers repeat from span to span.
    std::string last_word_;
    ProviderWord last_provider_{};
};

}  // namespace obs
