// Conversations and the people in them: lists with totals, and a conversation as a thread of turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "query/figures.h"
#include "query/traces.h"

namespace obs::query {

// What spans are gathered by: a session or an end user, of one project each.
enum class Party : std::uint8_t { session, user };

struct PartyQuestion {
    PartyQuestion(Party of, Scope whose) : by(of), scope(std::move(whose)) {}

    Party by;
    Scope scope;
    Filter filter{};  // of the spans that count
    Window window{};
    UnixNanos now;  // of the first page
    // first_seen, last_seen, calls, errors, tokens or cost
    std::string_view sort = "last_seen";
    bool descending = true;
    std::size_t limit = 50;
    std::uint64_t fingerprint = 0;  // of everything above but limit
    std::optional<Cursor> cursor{};
};

// Of the spans that the question is about.
struct PartyTotals {
    std::string project, id;
    std::int64_t spans = 0, calls = 0, errors = 0;
    std::optional<Tokens> tokens{};  // nothing if no span knows
    std::optional<Usd> cost{};
    UnixNanos first_seen, last_seen;  // when the first and the last of them began
    std::vector<std::string> models;
    std::int64_t sessions = 0;  // of a user
    // Of a session:
    std::int64_t traces = 0;
    Nanos duration{};  // from the first start to the latest end
    std::vector<std::string> users;
};

struct PartyPage {
    std::vector<PartyTotals> rows;
    std::optional<std::string> cursor;
};

struct TurnQuestion {
    explicit TurnQuestion(Scope whose) : scope(std::move(whose)) {}

    Scope scope;
    std::string session;
    Window window{};
    UnixNanos now;
    bool descending = false;
    std::size_t limit = 50;
    std::uint64_t fingerprint = 0;
    std::optional<Cursor> cursor{};
    Content content = Content::hidden;
};

// A trace that belongs to a session.
struct Turn {
    TraceId trace;
    std::optional<SpanId> root{};
    UnixNanos start;  // of its first span in the session
    std::string name, user, status;
    std::string input, output;  // how they begin; empty for callers who may not read them
    bool cut = false;           // one of them goes on
    TraceTotals totals;         // of all its spans
};

struct TurnPage {
    std::vector<Turn> turns;
    std::optional<std::string> cursor;
};

// Thread-safe. A walk shows the spans that were visible at its first page. Errors are those of Traces;
// `invalid_input` for a walk beyond `most_walked`.
class Sessions {
public:
    static constexpr std::size_t most_walked = 10'000;
    static constexpr std::size_t preview_bytes = 600;

    // Outlives this.
    explicit Sessions(const Figures& figures) : figures_(figures) {}

    Result<PartyPage> list(const PartyQuestion& question, const Cancel& cancel) const;
    Result<TurnPage> turns(const TurnQuestion& question, const Cancel& cancel) const;

private:
    Result<Table> ranked(const PartyQuestion& question, std::uint64_t seq, std::size_t offset,
                         const Cancel& cancel) const;
    Result<Table> newest(GroupQuestion rank, const Cancel& cancel) const;
    Result<Table> by_figure(const PartyQuestion& question, const GroupQuestion& rank,
                            const Cancel& cancel) const;
    Result<void> add_previews(TurnPage& page, const TurnQuestion& question, const Cancel& cancel) const;

    const Figures& figures_;
};

}  // namespace obs::query
