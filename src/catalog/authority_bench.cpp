// What a request pays for the question who is asking.
#include <benchmark/benchmark.h>

#include "catalog/authority.h"
#include "catalog/passwords.h"
#include "catalog/scratch.h"

namespace obs {
namespace {

constexpr UnixNanos now{1'800'000'000'000'000'000};

struct Bed {
    Scratch scratch;
    Catalog catalog = *Catalog::open(scratch.path() / "catalog.sqlite", Migrations::apply);
    std::unique_ptr<Authority> authority =
        *Authority::load(catalog, *AccessTokens::with_secret(Secret(std::string(64, 's'))));
    std::string token = *authority->tokens().issue({.role = Role::developer}, now);
    NewApiKey key = *catalog.create_key({.scopes = {"read:traces"}, .projects = {"default"}}, now);
    bool fresh = authority->refresh().has_value();
};

Bed& bed() {
    static Bed one;
    return one;
}

void knownToken(benchmark::State& state) {
    const std::string token = bed().token;
    for (auto _ : state) {
        const auto who = bed().authority->of(token, now);
        benchmark::DoNotOptimize((*who)->may("read:metrics"));
    }
}
BENCHMARK(knownToken)->Threads(1)->Threads(2);

void newToken(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(bed().authority->tokens().read(bed().token, now));
}
BENCHMARK(newToken);

void apiKey(benchmark::State& state) {
    const std::string key = bed().key.text.reveal();
    for (auto _ : state) benchmark::DoNotOptimize(bed().authority->of(key, now));
}
BENCHMARK(apiKey);

void passwordHash(benchmark::State& state) {
    const Passwords passwords;
    const Secret password("correct horse battery");
    for (auto _ : state) benchmark::DoNotOptimize(passwords.matches(password, ""));
}
BENCHMARK(passwordHash);

}  // namespace
}  // namespace obs
