// bench_intake: the program's way in, cut off behind one of its steps, so that the steps before can be
// measured alone: `decode` drops the decoded columns, `enrich` the canonical rows, `journal` acknowledges
// what is on disk and never stores it. Takes OTLP over gRPC and HTTP on one free port, which it prints.
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/byte_budget.h"
#include "decode/decode.h"
#include "enrich/enrich.h"
#include "ingest/ingest.h"
#include "ingest/open_traces.h"
#include "ingest/store_writer.h"
#include "journal/journal.h"
#include "net/server.h"
#include "net/workers.h"
#include "pricing/price_board.h"
#include "pricing/price_table.h"
#include "receive/otlp_service.h"
#include "store/span_store.h"
#include "text/tokeniser.h"

namespace {

using namespace obs;

class OpenDoor final : public IngestAuthority {
public:
    Result<Tenant> admit(std::string_view, bool) override { return Tenant{}; }
    void charge(const Tenant&, std::size_t) override {}
};

class DropDecoded final : public Intake {
public:
    std::atomic<std::uint64_t> spans{0};

    void accept(IntakeRequest request, Done done) override {
        const auto decoded = decode_traces(request.encoding, request.body.view(), {}, system_now());
        if (!decoded)
            done(std::unexpected(decoded.error()));
        else {
            spans.fetch_add(decoded->rows.batch.size(), std::memory_order_relaxed);
            done(Accepted{decoded->rejected, decoded->message});
        }
    }
};

class DropEnriched final : public Intake {
public:
    explicit DropEnriched(const Enricher& enricher) : enricher_(enricher) {}
    void accept(IntakeRequest request, Done done) override {
        auto decoded = decode_traces(request.encoding, request.body.view(), {}, system_now());
        if (!decoded) return done(std::unexpected(decoded.error()));
        const EnrichedSpans enriched = enricher_.spans(std::move(decoded->rows), request.tenant);
        done(Accepted{decoded->rejected, decoded->message});
    }

private:
    const Enricher& enricher_;
};

// Never asked: the writer behind the journal is not started.
class NoStore final : public SpanStore {
public:
    Result<void> migrate() override { return {}; }
    Result<void> write(const AnyBatch&, std::string_view) override { return {}; }
    Result<void> amend(const Amendments&) override { return {}; }
    Result<Rows> rows(const RowQuestion&, const Cancel&) override { return Rows{}; }
    Result<Table> groups(const GroupQuestion&, const Cancel&) override { return Table{}; }
    Result<void> stream(const RowQuestion&, const std::function<bool(AnyBatch)>&, const Cancel&) override {
        return {};
    }
    Result<void> forget(const Forget&) override { return {}; }
    StoreHealth health() override { return {}; }
};

// The real order of work up to the acknowledgement. What is durable counts as stored, so that the journal
// uses its files again and again as it does behind a store that keeps up.
class Journalled {
public:
    Journalled(const Enricher& enricher, const std::filesystem::path& directory, ByteBudget& budget)
        : journal_(open(directory)),
          open_traces_(OpenTraces::Options{}, enricher),
          writer_({.directory_id = "bench", .quarantine = directory, .queue_bytes = 0}, store_, *journal_,
                  open_traces_, enricher),
          ingest_({}, enricher, *journal_, writer_, resends_, budget),
          confirms_([this](const std::stop_token& stop) {
              while (!stop.stop_requested()) {
                  std::this_thread::sleep_for(std::chrono::milliseconds(100));
                  journal_->confirm(journal_->stats().last_durable);
              }
          }) {}
    Intake& intake() { return ingest_; }
    const Journal& journal() const { return *journal_; }

private:
    static std::unique_ptr<Journal> open(const std::filesystem::path& directory) {
        auto opened = Journal::open({.directory = directory});
        if (opened) return std::move(*opened);
        fmt::print(stderr, "bench_intake: {}\n", opened.error().message);
        std::exit(1);
    }

    NoStore store_;
    Resends resends_;
    std::unique_ptr<Journal> journal_;
    OpenTraces open_traces_;
    StoreWriter writer_;
    Ingest ingest_;
    std::jthread confirms_;
};

}  // namespace

int main(int argc, char** argv) {
    std::string until = "journal";
    std::filesystem::path directory;
    unsigned threads = 1;
    CLI::App app("Takes OTLP and drops it behind one of the steps");
    app.add_option("--until", until)
        ->check(CLI::IsMember({"decode", "enrich", "journal"}))
        ->capture_default_str();
    app.add_option("--journal", directory, "an empty directory for the journal");
    app.add_option("--threads", threads, "for connections")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    if (until == "journal" && directory.empty()) {
        fmt::print(stderr, "bench_intake: --until journal needs --journal\n");
        return 1;
    }
    // As the program itself does (cli/serve.cpp).
    mallopt(M_MMAP_THRESHOLD, 256 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stops, nullptr);

    auto prices = PriceTable::load();
    if (!prices) {
        fmt::print(stderr, "bench_intake: {}\n", prices.error().message);
        return 1;
    }
    const PriceBoard board(std::move(*prices));
    const Tokeniser tokeniser;
    const Enricher enricher(board, tokeniser);
    ByteBudget budget;
    DropDecoded drop_decoded;
    DropEnriched drop_enriched(enricher);
    std::optional<Journalled> journalled;
    if (until == "journal") journalled.emplace(enricher, directory, budget);
    Intake& intake = journalled          ? journalled->intake()
                     : until == "decode" ? static_cast<Intake&>(drop_decoded)
                                         : drop_enriched;

    OpenDoor authority;
    net::Workers workers;
    receive::OtlpService service({}, intake, authority, workers);
    auto server = net::Server::start({.threads = threads, .budget = &budget, .workers = &workers},
                                     {{.host = "127.0.0.1", .port = 0, .service = &service, .name = "otlp"}});
    if (!server) {
        fmt::print(stderr, "bench_intake: {}\n", server.error().message);
        return 1;
    }
    fmt::print("port: {}\n", (*server)->port(0));
    std::fflush(stdout);
    int signal = 0;
    sigwait(&stops, &signal);
    service.begin_drain();
    (*server)->drain(std::chrono::seconds(10));
    if (until == "decode") fmt::print("spans: {}\n", drop_decoded.spans.load());
    if (journalled) {
        const Journal::Stats stats = journalled->journal().stats();
        fmt::print("records: {}\ncommits: {}\nbytes: {}\nsync seconds: {:.2f}\n", stats.records,
                   stats.commits, stats.bytes, static_cast<double>(stats.sync_nanos) / 1e9);
    }
    return 0;
}
