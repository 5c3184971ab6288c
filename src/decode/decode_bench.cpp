// decode_bench: export requests to columns, by our readers and by others, on the same bytes.
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>
#include <google/protobuf/util/json_util.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb.h>

#include "base/buffer.h"
#include "corpus/corpus.h"
#include "decode/decode.h"
#include "decode/reference_decode.h"

namespace {
std::atomic<std::size_t> allocations = 0;
}
// Not inlined: GCC 12 then takes free() for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* const room = std::malloc(size)) return room;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* room) noexcept {
    std::free(room);
}
[[gnu::noinline]] void operator delete(void* room, std::size_t) noexcept {
    std::free(room);
}

namespace obs {
namespace {

const UnixNanos now = system_now();

Buffer request(CorpusOptions::Kind kind, std::size_t spans) {
    Corpus corpus({.kind = kind, .spans = spans, .templates = 1});
    return Buffer(corpus.next(now));
}
Buffer json_request(CorpusOptions::Kind kind, std::size_t spans) {
    opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest message;
    if (!message.ParseFromString(std::string(request(kind, spans).view()))) std::abort();
    std::string text;
    if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) std::abort();
    return Buffer(text);
}

template <class Decode>
void run(benchmark::State& state, const Buffer& body, std::size_t spans, Decode&& decode) {
    const std::size_t before = allocations.load();
    for (auto _ : state)
        if (decode(body.view()) != spans) std::abort();
    const double all = static_cast<double>(spans) * static_cast<double>(state.iterations());
    state.counters["spans/s"] = benchmark::Counter(all, benchmark::Counter::kIsRate);
    state.counters["bytes/span"] = static_cast<double>(body.size()) / static_cast<double>(spans);
    state.counters["allocs/span"] = static_cast<double>(allocations.load() - before) / all;
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}

void ours(benchmark::State& state, CorpusOptions::Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    run(state, request(kind, spans), spans, [](std::string_view body) {
        const auto decoded = decode_traces(Encoding::protobuf, body, {}, now);
        return decoded ? decoded->rows.batch.size() : 0;
    });
}
void ours_json(benchmark::State& state, CorpusOptions::Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    run(state, json_request(kind, spans), spans, [](std::string_view body) {
        const auto decoded = decode_traces(Encoding::json, body, {}, now);
        return decoded ? decoded->rows.batch.size() : 0;
    });
}
void protozero(benchmark::State& state, CorpusOptions::Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    run(state, request(kind, spans), spans, [](std::string_view body) {
        const auto decoded = protozero_traces(body, {}, now);
        return decoded ? decoded->rows.batch.size() : 0;
    });
}
void protobuf_arena(benchmark::State& state, CorpusOptions::Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    run(state, request(kind, spans), spans, [](std::string_view body) {
        const auto decoded = protobuf_traces(body, {}, now);
        return decoded ? decoded->rows.batch.size() : 0;
    });
}
void protobuf_arena_parse_only(benchmark::State& state, CorpusOptions::Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    run(state, request(kind, spans), spans, [&](std::string_view body) {
        google::protobuf::Arena arena;
        return protobuf_parses_traces(body, arena) ? spans : 0;
    });
}
void make_requests(benchmark::State& state, CorpusOptions::Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    std::int64_t bytes = 0;
    for (auto _ : state) bytes += static_cast<std::int64_t>(corpus.next(now).size());
    state.counters["spans/s"] = benchmark::Counter(
        static_cast<double>(spans) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
    state.SetBytesProcessed(bytes);
}

#define OBS_BENCH_BOTH(decoder)                                                     \
    BENCHMARK_CAPTURE(decoder, lean, CorpusOptions::Kind::lean)->Arg(512)->Arg(10); \
    BENCHMARK_CAPTURE(decoder, content, CorpusOptions::Kind::content)->Arg(512)
OBS_BENCH_BOTH(ours);
OBS_BENCH_BOTH(protozero);
OBS_BENCH_BOTH(protobuf_arena);
OBS_BENCH_BOTH(protobuf_arena_parse_only);
OBS_BENCH_BOTH(ours_json);
OBS_BENCH_BOTH(make_requests);

}  // namespace
}  // namespace obs
