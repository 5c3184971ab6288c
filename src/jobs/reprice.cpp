#include "jobs/reprice.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "pricing/span_usage.h"
#include "query/ledger.h"

namespace obs::jobs {

namespace {

// Rows of one amendment, and at most a piece of the store more.
constexpr std::size_t changed_at_once = 20'000;

FieldRef field(std::string_view name) {
    return {find_column(TableId::spans, name)};
}
Filter present(std::string_view name) {
    return Filter::where({field(name), Operator::present, {}});
}
Filter among(std::string_view name, const std::vector<std::string>& values) {
    return Filter::where({field(name), Operator::in, {values.begin(), values.end()}});
}

std::vector<const ColumnInfo*> columns() {
    constexpr std::string_view names[] = {"seq",         "provider",        "model",      "request_model",
                                          "prompt_cost", "completion_cost", "total_cost", "cost_source",
                                          "price_rule",  "client_cost"};
    std::vector<const ColumnInfo*> found = find_columns(TableId::spans, names);
    std::ranges::copy(find_columns(TableId::spans, usage_columns), std::back_inserter(found));
    return found;
}

struct RowCost {
    std::optional<Usd> input{}, output{}, total{};
    std::string_view source{}, rule{};
    bool operator==(const RowCost&) const = default;
};

RowCost stored_cost(const SpanBatch& rows, std::size_t row) {
    return {rows.prompt_cost[row], rows.completion_cost[row], rows.total_cost[row], rows.cost_source[row],
            rows.price_rule[row]};
}

RowCost cost_now(const SpanBatch& rows, std::size_t row, const PriceTable& prices) {
    const std::string_view service = query::facts_of_rule(rows.price_rule[row]).service;
    const Price* price = price_of_call(rows, row, service, prices);
    const auto cost = price == nullptr ? std::nullopt : cost_of(usage_of(rows, row), *price);
    if (cost) return {cost->input, cost->output, cost->total, "server", price->rule};
    // With the parts that the client told, which are nowhere else.
    if (rows.cost_source[row] == "client") return stored_cost(rows, row);
    if (const auto claimed = rows.client_cost[row]) return {.total = claimed, .source = "client"};
    return {};
}

void put_cost(SpanBatch& costs, const SpanBatch& rows, std::size_t row, const RowCost& cost) {
    const std::size_t at = costs.size();
    costs.seq.put(at, rows.seq[row]);
    costs.ts.put(at, rows.ts[row]);
    costs.trace_id.put(at, rows.trace_id[row]);
    costs.span_id.put(at, rows.span_id[row]);
    if (cost.input) costs.prompt_cost.put(at, *cost.input);
    if (cost.output) costs.completion_cost.put(at, *cost.output);
    if (cost.total) costs.total_cost.put(at, *cost.total);
    costs.cost_source.put(at, cost.source);
    costs.price_rule.put(at, cost.rule);
}

UnixNanos start_of_day(UnixNanos at) {
    return bucket_of(RollupLevel::day, at).start;
}

void write_sums(JsonWriter& json, const RepriceSums& sums) {
    json.field("calls", sums.calls).field("changed", sums.changed);
    json.field("cost_before_usd", sums.before).field("cost_after_usd", sums.after);
    json.field("unpriced_before", sums.unpriced_before).field("unpriced_after", sums.unpriced_after);
}

}  // namespace

RowQuestion reprice_question(const RepriceAsked& asked) {
    RowQuestion question(asked.scope);
    question.window = asked.window;
    question.filter.also(Filter::where({field("is_call"), Operator::eq, {std::int64_t{1}}}));
    question.filter.also({Filter::Kind::any, {present("prompt_tokens"), present("completion_tokens")}, {}});
    if (!asked.providers.empty()) question.filter.also(among("provider", asked.providers));
    if (!asked.models.empty())
        question.filter.also(
            {Filter::Kind::any, {among("model", asked.models), among("request_model", asked.models)}, {}});
    question.columns = columns();
    question.limit = 0;
    question.budget = {.time = Nanos::hours(1), .rows = UINT64_MAX};
    return question;
}

void RepriceSums::add(const RepriceSums& more) {
    calls += more.calls;
    changed += more.changed;
    before = before + more.before;
    after = after + more.after;
    unpriced_before += more.unpriced_before;
    unpriced_after += more.unpriced_after;
}

void RepriceDiff::add(Part part, const RepriceSums& sums) {
    total.add(sums);
    auto found = parts.find(part);
    if (found == parts.end() && parts.size() >= most_parts) part = {};
    if (found == parts.end()) found = parts.try_emplace(std::move(part)).first;
    found->second.add(sums);
}

void write_diff(JsonWriter& json, const RepriceDiff& diff, std::size_t most) {
    write_sums(json, diff.total);
    std::vector<const std::pair<const RepriceDiff::Part, RepriceSums>*> order;
    for (const auto& part : diff.parts) order.push_back(&part);
    std::ranges::stable_sort(order, std::greater{}, [](const auto* part) {
        return std::pair(std::abs(part->second.after.nanos - part->second.before.nanos),
                         part->second.changed);
    });
    const std::size_t shown = std::min(most, order.size());
    json.key("parts").begin_array();
    for (std::size_t at = 0; at < shown; ++at) {
        const auto& [part, sums] = *order[at];
        json.begin_object().field("project_id", part.project).field("provider", part.provider);
        json.field("model", part.model).field("day", rfc3339(part.day).substr(0, 10));
        write_sums(json, sums);
        json.end_object();
    }
    json.end_array().field("parts_left_out", std::uint64_t{order.size() - shown});
}

namespace {

// One project after the other: its rows lie in their order, so that nothing has to be sorted.
Result<std::vector<std::string>> projects_of(SpanStore& store, const RowQuestion& question,
                                             const Cancel& cancel) {
    GroupQuestion groups(question.scope);
    groups.window = question.window;
    groups.filter = question.filter;
    groups.up_to_seq = question.up_to_seq;
    groups.group_by = {field("project_id")};
    groups.aggregates.push_back({.name = "calls"});
    groups.budget = question.budget;
    std::vector<std::string> projects;
    const Table found = OBS_TRY(store.groups(groups, cancel));
    for (const auto& row : found.rows)
        if (const auto* project = std::get_if<std::string>(&row.at(0))) projects.push_back(*project);
    return projects;
}

class Repricer {
public:
    Repricer(SpanStore& store, const PriceBoard& prices, const RepriceSink& sink,
             const RepriceProgress& progress, const Cancel& cancel)
        : store_(store), prices_(prices), sink_(sink), progress_(progress), cancel_(cancel) {}

    Result<void> add_project(RowQuestion question, std::string project, Reader reader) {
        question.scope = Scope(question.scope.org(), {project});
        project_ = std::move(project);
        table_ = prices_.prices_of(question.scope.org(), project_);
        const auto take = [&](const AnyBatch& batch) { return add(std::get<SpanBatch>(batch)); };
        OBS_TRY_VOID(reader == Reader::job ? store_.export_rows(question, take, cancel_)
                                           : store_.stream(question, take, cancel_));
        OBS_TRY_VOID(std::move(handed_));
        if (cancel_.due()) return fail(ErrorKind::cancelled, "given up");
        return hand_on();
    }
    RepriceDiff diff() && { return std::move(diff_); }

private:
    bool add(const SpanBatch& rows) {
        for (std::size_t row = 0; row < rows.size(); ++row) add(rows, row);
        if (progress_) progress_(diff_.total.calls);
        if (costs_.size() >= changed_at_once) handed_ = hand_on();
        return handed_.has_value() && !cancel_.due();
    }

    void add(const SpanBatch& rows, std::size_t row) {
        const RowCost before = stored_cost(rows, row), after = cost_now(rows, row, *table_);
        const bool differs = before != after;
        const std::string_view model = rows.model[row].empty() ? rows.request_model[row] : rows.model[row];
        diff_.add({project_, std::string(rows.provider[row]), std::string(model), start_of_day(rows.ts[row])},
                  {1, differs ? 1 : 0, before.total.value_or(Usd{}), after.total.value_or(Usd{}),
                   before.rule.empty() ? 1 : 0, after.rule.empty() ? 1 : 0});
        if (differs && sink_) put_cost(costs_, rows, row, after);
    }

    Result<void> hand_on() {
        if (costs_.empty()) return {};
        return sink_(project_, std::exchange(costs_, {}));
    }

    SpanStore& store_;
    const PriceBoard& prices_;
    const RepriceSink& sink_;
    const RepriceProgress& progress_;
    const Cancel& cancel_;
    RepriceDiff diff_;
    std::string project_;
    PriceBoard::Table table_;
    SpanBatch costs_;
    Result<void> handed_{};
};

}  // namespace

Result<RepriceDiff> reprice(SpanStore& store, const RowQuestion& question, const PriceBoard& prices,
                            Reader reader, const RepriceSink& sink, const RepriceProgress& progress,
                            const Cancel& cancel) {
    Repricer repricer(store, prices, sink, progress, cancel);
    for (std::string& project : OBS_TRY(projects_of(store, question, cancel)))
        OBS_TRY_VOID(repricer.add_project(question, std::move(project), reader));
    return std::move(repricer).diff();
}

}  // namespace obs::jobs
