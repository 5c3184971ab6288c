#include <benchmark/benchmark.h>

#include "pricing/price_table.h"

namespace obs {
namespace {

const PriceTable& built_in() {
    static const Result<PriceTable> table = PriceTable::load();
    return table.value();
}

constexpr UnixNanos at{1'792'000'000'000'000'000};

void find_again(benchmark::State& state) {
    const PriceTable& table = built_in();
    constexpr std::string_view models[] = {"gpt-4o-2024-08-06", "gpt-4o-mini", "o3", "gpt-5-2025-08-07"};
    std::size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(table.find("openai", models[i++ % 4], at));
}
BENCHMARK(find_again);

void find_again_without_provider(benchmark::State& state) {
    const PriceTable& table = built_in();
    for (auto _ : state) benchmark::DoNotOptimize(table.find("", "gpt-4o-2024-08-06", at));
}
BENCHMARK(find_again_without_provider);

void find_a_new_name(benchmark::State& state) {
    const PriceTable& table = built_in();
    std::uint64_t i = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(table.find("openai", "no-model-" + std::to_string(i++), at));
}
BENCHMARK(find_a_new_name);

void find_a_new_name_without_provider(benchmark::State& state) {
    const PriceTable& table = built_in();
    std::uint64_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(table.find("", "no-model-" + std::to_string(i++), at));
}
BENCHMARK(find_a_new_name_without_provider);

void cost(benchmark::State& state) {
    const Price* price = built_in().find("openai", "gpt-4o", at);
    Usage usage{
        .input = Tokens{1200}, .output = Tokens{300}, .cached_input = Tokens{1024}, .reasoning = Tokens{64}};
    for (auto _ : state) {
        benchmark::DoNotOptimize(usage);
        benchmark::DoNotOptimize(cost_of(usage, *price));
    }
}
BENCHMARK(cost);

void load(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(PriceTable::load());
}
BENCHMARK(load)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace obs
