#include "decode/attribute_lists.h"

#include <algorithm>

#include "base/utf8.h"

namespace obs {

namespace {
// At most `limit` bytes, not ending inside a character if the text is UTF-8 there.
std::string_view cut_text(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    for (std::size_t back = 0; back < 4 && back < limit; ++back)
        if ((static_cast<unsigned char>(text[limit - back]) & 0xc0) != 0x80)
            return text.substr(0, limit - back);
    return text.substr(0, limit);
}
}  // namespace

std::string_view AttributeLists::repaired(std::string_view raw) {
    if (raw.size() > limits_.value_bytes) {
        raise(flag_value_truncated);
        raw = cut_text(raw, limits_.value_bytes);
    }
    if (is_text(raw)) return raw;
    raise(flag_invalid_utf8);
    const std::string clean = to_utf8(raw);
    return keep(utf8_prefix(clean, limits_.value_bytes));
}

std::string_view AttributeLists::kept_text(std::string_view temporary) {
    const std::string_view final = text(temporary);
    const bool in_arena =
        final.data() < temporary.data() || final.data() > temporary.data() + temporary.size();
    return in_arena ? final : keep(final);
}

RawValue AttributeLists::bytes(std::string_view raw) {
    const std::size_t limit = limits_.value_bytes / 4 * 3;
    if (raw.size() > limit) {
        raise(flag_value_truncated);
        raw = raw.substr(0, limit);
    }
    std::string text;
    append_base64(text, raw);
    return RawValue::of_text(keep(text), AttributeType::bytes);
}

std::string_view AttributeLists::keep(std::string_view text) {
    std::deque<std::string>& arena = raw_.arena;
    // A string that stays within its capacity does not move, so many texts share one.
    if (arena.empty() || arena.back().capacity() - arena.back().size() < text.size()) {
        constexpr std::size_t least = 4 << 10, most = 64 << 10;
        const std::size_t twice =
            arena.empty() ? least : std::clamp(arena.back().capacity() * 2, least, most);
        arena.emplace_back().reserve(std::max(twice, text.size()));
    }
    std::string& room = arena.back();
    const std::size_t begin = room.size();
    room += text;
    return std::string_view(room).substr(begin);
}

std::uint32_t AttributeLists::learn(std::string_view key) {
    const std::string_view kept = text(key);
    const std::uint32_t code = raw_.keys.code(kept);
    // A key that had to be repaired is looked at again each time, so that each list that has it is flagged.
    if (kept.data() == key.data() && kept.size() == key.size())
        followers_[last_key_] = {key.data(), static_cast<std::uint32_t>(key.size()), code};
    if (code >= followers_.size()) followers_.resize(code + 1);
    return last_key_ = code;
}

void AttributeLists::move_to_end(RawRange& list) {
    const std::vector<RawAttribute> moved(raw_.list.begin() + list.begin, raw_.list.begin() + list.end);
    list.begin = size();
    raw_.list.insert(raw_.list.end(), moved.begin(), moved.end());
    list.end = size();
}

}  // namespace obs
