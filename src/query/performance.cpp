#include "query/performance.h"

#include <algorithm>
#include <future>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "query/asked.h"
#include "query/scores.h"

namespace obs::query {

namespace {

using Function = Aggregate::Function;

constexpr std::size_t most_steps = 10'000;
constexpr std::size_t most_error_types = 50;

std::vector<Aggregate> performance_aggregates() {
    std::vector<Aggregate> all = {count_of_calls(),
                                  count_of_errors(),
                                  aggregate_of(Function::avg, "duration", "avg"),
                                  aggregate_of(Function::min, "duration", "min"),
                                  aggregate_of(Function::max, "duration", "max"),
                                  sum_of("duration", "sum"),
                                  aggregate_of(Function::avg, "ttft", "ttft avg"),
                                  count_with("ttft", "ttft count"),
                                  sum_of("total_tokens", "tokens"),
                                  sum_of("prompt_tokens", "prompt_tokens"),
                                  sum_of("completion_tokens", "completion_tokens"),
                                  sum_of("total_cost", "cost"),
                                  count_with("total_cost", "priced")};
    for (const auto& [name, level] : {std::pair{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}}) {
        all.push_back(quantile_of("duration", level, name));
        all.push_back(quantile_of("ttft", level, fmt::format("ttft {}", name)));
    }
    return all;
}

std::optional<double> milliseconds(const FigureTable& table, std::size_t row, std::string_view name) {
    const auto nanos = table.number(row, name);
    return nanos ? std::optional(*nanos / 1e6) : std::nullopt;
}

Performance performance_in(const FigureTable& table, std::size_t row, double seconds) {
    const auto ms = [&](std::string_view name) { return milliseconds(table, row, name); };
    Performance p;
    p.requests = table.count(row, "calls");
    p.errors = table.count(row, "errors");
    p.latency = {ms("avg"), ms("min"), ms("max"), ms("p50"), ms("p95"), ms("p99")};
    p.ttft = {ms("ttft avg"), {}, {}, ms("ttft p50"), ms("ttft p95"), ms("ttft p99")};
    p.ttft_count = table.count(row, "ttft count");
    p.tokens = table.integer(row, "tokens");
    p.prompt_tokens = table.integer(row, "prompt_tokens");
    p.completion_tokens = table.integer(row, "completion_tokens");
    p.cost = table.money(row, "cost");
    p.priced = table.count(row, "priced");
    const auto took = table.number(row, "sum");
    if (p.completion_tokens && took && *took > 0)
        p.tokens_per_second = static_cast<double>(*p.completion_tokens) * 1e9 / *took;
    p.seconds = seconds;
    return p;
}

double seconds_between(UnixNanos from, UnixNanos to) {
    return static_cast<double>(std::max<std::int64_t>((to - from).count, 0)) / 1e9;
}

std::vector<PerformancePoint> points_in(const Table& cells, const PerformanceQuestion& asked,
                                        std::span<const UnixNanos> edges) {
    const FigureTable table(cells);
    std::vector<PerformancePoint> points;
    std::size_t row = 0;
    for (std::size_t at = 0; at + 1 < edges.size(); ++at) {
        const double seconds =
            seconds_between(std::max(edges[at], asked.from), std::min(edges[at + 1], asked.to));
        PerformancePoint& point = points.emplace_back(PerformancePoint{edges[at], {}});
        point.figures.seconds = seconds;
        if (row < table.size() && table.bucket(row) == edges[at])
            point.figures = performance_in(table, row++, seconds);
    }
    return points;
}

std::vector<PerformanceGroup> groups_in(const Table& cells, const PerformanceQuestion& asked) {
    const FigureTable table(cells);
    std::vector<PerformanceGroup> groups;
    for (std::size_t row = 0; row < table.size() && groups.size() < asked.limit; ++row) {
        PerformanceGroup& group = groups.emplace_back();
        for (std::size_t at = 0; at < asked.group_by.size(); ++at)
            group.names.push_back(group_text(asked.group_by[at].field, table.cell(row, at)));
        group.figures = performance_in(table, row, seconds_between(asked.from, asked.to));
    }
    return groups;
}

FieldRef field_of(std::string_view column, TableId table = TableId::spans) {
    return {find_column(table, column)};
}

Filter of_errors(const Filter& filter) {
    Filter errors;
    errors.also(Filter::where({field_of("status_code"), Operator::eq, {std::int64_t{2}}}));
    if (!filter.always()) errors.also(filter);
    return errors;
}

ErrorType* named(std::vector<ErrorType>& errors, std::string_view name) {
    const auto found = std::ranges::find(errors, name, &ErrorType::name);
    return found == errors.end() ? nullptr : &*found;
}

// Messages of the newest errors.
Result<void> add_new_samples(std::vector<ErrorType>& errors, const Figures& figures,
                             const PerformanceQuestion& asked, const Cancel& cancel) {
    RowQuestion question(asked.scope);
    question.window = {asked.from, asked.to};
    question.filter = of_errors(asked.filter);
    question.filter.also(Filter::where({field_of("is_call"), Operator::eq, {std::int64_t{1}}}));
    question.filter.also(Filter::where({field_of("error_message"), Operator::present, {}}));
    question.columns = {field_of("error_code").column, field_of("error_message").column};
    question.limit = 200;
    const Rows rows = OBS_TRY(query::asked(figures.store().rows(question, cancel)));
    const SpanBatch& spans = std::get<SpanBatch>(rows.batch);
    for (std::size_t row = 0; row < spans.size(); ++row) {
        ErrorType* error = named(errors, spans.error_code[row]);
        if (error != nullptr && error->sample.empty()) error->sample = spans.error_message[row];
    }
    return {};
}

// Of those that are not among the newest.
Result<void> add_other_samples(std::vector<ErrorType>& errors, const Figures& figures,
                               const PerformanceQuestion& asked, const Cancel& cancel) {
    std::vector<Scalar> names;
    for (const ErrorType& error : errors)
        if (error.sample.empty() && !error.name.empty()) names.emplace_back(error.name);
    if (names.empty()) return {};
    GroupQuestion question(asked.scope);
    question.window = {asked.from, asked.to};
    question.filter = of_errors(asked.filter);
    question.filter.also(Filter::where({field_of("error_code"), Operator::in, std::move(names)}));
    question.group_by = {field_of("error_code")};
    question.aggregates = {{.function = Function::min, .field = field_of("error_message"), .name = "sample"}};
    const Table table = OBS_TRY(figures.of_calls(std::move(question), cancel));
    for (const std::vector<Cell>& row : table.rows)
        if (ErrorType* error = named(errors, group_text(field_of("error_code"), row[0])))
            error->sample = group_text(field_of("error_message"), row[1]);
    return {};
}

Result<std::vector<ErrorType>> errors_by_type(const Figures& figures, const PerformanceQuestion& asked,
                                              const Cancel& cancel) {
    FigureQuestion question(asked.scope);
    question.filter = of_errors(asked.filter);
    question.group_by = {field_of("error_code")};
    question.aggregates = {count_of_calls("count")};
    question.sets = {{.by_time = false, .groups = {0}}};
    question.order_by = "count";
    question.limit = most_error_types;
    const FigureAnswer answer =
        OBS_TRY(figures.answer(std::move(question), {asked.from, asked.to}, asked.now, cancel));
    std::vector<ErrorType> errors;
    for (const std::vector<Cell>& row : answer.sets.front().rows)
        errors.push_back({group_text(field_of("error_code"), row[0]), std::get<std::int64_t>(row[1]), {}});
    if (!asked.samples || errors.empty()) return errors;
    OBS_TRY_VOID(add_new_samples(errors, figures, asked, cancel));
    OBS_TRY_VOID(add_other_samples(errors, figures, asked, cancel));
    return errors;
}

// A mood this near to 0 is none; what those recommend who made the scale.
constexpr double neutral_mood = 0.05;

void count_moods(std::vector<Aggregate>& aggregates, std::string_view column) {
    const FieldRef mood = field_of(column);
    const auto count = [&](std::string_view name, Condition only) {
        aggregates.push_back({.function = Function::count,
                              .only = Filter::where(std::move(only)),
                              .name = fmt::format("{} {}", column, name)});
    };
    count("count", {mood, Operator::present, {}});
    count("positive", {mood, Operator::gte, {neutral_mood}});
    count("negative", {mood, Operator::lte, {-neutral_mood}});
    aggregates.push_back({.function = Function::sum, .field = mood, .name = fmt::format("{} sum", column)});
}

Moods moods_in(const FigureTable& table, std::string_view column) {
    const auto name = [&](std::string_view what) { return fmt::format("{} {}", column, what); };
    return {table.count(0, name("count")), table.count(0, name("positive")), table.count(0, name("negative")),
            table.number(0, name("sum")).value_or(0)};
}

// What is kept of each call about its texts and its end.
Result<void> add_texts(QualityReport& report, const Figures& figures, const PerformanceQuestion& asked,
                       const Cancel& cancel) {
    GroupQuestion question(asked.scope);
    question.window = {asked.from, asked.to};
    question.filter = asked.filter;
    const FieldRef reason = field_of("stop_reason");
    question.aggregates = {{.function = Function::count,
                            .only = Filter::where({reason, Operator::eq, {std::string("length")}}),
                            .name = "cut"},
                           {.function = Function::count,
                            .only = Filter::where({reason, Operator::present, {}}),
                            .name = "known"},
                           aggregate_of(Function::avg, "coherence", "coherence")};
    for (const char* side : {"input_sentiment", "output_sentiment"}) count_moods(question.aggregates, side);
    const Table cells = OBS_TRY(figures.of_calls(std::move(question), cancel));
    const FigureTable table(cells);
    if (const std::int64_t known = table.count(0, "known"); known > 0)
        report.truncated_rate = static_cast<double>(table.count(0, "cut")) / static_cast<double>(known);
    report.coherence = table.number(0, "coherence");
    report.input = moods_in(table, "input_sentiment");
    report.output = moods_in(table, "output_sentiment");
    return {};
}

Condition score_is(std::string_view column, Operator op, std::vector<Scalar> values = {}) {
    return {field_of(column, TableId::scores), op, std::move(values)};
}

Filter labelled(std::span<const std::string_view> words) {
    std::vector<Scalar> values;
    for (const std::string_view word : words) values.emplace_back(std::string(word));
    return Filter::where(score_is("label", Operator::in, std::move(values)));
}

Filter either(std::vector<Filter> ways) {
    return {Filter::Kind::any, std::move(ways), {}};
}

// Each trace and session once, whoever said yes.
Result<void> add_resolution(QualityReport& report, const Figures& figures, const PerformanceQuestion& asked,
                            const Cancel& cancel) {
    GroupQuestion question(asked.scope);
    question.table = TableId::scores;
    question.window = {asked.from, asked.to};
    question.filter.also(
        Filter::where(score_is("name", Operator::in, {std::string("resolved"), std::string("resolution")})));
    Filter word_for_yes;
    word_for_yes.also(Filter::where(score_is("value", Operator::missing))).also(labelled(words_for_yes()));
    const Filter yes =
        either({Filter::where(score_is("value", Operator::gte, {0.5})), std::move(word_for_yes)});
    const Filter told = either({Filter::where(score_is("value", Operator::present)),
                                labelled(words_for_yes()), labelled(words_for_no())});
    for (const char* target : {"trace_id", "session_id"})
        for (const auto& [name, which] : {std::pair{"yes", yes}, std::pair{"told", told}}) {
            Filter only;
            only.also(Filter::where(score_is(target, Operator::present))).also(which);
            question.aggregates.push_back({.function = Function::distinct,
                                           .field = field_of(target, TableId::scores),
                                           .only = std::move(only),
                                           .name = fmt::format("{} {}", target, name)});
        }
    const Table cells = OBS_TRY(figures.of_calls(std::move(question), cancel));
    const FigureTable table(cells);
    const auto sum = [&](std::string_view name) {
        return table.count(0, fmt::format("trace_id {}", name)) +
               table.count(0, fmt::format("session_id {}", name));
    };
    if (sum("told") > 0)
        report.resolution_rate = static_cast<double>(sum("yes")) / static_cast<double>(sum("told"));
    return {};
}

Result<void> add_scores(QualityReport& report, const Figures& figures, const PerformanceQuestion& asked,
                        const Cancel& cancel) {
    GroupQuestion question(asked.scope);
    question.table = TableId::scores;
    question.window = {asked.from, asked.to};
    question.group_by = {field_of("name", TableId::scores), field_of("source", TableId::scores)};
    question.aggregates = {
        {.function = Function::sum, .field = field_of("value", TableId::scores), .name = "sum"},
        {.function = Function::count,
         .only = Filter::where({field_of("value", TableId::scores), Operator::present, {}}),
         .name = "count"}};
    const Table cells = OBS_TRY(figures.of_calls(std::move(question), cancel));
    const FigureTable table(cells);
    double given = 0;
    std::int64_t answers = 0;
    for (std::size_t row = 0; row < table.size(); ++row) {
        const std::string name = group_text(field_of("name", TableId::scores), table.cell(row, 0));
        const std::string source = group_text(field_of("source", TableId::scores), table.cell(row, 1));
        const std::int64_t count = table.count(row, "count");
        if (count == 0) continue;
        const double sum = table.number(row, "sum").value_or(0);
        if (is_feedback(name, source)) {
            given += sum;
            answers += count;
            continue;
        }
        auto known = std::ranges::find(report.evaluators, name, &Evaluator::name);
        if (known == report.evaluators.end()) known = report.evaluators.insert(known, Evaluator{name, 0, 0});
        known->average = (known->average * static_cast<double>(known->count) + sum) /
                         static_cast<double>(known->count + count);
        known->count += count;
    }
    if (answers > 0) report.feedback = given / static_cast<double>(answers);
    return {};
}

}  // namespace

std::optional<double> Performance::error_rate() const {
    if (requests == 0) return std::nullopt;
    return static_cast<double>(errors) / static_cast<double>(requests);
}

Result<PerformanceReport> performance(const Figures& figures, const PerformanceQuestion& asked,
                                      const Cancel& cancel) {
    FigureQuestion question(asked.scope);
    question.filter = asked.filter;
    question.aggregates = performance_aggregates();
    question.order_by = "calls";
    question.sets = {{}};
    if (asked.interval) {
        question.edges =
            OBS_TRY(bucket_edges(asked.from, asked.to, *asked.interval, asked.calendar, most_steps));
        question.sets.push_back({.by_time = true, .groups = {}});
    }
    const auto is_list = [](const Dimension& dimension) {
        return dimension.field.column->type == ColumnType::text_list;
    };
    // The groups of a list overlap, so they are asked for alone.
    const bool alone = std::ranges::any_of(asked.group_by, is_list);
    FigureQuestion groups = question;
    FigureQuestion& grouped = alone ? groups : question;
    if (alone) groups.sets.clear();
    if (!asked.group_by.empty()) {
        FigureQuestion::Set set;
        for (const Dimension& dimension : asked.group_by) {
            set.groups.push_back(grouped.group_by.size());
            grouped.group_by.push_back(dimension.field);
        }
        grouped.sets.push_back(std::move(set));
    }
    const Window window{asked.from, asked.to};
    // At the same time as the rest, which other rollups answer.
    std::future<Result<std::vector<ErrorType>>> errors;
    if (asked.errors)
        errors = std::async(std::launch::async, [&] { return errors_by_type(figures, asked, cancel); });
    const FigureAnswer answer = OBS_TRY(figures.answer(question, window, asked.now, cancel));
    PerformanceReport report;
    report.source = answer.source;
    report.exact = answer.exact;
    report.total = performance_in(FigureTable(answer.sets.front()), 0, seconds_between(asked.from, asked.to));
    if (asked.interval) report.series = points_in(answer.sets[1], asked, question.edges);
    if (alone) {
        const FigureAnswer more = OBS_TRY(figures.answer(groups, window, asked.now, cancel));
        report.groups = groups_in(more.sets.front(), asked);
        report.source = together(report.source, more.source);
        report.exact = report.exact && more.exact;
    } else if (!asked.group_by.empty()) {
        report.groups = groups_in(answer.sets.back(), asked);
    }
    if (asked.errors) report.errors = OBS_TRY(errors.get());
    return report;
}

Result<QualityReport> quality(const Figures& figures, const PerformanceQuestion& asked,
                              const Cancel& cancel) {
    QualityReport report;
    PerformanceQuestion question = asked;
    question.group_by = {*dimension_from("provider"), *dimension_from("model")};
    report.performance = OBS_TRY(performance(figures, question, cancel));
    OBS_TRY_VOID(add_texts(report, figures, asked, cancel));
    OBS_TRY_VOID(add_resolution(report, figures, asked, cancel));
    OBS_TRY_VOID(add_scores(report, figures, asked, cancel));
    if (!report.evaluators.empty()) report.model_scores = OBS_TRY(scores_by_model(figures, asked, cancel));
    return report;
}

Result<std::vector<ModelScore>> scores_by_model(const Figures& figures, const PerformanceQuestion& asked,
                                                const Cancel& cancel) {
    constexpr std::size_t most = 10'000;
    RowQuestion given(asked.scope);
    given.table = TableId::scores;
    given.window = {asked.from, asked.to};
    given.filter.also(Filter::where({field_of("value", TableId::scores), Operator::gte, {0.0}}));
    given.filter.also(Filter::where({field_of("value", TableId::scores), Operator::lte, {1.0}}));
    given.filter.also(Filter::where({field_of("trace_id", TableId::scores), Operator::present, {}}));
    for (const char* name : {"name", "source", "value"})
        given.columns.push_back(find_column(TableId::scores, name));
    given.limit = most;
    const Rows scored = OBS_TRY(figures.store().rows(given, cancel));
    const ScoreBatch& scores = std::get<ScoreBatch>(scored.batch);
    std::map<TraceId, ModelScore> by_trace;
    Condition traces{field_of("trace_id"), Operator::in, {}};
    for (std::size_t row = 0; row < scores.size(); ++row) {
        if (is_feedback(scores.name[row], scores.source[row])) continue;
        const auto [at, fresh] = by_trace.try_emplace(scores.trace_id[row]);
        at->second.sum += *scores.value[row];
        ++at->second.count;
        const TraceId& id = scores.trace_id[row];
        if (fresh)
            traces.values.emplace_back(
                std::string(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()));
    }
    if (by_trace.empty()) return std::vector<ModelScore>();

    RowQuestion calls(asked.scope);
    calls.filter.also(Filter::where({field_of("is_call"), Operator::eq, {std::int64_t{1}}}));
    calls.filter.also(Filter::where(std::move(traces)));
    if (!asked.filter.always()) calls.filter.also(asked.filter);
    for (const char* name : {"provider", "model", "request_model"})
        calls.columns.push_back(find_column(TableId::spans, name));
    calls.limit = 2 * most;
    const Rows called = OBS_TRY(figures.store().rows(calls, cancel));
    const SpanBatch& spans = std::get<SpanBatch>(called.batch);
    std::set<std::tuple<TraceId, std::string_view, std::string_view>> seen;
    std::vector<ModelScore> found;
    for (std::size_t row = 0; row < spans.size(); ++row) {
        if (!seen.emplace(spans.trace_id[row], spans.provider[row], spans.model[row]).second) continue;
        ModelScore& one = found.emplace_back(by_trace[spans.trace_id[row]]);
        one.provider = spans.provider[row];
        one.model = spans.model[row];
        one.request_model = spans.request_model[row];
    }
    return found;
}

}  // namespace obs::query
