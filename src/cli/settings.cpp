#include "cli/settings.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

namespace obs::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t file_limit = 1 << 20;
constexpr std::uint64_t largest_memory = 2ULL << 30;
constexpr std::uint64_t rest_of_program = 400'000'000;
constexpr std::uint64_t least_engine = 128'000'000;
constexpr std::uint64_t largest_journal = 20ULL << 30;

// Steps from one word to the other: letters put in, left out or replaced.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

std::string suggestion(std::string_view key) {
    std::string best;
    std::size_t steps = key.size() < 64 ? std::max<std::size_t>(2, key.size() / 3) + 1 : 0;
    for (const Setting& setting : settings_table()) {
        const std::size_t found = distance(key, setting.file_key());
        if (found >= steps) continue;
        steps = found;
        best = setting.file_key();
    }
    return best.empty() ? "; `observatory serve --help` lists all" : fmt::format("; did you mean {}?", best);
}

void set_from(const Setting& setting, std::string_view text, std::string_view where, Loaded& loaded) {
    if (const auto done = setting.set(loaded.settings, text); !done)
        loaded.problems.push_back(fmt::format("{}: {}", where, done.error().message));
}

const Setting* setting_of_key(std::string_view key) {
    for (const Setting& setting : settings_table()) {
        if (key == setting.file_key() || key == setting.name) return &setting;
        if (std::ranges::find(setting.file_aliases, key) != setting.file_aliases.end()) return &setting;
    }
    return nullptr;
}

bool is_section(std::string_view key) {
    return std::ranges::any_of(settings_table(), [&](const Setting& setting) {
        return std::ranges::any_of(setting.file_aliases, [&](std::string_view alias) {
            return alias.starts_with(key) && alias.substr(key.size()).starts_with('.');
        });
    });
}

class FileReader {
public:
    FileReader(const fs::path& file, Loaded& loaded) : file_(file), loaded_(loaded) {}

    void read() {
        std::error_code error;
        const std::uintmax_t size = fs::file_size(file_, error);
        if (error) return problem(fmt::format("{}: {}", file_.string(), error.message()));
        if (size > file_limit) return problem(fmt::format("{} is larger than 1 MiB", file_.string()));
        try {
            const YAML::Node root = YAML::LoadFile(file_.string());
            if (root.IsNull()) return;
            if (!root.IsMap())
                return problem(fmt::format("{}: settings must be `key: value`", file_.string()));
            read_map(root, "");
        } catch (const YAML::Exception& wrong) {
            problem(fmt::format("{}: {}", at(wrong.mark), wrong.msg));
        }
    }

private:
    std::string at(const YAML::Mark& mark) const {
        return fmt::format("{} line {}", file_.string(), mark.line + 1);
    }
    void problem(std::string text) { loaded_.problems.push_back(std::move(text)); }

    void read_map(const YAML::Node& map, const std::string& prefix) {
        for (const auto& entry : map) {
            const YAML::Node &key = entry.first, &value = entry.second;
            if (!key.IsScalar()) {
                problem(fmt::format("{}: a key must be a word", at(key.Mark())));
                continue;
            }
            const std::string name = prefix + key.Scalar();
            const Setting* setting = setting_of_key(name);
            if (setting != nullptr) {
                read_value(*setting, name, key, value);
            } else if (value.IsMap() && prefix.empty() && is_section(name)) {
                read_map(value, name + ".");
            } else {
                problem(fmt::format("{}: {:?} is no setting{}", at(key.Mark()), name, suggestion(name)));
            }
        }
    }

    void read_value(const Setting& setting, std::string_view name, const YAML::Node& key,
                    const YAML::Node& value) {
        const std::string where = fmt::format("{}: {}", at(key.Mark()), name);
        if (!seen_.insert(setting.name).second) return problem(where + " is set twice");
        std::string text;
        if (value.IsScalar()) {
            text = value.Scalar();
        } else if (value.IsSequence() &&
                   std::ranges::all_of(value, [](const YAML::Node& item) { return item.IsScalar(); })) {
            for (const YAML::Node& item : value) text += (text.empty() ? "" : ",") + item.Scalar();
        } else {
            return problem(where + " must be one value");
        }
        set_from(setting, text, where, loaded_);
    }

    const fs::path& file_;
    Loaded& loaded_;
    std::set<std::string_view> seen_;
};

// An empty variable is one that is not set: container files often pass them so.
void read_environment(const Environment& environment, Loaded& loaded) {
    for (const Setting& setting : settings_table()) {
        std::vector<std::string> names{setting.environment_name()};
        names.insert(names.end(), setting.environment_aliases.begin(), setting.environment_aliases.end());
        for (const std::string& name : names) {
            const auto found = environment.find(name);
            if (found == environment.end() || found->second.empty()) continue;
            set_from(setting, found->second, name, loaded);
            break;
        }
    }
}

void read_flags(const Flags& flags, Loaded& loaded) {
    for (const Setting& setting : settings_table())
        if (const auto found = flags.find(setting.name); found != flags.end())
            set_from(setting, found->second, fmt::format("--{}", setting.name), loaded);
}

// What no single value is at fault for.
void check_together(Loaded& loaded) {
    const ServeSettings& s = loaded.settings;
    if (s.tls_certificate.empty() != s.tls_key.empty())
        loaded.problems.emplace_back("TLS needs both --tls-cert and --tls-key");
    if (s.body_limit > s.byte_budget)
        loaded.problems.emplace_back(
            "--body-limit is above --byte-budget: the largest body would never be accepted");
}

std::string upper_with_underscores(std::string_view name) {
    std::string text(name);
    for (char& c : text) c = c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
}

}  // namespace

bool Address::is_loopback() const {
    return host == "localhost" || host == "::1" ||
           (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

std::string Address::text() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

std::string Setting::environment_name() const {
    return "LLMOBS_" + upper_with_underscores(name);
}

std::string Setting::file_key() const {
    std::string key(name);
    std::ranges::replace(key, '-', '_');
    return key;
}

Environment process_environment() {
    Environment variables;
    for (char** entry = ::environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos)
            variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return variables;
}

Loaded load_settings(const Flags& flags, const Environment& environment, const fs::path& config) {
    Loaded loaded;
    // The weakest first: what is set later wins. A bad value is a problem even where another one wins.
    if (!config.empty()) FileReader(config, loaded).read();
    read_environment(environment, loaded);
    read_flags(flags, loaded);
    check_together(loaded);
    return loaded;
}

Result<MemoryPlan> plan_memory(const ServeSettings& settings, std::uint64_t machine_memory) {
    const std::uint64_t total =
        settings.memory != 0 ? settings.memory : std::min(machine_memory / 2, largest_memory);
    const std::uint64_t taken = settings.byte_budget + rest_of_program;
    if (total < taken + least_engine)
        return fail(
            ErrorKind::invalid_input,
            "{} MiB of memory leave too little for the engine: give --memory at least {} MiB, or lower "
            "--byte-budget",
            total >> 20, ((taken + least_engine) >> 20) + 1);
    return MemoryPlan{.total = total, .engine = total - taken, .one_question = (total - taken) / 4};
}

std::uint64_t plan_journal(const ServeSettings& settings, std::uint64_t disk_size) {
    return settings.journal_budget != 0 ? settings.journal_budget : std::min(disk_size / 10, largest_journal);
}

Result<fs::path> find_engine_library(const ServeSettings& settings, const fs::path& executable) {
    std::error_code ignored;
    if (!settings.engine_library.empty()) {
        if (fs::is_regular_file(settings.engine_library, ignored)) return settings.engine_library;
        return fail(ErrorKind::not_found, "there is no file {} (--engine-library)",
                    settings.engine_library.string());
    }
    const fs::path directory = executable.parent_path();
    const fs::path installed = (directory / ".." / "lib" / "libchdb.so").lexically_normal();
    const fs::path built = directory / "lib" / "libchdb.so";
    for (const fs::path& place : {built, installed})
        if (fs::is_regular_file(place, ignored)) return place;
    return fail(
        ErrorKind::not_found,
        "libchdb.so is neither at {} nor at {}: `make build` puts it there, --engine-library names another",
        built.string(), installed.string());
}

}  // namespace obs::cli
