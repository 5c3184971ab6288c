// What a page of a list costs once its rows are in memory, and what a request costs that needs none.
#include <cstdlib>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "catalog/authority.h"
#include "catalog/scratch.h"
#include "query/traces.h"
#include "serve/api_service.h"
#include "serve/trace_json.h"
#include "store/memory/memory_store.h"

namespace obs::serve {
namespace {

query::ListPage page_of(std::size_t rows) {
    query::ListPage page;
    const std::string question(700, 'q'), answer(800, 'a');
    for (std::size_t row = 0; row < rows; ++row) {
        SpanBatch& to = page.rows;
        to.ts.put(row, UnixNanos{1'767'960'000'000'000'000 + static_cast<std::int64_t>(row)});
        to.duration.put(row, Nanos::milliseconds(812));
        to.span_name.put(row, "chat gpt-4o");
        to.provider.put(row, "openai");
        to.model.put(row, "gpt-4o-2024-08-06");
        to.service_name.put(row, "shop");
        to.kind.put(row, "llm");
        to.is_call.put(row, 1);
        to.prompt_tokens.put(row, Tokens{120});
        to.completion_tokens.put(row, Tokens{30});
        to.total_tokens.put(row, Tokens{150});
        to.total_cost.put(row, Usd{600'000});
        to.input_text.put(row, question);
        to.output_text.put(row, answer);
        for (int i = 0; i < 5; ++i)
            to.attributes.put(row, "key" + std::to_string(i), "17", AttributeType::integer);
    }
    page.count = rows;
    return page;
}

void writePage(benchmark::State& state) {
    const auto rows = static_cast<std::size_t>(state.range(0));
    const query::ListPage page = page_of(rows);
    const query::ListQuestion question(Scope("acme", {}));
    const Selection selection = Selection::all(TableId::spans, query::Content::shown);
    std::size_t bytes = 0;
    for (auto _ : state) {
        std::string out;
        JsonWriter json(out);
        write_page(json, page, question, selection, query::Content::shown);
        bytes += out.size();
        benchmark::DoNotOptimize(out);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(writePage)->Arg(50)->Arg(1000);

template <class T>
T or_abort(Result<T> result) {
    if (!result) std::abort();
    return *std::move(result);
}

// Callers as a server knows them, with a token that somebody sends again and again.
struct Callers {
    Callers()
        : directory(or_abort(DataDirectory::open(scratch.path(), Lock::take))),
          catalog(or_abort(Catalog::open(directory.catalog_file(), Migrations::apply))),
          authority(or_abort(Authority::load(catalog, or_abort(AccessTokens::of(directory, catalog))))),
          token(or_abort(authority->tokens().issue({.role = Role::developer}, now))) {}

    Scratch scratch;
    DataDirectory directory;
    Catalog catalog;
    std::unique_ptr<Authority> authority;
    UnixNanos now = system_now();
    std::string token;
};

void checkKnownToken(benchmark::State& state) {
    const Callers callers;
    LocalRateLimiter limiter;
    UnixNanos now = callers.now;
    for (auto _ : state) {
        now = now + Nanos::milliseconds(7);  // as often as a developer may ask for ever
        const auto principal = callers.authority->of_token(callers.token, now);
        if (!principal) std::abort();
        std::string user = (*principal)->org;
        (user += '/') += (*principal)->subject;
        const auto verdict = limiter.take(user, 10'000, now);
        if (!verdict->allowed) std::abort();
        benchmark::DoNotOptimize(verdict);
    }
}
BENCHMARK(checkKnownToken);

class QuietLive : public query::LiveData {
public:
    std::uint64_t visible_seq() const override { return 1; }
    Running running(const Scope&, std::optional<TraceId>) const override { return {}; }
};

// Everything between the head of a request and its answer: guard, route, token, limit, cache, headers.
void answerCached(benchmark::State& state) {
    const Callers callers;
    MemoryStore store;
    if (!store.migrate()) std::abort();
    QuietLive live;
    Metrics metrics;
    UnixNanos now = callers.now;
    ApiService service({.store = store,
                        .live = live,
                        .metrics = metrics,
                        .verify = [&](std::string_view credential,
                                      UnixNanos at) { return callers.authority->of_token(credential, at); },
                        .not_ready = [] { return std::nullopt; },
                        .clock = [&] { return now; }},
                       {.rates = *rate_limits_from("off"), .cache_bytes = 256 << 20});
    ResponseCache& cache = service.cache();
    const std::string body(static_cast<std::size_t>(state.range(0)), 'x');
    net::RequestHead head{
        .method = "GET", .path = "/api/v1/traces", .query = "from=now-7d&to=now-2h&limit=100"};
    head.headers.add("authorization", "Bearer " + callers.token);
    head.headers.add("host", "localhost:8080");
    const auto principal = callers.authority->of_token(callers.token, now);
    cache.put(cache_key(**principal, head, ""), {.keep = std::chrono::seconds(300)},
              {.body = body, .until = now - Nanos::hours(2)}, 1, now);
    for (auto _ : state) {
        auto answer = service.admit(head);
        if (std::get<net::Response>(answer).body.size() != body.size()) std::abort();
        benchmark::DoNotOptimize(answer);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(answerCached)->Arg(2 << 10)->Arg(64 << 10);

}  // namespace
}  // namespace obs::serve
