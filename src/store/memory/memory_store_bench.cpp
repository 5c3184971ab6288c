// The memory store with a million spans in writes of 1,000, a bit out of order as they come from many
// clients.
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "store/memory/memory_store.h"

namespace obs {
namespace {

constexpr std::int64_t noon = 1'767'960'000'000'000'000;

SpanBatch spans(std::int64_t first, std::size_t count) {
    static constexpr std::string_view models[] = {"gpt-4o", "gpt-4o-mini", "claude-sonnet-4",
                                                  "gemini-2.5-pro"};
    SpanBatch batch;
    for (std::size_t row = 0; row < count; ++row) {
        const auto number = static_cast<std::uint64_t>(first) + row;
        const std::uint64_t mixed = number * 0x9E3779B97F4A7C15;
        TraceId trace;
        SpanId span;
        std::memcpy(trace.bytes.data(), &mixed, sizeof mixed);
        std::memcpy(span.bytes.data(), &mixed, sizeof mixed);
        batch.org_id.put(row, "o");
        batch.project_id.put(row, "p");
        batch.seq.put(row, number);
        batch.ts.put(row, {noon + static_cast<std::int64_t>(number * 1'000 + mixed % 5'000'000)});
        batch.duration.put(row, Nanos{static_cast<std::int64_t>(mixed % 3'000'000'000)});
        batch.trace_id.put(row, trace);
        batch.span_id.put(row, span);
        batch.span_name.put(row, "chat");
        batch.model.put(row, models[mixed >> 62]);
        batch.user_id.put(row, fmt::format("user-{}", mixed % 1000));
        batch.input_text.put(row, "What is the capital of a country that nobody has heard of?");
        batch.prompt_tokens.put(row, Tokens{static_cast<std::int64_t>(mixed % 4000)});
        batch.total_cost.put(row, Usd{static_cast<std::int64_t>(mixed % 1'000'000)});
    }
    return batch;
}

void fill(MemoryStore& store) {
    for (std::int64_t write = 0; write < 1000; ++write)
        static_cast<void>(store.write(spans(write * 1000, 1000), fmt::format("w{}", write)));
}

MemoryStore& million() {
    static MemoryStore store({.most_bytes = std::size_t{4} << 30});
    static const bool filled = (fill(store), true);
    static_cast<void>(filled);
    return store;
}

Condition condition(std::string_view column, Operator op, Scalar value) {
    return {{find_column(TableId::spans, column)}, op, {std::move(value)}};
}

void ask(benchmark::State& state, const RowQuestion& question) {
    MemoryStore& store = million();
    for (auto _ : state) benchmark::DoNotOptimize(store.rows(question, {}));
}

void write_1000_spans(benchmark::State& state) {
    MemoryStore store({.most_bytes = std::size_t{256} << 20});
    std::int64_t number = 0;
    for (auto _ : state) {
        state.PauseTiming();
        const AnyBatch batch = spans(number++ * 1000, 1000);
        state.ResumeTiming();
        static_cast<void>(store.write(batch, fmt::format("w{}", number)));
    }
    state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(write_1000_spans)->Unit(benchmark::kMillisecond);

void newest_50(benchmark::State& state) {
    ask(state, RowQuestion(Scope("o", {"p"})));
}
BENCHMARK(newest_50)->Unit(benchmark::kMillisecond);

void newest_50_of_a_model_and_user(benchmark::State& state) {
    RowQuestion question(Scope("o", {"p"}));
    question.filter.also(Filter::where(condition("model", Operator::eq, "gpt-4o")));
    question.filter.also(Filter::where(condition("user_id", Operator::eq, "user-7")));
    ask(state, question);
}
BENCHMARK(newest_50_of_a_model_and_user)->Unit(benchmark::kMillisecond);

void dearest_50(benchmark::State& state) {
    RowQuestion question(Scope("o", {"p"}));
    question.order = {{{find_column(TableId::spans, "total_cost")}, true}};
    ask(state, question);
}
BENCHMARK(dearest_50)->Unit(benchmark::kMillisecond);

void a_text_nobody_wrote(benchmark::State& state) {
    RowQuestion question(Scope("o", {"p"}));
    question.filter = Filter::where(condition("input_text", Operator::contains, "Atlantis"));
    ask(state, question);
}
BENCHMARK(a_text_nobody_wrote)->Unit(benchmark::kMillisecond);

void cost_and_p95_by_model(benchmark::State& state) {
    GroupQuestion question(Scope("o", {"p"}));
    question.group_by = {{find_column(TableId::spans, "model")}};
    question.aggregates = {
        {Aggregate::Function::sum, {find_column(TableId::spans, "total_cost")}, 0.5, {}, "cost"},
        {Aggregate::Function::quantile, {find_column(TableId::spans, "duration")}, 0.95, {}, "p95"}};
    MemoryStore& store = million();
    for (auto _ : state) benchmark::DoNotOptimize(store.groups(question, {}));
}
BENCHMARK(cost_and_p95_by_model)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace obs
