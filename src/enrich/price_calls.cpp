#include "enrich/price_calls.h"

#include <algorithm>
#include <cmath>

#include "pricing/price.h"
#include "pricing/span_usage.h"

namespace obs {

namespace {

// Providers spell it in their own way; `default`, `standard` and `auto` are the standard service.
std::string_view service_of(std::string_view tier) {
    for (const std::string_view service : {"batch", "flex", "priority", "fast"})
        if (tier == service) return service;
    return {};
}

bool disagree(Usd ours, Usd theirs) {
    const double difference = std::fabs(static_cast<double>(ours.nanos) - static_cast<double>(theirs.nanos));
    return difference > 0.01 * static_cast<double>(std::max(ours.nanos, theirs.nanos));
}

void put_client_cost(SpanBatch& batch, std::size_t row, const CostNotes& notes) {
    const std::optional<Usd> total = batch.client_cost[row];
    if (!total) return;
    batch.prompt_cost.put(row, notes.client_input[row]);
    batch.completion_cost.put(row, notes.client_output[row]);
    batch.total_cost.put(row, *total);
    batch.cost_source.put(row, "client");
}

}  // namespace

Priced price_calls(SpanBatch& batch, const CostNotes& notes, const PriceTable& prices) {
    Priced priced;
    for (std::size_t row = 0; row < batch.size(); ++row) {
        if (batch.is_call[row] == 0) continue;
        const std::string_view provider = batch.provider[row], model = batch.model[row];
        const std::string_view asked = batch.request_model[row],
                               service = service_of(notes.service_tier[row]);
        const Usage usage = usage_of(batch, row);
        const bool used = usage.input || usage.output;
        const Price* price = price_of_call(batch, row, service, prices);
        const std::optional<Cost> cost = price == nullptr ? std::nullopt : cost_of(usage, *price);
        if (!cost) {
            if (used) priced.unknown.add(provider, model.empty() ? asked : model);
            put_client_cost(batch, row, notes);
            continue;
        }
        batch.prompt_cost.put(row, cost->input);
        batch.completion_cost.put(row, cost->output);
        batch.total_cost.put(row, cost->total);
        batch.cost_source.put(row, "server");
        batch.price_rule.put(row, price->rule);
        if (const auto claimed = batch.client_cost[row]; claimed && disagree(cost->total, *claimed))
            ++priced.disagreements;
    }
    return priced;
}

}  // namespace obs
