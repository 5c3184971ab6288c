#include "serve/ledger_json.h"

#include <algorithm>
#include <vector>

namespace obs::serve {

namespace {

using query::Ledger;
using query::SpanLedger;
using query::Standing;

constexpr std::int64_t million = 1'000'000;

// Money below a nano-dollar.
void write_exact(JsonWriter& json, std::string_view name, PicoUsd amount) {
    json.key(name).raw(amount.dollars());
}

void write_line(JsonWriter& json, const BillLine& line) {
    const bool fee = line.part == "request";
    json.begin_object().field("part", line.part).field(fee ? "requests" : "tokens", line.tokens.count);
    // A rate is that of one token; people know those of a million.
    write_exact(json, fee ? "rate_usd" : "rate_usd_per_million",
                {PicoUsd::Wide{line.rate.picos} * (fee ? 1 : million)});
    write_exact(json, "amount_usd", line.amount());
    json.end_object();
}

void write_rule(JsonWriter& json, std::string_view rule) {
    if (rule.empty()) return;
    const query::RuleFacts facts = query::facts_of_rule(rule);
    json.field("price_rule", rule);
    if (!facts.since.empty()) json.field("valid_since", facts.since);
    if (!facts.service.empty()) json.field("service", facts.service);
}

void write_text(JsonWriter& json, std::string_view name, std::string_view text) {
    if (!text.empty()) json.field(name, text);
}

}  // namespace

void write_span_ledger(JsonWriter& json, const Ledger& ledger, const SpanLedger& span) {
    const SpanBatch& spans = ledger.spans;
    const std::size_t row = span.row;
    json.begin_object().field("trace_id", spans.trace_id[row].hex());
    json.field("span_id", spans.span_id[row].hex()).field("span_name", spans.span_name[row]);
    json.field("timestamp", rfc3339(spans.ts[row]));
    write_text(json, "provider", spans.provider[row]);
    write_text(json, "model", spans.model[row]);
    json.field("standing", query::name_of(span.standing));
    if (span.cost) json.field("cost_usd", *span.cost);
    if (span.standing == Standing::counted) {
        write_text(json, "cost_source", spans.cost_source[row]);
        write_rule(json, spans.price_rule[row]);
        json.key("lines").begin_array();
        for (const BillLine& line : span.lines) write_line(json, line);
        json.end_array();
        if (span.explained) write_exact(json, "rounding_usd", span.rounding);
        json.field("explained", span.explained);
    }
    if (span.standing == Standing::rolled_up) {
        json.key("owners").begin_array();
        for (const SpanId owner : span.owners) json.value(owner.hex());
        json.end_array();
    }
    write_text(json, "reason", span.reason);
    json.end_object();
}

void write_trace_ledger(JsonWriter& json, const Ledger& ledger, std::size_t most) {
    json.begin_object().field("trace_id", ledger.spans.trace_id[0].hex());
    if (ledger.cost) json.field("cost_usd", *ledger.cost);
    json.key("parts").begin_array();
    for (const query::LedgerPart& part : ledger.parts) {
        json.begin_object().field("part", part.part);
        json.field(part.part == "request" ? "requests" : "tokens", part.tokens);
        write_exact(json, "amount_usd", part.amount);
        json.end_object();
    }
    json.end_array();
    write_exact(json, "rounding_usd", ledger.rounding);
    json.field("unexplained_usd", ledger.unexplained);
    json.field("counted_spans", std::uint64_t{ledger.counted});
    json.field("rolled_up_spans", std::uint64_t{ledger.rolled_up});
    json.field("unpriced_spans", std::uint64_t{ledger.unpriced});

    std::vector<const SpanLedger*> shown;
    for (const SpanLedger& span : ledger.rows)
        if (span.standing != Standing::none) shown.push_back(&span);
    const auto rank = [](const SpanLedger* span) {
        const bool counted = span->standing == Standing::counted;
        return std::pair(!counted, -(counted ? span->cost->nanos : 0));
    };
    std::ranges::stable_sort(shown, {}, rank);
    json.field("more_spans", std::uint64_t{shown.size() - std::min(shown.size(), most)});
    if (shown.size() > most) shown.resize(most);
    json.key("spans").begin_array();
    for (const SpanLedger* span : shown) write_span_ledger(json, ledger, *span);
    json.end_array().end_object();
}

}  // namespace obs::serve
