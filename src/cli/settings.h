// Every setting of `observatory serve`, each defined once: flag, environment variable, key of the YAML file,
// default, check and help come from one table (settings_table.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"

namespace obs::cli {

// Where to listen. Port 0: the system picks a free one.
struct Address {
    std::string host;
    std::uint16_t port = 0;
    auto operator<=>(const Address&) const = default;
    // `127.0.0.0/8`, `::1` and `localhost`.
    bool is_loopback() const;
    // `host:port`; an IPv6 host in brackets.
    std::string text() const;
};

enum class StoreKind { embedded, memory };

// The values in force. Bytes are bytes; 0 in a field that says so means "decide from the machine".
struct ServeSettings {
    std::filesystem::path data = "observatory-data";
    Address otlp_grpc{"127.0.0.1", 4317};
    Address otlp_http{"127.0.0.1", 4318};
    Address api{"127.0.0.1", 8080};
    StoreKind store = StoreKind::embedded;
    Secret catalog;                        // postgresql://…; empty: a file of the data directory
    std::filesystem::path jwt_keys;        // public keys of others who issue tokens; empty: none
    std::string jwt_issuer, jwt_audience;  // what their tokens must name; empty: anything
    Nanos session_lifetime = Nanos::hours(12);
    Secret redis;  // redis://… or unix://…; empty: limits and cached answers are this process's own
    std::uint32_t live_connections = 2048;  // clients that listen to events
    std::uint32_t live_connections_per_user = 64;
    std::string rate_limits;                // `viewer=2000,admin=0` over the built-in ones
    std::filesystem::path prices;           // empty: only the built-in catalogue
    std::filesystem::path tls_certificate;  // PEM chain; empty: no TLS
    std::filesystem::path tls_key;
    std::vector<std::string> cors_origins;  // none by default
    std::filesystem::path engine_library;   // empty: find_engine_library()
    log::Level log_level = log::Level::info;
    std::size_t io_threads = 0;  // 0: one for each processor, at most 16

    std::uint64_t memory = 0;               // 0: half of the cgroup or machine, at most 2 GiB (decision 34)
    std::uint64_t byte_budget = 256 << 20;  // bodies being received or decoded, all together (decision 4)
    std::uint64_t body_limit = 64 << 20;    // before and after decompression
    std::uint64_t header_limit = 16 << 10;
    std::uint64_t export_bytes = std::uint64_t{10} << 30;  // of all files of exports together
    std::uint64_t journal_budget = 0;                      // 0: 10 % of the disk, at most 20 GiB (decision 6)

    std::uint64_t attribute_bytes = 1 << 20;
    std::uint32_t attributes_per_span = 1024;
    std::uint32_t attribute_depth = 64;

    Nanos settle_after = Nanos::seconds(30);      // a trace without news is complete
    Nanos settle_after_root = Nanos::seconds(5);  // the same once its root has ended (decision 11)
    Nanos stuck_after = Nanos::seconds(600);      // without news of a trace of which spans run

    Nanos budget_interval = Nanos::seconds(15);  // spend is compared with budgets so often
    bool private_webhooks = false;               // they may go where only this machine's network reaches

    // Days (decision 30).
    std::int32_t keep_payload = 30;
    std::int32_t keep_rows = 90;
    std::int32_t keep_logs = 30;
    std::int32_t keep_metrics = 90;
    std::int32_t keep_minute_rollups = 37;
    std::int32_t keep_rollups = 395;  // of hours and days
    std::int32_t keep_audit = 90;
    std::int32_t keep_exports = 7;
    std::int32_t keep_quarantine = 30;
};

// One row of the table. All sources are text and go through the same `set`.
struct Setting {
    std::string_view name;         // `otlp-grpc`: the flag without dashes
    std::string_view placeholder;  // `HOST:PORT`, for the help
    std::string_view help;
    std::function<Result<void>(ServeSettings&, std::string_view text)> set;
    std::function<std::string(const ServeSettings&)> show;
    // Spellings of older deployments, which win over the default alone.
    std::vector<std::string_view> flag_aliases{};
    std::vector<std::string_view> environment_aliases{};
    std::vector<std::string_view> file_aliases{};  // dotted path

    std::string environment_name() const;  // LLMOBS_OTLP_GRPC
    std::string file_key() const;          // otlp_grpc
};
std::span<const Setting> settings_table();

using Environment = std::map<std::string, std::string, std::less<>>;
Environment process_environment();

// What was given on the command line: setting name to text.
using Flags = std::map<std::string, std::string, std::less<>>;

struct Loaded {
    ServeSettings settings;
    // Every problem found, each naming its source (flag, variable, or file and line) and what to write
    // instead. When there is one, `settings` is not to be used.
    std::vector<std::string> problems;
};

// Flag over environment over file over default. `config`: the YAML file, or empty.
Loaded load_settings(const Flags& flags, const Environment& environment, const std::filesystem::path& config);

// How the memory is divided (decision 34).
struct MemoryPlan {
    std::uint64_t total = 0;
    std::uint64_t engine = 0;        // total - byte budget - 400 MB
    std::uint64_t one_question = 0;  // a quarter of the engine's
};
// `machine_memory`: of the cgroup or the machine. Fails with `invalid_input` when nothing is left for the
// engine.
Result<MemoryPlan> plan_memory(const ServeSettings& settings, std::uint64_t machine_memory);

// The journal's disk budget for a disk of that size.
std::uint64_t plan_journal(const ServeSettings& settings, std::uint64_t disk_size);

// The `libchdb.so` to load: the setting, else `../lib/` and `lib/` beside the executable. `not_found` names
// the places.
Result<std::filesystem::path> find_engine_library(const ServeSettings& settings,
                                                  const std::filesystem::path& executable);

}  // namespace obs::cli
