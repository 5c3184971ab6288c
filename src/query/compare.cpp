#include "query/compare.h"

#include <algorithm>
#include <utility>

namespace obs::query {

namespace {

Filter called(const std::string& model) {
    Filter either{Filter::Kind::any, {}, {}};
    for (const char* name : {"model", "request_model"})
        either.children.push_back(
            Filter::where({{find_column(TableId::spans, name)}, Operator::eq, {model}}));
    return either;
}

// The name of the model for which `figure` is least; models without it do not count.
template <class F>
std::string least(const std::vector<ComparedModel>& models, F&& figure) {
    std::string best = "N/A";
    std::optional<double> lowest;
    for (const ComparedModel& model : models) {
        const std::optional<double> value = figure(model.figures);
        if (!value || (lowest && *value >= *lowest)) continue;
        lowest = value;
        best = model.name;
    }
    return best;
}

std::optional<double> cost_per_call(const Performance& figures) {
    if (!figures.cost || figures.priced == 0) return std::nullopt;
    return static_cast<double>(figures.cost->nanos) / 1e9 / static_cast<double>(figures.priced);
}

void recommend(Comparison& comparison) {
    const auto add = [&](const std::string& model, std::string_view why) {
        if (model != "N/A") comparison.recommendations.push_back(fmt::format("Use {} for {}.", model, why));
    };
    add(comparison.fastest, "the shortest waiting time");
    add(comparison.cheapest, "the lowest cost per call");
    add(comparison.most_reliable, "the fewest errors");
    for (const ComparedModel& model : comparison.models)
        if (model.figures.requests == 0)
            comparison.recommendations.push_back(
                fmt::format("{} had no calls in this window; widen it to compare.", model.name));
}

}  // namespace

Result<Comparison> compare(const Figures& figures, const PerformanceQuestion& asked,
                           const std::vector<std::string>& models, const Cancel& cancel) {
    Comparison comparison;
    for (const std::string& model : models) {
        PerformanceQuestion question = asked;
        question.filter = called(model);
        if (!asked.filter.always()) {
            Filter both;
            both.also(std::move(question.filter));
            both.also(asked.filter);
            question.filter = std::move(both);
        }
        question.errors = false;
        question.group_by = {*dimension_from("provider")};
        const PerformanceReport report = OBS_TRY(performance(figures, question, cancel));
        ComparedModel& compared = comparison.models.emplace_back();
        compared.name = model;
        compared.figures = report.total;
        for (const PerformanceGroup& group : report.groups)
            if (!group.names.front().empty()) compared.providers.push_back(group.names.front());
        comparison.source =
            comparison.models.size() == 1 ? report.source : together(comparison.source, report.source);
        comparison.exact = comparison.exact && report.exact;
    }
    const std::vector<ModelScore> scores = OBS_TRY(scores_by_model(figures, asked, cancel));
    for (ComparedModel& model : comparison.models)
        model.quality = average_score(scores, [&](const ModelScore& one) {
            return one.model == model.name || one.request_model == model.name;
        });
    comparison.fastest = least(comparison.models, [](const Performance& p) { return p.latency.average; });
    comparison.cheapest = least(comparison.models, cost_per_call);
    comparison.most_reliable = least(comparison.models, [](const Performance& p) { return p.error_rate(); });
    recommend(comparison);
    return comparison;
}

}  // namespace obs::query
