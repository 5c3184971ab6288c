// Measures the store on the embedded engine: what an insert costs and what a question takes. Not a test.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>

#include <sys/resource.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "model/native.h"
#include "store/clickhouse/clickhouse_store.h"
#include "store/clickhouse/embedded_transport.h"

namespace obs {
namespace {

using Seconds = std::chrono::duration<double>;
double now() {
    return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}
// Of the whole process: merges are on the engine's threads.
double cpu() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Of this thread alone.
double own_cpu() {
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

template <class T>
T must(Result<T> result) {
    if (!result) {
        fmt::print(stderr, "store_bench: {}\n", result.error().message);
        std::_Exit(1);
    }
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

constexpr UnixNanos first_day{1'763'942'400'000'000'000};
constexpr const char* models[] = {"gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet", "gemini-1.5-pro"};

// Spans as an agent makes them: a trace of eight, most of them lean.
class Spans {
public:
    Spans(bool content, std::int64_t days, std::uint64_t rows)
        : content_(content), step_(Nanos::days(days).count / static_cast<std::int64_t>(rows)) {}

    AnyBatch next(std::size_t rows) {
        SpanBatch batch;
        for (std::size_t row = 0; row < rows; ++row) add(batch, row);
        return batch;
    }
    TraceId trace_of(std::uint64_t row) const {
        std::mt19937_64 random(row / 8);
        TraceId id;
        for (std::size_t half = 0; half < 2; ++half) {
            const std::uint64_t word = random();
            std::memcpy(id.bytes.data() + 8 * half, &word, 8);
        }
        return id;
    }
    UnixNanos time_of(std::uint64_t row) const {
        return {first_day.since_epoch + static_cast<std::int64_t>(row) * step_};
    }

private:
    void add(SpanBatch& batch, std::size_t row) {
        const std::uint64_t n = made_++;
        const std::uint64_t trace = n / 8;
        batch.org_id.put(row, "default");
        batch.project_id.put(row, "default");
        batch.seq.put(row, n);
        batch.ts.put(row, time_of(n));
        batch.duration.put(row, Nanos{static_cast<std::int64_t>(random_() % 2'000'000'000)});
        batch.trace_id.put(row, trace_of(n));
        const std::uint64_t span = random_();
        SpanId id;
        std::memcpy(id.bytes.data(), &span, 8);
        batch.span_id.put(row, id);
        if (n % 8 != 0) batch.parent_span_id.put(row, last_root_);
        if (n % 8 == 0) {
            last_root_ = id;
            batch.is_root.put(row, 1);
        }
        const bool call = n % 2 == 1;
        batch.span_name.put(row, call ? "chat gpt-4o" : "step");
        batch.span_kind.put(row, call ? 3 : 1);
        batch.kind.put(row, call ? "llm" : "chain");
        batch.convention.put(row, "otel");
        batch.mapping_version.put(row, 1);
        batch.service_name.put(row, trace % 3 == 0 ? "shop" : "support");
        batch.environment.put(row, "production");
        batch.scope_name.put(row, "opentelemetry.instrumentation.openai");
        batch.resource.put(row, R"({"telemetry.sdk.language":"python","host.name":"a1"})");
        batch.status_code.put(row, n % 100 == 0 ? 2 : 0);
        batch.user_id.put(row, fmt::format("user-{}", trace % 5000));
        batch.session_id.put(row, fmt::format("session-{}", trace / 4));
        if (call) add_call(batch, row, n);
        batch.attributes.put(row, "http.route", "/v1/chat", AttributeType::text);
        batch.attributes.put(row, "request.id", fmt::format("req-{:x}", random_()), AttributeType::text);
        batch.attributes.put(row, "retry", n % 10 == 0 ? "1" : "0", AttributeType::integer);
        if (content_) add_content(batch, row);
    }

    void add_call(SpanBatch& batch, std::size_t row, std::uint64_t n) {
        const char* model = models[n / 2 % 4];
        batch.is_call.put(row, 1);
        batch.operation_type.put(row, "chat");
        batch.provider.put(row, n % 4 == 1 ? "openai" : "anthropic");
        batch.model.put(row, model);
        batch.request_model.put(row, model);
        batch.response_id.put(row, fmt::format("chatcmpl-{:016x}", random_()));
        const auto in = static_cast<std::int64_t>(random_() % 4000);
        const auto out = static_cast<std::int64_t>(random_() % 800);
        batch.prompt_tokens.put(row, Tokens{in});
        batch.completion_tokens.put(row, Tokens{out});
        batch.total_tokens.put(row, Tokens{in + out});
        batch.prompt_cost.put(row, Usd{in * 2500});
        batch.completion_cost.put(row, Usd{out * 10000});
        batch.total_cost.put(row, Usd{in * 2500 + out * 10000});
        batch.cost_source.put(row, "server");
        batch.price_rule.put(row, "openai:gpt-4o@2024-08-06");
        batch.stop_reason.put(row, "stop");
        batch.temperature.put(row, 0.7);
    }

    void add_content(SpanBatch& batch, std::size_t row) {
        batch.input_text.put(row, words(120));
        batch.output_text.put(row, words(100));
        // Terms as the tokeniser would make them: each word once.
        std::vector<std::uint32_t> terms = words_;
        std::sort(terms.begin(), terms.end());
        terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
        std::string text;
        for (const std::uint32_t term : terms) {
            if (!text.empty()) text += ' ';
            text += fmt::format("w{}", term);
        }
        batch.search_text.put(row, text);
        words_.clear();
    }
    // By a law like Zipf's over 20,000 words.
    std::string words(int count) {
        std::string text;
        for (int i = 0; i < count; ++i) {
            const double u = static_cast<double>(random_() >> 11) / 9007199254740992.0;
            const auto word = static_cast<std::uint32_t>(std::pow(20'000.0, u));
            words_.push_back(word);
            if (!text.empty()) text += ' ';
            text += fmt::format("w{}", word);
        }
        return text;
    }

    bool content_;
    std::int64_t step_;
    std::uint64_t made_ = 0;
    SpanId last_root_{};
    std::mt19937_64 random_{42};
    std::vector<std::uint32_t> words_;
};

struct Bench {
    std::filesystem::path library = "build/lib/libchdb.so", directory;
    std::uint64_t rows = 1'000'000;
    std::size_t batch = 10'000;
    std::int64_t days = 1;
    bool content = false, quick = false, keep = false;
    double pace = 0;  // rows a second; 0 = as fast as it goes
    std::vector<std::string> prepare;

    std::shared_ptr<Engine> engine;
    std::unique_ptr<EngineConnection> sql;
    std::unique_ptr<SpanStore> store;

    void open() {
        engine = must(Engine::open({.library = library, .directory = directory}));
        store = clickhouse_store(must(embedded_transport(engine, {})));
        must(store->migrate());
        sql = must(engine->connect({}));
        ask("USE observatory");
        for (const std::string& statement : prepare) ask(statement);
    }
    std::string ask(const std::string& text) { return must(sql->query({text}, "TSV")).bytes; }

    void insert() {
        Spans spans(content, days, rows);
        double in_writes = 0, cpu_in_writes = 0, slowest = 0;
        const double start = now(), cpu_start = cpu();
        double cpu_making = 0;
        std::vector<double> times;
        for (std::uint64_t done = 0; done < rows; done += batch) {
            const double before_making = own_cpu();
            const AnyBatch rows_now = spans.next(std::min<std::uint64_t>(batch, rows - done));
            cpu_making += own_cpu() - before_making;
            const double before = now(), cpu_write = cpu();
            must(store->write(rows_now, fmt::format("bench-{}", done)));
            const double took = now() - before;
            times.push_back(took);
            in_writes += took;
            cpu_in_writes += cpu() - cpu_write;
            slowest = std::max(slowest, took);
            if (pace > 0) {
                const double due = start + static_cast<double>(done + batch) / pace;
                if (due > now()) std::this_thread::sleep_for(Seconds(due - now()));
            }
        }
        const double elapsed = now() - start, total_cpu = cpu() - cpu_start - cpu_making;
        std::sort(times.begin(), times.end());
        const auto n = static_cast<double>(rows);
        fmt::print(
            "insert: {:.0f} rows/s in writes; p50 {:.1f} ms p99 {:.1f} ms; {:.2f} us cpu/row in writes, "
            "{:.2f} us cpu/row with merges so far ({:.1f} s)\n",
            n / in_writes, 1e3 * times[times.size() / 2], 1e3 * times[times.size() * 99 / 100],
            1e6 * cpu_in_writes / n, 1e6 * total_cpu / n, elapsed);
        fmt::print("parts: {}",
                   ask("SELECT count(), sum(rows), sum(bytes_on_disk)/sum(rows), part_type FROM "
                       "system.parts WHERE active AND database='observatory' AND table='spans' GROUP BY "
                       "part_type"));
        const double settle_cpu = cpu();
        // Merges go on by themselves for a while.
        const double settle = now();
        while (now() - settle < 120 && ask("SELECT count() FROM system.merges") != "0\n")
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        fmt::print("settled after {:.1f} s, {:.2f} us cpu/row more; events: {}", now() - settle,
                   1e6 * (cpu() - settle_cpu) / n,
                   ask("SELECT groupArray((event, value)) FROM system.events WHERE event IN ('Merge', "
                       "'MergedRows', 'InsertedRows','MergesTimeMilliseconds', "
                       "'MergeTotalMilliseconds','FileSync','DirectorySync')"));
    }

    void optimize() {
        const double before = cpu();
        ask("OPTIMIZE TABLE spans FINAL");
        fmt::print(
            "after OPTIMIZE ({:.2f} us cpu/row): {}", 1e6 * (cpu() - before) / static_cast<double>(rows),
            ask("SELECT count(), sum(rows), sum(bytes_on_disk)/sum(rows) FROM system.parts WHERE active "
                "AND database='observatory' AND table='spans'"));
        fmt::print("columns: {}\n",
                   ask("SELECT arrayStringConcat(groupArray(c || ' ' || toString(round(b,2))), ', ') FROM "
                       "(SELECT column AS c, "
                       "sum(column_bytes_on_disk)/sum(rows) AS b FROM system.parts_columns WHERE active AND "
                       "database='observatory' AND table='spans' GROUP BY column ORDER BY b DESC LIMIT 24)"));
        fmt::print(
            "indexes: {}\n",
            ask("SELECT groupArray((name, data_compressed_bytes)) FROM system.data_skipping_indices WHERE "
                "database='observatory' AND table='spans'"));
    }

    template <class F>
    void measure(std::string_view what, int times, F&& f) {
        std::vector<double> took;
        std::size_t found = 0;
        for (int i = 0; i < times; ++i) {
            const double before = now();
            found += f(i);
            took.push_back(now() - before);
        }
        std::sort(took.begin(), took.end());
        fmt::print("{:<34} p50 {:7.1f} ms  p99 {:7.1f} ms  found {}\n", what, 1e3 * took[took.size() / 2],
                   1e3 * took[took.size() * 99 / 100], found / static_cast<std::size_t>(times));
    }

    static Filter where(std::string_view column, Operator op, Scalar value, std::string key = {}) {
        return Filter{}.also(
            Filter::where({{find_column(TableId::spans, column), std::move(key)}, op, {std::move(value)}}));
    }
    std::size_t list(RowQuestion question) { return size_of(must(store->rows(question, {})).batch); }

    void questions() {
        const RowQuestion plain(Scope("default", {"default"}));
        const int n = quick ? 10 : 40;
        Spans spans(content, days, rows);
        std::mt19937_64 random(1);
        const auto with = [&](Filter filter) {
            RowQuestion question = plain;
            question.filter = std::move(filter);
            return question;
        };
        RowQuestion small = plain;
        for (const char* name : {"span_name", "kind", "model", "duration", "total_cost", "status_code"})
            small.columns.push_back(find_column(TableId::spans, name));
        measure("newest 50, six columns", n, [&](int) { return list(small); });
        measure("newest 50, all columns", n, [&](int) { return list(plain); });
        RowQuestion cut = plain;
        cut.content_bytes = 200;
        measure("newest 50, content cut", n, [&](int) { return list(cut); });
        RowQuestion organisation = plain;
        organisation.scope = Scope("default", {});
        measure("newest 50 of all projects", n, [&](int) { return list(organisation); });
        RowQuestion slowest = small;
        slowest.order = {{{find_column(TableId::spans, "duration")}, true}};
        measure("slowest 50", n, [&](int) { return list(slowest); });
        measure("model = gpt-4o", n, [&](int) { return list(with(where("model", Operator::eq, "gpt-4o"))); });
        measure("status = error", n, [&](int) { return list(with(where("status_code", Operator::eq, 2))); });
        measure("one user", n, [&](int i) {
            return list(with(where("user_id", Operator::eq, fmt::format("user-{}", i * 7))));
        });
        measure("one session", n, [&](int) {
            return list(
                with(where("session_id", Operator::eq, fmt::format("session-{}", random() % (rows / 32)))));
        });
        measure("trace by id", n * 3, [&](int) {
            const TraceId id = spans.trace_of(random() % rows);
            return list(with(where("trace_id", Operator::eq,
                                   std::string(reinterpret_cast<const char*>(id.bytes.data()), 16))));
        });
        measure("trace by id within an hour", n * 3, [&](int) {
            const std::uint64_t row = random() % rows;
            const TraceId id = spans.trace_of(row);
            RowQuestion question = with(where(
                "trace_id", Operator::eq, std::string(reinterpret_cast<const char*>(id.bytes.data()), 16)));
            question.window = {spans.time_of(row) - Nanos::hours(1), spans.time_of(row) + Nanos::hours(1)};
            return list(question);
        });
        measure("an attribute, rare", n, [&](int i) {
            return list(with(where("attributes", Operator::eq, fmt::format("req-{}", i), "request.id")));
        });
        measure("span name contains", n,
                [&](int) { return list(with(where("span_name", Operator::contains, "nothing"))); });
        if (content) {
            measure("search, common word", n,
                    [&](int) { return list(with(where("input_text", Operator::search, "w10"))); });
            measure("search, rare word", n, [&](int i) {
                return list(with(where("input_text", Operator::search, fmt::format("w{}", 15'000 + i))));
            });
            measure("input contains", quick ? 1 : 3, [&](int) {
                return list(with(where("input_text", Operator::contains, "nothing like it")));
            });
        }
        GroupQuestion costs(Scope("default", {"default"}));
        costs.interval = Nanos::hours(1);
        costs.group_by = {{find_column(TableId::spans, "model")}};
        costs.aggregates.push_back({.function = Aggregate::Function::count, .name = "n"});
        costs.aggregates.push_back({.function = Aggregate::Function::sum,
                                    .field = {find_column(TableId::spans, "total_cost")},
                                    .name = "cost"});
        measure("cost by hour and model", n, [&](int) { return must(store->groups(costs, {})).rows.size(); });
        costs.aggregates.push_back({.function = Aggregate::Function::quantile,
                                    .field = {find_column(TableId::spans, "duration")},
                                    .level = 0.95,
                                    .name = "p95"});
        measure("and p95 of duration", n, [&](int) { return must(store->groups(costs, {})).rows.size(); });
    }

    // Encoding alone, without the engine.
    void encode() {
        Spans spans(content, days, rows);
        const AnyBatch rows_now = spans.next(batch);
        Buffer out;
        constexpr int times = 50;
        const double before = now();
        for (int i = 0; i < times; ++i) {
            out.resize(0);
            append_native(rows_now, out);
        }
        fmt::print("encode: {:.3f} us/row, {} bytes/row\n",
                   1e6 * (now() - before) / times / static_cast<double>(batch), out.size() / batch);
    }

    void run() {
        encode();
        open();
        if (rows != 0) insert();
        if (!quick) questions();
        if (!quick) {
            optimize();
            questions();
        }
    }
};

}  // namespace
}  // namespace obs

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    obs::Bench bench;
    CLI::App app("Measures the store on the embedded engine");
    app.add_option("--engine-library", bench.library, "libchdb.so");
    app.add_option("--directory", bench.directory, "an empty directory")->required();
    app.add_option("--rows", bench.rows, "spans to insert");
    app.add_option("--batch", bench.batch, "spans in one write");
    app.add_option("--days", bench.days, "days that the spans are spread over");
    app.add_option("--pace", bench.pace, "spans a second; 0 is as fast as it goes");
    app.add_option("--prepare", bench.prepare, "statements before the first write");
    app.add_flag("--content", bench.content, "with prompts and answers of 1.2 KB");
    app.add_flag("--quick", bench.quick, "no questions");
    CLI11_PARSE(app, argc, argv);
    bench.run();
    return 0;
}
