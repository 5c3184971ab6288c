#include "query/unpriced.h"

#include "query/asked.h"

namespace obs::query {

namespace {

FieldRef field(std::string_view name) {
    return {find_column(TableId::spans, name)};
}
Filter present(std::string_view name) {
    return Filter::where({field(name), Operator::present, {}});
}

std::string text_in(const Cell& cell) {
    const auto* text = std::get_if<std::string>(&cell);
    return text == nullptr ? std::string() : *text;
}

}  // namespace

Result<std::vector<UnpricedModel>> unpriced_models(SpanStore& store, const Scope& scope, Window window,
                                                   std::size_t most, const Cancel& cancel) {
    using Function = Aggregate::Function;
    GroupQuestion question(scope);
    question.window = window;
    question.filter.also(Filter::where({field("is_call"), Operator::eq, {std::int64_t{1}}}));
    question.filter.also(Filter::where({field("price_rule"), Operator::missing, {}}));
    question.filter.also({Filter::Kind::any, {present("prompt_tokens"), present("completion_tokens")}, {}});
    question.group_by = {field("project_id"), field("provider"), field("model")};
    question.aggregates = {{.function = Function::count, .name = "calls"},
                           {.function = Function::min, .field = field("ts"), .name = "first"},
                           {.function = Function::max, .field = field("ts"), .name = "last"},
                           {.function = Function::sum, .field = field("total_tokens"), .name = "tokens"},
                           {.function = Function::sum, .field = field("client_cost"), .name = "client_cost"}};
    question.order_by = "calls";
    question.limit = most;
    question.budget = {.time = Nanos::seconds(25), .rows = UINT64_MAX};
    const Table table = OBS_TRY(asked(store.groups(question, cancel)));
    std::vector<UnpricedModel> models;
    for (const std::vector<Cell>& row : table.rows) {
        UnpricedModel& model = models.emplace_back();
        model.project = text_in(row[0]);
        model.provider = text_in(row[1]);
        model.model = text_in(row[2]);
        model.calls = std::get<std::int64_t>(row[3]);
        model.first_seen = {std::get<std::int64_t>(row[4])};
        model.last_seen = {std::get<std::int64_t>(row[5])};
        if (const auto* tokens = std::get_if<std::int64_t>(&row[6])) model.tokens = Tokens{*tokens};
        if (const auto* cost = std::get_if<std::int64_t>(&row[7])) model.client_cost = Usd{*cost};
    }
    return models;
}

}  // namespace obs::query
