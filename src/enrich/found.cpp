#include "enrich/found.h"

#include <algorithm>
#include <cmath>

#include "base/money.h"
#include "enrich/values.h"

namespace obs {

namespace {

bool is_text_field(Field field) {
    return field >= Field::model && field <= Field::service_tier;
}
bool is_token_field(Field field) {
    return field >= Field::prompt_tokens && field <= Field::rollup_completion_tokens;
}

std::optional<Nanos> nanos_of(double value, double unit) {
    const double nanos = value * unit;
    if (!(nanos >= 0) || nanos > 9e18) return std::nullopt;
    return Nanos{std::llround(nanos)};
}

}  // namespace

void Found::reset(const Span& span) {
    span_ = span;
    rank_.fill(unset);
    slot_set_.fill(false);
    flat_.clear();
    lists_ = 0;
    provider_ = {};
    framework_ = {};
    framework_rank_ = unset;
    usage_ignored_ = false;
}

void Found::set_text(Field field, std::string_view text) {
    text_[index(field)] = text;
    win(field, unset - 1, nullptr);
}

void Found::set_integer(Field field, std::int64_t value) {
    integer_[index(field)] = value;
    win(field, unset - 1, nullptr);
}

void Found::set_number(Field field, double value) {
    number_[index(field)] = value;
    win(field, unset - 1, nullptr);
}

void Found::offer(const RawAttribute& attribute, const KeyInfo& key, RawAttributes& raw) {
    if (key.list != FlatList::none) {
        flat_.push_back({key.order, &attribute, &key});
        lists_ |= 1U << static_cast<unsigned>(key.list);
        return;
    }
    for (const auto& [field, rank] : key.targets) {
        if (field == Field::none) return;
        if (field >= Field::first_slot) {
            slot_[slot_index(field)] = &attribute;
            slot_set_[slot_index(field)] = true;
        } else if (rank > rank_[index(field)]) {
            continue;
        } else if (is_text_field(field)) {
            offer_text(field, rank, attribute, raw);
        } else if (is_token_field(field)) {
            offer_tokens(field, rank, attribute);
        } else {
            switch (field) {
                case Field::cost_input:
                case Field::cost_output:
                case Field::cost_total: offer_dollars(field, rank, attribute); break;
                case Field::temperature:
                case Field::top_p:
                case Field::top_k:
                    if (const auto number = number_of(attribute.value)) {
                        number_[index(field)] = *number;
                        win(field, rank, &attribute);
                    }
                    break;
                case Field::max_tokens:
                case Field::seed:
                    if (const auto integer = integer_of(attribute.value)) {
                        integer_[index(field)] = *integer;
                        win(field, rank, &attribute);
                    }
                    break;
                case Field::streaming:
                    if (const auto flag = boolean_of(attribute.value)) {
                        integer_[index(field)] = *flag ? 1 : 0;
                        win(field, rank, &attribute);
                    }
                    break;
                case Field::provider: offer_provider(rank, attribute); break;
                case Field::stop_reason:
                    if (const std::string_view first = first_of_list(attribute.value.text());
                        !says_nothing(first)) {
                        text_[index(field)] = first;
                        win(field, rank, &attribute);
                    }
                    break;
                case Field::tags: win(field, rank, &attribute); break;
                default: offer_ttft(field, rank, attribute);
            }
        }
    }
}

void Found::finish() {
    if (flat_.size() > 1)
        std::ranges::stable_sort(flat_, {}, [](const FlatItem& item) { return item.order; });
}

void Found::offer_text(Field field, std::uint8_t rank, const RawAttribute& attribute, RawAttributes& raw) {
    std::string_view text = attribute.value.text();
    if (attribute.value.type == AttributeType::integer || attribute.value.type == AttributeType::number) {
        std::string scratch;
        text = raw.keep(std::string(text_of(attribute.value, scratch)));
    }
    text = unquoted(text);
    if (says_nothing(text)) return;
    text_[index(field)] = text;
    win(field, rank, &attribute);
}

void Found::offer_tokens(Field field, std::uint8_t rank, const RawAttribute& attribute) {
    const std::optional<std::int64_t> count = integer_of(attribute.value);
    if (!count || *count < 0 || *count > most_tokens) {
        // An empty text is absent; everything else claimed to be a count.
        usage_ignored_ = usage_ignored_ || count || attribute.value.type == AttributeType::number ||
                         !says_nothing(attribute.value.text());
        return;
    }
    integer_[index(field)] = *count;
    win(field, rank, &attribute);
}

void Found::offer_dollars(Field field, std::uint8_t rank, const RawAttribute& attribute) {
    const std::optional<double> dollars = number_of(attribute.value);
    if (!dollars || *dollars < 0 || !usd_from_dollars(*dollars)) {
        usage_ignored_ = usage_ignored_ || dollars || attribute.value.type == AttributeType::number ||
                         !says_nothing(attribute.value.text());
        return;
    }
    number_[index(field)] = *dollars;
    win(field, rank, &attribute);
}

void Found::offer_provider(std::uint8_t rank, const RawAttribute& attribute) {
    const std::string_view word = attribute.value.text();
    if (says_nothing(word)) return;
    if (word != last_word_) {
        last_word_ = word;
        last_provider_ = read_provider(word);
    }
    if (last_provider_.is_framework) {
        if (rank > framework_rank_) return;
        framework_rank_ = rank;
        framework_ = last_provider_.canonical;
        return;
    }
    provider_ = last_provider_.canonical.empty() ? unquoted(word) : last_provider_.canonical;
    win(Field::provider, rank, &attribute);
}

void Found::offer_ttft(Nanos ttft, std::uint8_t rank) {
    if (rank > rank_[index(Field::ttft_seconds)] || ttft.count < 0 || ttft > span_.duration) return;
    integer_[index(Field::ttft_seconds)] = ttft.count;
    win(Field::ttft_seconds, rank, nullptr);
}

void Found::offer_ttft(Field field, std::uint8_t rank, const RawAttribute& attribute) {
    std::optional<Nanos> ttft;
    if (field == Field::ttft_at) {
        if (const auto at = parse_rfc3339(unquoted(attribute.value.text()))) ttft = *at - span_.start;
    } else if (const std::optional<double> value = number_of(attribute.value)) {
        // OpenLIT sends seconds, Strands milliseconds under the same name.
        const bool milliseconds = field == Field::ttft_milliseconds ||
                                  (field == Field::ttft_of_server && span_.server_ttft_in_milliseconds);
        ttft = nanos_of(*value, milliseconds ? 1e6 : 1e9);
    }
    if (!ttft) return;
    offer_ttft(*ttft, rank);
    if (winner_[index(Field::ttft_seconds)] == nullptr && rank_[index(Field::ttft_seconds)] == rank)
        winner_[index(Field::ttft_seconds)] = &attribute;
}

}  // namespace obs
