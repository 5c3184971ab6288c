// Users, roles, keys, sessions, projects, anomalies and prices as the API shows them.
#pragma once

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_writer.h"
#include "catalog/accounts.h"
#include "catalog/anomaly_log.h"
#include "catalog/prices.h"
#include "serve/parameters.h"
#include "serve/router.h"

namespace obs::serve {

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts);
void write_json(JsonWriter& json, const User& user);
void write_json(JsonWriter& json, const CustomRole& role);
void write_json(JsonWriter& json, const ApiKey& key);
void write_json(JsonWriter& json, const Session& session);
void write_json(JsonWriter& json, const Project& project);
void write_json(JsonWriter& json, const Anomaly& anomaly);
void write_json(JsonWriter& json, const SetPrice& price);

// The id that stands in the path; what cannot be one is not found.
ApiResult<std::string> id_of(const Call& call, std::string_view name);
bool is_id(std::string_view text);

// What lists take.
inline constexpr ParameterInfo page_limit{
    "limit", ParameterType::integer, "rows of a page", {.fallback = "50", .least = 1, .most = 1000}};
inline constexpr ParameterInfo page_offset{
    "offset", ParameterType::integer, "rows before the page", {.fallback = "0", .most = 1e9}};
inline constexpr ParameterInfo page_parameters[] = {page_limit, page_offset};

inline Page page_of(const Parameters& given) {
    return {.limit = static_cast<std::size_t>(given.integer("limit").value_or(50)),
            .offset = static_cast<std::size_t>(given.integer("offset").value_or(0))};
}

// The rows of all that a page shows.
template <class T>
Listed<T> page_in(std::vector<T> all, Page page) {
    Listed<T> listed;
    listed.total = static_cast<std::int64_t>(all.size());
    const std::size_t begin = std::min(page.offset, all.size());
    const std::size_t end = begin + std::min(page.limit, all.size() - begin);
    for (std::size_t at = begin; at < end; ++at) listed.items.push_back(std::move(all[at]));
    return listed;
}

// "pagination":{"total","limit","offset","has_more"}
void write_pagination(JsonWriter& json, std::int64_t total, Page page, std::size_t shown);

// {"<name>":[…],"pagination":{"total","limit","offset","has_more"}}
template <class T>
Reply list_reply(std::string_view name, const Listed<T>& listed, Page page) {
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key(name).begin_array();
    for (const T& item : listed.items) write_json(json, item);
    json.end_array();
    write_pagination(json, listed.total, page, listed.items.size());
    json.end_object();
    return reply;
}

template <class T>
Reply one_reply(const T& item, int status = 200) {
    Reply reply{.status = status};
    JsonWriter json(reply.body);
    write_json(json, item);
    return reply;
}

}  // namespace obs::serve
