// Why a span, and a trace, costs what it costs: tokens of each kind times the rate of the rule that priced
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pricing/price.h"
#include "query/traces.h"

namespace obs::query {

// Every price with this rule; empty when it belongs to a catalogue that the program no longer has.
using PricesOfRule = std::function<std::vector<Price>(std::string_view rule)>;

// What a span's cost is to its trace.
enum class Standing : std::uint8_t {
    counted,    // part of the trace's cost
    rolled_up,  // a copy of what calls below it cost; counted there
    unpriced,   // tokens without a price: not counted, and nobody knows how much it is
    none,       // nothing was used
};
std::string_view name_of(Standing standing);

struct SpanLedger {
    std::size_t row = 0;  // of Ledger::spans
    Standing standing = Standing::none;
    std::optional<Usd> cost{};  // counted: its own; rolled up: that of the calls below, as it was sent
    // Rolled up: the spans that own the usage, at most `most_owners`.
    std::vector<SpanId> owners{};
    // Counted: what the rule charges. Empty when it does not explain the cost; then `reason` says why.
    std::vector<BillLine> lines{};
    PicoUsd rounding{};
    bool explained = false;  // lines and rounding are exactly the cost
    std::string reason{};

    static constexpr std::size_t most_owners = 100;
};

// Of one kind of tokens, over all spans whose cost is explained.
struct LedgerPart {
    std::string_view part;
    std::int64_t tokens = 0;
    PicoUsd amount{};
};

// The cost of a trace is the sum of parts, rounding and unexplained, to the last pico-dollar.
struct Ledger {
    SpanBatch spans;
    std::vector<SpanLedger> rows;  // one per span
    std::optional<Usd> cost;       // nothing when no span has one
    std::vector<LedgerPart> parts;
    PicoUsd rounding;
    Usd unexplained{};  // of counted spans without lines
    std::size_t counted = 0, rolled_up = 0, unpriced = 0;
    bool spans_cut = false;  // there are more spans than were looked at
};

// The columns that a ledger reads.
std::vector<const ColumnInfo*> ledger_columns();

Ledger ledger_of(SpanBatch spans, const PricesOfRule& prices);

// When the rule's price began to hold, and the service it is for, as the rule says; empty when it does not.
struct RuleFacts {
    std::string_view since, service;
};
RuleFacts facts_of_rule(std::string_view rule);

}  // namespace obs::query
