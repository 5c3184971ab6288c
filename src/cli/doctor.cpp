#include "cli/doctor.h"

#include <algorithm>
#include <array>
#include <system_error>

#include <dlfcn.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "catalog/catalog.h"
#include "catalog/data_directory.h"
#include "catalog/tokens.h"
#include "store/clickhouse/engine.h"

namespace obs::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t few_files = 4096;
constexpr UnixNanos program_made{1'735'689'600'000'000'000};  // 2025: no clock that is right is before
constexpr UnixNanos far_future{4'102'444'800'000'000'000};    // 2100

std::string gib(std::uint64_t bytes) {
    return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1ULL << 30));
}

class Examination {
public:
    Examination(const Loaded& loaded, const Environment& environment, const Surroundings& machine)
        : loaded_(loaded), settings_(loaded.settings), environment_(environment), machine_(machine) {}

    std::vector<Finding> run() {
        check_processor();
        check_files();
        check_clock();
        check_disk();
        check_configuration();
        check_memory();
        check_secret();
        check_directory();
        check_addresses();
        if (settings_.store == StoreKind::embedded) check_engine();
        return std::move(findings_);
    }

private:
    void good(std::string what) { findings_.push_back({Health::good, std::move(what)}); }
    void warn(std::string what, std::string fix) {
        findings_.push_back({Health::warning, std::move(what), std::move(fix)});
    }
    void broken(std::string what, std::string fix) {
        findings_.push_back({Health::broken, std::move(what), std::move(fix)});
    }

    void check_processor() {
        if (machine_.sse42) return good("processor: has SSE4.2");
        broken("processor: has no SSE4.2, which this program needs", "use a machine made after 2009");
    }

    void check_files() {
        if (machine_.open_files >= few_files)
            return good(fmt::format("open files: {} allowed", machine_.open_files));
        warn(fmt::format("open files: only {} allowed", machine_.open_files),
             fmt::format("raise the hard limit to {} or more (`ulimit -Hn`, LimitNOFILE= of systemd)",
                         few_files));
    }

    void check_clock() {
        if (machine_.now >= program_made && machine_.now <= far_future)
            return good("clock: " + rfc3339(machine_.now) + " (UTC)");
        broken("clock: says " + rfc3339(machine_.now),
               "set it (for example with chrony): spans with times far from the clock are refused");
    }

    void check_disk() {
        const Result<Disk> disk = machine_.disk(settings_.data);
        if (!disk) return broken("disk: " + disk.error().message, "choose another --data");
        const std::string facts =
            fmt::format("disk: {}, {} free of {}", disk->type, gib(disk->available), gib(disk->size));
        if (disk->network)
            warn(facts + "; it is a network disk",
                 "put --data on a local disk: locks and syncs are not reliable here");
        if (disk->volatile_memory)
            warn(facts + "; it is memory", "put --data on a disk: everything is gone after a restart");
        if (disk->available < disk->size / 20)
            return broken(facts + "; less than 5 % is free", "free some space, or choose another --data");
        const std::uint64_t journal = plan_journal(settings_, disk->size);
        if (disk->available < journal)
            warn(fmt::format("{}; the journal may need {}", facts, gib(journal)),
                 "free some space, or lower --journal-budget");
        else if (!disk->network && !disk->volatile_memory)
            good(facts);
    }

    void check_configuration() {
        for (const std::string& problem : loaded_.problems) broken("configuration: " + problem, "");
        if (loaded_.problems.empty()) good("configuration: can be used");
        for (const fs::path& file : {settings_.tls_certificate, settings_.tls_key, settings_.prices}) {
            if (!file.empty() && ::access(file.c_str(), R_OK) != 0)
                broken(fmt::format("configuration: cannot read {}: {}", file.string(), errno_text(errno)),
                       "correct the path or the permissions");
        }
        for (const Address* address : {&settings_.otlp_grpc, &settings_.otlp_http, &settings_.api})
            if (!address->is_loopback() && settings_.tls_certificate.empty())
                warn(fmt::format("configuration: {} is open to the network without TLS", address->text()),
                     "give --tls-cert and --tls-key, or put a proxy with TLS before it");
    }

    void check_memory() {
        if (settings_.store == StoreKind::memory) return good("memory: " + gib(machine_.memory));
        const Result<MemoryPlan> plan = plan_memory(settings_, machine_.memory);
        if (!plan) return broken("memory: " + plan.error().message, "");
        if (plan->total > machine_.memory)
            return broken(fmt::format("memory: --memory is {}, and the machine has {}", gib(plan->total),
                                      gib(machine_.memory)),
                          "lower --memory");
        good(fmt::format("memory: {} of {} will be used", gib(plan->total), gib(machine_.memory)));
    }

    void check_secret() {
        for (const std::string_view name : {"LLMOBS_JWT_SECRET", "JWT_SECRET"}) {
            const auto found = environment_.find(name);
            if (found == environment_.end() || found->second.empty()) continue;
            if (found->second.size() < AccessTokens::secret_minimum)
                broken(fmt::format("configuration: {} has {} characters", name, found->second.size()),
                       fmt::format("use {} or more random ones, or leave it out: then one is made",
                                   AccessTokens::secret_minimum));
            return;
        }
    }

    void check_directory() {
        const fs::path& path = settings_.data;
        std::error_code error;
        if (!fs::exists(path, error)) {
            if (error)
                return broken(
                    fmt::format("data directory: cannot look at {}: {}", path.string(), error.message()),
                    "correct the permissions");
            return warn(fmt::format("data directory: there is none at {}", path.string()),
                        "`observatory serve` makes it; other commands need it");
        }
        check_permissions(path);
        const Result<DataDirectory> opened = DataDirectory::open(path, Lock::read_only);
        if (!opened)
            return broken("data directory: " + opened.error().message,
                          opened.error().kind == ErrorKind::not_found
                              ? "name an empty directory, or one that an observatory made"
                              : "use a newer program, or restore the directory from a backup");
        check_lock(path);
        check_journal(*opened);
        check_catalog(*opened);
    }

    void check_permissions(const fs::path& path) {
        struct stat facts{};
        if (::stat(path.c_str(), &facts) != 0) return;
        if (!S_ISDIR(facts.st_mode))
            return broken(fmt::format("data directory: {} is a file", path.string()),
                          "choose another --data");
        if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0)
            broken(fmt::format("data directory: this user may not write to {}", path.string()),
                   "run as its owner, or change the owner");
        if ((facts.st_mode & 077) != 0)
            warn(fmt::format("data directory: others may look into {} (mode {:o})", path.string(),
                             facts.st_mode & 0777),
                 fmt::format("chmod 700 {}", path.string()));
    }

    void check_lock(const fs::path& path) {
        const std::optional<int> holder = lock_holder(path);
        in_use_ = holder.has_value();
        good(in_use_ ? fmt::format("data directory: in use by process {}, a running server", *holder)
                     : fmt::format("data directory: {} is free", path.string()));
    }

    void check_journal(const DataDirectory& directory) {
        std::uint64_t bytes = 0;
        std::error_code error;
        for (fs::recursive_directory_iterator entry(directory.journal(), error), end; !error && entry != end;
             entry.increment(error)) {
            std::error_code ignored;
            if (entry->is_regular_file(ignored)) bytes += entry->file_size(ignored);
        }
        if (error)
            return broken("data directory: cannot read the journal: " + error.message(),
                          "correct the permissions");
        const Result<Disk> disk = machine_.disk(directory.path());
        const std::uint64_t budget = disk ? plan_journal(settings_, disk->size) : bytes;
        if (bytes > budget - budget / 10)
            return warn(fmt::format("journal: {} of at most {}", gib(bytes), gib(budget)),
                        "the store does not keep up or does not answer: see the log of the server");
        good(fmt::format("journal: {} of at most {}", gib(bytes), gib(budget)));
    }

    void check_catalog(const DataDirectory& directory) {
        const auto address = CatalogAddress::of(settings_.catalog.reveal(), directory.catalog_file());
        const Result<Catalog> catalog = !address ? Result<Catalog>(std::unexpected(address.error()))
                                                 : Catalog::open(*address, Migrations::refuse);
        if (!catalog)
            return broken("catalog: " + catalog.error().message,
                          "start `observatory serve` once and look at its log");
        const Result<std::vector<ApiKey>> keys = catalog->keys();
        if (!keys) return broken("catalog: " + keys.error().message, "restore it from a backup");
        const auto active =
            std::ranges::count_if(*keys, [](const ApiKey& key) { return key.sends() && !key.revoked; });
        const bool needs_key = !settings_.otlp_grpc.is_loopback() || !settings_.otlp_http.is_loopback();
        if (needs_key && active == 0)
            return warn(
                "catalog: there is no ingest key, and OTLP is not on loopback: nobody can send",
                fmt::format("observatory key create --data {} --project NAME", directory.path().string()));
        good(fmt::format("catalog: {} active ingest keys", active));
    }

    void check_addresses() {
        if (in_use_) return;  // the server that runs has them
        for (const Address* address : {&settings_.otlp_grpc, &settings_.otlp_http, &settings_.api})
            if (const std::string trouble = cannot_listen(*address); !trouble.empty())
                broken(fmt::format("address: cannot listen on {}: {}", address->text(), trouble),
                       "stop what uses it, or choose another HOST:PORT");
    }

    static std::string cannot_listen(const Address& address) {
        addrinfo hints{};
        hints.ai_flags = AI_PASSIVE;
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        const std::string port = std::to_string(address.port);
        if (const int code = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found); code != 0)
            return ::gai_strerror(code);
        const Descriptor socket(
            ::socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol));
        constexpr int yes = 1;
        ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        const bool bound = ::bind(socket.number(), found->ai_addr, found->ai_addrlen) == 0 &&
                           ::listen(socket.number(), 1) == 0;
        const int number = errno;
        ::freeaddrinfo(found);
        return bound ? std::string() : errno_text(number);
    }

    void check_engine() {
        const Result<fs::path> library = find_engine_library(settings_, machine_.executable);
        if (!library) return broken("engine: " + library.error().message, "or start with --store memory");
        void* loaded = ::dlopen(library->c_str(), RTLD_NOW | RTLD_LOCAL);
        if (loaded == nullptr)
            return broken(fmt::format("engine: cannot load {}: {}", library->string(), ::dlerror()),
                          "`make build` fetches it again");
        using Version = const char* (*)();
        const auto version_of = reinterpret_cast<Version>(::dlsym(loaded, "chdb_version"));
        const std::string version = version_of == nullptr ? "" : version_of();
        // Never unloaded: the engine's static objects do not expect it.
        if (!version.starts_with(needed_engine_version))
            return broken(fmt::format("engine: {} has version {:?}, this program needs {}x",
                                      library->string(), version, needed_engine_version),
                          "`make build` fetches the right one");
        good(fmt::format("engine: {} version {}", library->string(), version));
    }

    const Loaded& loaded_;
    const ServeSettings& settings_;
    const Environment& environment_;
    const Surroundings& machine_;
    bool in_use_ = false;
    std::vector<Finding> findings_;
};

}  // namespace

Surroundings this_machine() {
    return {.sse42 = cpu_has_sse42(),
            .open_files = raise_file_limit(),
            .memory = machine_memory(),
            .now = system_now(),
            .executable = executable_path(),
            .disk = disk_of};
}

std::vector<Finding> examine(const Loaded& loaded, const Environment& environment,
                             const Surroundings& surroundings) {
    return Examination(loaded, environment, surroundings).run();
}

}  // namespace obs::cli
