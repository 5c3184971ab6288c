// The table: one row for each setting of `observatory serve`. Everything else follows from it.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "catalog/address.h"
#include "cli/settings.h"

namespace obs::cli {
namespace {

constexpr std::size_t path_limit = 4096;

std::unexpected<Error> refuse(std::string_view text, std::string_view expected) {
    return fail(ErrorKind::invalid_input, "{:?} is not {}", text, expected);
}

std::optional<std::uint64_t> whole(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

struct Unit {
    std::string_view name;
    std::uint64_t size;
};

// A whole number and one of the units, the first without a unit.
template <std::size_t N>
std::optional<std::uint64_t> with_unit(std::string_view text, const std::array<Unit, N>& units) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::optional<std::uint64_t> number = whole(text.substr(0, digits));
    for (const Unit& unit : units) {
        if (!number || unit.name != text.substr(digits)) continue;
        if (*number > std::numeric_limits<std::int64_t>::max() / unit.size) return std::nullopt;
        return *number * unit.size;
    }
    return std::nullopt;
}

constexpr std::array byte_units{
    Unit{"", 1},           Unit{"k", 1 << 10},       Unit{"K", 1 << 10},   Unit{"KiB", 1 << 10},
    Unit{"m", 1 << 20},    Unit{"M", 1 << 20},       Unit{"MiB", 1 << 20}, Unit{"g", 1 << 30},
    Unit{"G", 1 << 30},    Unit{"GiB", 1 << 30},     Unit{"B", 1},         Unit{"KB", 1000},
    Unit{"MB", 1'000'000}, Unit{"GB", 1'000'000'000}};
constexpr std::array time_units{Unit{"", 1'000'000'000},      Unit{"ms", 1'000'000},
                                Unit{"s", 1'000'000'000},     Unit{"m", 60'000'000'000},
                                Unit{"h", 3'600'000'000'000}, Unit{"d", 86'400'000'000'000}};

std::string shown_bytes(std::uint64_t bytes) {
    for (const Unit& unit : {Unit{"GiB", 1 << 30}, Unit{"MiB", 1 << 20}, Unit{"KiB", 1 << 10}})
        if (bytes >= unit.size && bytes % unit.size == 0)
            return fmt::format("{}{}", bytes / unit.size, unit.name);
    return std::to_string(bytes);
}

std::optional<Address> address_from(std::string_view text) {
    std::string_view host, port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find("]:");
        if (end == std::string_view::npos) return std::nullopt;
        host = text.substr(1, end - 1);
        port = text.substr(end + 2);
    } else {
        const std::size_t colon = text.find(':');
        if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
            return std::nullopt;
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    const std::optional<std::uint64_t> number = whole(port);
    if (host.empty() || host.size() > 255 || !number || *number > 65535) return std::nullopt;
    return Address{std::string(host), static_cast<std::uint16_t>(*number)};
}

// How a member of ServeSettings is read and shown, by its kind.
struct Access {
    std::function<Result<void>(ServeSettings&, std::string_view)> set;
    std::function<std::string(const ServeSettings&)> show;
};

Access address(Address ServeSettings::* member) {
    return {[=](ServeSettings& settings, std::string_view text) -> Result<void> {
                const std::optional<Address> given = address_from(text);
                if (!given) return refuse(text, "HOST:PORT, for example 127.0.0.1:4317 or [::1]:4317");
                settings.*member = *given;
                return {};
            },
            [=](const ServeSettings& settings) { return (settings.*member).text(); }};
}

Access path(std::filesystem::path ServeSettings::* member) {
    return {[=](ServeSettings& settings, std::string_view text) -> Result<void> {
                if (text.empty() || text.size() > path_limit || text.find('\0') != std::string_view::npos)
                    return refuse(text.substr(0, 80), "a path");
                settings.*member = text;
                return {};
            },
            [=](const ServeSettings& settings) { return (settings.*member).string(); }};
}

Access bytes(std::uint64_t ServeSettings::* member, std::uint64_t least, std::uint64_t most,
             std::string_view automatic = {}) {
    return {[=](ServeSettings& settings, std::string_view text) -> Result<void> {
                const std::optional<std::uint64_t> number = with_unit(text, byte_units);
                if (!number || *number < least || *number > most)
                    return refuse(text, fmt::format("a size from {} to {}, for example 64MiB",
                                                    shown_bytes(least), shown_bytes(most)));
                settings.*member = *number;
                return {};
            },
            [=](const ServeSettings& settings) {
                const std::uint64_t value = settings.*member;
                return value == 0 ? std::string(automatic) : shown_bytes(value);
            }};
}

template <class Number>
Access number(Number ServeSettings::* member, std::uint64_t least, std::uint64_t most,
              std::string_view automatic = {}) {
    return {[=](ServeSettings& settings, std::string_view text) -> Result<void> {
                const std::optional<std::uint64_t> given = whole(text);
                if (!given || *given < least || *given > most)
                    return refuse(text, fmt::format("a whole number from {} to {}", least, most));
                settings.*member = static_cast<Number>(*given);
                return {};
            },
            [=](const ServeSettings& settings) {
                const Number value = settings.*member;
                return value == 0 ? std::string(automatic) : std::to_string(value);
            }};
}

Access days(std::int32_t ServeSettings::* member) {
    return number(member, 1, 36'500);
}

Access duration(Nanos ServeSettings::* member, Nanos most = Nanos::days(1)) {
    return {[=](ServeSettings& settings, std::string_view text) -> Result<void> {
                const std::optional<std::uint64_t> nanos = with_unit(text, time_units);
                if (!nanos || *nanos == 0 || *nanos > static_cast<std::uint64_t>(most.count))
                    return refuse(text, fmt::format("a time from 1ms to {}, for example 30s",
                                                    most == Nanos::days(1) ? "1d" : "1m"));
                settings.*member = {static_cast<std::int64_t>(*nanos)};
                return {};
            },
            [=](const ServeSettings& settings) {
                const std::int64_t ms = (settings.*member).count / 1'000'000;
                return ms % 1000 == 0 ? fmt::format("{}s", ms / 1000) : fmt::format("{}ms", ms);
            }};
}

// Origins as a browser sends them: `https://host[:port]`, or `*`.
Access origins(std::vector<std::string> ServeSettings::* member) {
    return {
        [=](ServeSettings& settings, std::string_view text) -> Result<void> {
            std::vector<std::string> found;
            while (!text.empty()) {
                const std::size_t comma = std::min(text.find(','), text.size());
                std::string_view one = text.substr(0, comma);
                text.remove_prefix(std::min(comma + 1, text.size()));
                while (one.starts_with(' ')) one.remove_prefix(1);
                while (one.ends_with(' ')) one.remove_suffix(1);
                const std::size_t scheme = one.starts_with("https://")  ? 8
                                           : one.starts_with("http://") ? 7
                                                                        : 0;
                if (one != "*" && (scheme == 0 || one.size() == scheme ||
                                   one.find_first_of("/ ", scheme) != std::string_view::npos))
                    return refuse(one, "an origin, for example https://example.org");
                found.emplace_back(one);
            }
            settings.*member = std::move(found);
            return {};
        },
        [=](const ServeSettings& settings) { return fmt::format("{}", fmt::join(settings.*member, ",")); }};
}

Access store_kind() {
    return {[](ServeSettings& settings, std::string_view text) -> Result<void> {
                if (text == "embedded") {
                    settings.store = StoreKind::embedded;
                } else if (text == "memory") {
                    settings.store = StoreKind::memory;
                } else if (text.find("://") != std::string_view::npos) {
                    return fail(
                        ErrorKind::invalid_input,
                        "stores of kind {:?} are not supported by this version; it has embedded and memory",
                        text.substr(0, text.find("://")));  // what follows may hold a password
                } else {
                    return refuse(text, "a store: embedded or memory");
                }
                return {};
            },
            [](const ServeSettings& settings) {
                return std::string(settings.store == StoreKind::embedded ? "embedded" : "memory");
            }};
}

// `jwt_issuer` and the like: a short text.
Access text(std::string ServeSettings::* member) {
    return {[=](ServeSettings& settings, std::string_view given) -> Result<void> {
                if (given.empty() || given.size() > 1000) return refuse(given.substr(0, 80), "a short text");
                settings.*member = given;
                return {};
            },
            [=](const ServeSettings& settings) { return settings.*member; }};
}

// What is wrong is said without the text, and what is set is shown without the password.
Access catalog_address() {
    return {[](ServeSettings& settings, std::string_view given) -> Result<void> {
                OBS_TRY(CatalogAddress::url(given));
                settings.catalog = Secret(std::string(given));
                return {};
            },
            [](const ServeSettings& settings) {
                if (settings.catalog.empty()) return std::string("a file of the data directory");
                const auto address = CatalogAddress::url(settings.catalog.reveal());
                return address ? address->shown() : std::string();
            }};
}

// It is read whole when the program starts; what is set is shown without the password.
Access redis_address() {
    return {[](ServeSettings& settings, std::string_view given) -> Result<void> {
                if (!given.starts_with("redis://") && !given.starts_with("unix://"))
                    return fail(ErrorKind::invalid_input,
                                "an address of Redis begins with redis:// or unix://");
                settings.redis = Secret(std::string(given));
                return {};
            },
            [](const ServeSettings& settings) {
                const std::string& url = settings.redis.reveal();
                if (url.empty()) return std::string("none: each process for itself");
                const std::size_t at = url.rfind('@');
                return at == std::string::npos ? url : "redis://…" + url.substr(at);
            }};
}

Access webhook_targets() {
    return {[](ServeSettings& settings, std::string_view given) -> Result<void> {
                if (given != "public" && given != "all") return refuse(given.substr(0, 80), "public or all");
                settings.private_webhooks = given == "all";
                return {};
            },
            [](const ServeSettings& settings) {
                return std::string(settings.private_webhooks ? "all" : "public");
            }};
}

struct NamedLevel {
    std::string_view name;
    log::Level level;
};
constexpr std::array levels{NamedLevel{"debug", log::Level::debug}, NamedLevel{"info", log::Level::info},
                            NamedLevel{"warning", log::Level::warning},
                            NamedLevel{"warn", log::Level::warning}, NamedLevel{"error", log::Level::error}};

Access log_level() {
    return {[](ServeSettings& settings, std::string_view text) -> Result<void> {
                for (const NamedLevel& named : levels) {
                    if (named.name != text) continue;
                    settings.log_level = named.level;
                    return {};
                }
                return refuse(text, "one of debug, info, warning, error");
            },
            [](const ServeSettings& settings) {
                for (const NamedLevel& named : levels)
                    if (named.level == settings.log_level) return std::string(named.name);
                return std::string();
            }};
}

struct Aliases {
    std::vector<std::string_view> flags{}, environment{}, file{};
};

Setting setting(std::string_view name, std::string_view placeholder, std::string_view help, Access access,
                Aliases aliases = {}) {
    return {name,
            placeholder,
            help,
            std::move(access.set),
            std::move(access.show),
            std::move(aliases.flags),
            std::move(aliases.environment),
            std::move(aliases.file)};
}

constexpr std::uint64_t kibi = 1 << 10, mebi = 1 << 20, gibi = 1 << 30;

std::vector<Setting> make_table() {
    using S = ServeSettings;
    return {
        setting("data", "DIR", "directory that holds everything", path(&S::data)),
        setting("otlp-grpc", "HOST:PORT", "listen here for OTLP over gRPC; port 0 picks a free one",
                address(&S::otlp_grpc),
                {{"grpc-endpoint"}, {"LLMOBS_GRPC_ENDPOINT"}, {"receiver.grpc_endpoint"}}),
        setting("otlp-http", "HOST:PORT", "listen here for OTLP over HTTP", address(&S::otlp_http),
                {{"http-endpoint"}, {"LLMOBS_HTTP_ENDPOINT"}, {"receiver.http_endpoint"}}),
        setting("api", "HOST:PORT", "listen here for the HTTP API", address(&S::api)),
        setting("store", "URL", "where spans are kept: embedded, or memory (gone after a stop)",
                store_kind()),
        setting("catalog", "URL",
                "where users, projects and keys are kept: postgresql://user:password@host/database",
                catalog_address()),
        setting("session-lifetime", "TIME", "how long one stays signed in", duration(&S::session_lifetime),
                {{}, {"JWT_EXPIRATION"}, {}}),
        setting("jwt-key", "FILE",
                "public keys of an issuer whose tokens count too: PEM, or a JSON Web Key Set",
                path(&S::jwt_keys)),
        setting("jwt-issuer", "TEXT", "what tokens of that issuer must have as iss", text(&S::jwt_issuer)),
        setting("jwt-audience", "TEXT", "what tokens of that issuer must have as aud",
                text(&S::jwt_audience)),
        setting(
            "redis", "URL",
            "Redis that instances share, for limits and cached answers: redis://[:password@]host[:port][/db]",
            redis_address(), {{}, {"REDIS_URL"}, {}}),
        setting(
            "rate-limits", "LIST",
            "requests a minute by role, for example viewer=2000,admin=0; 0 is no limit, off limits nobody",
            text(&S::rate_limits)),
        setting("live-connections", "N", "clients that may listen to events at once",
                number(&S::live_connections, 1, 100'000)),
        setting("live-connections-per-user", "N", "the same of one user or key",
                number(&S::live_connections_per_user, 1, 100'000)),
        setting("prices", "FILE", "YAML file with prices that win over the built-in ones", path(&S::prices)),
        setting("tls-cert", "FILE", "PEM certificate chain: every port speaks TLS",
                path(&S::tls_certificate)),
        setting("tls-key", "FILE", "PEM key of the certificate", path(&S::tls_key)),
        setting("cors-origins", "LIST", "origins whose pages may call, separated by commas",
                origins(&S::cors_origins), {{}, {"CORS_ORIGINS"}, {}}),
        setting("engine-library", "FILE", "libchdb.so to use instead of the one beside the program",
                path(&S::engine_library)),
        setting("log-level", "LEVEL", "debug, info, warning or error", log_level(), {{}, {"LOG_LEVEL"}, {}}),
        setting("io-threads", "N", "threads that read from sockets",
                number(&S::io_threads, 1, 64, "one a processor")),
        setting("memory", "SIZE", "memory to use in all",
                bytes(&S::memory, 512 * mebi, 1024 * gibi, "half of the machine, at most 2GiB")),
        setting("byte-budget", "SIZE",
                "request bodies in memory, all together; above it requests are refused",
                bytes(&S::byte_budget, 16 * mebi, 64 * gibi)),
        setting("body-limit", "SIZE", "largest request body, before and after decompression",
                bytes(&S::body_limit, 64 * kibi, 1 * gibi), {{}, {"OTLP_MAX_MESSAGE_SIZE"}, {}}),
        setting("header-limit", "SIZE", "largest block of request headers",
                bytes(&S::header_limit, 4 * kibi, mebi)),
        setting(
            "journal-budget", "SIZE", "disk for data that is acknowledged and not yet in the store",
            bytes(&S::journal_budget, 256 * mebi, 16 * 1024 * gibi, "a tenth of the disk, at most 20GiB")),
        setting("export-bytes", "SIZE", "disk for files of exports, all together",
                bytes(&S::export_bytes, mebi, 16 * 1024 * gibi)),
        setting("attribute-bytes", "SIZE", "longest attribute value that is stored; the rest is cut off",
                bytes(&S::attribute_bytes, kibi, 64 * mebi)),
        setting("attributes-per-span", "N", "attributes of one span that are stored",
                number(&S::attributes_per_span, 16, 100'000)),
        setting("attribute-depth", "N", "nesting of an attribute value that is kept",
                number(&S::attribute_depth, 1, 256)),
        setting("settle-after", "TIME", "a trace without news for so long is complete",
                duration(&S::settle_after)),
        setting("settle-after-root", "TIME", "the same when its root span has ended",
                duration(&S::settle_after_root)),
        setting("budget-interval", "TIME", "how often what is spent is compared with budgets, at most 1m",
                duration(&S::budget_interval, Nanos::seconds(60))),
        setting("webhook-targets", "WORD",
                "where webhooks may go: public hosts, or all, addresses of this machine's network included",
                webhook_targets()),
        setting("stuck-after", "TIME", "a trace with running spans and without news for so long is stuck",
                duration(&S::stuck_after)),
        setting("keep-payload", "DAYS", "days to keep prompts and answers", days(&S::keep_payload)),
        setting("keep-rows", "DAYS", "days to keep spans", days(&S::keep_rows),
                {{}, {"RETENTION_TRACES_DAYS"}, {}}),
        setting("keep-logs", "DAYS", "days to keep log records", days(&S::keep_logs),
                {{}, {"RETENTION_LOGS_DAYS"}, {}}),
        setting("keep-metrics", "DAYS", "days to keep metric points", days(&S::keep_metrics),
                {{}, {"RETENTION_METRICS_DAYS"}, {}}),
        setting("keep-minute-rollups", "DAYS", "days to keep figures by the minute",
                days(&S::keep_minute_rollups)),
        setting("keep-rollups", "DAYS", "days to keep figures by the hour and by the day",
                days(&S::keep_rollups)),
        setting("keep-audit", "DAYS", "days to keep who asked the API for what", days(&S::keep_audit)),
        setting("keep-exports", "DAYS", "days to keep files of exports", days(&S::keep_exports)),
        setting("keep-quarantine", "DAYS", "days to keep rows that the store refused",
                days(&S::keep_quarantine)),
    };
}

}  // namespace

std::span<const Setting> settings_table() {
    static const std::vector<Setting> table = make_table();
    return table;
}

}  // namespace obs::cli
