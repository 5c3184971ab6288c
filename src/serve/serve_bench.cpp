// What a page of a list costs once its rows are in memory.
#include <string>

#include <benchmark/benchmark.h>

#include "query/traces.h"
#include "serve/trace_json.h"

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

}  // namespace
}  // namespace obs::serve
