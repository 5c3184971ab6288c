#include "serve/account_json.h"

#include <algorithm>

namespace obs::serve {
namespace {

void write_time(JsonWriter& json, std::string_view name, std::optional<UnixNanos> time) {
    if (time) json.field(name, rfc3339(*time));
}

void write_number(JsonWriter& json, std::string_view name, std::optional<std::int64_t> number) {
    if (number) json.field(name, *number);
}

}  // namespace

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    });
}

ApiResult<std::string> id_of(const Call& call, std::string_view name) {
    const std::string_view text = call.parameter(name);
    if (!is_id(text))
        return refuse(ErrorCode::resource_not_found, std::string(name), "there is no such {}", name);
    return std::string(text);
}

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
    json.key(name).begin_array();
    for (const std::string& text : texts) json.value(text);
    json.end_array();
}

void write_json(JsonWriter& json, const User& user) {
    json.begin_object().field("id", user.id).field("email", user.email).field("name", user.name);
    json.field("role", user.role);
    write_texts(json, "projects", user.projects);
    json.field("active", user.active).field("has_password", user.has_password);
    write_time(json, "created_at", user.created);
    write_time(json, "last_login_at", user.last_login);
    json.end_object();
}

void write_json(JsonWriter& json, const CustomRole& role) {
    json.begin_object();
    if (!role.id.empty()) json.field("id", role.id);
    json.field("name", role.name);
    write_texts(json, "permissions", role.permissions);
    json.field("built_in", role.id.empty());
    if (!role.id.empty()) write_time(json, "created_at", role.created);
    json.end_object();
}

void write_json(JsonWriter& json, const ApiKey& key) {
    json.begin_object().field("id", key.id).field("name", key.name).field("prefix", key.prefix);
    if (!key.owner.empty()) json.field("owner", key.owner);
    write_texts(json, "scopes", key.scopes);
    write_texts(json, "projects", key.projects);
    write_number(json, "requests_per_second", key.quota.requests_per_second);
    write_number(json, "bytes_per_second", key.quota.bytes_per_second);
    write_number(json, "requests_per_minute", key.requests_per_minute);
    write_time(json, "created_at", key.created);
    write_time(json, "expires_at", key.expires);
    write_time(json, "last_used_at", key.last_used);
    write_time(json, "revoked_at", key.revoked);
    json.end_object();
}

void write_json(JsonWriter& json, const Session& session) {
    json.begin_object().field("id", session.id).field("user_id", session.user);
    write_time(json, "created_at", session.created);
    write_time(json, "expires_at", session.expires);
    write_time(json, "revoked_at", session.revoked);
    json.field("address", session.address).field("user_agent", session.agent).end_object();
}

void write_json(JsonWriter& json, const SetPrice& price) {
    json.begin_object().field("id", price.id).field("revision", price.revision);
    if (!price.project.empty()) json.field("project_id", price.project);
    json.key("price").raw(price.entry).field("rule_prefix", price.source() + ":");
    json.field("set_by", price.set_by).field("set_at", rfc3339(price.set));
    if (price.retired)
        json.field("retired_by", price.retired_by).field("retired_at", rfc3339(*price.retired));
    json.end_object();
}

void write_json(JsonWriter& json, const Project& project) {
    json.begin_object().field("id", project.id).field("name", project.name).field("slug", project.slug);
    write_time(json, "created_at", project.created);
    write_time(json, "archived_at", project.archived);
    json.end_object();
}

void write_pagination(JsonWriter& json, std::int64_t total, Page page, std::size_t shown) {
    json.key("pagination").begin_object().field("total", total);
    json.field("limit", std::uint64_t{page.limit}).field("offset", std::uint64_t{page.offset});
    json.field("has_more", static_cast<std::int64_t>(page.offset + shown) < total).end_object();
}

}  // namespace obs::serve
