// What is known of the traces that are being watched, from the spans that came by. A bounded table: of very
// many, those that were first heard of longest ago are forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"
#include "model/batches.h"
#include "model/live_spans.h"

namespace obs::live {

struct WatchedTrace {
    TraceId id;
    std::string org, project;
    SpanId span;  // the root, else the first that came
    std::string service, name, operation, provider, model, environment, user, session;
    std::uint8_t status = 0;  // of the root, else the worst
    UnixNanos begin{}, end{};
    bool has_root = false, settled = false;
    std::uint64_t span_count = 0, error_count = 0;

    struct Span {
        SpanId id;
        std::optional<Usd> cost;
        std::optional<Tokens> tokens;
        bool counts;
    };
    std::vector<Span> spans;
    std::vector<std::uint32_t> seen_by;  // filters that have let it through

    std::optional<Usd> cost() const;
    std::optional<Tokens> tokens() const;
    bool was_seen_by(std::uint32_t filter) const;
    // The event's fields as JSON (contract 1.13), without what is not known; `timestamp` comes last.
    std::string data() const;
    // The same as a row, for filters.
    void append_to(SpanBatch& rows) const;
};

// One thread.
class TraceTable {
public:
    struct Limits {
        std::size_t traces = 65'536, spans = 1'000'000;
    };
    explicit TraceTable(Limits limits) : limits_(limits) {}
    TraceTable() : TraceTable(Limits{}) {}

    struct Heard {
        WatchedTrace* trace;  // valid until the table changes again
        bool news;            // not a span that had come before
    };
    Heard add(const SpanBatch& rows, std::size_t row);
    // Null when the trace is not known.
    WatchedTrace* settle(const SettledTrace& settled);
    // Forgets the oldest until the limits hold. Not within a round that holds pointers.
    void make_room();
    void clear();
    std::size_t size() const { return traces_.size(); }

private:
    struct Key {
        std::string tenant;  // organisation and project
        TraceId trace;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const {
            return std::hash<TraceId>()(key.trace) ^ std::hash<std::string>()(key.tenant);
        }
    };
    static Key key_of(std::string_view org, std::string_view project, TraceId trace);

    const Limits limits_;
    std::unordered_map<Key, WatchedTrace, KeyHash> traces_;
    std::deque<Key> in_order_;
    std::size_t spans_ = 0;
};

}  // namespace obs::live
