#include "cli/commands.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ostream>

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <CLI/CLI.hpp>

#include "base/time.h"
#include "catalog/accounts.h"
#include "catalog/catalog.h"
#include "catalog/data_directory.h"
#include "catalog/tokens.h"
#include "cli/command_parts.h"
#include "cli/doctor.h"
#include "cli/export_command.h"

namespace obs::cli {
namespace {

// What serve and doctor take: every setting, and the file.
struct SettingFlags {
    Flags given;
    std::string config;

    void add_to(CLI::App& command) {
        command.add_option("--config,-c", config, "YAML file with settings")->type_name("FILE");
        const ServeSettings defaults;
        for (const Setting& setting : settings_table()) {
            std::string names = fmt::format("--{}", setting.name);
            for (const std::string_view alias : setting.flag_aliases) names += fmt::format(",--{}", alias);
            CLI::Option* option = command.add_option_function<std::string>(
                names,
                [this, name = std::string(setting.name)](const std::string& text) { given[name] = text; },
                fmt::format("{} [{}]", setting.help, setting.environment_name()));
            option->type_name(std::string(setting.placeholder));
            option->default_str(setting.show(defaults));
        }
    }
    Loaded load(const Environment& environment) const {
        const auto variable = environment.find("LLMOBS_CONFIG");
        const bool from_variable = config.empty() && variable != environment.end();
        return load_settings(given, environment, from_variable ? variable->second : config);
    }
};

int run_serve_command(const Context& context, const SettingFlags& flags) {
    const Loaded loaded = flags.load(context.environment);
    for (const std::string& problem : loaded.problems)
        fmt::print(context.console.err, "observatory: {}\n", problem);
    return loaded.problems.empty() ? context.serve(loaded.settings) : misused;
}

// `90s`, `15m`, `24h`, `7d`.
Result<Nanos> lifetime_from(std::string_view text) {
    constexpr std::string_view units = "smhd";
    constexpr std::array<std::int64_t, 4> seconds{1, 60, 3600, 86'400};
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::size_t unit = end + 1 == text.data() + text.size() ? units.find(*end) : std::string_view::npos;
    if (error != std::errc{} || unit == std::string_view::npos || number < 1 || number > 1'000'000'000)
        return fail(ErrorKind::invalid_input, "--ttl {:?} is not a time such as 15m, 24h or 7d", text);
    return Nanos::seconds(
        std::min<std::int64_t>(number * seconds[unit], Nanos::days(36'500).count / 1'000'000'000));
}

struct TokenCommand {
    DataFlag data;
    std::string role = "admin", ttl = "24h", subject = "cli";
    std::vector<std::string> projects;

    void add_to(CLI::App& command) {
        data.add_to(command);
        command.add_option("--role", role, "admin, developer, viewer, billing, or a role of your own")
            ->capture_default_str();
        command.add_option("--ttl", ttl, "how long it is valid")->type_name("TIME")->capture_default_str();
        command
            .add_option("--project", projects,
                        "project it may see, by name; may be repeated (default: default)")
            ->type_name("NAME");
        command.add_option("--subject", subject, "whom it is for, as logs and the audit name them")
            ->capture_default_str();
    }

    Result<std::string> make(const Environment& environment) const {
        TokenRequest request{.subject = subject, .projects = {}};
        request.lifetime = OBS_TRY(lifetime_from(ttl));
        const std::optional<Role> built_in = role_from(role);
        request.role = built_in.value_or(Role::custom);
        Opened opened = OBS_TRY(data.open(environment));
        if (!built_in) {
            request.role_name = role;
            if (!OBS_TRY(Accounts(opened.catalog).role_by_name(request.org, role)))
                return fail(ErrorKind::invalid_input,
                            "--role {:?} is none of admin, developer, viewer, billing, nor one of your own",
                            role);
        }
        for (const std::string& name : projects.empty() ? std::vector<std::string>{"default"} : projects)
            request.projects.push_back(OBS_TRY(opened.catalog.project(name)).id);
        return OBS_TRY(AccessTokens::of(opened.directory, opened.catalog)).issue(request, system_now());
    }

    int run(const Context& context) const {
        const Result<std::string> token = make(context.environment);
        if (!token) return complain(context, token.error());
        fmt::print(context.console.out, "{}\n", *token);
        return done;
    }
};

struct LoginCommand {
    DataFlag data;
    std::string user = "admin@localhost";

    void add_to(CLI::App& command) {
        data.add_to(command);
        command.add_option("--user", user, "email of the user")->capture_default_str();
    }

    Result<Secret> make(const Environment& environment) const {
        const Opened opened = OBS_TRY(data.open(environment));
        Accounts accounts(opened.catalog);
        const std::optional<User> known = OBS_TRY(accounts.user_by_email(user));
        if (!known) return fail(ErrorKind::not_found, "there is no user {}", user);
        if (!known->active) return fail(ErrorKind::invalid_input, "user {} is not active", user);
        return accounts.create_login_code(known->id, system_now());
    }

    int run(const Context& context) const {
        const Result<Secret> code = make(context.environment);
        if (!code) return complain(context, code.error());
        fmt::print(context.console.err, "valid for 15 minutes, once:\n");
        fmt::print(context.console.out, "{}\n", code->reveal());
        return done;
    }
};

struct KeyCreateCommand {
    DataFlag data;
    std::string project = "default";
    std::int64_t requests = 0, bytes = 0;

    void add_to(CLI::App& command) {
        data.add_to(command);
        command.add_option("--project", project, "where its data goes; made when there is none of that name")
            ->type_name("NAME")
            ->capture_default_str();
        command.add_option("--requests-per-second", requests, "quota (default: none)")->type_name("N");
        command.add_option("--bytes-per-second", bytes, "quota for decompressed bodies (default: none)")
            ->type_name("N");
    }

    Result<Project> find_or_create(Catalog& catalog, const Context& context) const {
        Result<Project> found = catalog.project(project);
        if (found || found.error().kind != ErrorKind::not_found) return found;
        const Project made = OBS_TRY(catalog.create_project(project, system_now()));
        fmt::print(context.console.err, "made project {} (id {})\n", made.name, made.id);
        return made;
    }

    Result<void> create(const Context& context) const {
        if (requests < 0 || bytes < 0)
            return fail(ErrorKind::invalid_input, "a quota is at least 1 a second");
        Opened opened = OBS_TRY(data.open(context.environment));
        const Project target = OBS_TRY(find_or_create(opened.catalog, context));
        Quota quota;
        if (requests > 0) quota.requests_per_second = requests;
        if (bytes > 0) quota.bytes_per_second = bytes;
        const NewApiKey made = OBS_TRY(opened.catalog.create_key(target, quota, system_now()));
        fmt::print(context.console.err, "{} for project {}; this is the only time the key is shown:\n",
                   made.key.id, target.name);
        fmt::print(context.console.out, "{}\n", made.text.reveal());
        return {};
    }

    int run(const Context& context) const {
        const Result<void> created = create(context);
        return created ? done : complain(context, created.error());
    }
};

std::string quota_text(const Quota& quota) {
    std::string text;
    if (quota.requests_per_second) text += fmt::format("{} requests/s ", *quota.requests_per_second);
    if (quota.bytes_per_second) text += fmt::format("{} bytes/s ", *quota.bytes_per_second);
    if (text.empty()) return "-";
    text.pop_back();
    return text;
}

struct KeyListCommand {
    DataFlag data;

    void add_to(CLI::App& command) { data.add_to(command); }

    int run(const Context& context) const {
        const Result<Opened> opened = data.open(context.environment);
        if (!opened) return complain(context, opened.error());
        const Result<std::vector<ApiKey>> keys = opened->catalog.keys();
        if (!keys) return complain(context, keys.error());
        constexpr std::string_view row = "{:<38}{:<24}{:<20}{:<26}{:<32}{}\n";
        fmt::print(context.console.out, row, "ID", "KEY", "PROJECT", "CREATED", "QUOTA", "STATE");
        for (const ApiKey& key : *keys)
            fmt::print(context.console.out, row, key.id, key.prefix + "...",
                       fmt::format("{}", fmt::join(key.projects, ",")), rfc3339(key.created),
                       quota_text(key.quota), key.revoked ? "revoked " + rfc3339(*key.revoked) : "active");
        return done;
    }
};

struct KeyRevokeCommand {
    DataFlag data;
    std::string id;

    void add_to(CLI::App& command) {
        data.add_to(command);
        command.add_option("id", id, "id of the key, or how the key starts")->required();
    }

    int run(const Context& context) const {
        Result<Opened> opened = data.open(context.environment);
        if (!opened) return complain(context, opened.error());
        const Result<ApiKey> revoked = opened->catalog.revoke_key(id, system_now());
        if (!revoked) return complain(context, revoked.error());
        fmt::print(context.console.out, "revoked {} ({}...)\n", revoked->id, revoked->prefix);
        return done;
    }
};

int run_doctor(const Context& context, const SettingFlags& flags) {
    bool broken = false;
    for (const Finding& finding :
         examine(flags.load(context.environment), context.environment, this_machine())) {
        constexpr std::array<std::string_view, 3> words{"ok     ", "warning", "broken "};
        fmt::print(context.console.out, "{} {}\n", words[static_cast<std::size_t>(finding.health)],
                   finding.what);
        if (!finding.fix.empty()) fmt::print(context.console.out, "        {}\n", finding.fix);
        broken |= finding.health == Health::broken;
    }
    return broken ? failed : done;
}

// Runs `command` when its words stand on the command line; its result becomes the exit code.
template <class Command>
void offer(CLI::App& app, Command& command, const Context& context, int& code) {
    command.add_to(app);
    app.callback([&] { code = command.run(context); });
}

int parse_and_run(CLI::App& app, int argc, const char* const* argv, const Context& context, const int& code) {
    try {
        app.parse(argc, argv);
        return code;
    } catch (const CLI::ParseError& wrong) {
        const int result = app.exit(wrong, context.console.out, context.console.err);
        return result == 0 ? done : misused;
    }
}

}  // namespace

std::string_view program_version() {
    return OBS_VERSION;
}

int run(int argc, const char* const* argv, Console console, const Environment& environment,
        const Serve& serve) {
    const Context context{console, environment, serve};
    int code = done;
    CLI::App app{"LLM Observatory: receives, understands, keeps and shows what LLM applications do",
                 "observatory"};
    app.require_subcommand(1);
    app.get_formatter()->column_width(46);

    SettingFlags serve_flags, doctor_flags;
    CLI::App* serve_command = app.add_subcommand("serve", "start the server");
    serve_flags.add_to(*serve_command);
    serve_command->callback([&] { code = run_serve_command(context, serve_flags); });
    CLI::App* doctor = app.add_subcommand(
        "doctor", "say what is wrong with this machine, the data directory or the configuration of serve");
    doctor_flags.add_to(*doctor);
    doctor->callback([&] { code = run_doctor(context, doctor_flags); });

    TokenCommand token;
    offer(*app.add_subcommand("token", "print a token for the HTTP API"), token, context, code);
    LoginCommand login;
    offer(*app.add_subcommand("login", "print a one-time login for a user, when no password is known"), login,
          context, code);
    ExportCommand exporting;
    offer(*app.add_subcommand("export", "fetch rows of a running server as a file"), exporting, context,
          code);
    CLI::App* key = app.add_subcommand("key", "keys with which applications send data");
    key->require_subcommand(1);
    KeyCreateCommand create;
    offer(*key->add_subcommand("create", "make a key and print it once"), create, context, code);
    KeyListCommand list;
    offer(*key->add_subcommand("list", "list all keys"), list, context, code);
    KeyRevokeCommand revoke;
    offer(*key->add_subcommand("revoke", "end a key; servers notice within a second"), revoke, context, code);
    app.add_subcommand("version", "print the version")->callback([&] {
        fmt::print(console.out, "observatory {}\n", program_version());
    });
    return parse_and_run(app, argc, argv, context, code);
}

}  // namespace obs::cli
