// From what OTLP said to what it means: one canonical row per span, log record and metric point.
//
// The steps run in this order: normalise (recognise the convention, map attributes to columns), usage, price,
// redact, sample, index terms. docs/conventions.md tells what is recognised and what wins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/batches.h"
#include "model/intake.h"
#include "model/raw_batches.h"
#include "pricing/price_board.h"
#include "text/tokeniser.h"

namespace obs {

// Version of the mapping from attributes to columns; every span keeps the one that read it.
inline constexpr std::uint16_t mapping_version = 1;

// Models that used tokens and have no price, each provider and model once. A request that names more than
// `most_models` has its further spans counted under empty names.
struct UnknownModels {
    static constexpr std::size_t most_models = 256;
    struct Model {
        std::string provider, model;
        std::uint64_t spans = 0;
    };
    std::vector<Model> models;

    std::uint64_t spans() const;
    void add(std::string_view provider, std::string_view model);
};

struct EnrichedSpans {
    SpanBatch spans;
    // Placeholders that say a span is running. They belong into the table of open traces and are never stored
    // or counted as spans.
    SpanBatch pending;
    ScoreBatch scores;
    UnknownModels unknown;
    // Priced spans whose client claimed a cost more than 1 % away from ours.
    std::uint64_t cost_disagreements = 0;
    // Spans that head sampling left out; none of them is in `spans`.
    std::uint64_t sampled_out = 0;
};

struct EnrichedLogs {
    LogBatch logs;  // every record, also those that `content` was made of
    // What log events tell about a span: trace_id and span_id (zero if the event names none; then response_id
    // is how to find the span), span_name is the event's name, and else only the columns the event knows.
    // Several rows can be meant for one span; their order is the order of arrival. They are joined with
    // merge_content(), and are never stored as spans.
    SpanBatch content;
    ScoreBatch scores;
};

// Thread-safe: any number of threads may call at once. Keeps references to both arguments.
class Enricher {
public:
    Enricher(const PriceBoard& prices, const Tokeniser& tokeniser) : prices_(prices), tokeniser_(tokeniser) {}

    // Never fails: what cannot be understood stays in `attributes` as it came. The input may refer to the
    // request's body until this returns; the result refers to nothing.
    EnrichedSpans spans(RawSpans&& raw, const Tenant& tenant) const;
    EnrichedLogs logs(RawLogs&& raw, const Tenant& tenant) const;
    MetricBatch metrics(RawMetrics&& raw, const Tenant& tenant) const;

    // Makes anew what follows from input_text and output_text of the rows [begin, end): search_text, and how
    // what models and agents were told and said reads (docs/quality.md).
    void read_texts(SpanBatch& spans, std::size_t begin, std::size_t end) const;

private:
    const PriceBoard& prices_;
    const Tokeniser& tokeniser_;
};

// Joins a row of EnrichedLogs::content to the span it belongs to, or to another row of content. What the span
// said itself wins. Messages of per-message events (gen_ai.user.message, gen_ai.choice) are put behind those
// that were joined before, up to 1 MiB a side; an event with all messages replaces them. Usage and cost are
// taken only by a span that has none. Tells whether anything changed; search_text is then out of date. Costs
// the length of the texts behind `row`: cheap for the last row of a batch.
bool merge_content(SpanBatch& to, std::size_t row, const SpanBatch& content, std::size_t content_row);

}  // namespace obs
