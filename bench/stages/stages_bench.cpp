// stages_bench: what each step of a span's way costs by itself, on one thread, in nanoseconds per span.
#include <lz4.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/hash.h"
#include "corpus/corpus.h"
#include "decode/decode.h"
#include "enrich/enrich.h"
#include "ingest/open_traces.h"
#include "ingest/payload.h"
#include "model/native.h"
#include "pricing/price_board.h"
#include "pricing/price_table.h"
#include "text/tokeniser.h"

namespace obs {
namespace {

using Kind = CorpusOptions::Kind;

const Enricher& enricher() {
    static const PriceBoard prices([] {
        auto loaded = PriceTable::load();
        if (!loaded) std::abort();
        return std::move(*loaded);
    }());
    static const Tokeniser tokeniser;
    static const Enricher made(prices, tokeniser);
    return made;
}

Decoded<RawSpans> decoded(std::string_view body) {
    auto made = decode_traces(Encoding::protobuf, body, {}, system_now());
    if (!made || made->rejected != 0) std::abort();
    return std::move(*made);
}

SpanBatch rows_of(Corpus& corpus) {
    return enricher().spans(decoded(corpus.next(system_now())).rows, Tenant{}).spans;
}

std::string record_of(const SpanBatch& spans) {
    Payload payload;
    payload.spans = spans;
    std::string record;
    append_payload(record, payload);
    return record;
}

std::string packed(std::string_view record) {
    std::string out(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(record.size()))), '\0');
    const int size = LZ4_compress_default(record.data(), out.data(), static_cast<int>(record.size()),
                                          static_cast<int>(out.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

// Runs `step` with the outcome of `prepare`, which is not counted.
template <class Prepare, class Step>
void run(benchmark::State& state, std::size_t spans, Prepare&& prepare, Step&& step) {
    std::size_t bytes = 0;
    for (auto _ : state) {
        state.PauseTiming();
        {
            auto input = prepare();
            state.ResumeTiming();
            bytes += step(input);
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
    const double all = static_cast<double>(spans) * static_cast<double>(state.iterations());
    state.counters["ns/span"] =
        benchmark::Counter(all / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    if (bytes != 0) state.counters["bytes/span"] = static_cast<double>(bytes) / all;
}

void decode(benchmark::State& state, Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    run(
        state, spans, [&] { return corpus.next(system_now()); },
        [&](std::string_view body) {
            benchmark::DoNotOptimize(decoded(body));
            return body.size();
        });
}

void enrich(benchmark::State& state, Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    run(
        state, spans, [&] { return decoded(corpus.next(system_now())); },
        [&](Decoded<RawSpans>& raw) {
            const EnrichedSpans made = enricher().spans(std::move(raw.rows), Tenant{});
            if (made.spans.size() != spans) std::abort();
            return std::size_t{0};
        });
}

void fingerprint_body(benchmark::State& state, Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    run(
        state, spans, [&] { return corpus.next(system_now()); },
        [&](std::string_view body) {
            benchmark::DoNotOptimize(fingerprint("default/default/0", body));
            return std::size_t{0};
        });
}

void payload_record(benchmark::State& state, Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    std::string record;
    run(
        state, spans,
        [&] {
            Payload payload;
            payload.spans = rows_of(corpus);
            return payload;
        },
        [&](const Payload& payload) {
            record.clear();
            append_payload(record, payload);
            return record.size();
        });
}

void lz4(benchmark::State& state, Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    run(
        state, spans, [&] { return record_of(rows_of(corpus)); },
        [&](const std::string& record) { return packed(record).size(); });
}

void crc(benchmark::State& state, Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    run(
        state, spans, [&] { return packed(record_of(rows_of(corpus))); },
        [&](const std::string& record) {
            benchmark::DoNotOptimize(crc32c(std::as_bytes(std::span(record))));
            return record.size();
        });
}

// With as many traces in the table as 100,000 spans a second leave open.
void open_traces(benchmark::State& state, Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    OpenTraces table({}, enricher());
    const Tenant tenant;
    Sequence sequence = 0;
    UnixNanos now = system_now();
    const auto arrive = [&](SpanBatch rows) {
        now = now + Nanos{static_cast<std::int64_t>(spans) * 10'000};
        return table.spans({tenant, ++sequence, now}, std::move(rows));
    };
    for (std::size_t sent = 0; sent < 400'000; sent += spans) arrive(rows_of(corpus));
    std::size_t turn = 0;
    run(
        state, spans, [&] { return rows_of(corpus); },
        [&](SpanBatch& rows) {
            benchmark::DoNotOptimize(arrive(std::move(rows)));
            if (++turn % 64 == 0) benchmark::DoNotOptimize(table.due(now));
            return std::size_t{0};
        });
}

// Requests become one write.
void gather(benchmark::State& state, Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    SpanBatch gathered;
    run(
        state, spans, [&] { return rows_of(corpus); },
        [&](const SpanBatch& rows) {
            if (gathered.size() > 10'000) gathered = {};
            append_rows(gathered, rows);
            return std::size_t{0};
        });
}

void native(benchmark::State& state, Kind kind) {
    const auto spans = static_cast<std::size_t>(state.range(0));
    Corpus corpus({.kind = kind, .spans = spans});
    Buffer out;
    run(
        state, spans, [&] { return AnyBatch(rows_of(corpus)); },
        [&](const AnyBatch& rows) {
            out.resize(0);
            append_native(rows, out);
            return out.size();
        });
}

// So many times, not so long: the preparation, which is not counted, takes longer than some of the steps.
#define OBS_BENCH_STAGE(stage, batch, times)                                   \
    BENCHMARK_CAPTURE(stage, lean, Kind::lean)->Arg(batch)->Iterations(times); \
    BENCHMARK_CAPTURE(stage, content, Kind::content)->Arg(batch)->Iterations(times)
OBS_BENCH_STAGE(decode, 512, 400);
OBS_BENCH_STAGE(fingerprint_body, 512, 400);
OBS_BENCH_STAGE(enrich, 512, 400);
OBS_BENCH_STAGE(payload_record, 512, 200);
OBS_BENCH_STAGE(lz4, 512, 200);
OBS_BENCH_STAGE(crc, 512, 200);
OBS_BENCH_STAGE(open_traces, 512, 200);
OBS_BENCH_STAGE(gather, 512, 200);
OBS_BENCH_STAGE(native, 10'000, 10);

}  // namespace
}  // namespace obs
