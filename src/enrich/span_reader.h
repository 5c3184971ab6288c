// One span's attributes and events to one row of columns. The order of what wins is in docs/conventions.md.
#pragma once

#include <bitset>
#include <string>
#include <vector>

#include "enrich/content.h"
#include "enrich/found.h"
#include "enrich/recognise.h"
#include "model/batches.h"
#include "model/raw_batches.h"

namespace obs {

// What pricing wants to know of a row beside its columns.
struct CostNotes {
    column::Dict service_tier;
    column::OptUsd client_input, client_output;
};

// Reads span after span of one request. The batch must not be touched by others in between.
class SpanReader {
public:
    SpanReader(RawAttributes& raw, SpanBatch& batch, CostNotes& notes);

    struct Source {
        RawRange attributes;
        std::span<const RawEvent> events{};
        ScopeKind scope = ScopeKind::ordinary;
        std::string_view environment, release;  // of the resource
        bool is_root = false;
    };
    // `row` is the row that comes next in every column but those that decoding filled: ts, duration, names
    // and ids of spans.
    Recognised read_span(std::size_t row, const Source& source);
    // The same for a log event that repeats a span's attributes: no kind, no attributes, no events.
    void read_details(std::size_t row, RawRange attributes);

    const Found& found() const { return found_; }
    // error_message of all rows read so far: takes the place of the batch's, which decoding filled.
    column::Text take_error_messages() { return std::move(error_messages_); }

private:
    void collect(RawRange attributes, UnixNanos start, Nanos duration, ScopeKind scope);
    void read_events(std::size_t row, const Source& source);
    void read_json_facts();
    void fill_gaps(const Recognised& span);
    void write_identity(std::size_t row, const Recognised& span, const Source& source);
    void write_settings(std::size_t row, const Recognised& span);
    void write_usage(std::size_t row, const Recognised& span, ScopeKind scope);
    void write_costs(std::size_t row, const Recognised& span);
    void write_status(std::size_t row);
    void write_tags(std::size_t row);
    void write_events(std::size_t row, const Source& source);
    void write_attributes(std::size_t row, const Recognised& span, RawRange attributes);
    bool is_represented(std::size_t row, const RawAttribute& attribute, const KeyInfo& key,
                        const Recognised& span) const;

    RawAttributes& raw_;
    SpanBatch& batch_;
    CostNotes& notes_;
    std::vector<KeyInfo> keys_;
    std::vector<std::uint32_t> last_;      // by key: where it stood last in the current span
    std::vector<std::uint32_t> map_code_;  // by key: its code in the batch's map, 0 if not yet known
    std::array<std::uint32_t, 10> kind_code_{};
    Found found_;
    ContentReader content_;
    UsageForm usage_form_;
    std::string_view exception_type_, exception_message_;
    column::Text error_messages_;
    std::string scratch_;
};

}  // namespace obs
