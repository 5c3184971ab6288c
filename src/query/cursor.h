// Where a walk through a list stands: what a client gets as `pagination.cursor` and sends back (decision 25).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/question.h"

namespace obs::query {

struct Cursor {
    std::uint64_t question = 0;  // fingerprint: a cursor goes with the question it came from
    std::uint64_t seq = 0;       // rows that came later than the first page are not part of the walk
    UnixNanos now;               // of the first page: what `now-1h` means during the walk
    // The last row shown. Nothing when the walk goes on below `to`, behind a scan that used up its budget.
    std::optional<RowQuestion::Position> after{};
    // Of rows that nothing in the order tells from the last one, so many have been shown; nothing: all of
    // them (records.h).
    std::optional<std::uint64_t> alike{};
    // Of lists of groups: so many have been shown.
    std::optional<std::uint64_t> offset{};
    // A scan that used up its budget (decision 24) splits the window: this page lies in [floor, to).
    std::optional<UnixNanos> floor{}, to{};
};

// Standard base64 of JSON with timestamp, trace_id, span_id, sort_value and what else is needed. `order` is
// the question's.
std::string to_text(const Cursor& cursor, const std::vector<Order>& order);

// Fails with `invalid_input`, field `cursor` and a message that starts with "Invalid cursor": unreadable, of
// another question, or of another order.
Result<Cursor> parse_cursor(std::string_view text, std::uint64_t question, const std::vector<Order>& order);

}  // namespace obs::query
