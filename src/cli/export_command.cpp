#include "cli/export_command.h"

#include <filesystem>
#include <fstream>
#include <ostream>
#include <system_error>

#include <fmt/ostream.h>
#include <CLI/CLI.hpp>

#include "base/json_writer.h"
#include "base/time.h"
#include "catalog/tokens.h"
#include "cli/interrupted.h"

namespace obs::cli {

namespace {
constexpr std::string_view usual_api = "http://127.0.0.1:8080";
// Longer than any export takes.
constexpr Nanos token_lifetime = Nanos::hours(24);
}  // namespace

void ExportCommand::add_to(CLI::App& command) {
    command.add_option("--api", api_, "the server [LLMOBS_API_URL]")
        ->type_name("URL")
        ->default_str(std::string(usual_api));
    command.add_option("--token", token_, "token or key; seen by other users of this machine [LLMOBS_TOKEN]")
        ->type_name("TOKEN")
        ->default_str("one made from the data directory");
    data_.add_to(command);
    command.add_option("--ca", authorities_, "certificates to trust, PEM")->type_name("FILE");
    command.add_option("--table", table_, "traces, logs, metric-points, scores or audit");
    command.add_option("--format", format_, "csv, json, jsonl or parquet");
    command.add_option("--compression", compression_, "none, gzip or zstd");
    command.add_option("--from", from_, "rows that began then or later: now-7d, 2026-01-31")
        ->type_name("TIME");
    command.add_option("--to", to_, "rows that began before")->type_name("TIME");
    command.add_option("--project", project_, "id of a project")->type_name("ID");
    command.add_option("--fields", fields_, "columns, in this order")->delimiter(',')->type_name("A,B");
    command.add_option("--filter", filters_, "filter of the list of traces, model=gpt-4o; may be repeated")
        ->type_name("NAME=VALUE");
    command.add_option("--filters", tree_, "tree of conditions, as in a search")->type_name("JSON");
    command.add_option("--limit", limit_, "the newest rows")->type_name("N");
    command.add_option("--output,-o", output_, "file to write, - for the standard output")
        ->type_name("FILE")
        ->capture_default_str();
}

Result<std::string> ExportCommand::body() const {
    std::string text;
    JsonWriter json(text);
    json.begin_object();
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) json.field(name, value);
    };
    add("table", table_);
    add("format", format_);
    add("compression", compression_);
    add("from", from_);
    add("to", to_);
    add("project_id", project_);
    if (limit_) json.field("limit", *limit_);
    if (!fields_.empty()) {
        json.key("fields").begin_array();
        for (const std::string& field : fields_) json.value(field);
        json.end_array();
    }
    for (const std::string& filter : filters_) {
        const std::size_t is = filter.find('=');
        if (is == std::string::npos || is == 0)
            return fail(ErrorKind::invalid_input, "--filter {:?} is not NAME=VALUE", filter);
        json.field(std::string_view(filter).substr(0, is), std::string_view(filter).substr(is + 1));
    }
    if (!tree_.empty()) json.key("filters").raw(tree_);
    json.end_object();
    return text;
}

// A token of somebody who may read the data directory anyway.
Result<Secret> ExportCommand::credential(const Environment& environment) const {
    const std::string given = first_of(token_, environment, "LLMOBS_TOKEN");
    if (!given.empty()) return Secret(given);
    Opened opened = OBS_TRY(data_.open(environment), "no --token, and none can be made");
    TokenRequest request{.role = Role::admin, .lifetime = token_lifetime, .subject = "export"};
    const AccessTokens tokens = OBS_TRY(AccessTokens::of(opened.directory, opened.catalog));
    return Secret(OBS_TRY(tokens.issue(request, system_now())));
}

Result<FetchedExport> ExportCommand::fetch(const Context& context, std::ostream& out) const {
    std::string at = first_of(api_, context.environment, "LLMOBS_API_URL");
    if (at.empty()) at = usual_api;
    while (at.ends_with('/')) at.pop_back();
    const Server server{at, OBS_TRY(credential(context.environment)), authorities_};
    const auto sink = [&](std::string_view piece) -> Result<void> {
        if (!out.write(piece.data(), static_cast<std::streamsize>(piece.size())))
            return fail(ErrorKind::unavailable, "cannot write {}", output_);
        return {};
    };
    const std::string asked = OBS_TRY(body());
    const Interrupted interrupted;
    const FetchedExport fetched = OBS_TRY(fetch_export(server, asked, sink, interrupted.stop()));
    if (!out.flush()) return fail(ErrorKind::unavailable, "cannot write {}", output_);
    return fetched;
}

// A file has its name when it is whole.
Result<FetchedExport> ExportCommand::fetch_file(const Context& context) const {
    const std::filesystem::path part = output_ + ".part";
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    if (!file) return fail(ErrorKind::unavailable, "cannot write {}", part.string());
    auto fetched = fetch(context, file);
    file.close();
    std::error_code fault;
    if (!fetched) {
        std::filesystem::remove(part, fault);
        return fetched;
    }
    std::filesystem::rename(part, output_, fault);
    if (fault) return fail(ErrorKind::unavailable, "cannot write {}: {}", output_, fault.message());
    return fetched;
}

int ExportCommand::run(const Context& context) const {
    const auto fetched = output_ == "-" ? fetch(context, context.console.out) : fetch_file(context);
    if (!fetched) return complain(context, fetched.error());
    fmt::print(context.console.err, "{} rows, {} bytes\n", fetched->rows, fetched->bytes);
    return done;
}

}  // namespace obs::cli
