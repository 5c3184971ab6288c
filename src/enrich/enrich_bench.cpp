// Nanoseconds per span: everything, and without what prices and search terms cost. The spans are real ones.
#include <benchmark/benchmark.h>

#include <fstream>
#include <sstream>

#include "base/buffer.h"
#include "decode/decode.h"
#include "enrich/enrich.h"
#include "enrich/otlp_json.h"

namespace obs {
namespace {

constexpr int spans_in_request = 512;

std::string request(const std::string& span) {
    std::string spans = "[" + span;
    for (int i = 1; i < spans_in_request; ++i) spans += ',' + span;
    return testing_rows::otlp_traces(spans + "]");
}

std::string lean_span() {
    return R"({"S":"opentelemetry.instrumentation.openai","R":{"service.name":"a"},"name":"chat gpt-4o","attrs":{"gen_ai.operation.name":"chat","gen_ai.provider.name":"openai","gen_ai.request.model":"gpt-4o","server.address":"127.0.0.1","server.port":8000,"gen_ai.request.temperature":0.2,"gen_ai.request.max_tokens":256,"gen_ai.response.finish_reasons":["stop"],"gen_ai.response.model":"gpt-4o-2024-08-06","gen_ai.response.id":"chatcmpl-1","gen_ai.usage.input_tokens":300,"gen_ai.usage.output_tokens":80,"gen_ai.usage.cache_read.input_tokens":128}})";
}

std::string text_of_length(std::size_t length) {
    const std::string sentence =
        "The customer asks for a refund of order 12345 and wants to know how long it takes. ";
    std::string text;
    while (text.size() < length) text += sentence;
    return text.substr(0, length);
}

std::string content_span() {
    std::string span = lean_span();
    span.resize(span.size() - 2);
    return span +
           R"(,"gen_ai.input.messages":"[{\"role\":\"system\",\"parts\":[{\"type\":\"text\",\"content\":\"Be brief\"}]},{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\")" +
           text_of_length(1000) +
           R"(\"}]}]","gen_ai.output.messages":"[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\")" +
           text_of_length(500) + R"(\"}],\"finish_reason\":\"stop\"}]"}})";
}

void enrich(benchmark::State& state, const std::string& body) {
    const PriceBoard prices(std::move(*PriceTable::load()));
    const Tokeniser tokeniser;
    const Enricher enricher(prices, tokeniser);
    const Buffer buffer(body);
    const Tenant tenant;
    for (auto _ : state) {
        state.PauseTiming();
        auto decoded = decode_traces(Encoding::json, buffer.view(), {.oldest = Nanos::days(36'500)},
                                     UnixNanos{1'800'000'000'000'000'000});
        state.ResumeTiming();
        benchmark::DoNotOptimize(enricher.spans(std::move(decoded->rows), tenant));
    }
    state.SetItemsProcessed(state.iterations() * spans_in_request);
}

void read_texts(benchmark::State& state, const std::string& body) {
    const PriceBoard prices(std::move(*PriceTable::load()));
    const Tokeniser tokeniser;
    const Enricher enricher(prices, tokeniser);
    const Buffer buffer(body);
    auto decoded = decode_traces(Encoding::json, buffer.view(), {.oldest = Nanos::days(36'500)},
                                 UnixNanos{1'800'000'000'000'000'000});
    SpanBatch spans = enricher.spans(std::move(decoded->rows), {}).spans;
    for (auto _ : state) enricher.read_texts(spans, 0, spans.size());
    state.SetItemsProcessed(state.iterations() * spans_in_request);
}

BENCHMARK_CAPTURE(enrich, lean, request(lean_span()));
BENCHMARK_CAPTURE(enrich, ordinary,
                  request(R"({"name":"GET","attrs":{"http.method":"GET","http.status_code":200}})"));
BENCHMARK_CAPTURE(enrich, content, request(content_span()));
BENCHMARK_CAPTURE(read_texts, content, request(content_span()));

}  // namespace
}  // namespace obs
