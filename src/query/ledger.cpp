#include "query/ledger.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "pricing/span_usage.h"
#include "query/trace_tree.h"

namespace obs::query {

namespace {

bool used(const Usage& usage) {
    return usage.input || usage.output;
}

bool rolled_up(const SpanBatch& spans, std::size_t row) {
    return spans.rollup_cost[row] || spans.rollup_prompt_tokens[row] || spans.rollup_completion_tokens[row];
}

bool owns_usage(const SpanBatch& spans, std::size_t row) {
    return spans.is_call[row] != 0 && (spans.total_cost[row] || used(usage_of(spans, row)));
}

// The nearest calls below a row that own usage.
std::vector<SpanId> owners_below(const SpanBatch& spans, const TraceTree& tree, std::uint32_t row) {
    std::vector<SpanId> owners;
    std::vector<std::uint32_t> waiting(tree.children(row).begin(), tree.children(row).end());
    while (!waiting.empty() && owners.size() < SpanLedger::most_owners) {
        const std::uint32_t next = waiting.back();
        waiting.pop_back();
        if (owns_usage(spans, next))
            owners.push_back(spans.span_id[next]);
        else
            waiting.insert(waiting.end(), tree.children(next).begin(), tree.children(next).end());
    }
    return owners;
}

class Accountant {
public:
    Accountant(const SpanBatch& spans, const PricesOfRule& prices) : spans_(spans), prices_(prices) {}

    SpanLedger ledger_of(std::size_t row) {
        SpanLedger ledger{.row = row};
        ledger.cost = spans_.total_cost[row];
        if (ledger.cost) {
            ledger.standing = Standing::counted;
            explain(ledger);
        } else if (rolled_up(spans_, row)) {
            ledger.standing = Standing::rolled_up;
            ledger.cost = spans_.rollup_cost[row];
            ledger.reason = "the usage is that of calls below, where it is counted";
        } else if (owns_usage(spans_, row)) {
            ledger.standing = Standing::unpriced;
            ledger.reason = "no price is known for this model of this provider at that time";
        } else {
            ledger.reason = "neither tokens nor a cost are known of this span";
        }
        return ledger;
    }

private:
    void explain(SpanLedger& ledger) {
        const std::string_view rule = spans_.price_rule[ledger.row];
        if (spans_.cost_source[ledger.row] == "client") {
            ledger.reason = "the cost is what the client claims; the server knew no price";
            return;
        }
        const std::vector<Price>& known = prices_of(rule);
        if (rule.empty() || known.empty()) {
            ledger.reason = rule.empty() ? "no rule was kept with this cost"
                                         : "the rule is of another catalogue than this server has";
            return;
        }
        const Usage usage = usage_of(spans_, ledger.row);
        for (const Price& price : known) {
            const auto bill = bill_of(usage, price);
            if (!bill || bill->cost.total != *ledger.cost) continue;
            ledger.lines = bill->lines;
            ledger.rounding = bill->rounding;
            ledger.explained = true;
            return;
        }
        ledger.reason = "the tokens that are kept do not come to this cost at the rates of the rule";
    }

    const std::vector<Price>& prices_of(std::string_view rule) {
        const auto [found, fresh] = known_.try_emplace(std::string(rule));
        if (fresh && !rule.empty()) found->second = prices_(rule);
        return found->second;
    }

    const SpanBatch& spans_;
    const PricesOfRule& prices_;
    std::unordered_map<std::string, std::vector<Price>> known_;
};

void add(Ledger& ledger, const SpanLedger& span) {
    switch (span.standing) {
        case Standing::counted: ++ledger.counted; break;
        case Standing::rolled_up: ++ledger.rolled_up; return;
        case Standing::unpriced: ++ledger.unpriced; return;
        case Standing::none: return;
    }
    ledger.cost = ledger.cost.value_or(Usd{}) + *span.cost;
    if (!span.explained) {
        ledger.unexplained = ledger.unexplained + *span.cost;
        return;
    }
    ledger.rounding = ledger.rounding + span.rounding;
    for (const BillLine& line : span.lines) {
        auto part = std::ranges::find(ledger.parts, line.part, &LedgerPart::part);
        if (part == ledger.parts.end()) part = ledger.parts.insert(part, {.part = line.part});
        part->tokens += line.tokens.count;
        part->amount = part->amount + line.amount();
    }
}

}  // namespace

std::string_view name_of(Standing standing) {
    switch (standing) {
        case Standing::counted: return "counted";
        case Standing::rolled_up: return "rolled_up";
        case Standing::unpriced: return "unpriced";
        case Standing::none: return "none";
    }
    return {};
}

std::vector<const ColumnInfo*> ledger_columns() {
    constexpr std::string_view names[] = {"parent_span_id",
                                          "span_name",
                                          "is_root",
                                          "is_call",
                                          "provider",
                                          "model",
                                          "rollup_cost",
                                          "rollup_prompt_tokens",
                                          "rollup_completion_tokens",
                                          "total_cost",
                                          "cost_source",
                                          "price_rule"};
    std::vector<const ColumnInfo*> columns = find_columns(TableId::spans, names);
    std::ranges::copy(find_columns(TableId::spans, usage_columns), std::back_inserter(columns));
    return columns;
}

Ledger ledger_of(SpanBatch spans, const PricesOfRule& prices) {
    Ledger ledger;
    ledger.spans = std::move(spans);
    const TraceTree tree(ledger.spans);
    Accountant accountant(ledger.spans, prices);
    for (std::uint32_t row = 0; row < ledger.spans.size(); ++row) {
        SpanLedger& span = ledger.rows.emplace_back(accountant.ledger_of(row));
        if (span.standing == Standing::rolled_up) span.owners = owners_below(ledger.spans, tree, row);
        add(ledger, span);
    }
    return ledger;
}

RuleFacts facts_of_rule(std::string_view rule) {
    RuleFacts facts;
    std::size_t at = rule.rfind('@');
    const std::size_t plus = rule.find('+', at == std::string_view::npos ? rule.rfind('/') : at);
    if (plus != std::string_view::npos) {
        facts.service = rule.substr(plus + 1);
        rule = rule.substr(0, plus);
    }
    // Behind the day the hours may stand. Names of models have this sign too.
    for (; at != std::string_view::npos; at = rule.rfind('@')) {
        const std::string_view last = rule.substr(at + 1);
        if (parse_rfc3339(last)) {
            facts.since = last;
            break;
        }
        if (last.find(':') == std::string_view::npos) break;
        rule = rule.substr(0, at);
    }
    return facts;
}

}  // namespace obs::query
