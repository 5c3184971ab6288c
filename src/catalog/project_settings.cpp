#include "catalog/project_settings.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <simdjson.h>

#include "base/json_writer.h"

namespace obs {
namespace {

constexpr std::int64_t most_days = 36'500;
constexpr std::int64_t most_a_second = 1'000'000'000'000;

struct Number {
    std::string_view name;
    std::optional<std::int64_t>& (*member)(ProjectSettings&);
    std::int64_t most;
};
constexpr std::array numbers{
    Number{"keep_payload_days", [](ProjectSettings& s) -> auto& { return s.keep_payload_days; }, most_days},
    Number{"keep_rows_days", [](ProjectSettings& s) -> auto& { return s.keep_rows_days; }, most_days},
    Number{"keep_logs_days", [](ProjectSettings& s) -> auto& { return s.keep_logs_days; }, most_days},
    Number{"keep_metrics_days", [](ProjectSettings& s) -> auto& { return s.keep_metrics_days; }, most_days},
    Number{"requests_per_second", [](ProjectSettings& s) -> auto& { return s.quota.requests_per_second; },
           most_a_second},
    Number{"bytes_per_second", [](ProjectSettings& s) -> auto& { return s.quota.bytes_per_second; },
           most_a_second},
};

std::unexpected<Error> wrong(std::string_view field, std::string message) {
    return std::unexpected(Error{ErrorKind::invalid_input, std::move(message), std::string(field)});
}

// Letters, digits, `_`, `+`, `-` and `/` between: nothing that could be another path.
bool is_time_zone(std::string_view name) {
    const bool plain = !name.empty() && name.size() <= 64 && !name.starts_with('/') && !name.ends_with('/') &&
                       std::ranges::all_of(name, [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                  (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-' || c == '/';
                       });
    if (!plain || name == "UTC") return plain;
    const std::filesystem::path zones = "/usr/share/zoneinfo";
    std::error_code ignored;
    return !std::filesystem::is_directory(zones, ignored) ||
           std::filesystem::is_regular_file(zones / name, ignored);
}

Result<void> set_number(ProjectSettings& settings, const Number& number,
                        const simdjson::dom::element& value) {
    if (value.is_null()) {
        number.member(settings).reset();
        return {};
    }
    std::int64_t given = 0;
    if (value.get(given) != simdjson::SUCCESS || given < 1 || given > number.most)
        return wrong(number.name, fmt::format("{} is a whole number from 1 to {}", number.name, number.most));
    number.member(settings) = given;
    return {};
}

Result<void> set_member(ProjectSettings& settings, std::string_view name,
                        const simdjson::dom::element& value) {
    if (const auto* number = std::ranges::find(numbers, name, &Number::name); number != numbers.end())
        return set_number(settings, *number, value);
    if (name == "time_zone") {
        std::string_view zone;
        if (value.get(zone) != simdjson::SUCCESS || !is_time_zone(zone))
            return wrong(name, "time_zone is a name of the IANA list, for example Europe/Berlin");
        settings.time_zone = zone;
        return {};
    }
    if (name == "viewers_read_content") {
        if (value.get(settings.viewers_read_content) != simdjson::SUCCESS)
            return wrong(name, "viewers_read_content is true or false");
        return {};
    }
    return wrong(name.substr(0, 100), "there is no such setting of a project");
}

}  // namespace

std::string_view ProjectSettings::longer_than(const ProjectSettings& most) const {
    ProjectSettings ours = *this, theirs = most;
    for (const Number& number : numbers) {
        const auto mine = number.member(ours), bound = number.member(theirs);
        if (number.name.starts_with("keep_") && mine && bound && *mine > *bound) return number.name;
    }
    return {};
}

std::string ProjectSettings::to_json() const {
    std::string text;
    JsonWriter json(text);
    json.begin_object().field("time_zone", time_zone);
    ProjectSettings copy = *this;
    for (const Number& number : numbers)
        if (const auto value = number.member(copy)) json.field(number.name, *value);
    json.field("viewers_read_content", viewers_read_content).end_object();
    return text;
}

Result<ProjectSettings> ProjectSettings::from_json(std::string_view text, const ProjectSettings& base) {
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    const simdjson::padded_string padded(text);
    if (parser.parse(padded).get(object) != simdjson::SUCCESS)
        return fail(ErrorKind::invalid_input, "the settings of a project are a JSON object");
    ProjectSettings settings = base;
    for (const auto [name, value] : object) OBS_TRY_VOID(set_member(settings, name, value));
    return settings;
}

}  // namespace obs
