#include "serve/analytics_request.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "query/condition.h"

namespace obs::serve {

std::shared_ptr<const AnalyticsShared> share(const AnalyticsParts& parts) {
    return std::make_shared<const AnalyticsShared>(
        AnalyticsShared{parts, query::Figures(parts.store, parts.live, parts.rollups)});
}

Route analytics_route(std::string_view method, std::string_view pattern, std::string_view permission,
                      std::shared_ptr<const AnalyticsShared> shared, AnalyticsAnswer answer, RouteDocs docs,
                      std::chrono::seconds keep) {
    return {
        .method = method,
        .pattern = pattern,
        .access = Access::token,
        .permission = permission,
        .handler = [shared = std::move(shared), answer](const Call& call) { return answer(*shared, call); },
        .docs = std::move(docs),
        .cache = {.keep = keep}};
}

ApiResult<query::Calendar> calendar_of(const AnalyticsParts& parts, const Scope& scope,
                                       std::string_view zone) {
    std::string named(zone);
    if (named.empty() && parts.time_zone) named = parts.time_zone(scope);
    auto calendar = query::Calendar::of(named);
    if (!calendar) return refuse(ErrorCode::invalid_field_value, "timezone", "{}", calendar.error().message);
    return std::move(*calendar);
}

ApiResult<std::vector<query::Dimension>> dimensions_of(const std::vector<std::string>& words,
                                                       std::string_view name, bool reads_content) {
    std::vector<query::Dimension> dimensions;
    std::size_t attributes = 0;
    for (const std::string& word : words) {
        auto dimension = query::dimension_from(word);
        if (!dimension)
            return refuse(ErrorCode::invalid_field_value, std::string(name),
                          "nothing can be grouped by \"{}\"", std::string_view(word).substr(0, 100));
        if (std::ranges::find(dimensions, word, &query::Dimension::name) != dimensions.end())
            return refuse(ErrorCode::invalid_field_value, std::string(name), "{} is there twice", word);
        // A team is an id, however it came.
        if (dimension->is_attribute() && dimension->name != "team") {
            ++attributes;
            if (!reads_content)
                return refuse(ErrorCode::resource_access_denied, std::string(name),
                              "to group by attributes takes the permission read:content");
        }
        dimensions.push_back(std::move(*dimension));
    }
    if (attributes > 1)
        return refuse(ErrorCode::limit_exceeded, std::string(name), "one attribute can be grouped by");
    return dimensions;
}

ApiResult<AnalyticsRequest> analytics_request(const AnalyticsParts& parts, const Parameters& parameters,
                                              const Call& call, WindowRule rule) {
    AnalyticsRequest request{.scope = OBS_ANSWER(scope_of(*call.principal, parameters.text("project_id"))),
                             .from = {},
                             .to = {},
                             .filter = OBS_ANSWER(flat_filter(parameters, call.now)),
                             .calendar = {},
                             .group_by = {},
                             .reads_content = content_for(*call.principal) == query::Content::shown};
    const Window window = OBS_ANSWER(window_of(parameters, call.now, rule));
    request.from = *window.from;
    request.to = *window.to;
    if (request.from >= request.to)
        return refuse(ErrorCode::invalid_date_range, std::string(parameters.spelled("from")),
                      "the window from {} to {} is empty", rfc3339(request.from), rfc3339(request.to));
    request.calendar = OBS_ANSWER(calendar_of(parts, request.scope, parameters.text("timezone")));
    request.group_by = OBS_ANSWER(
        dimensions_of(parameters.list("group_by"), parameters.spelled("group_by"), request.reads_content));
    const ColumnInfo* read = query::content_read_by(request.filter);
    if (read != nullptr && !request.reads_content)
        return refuse(ErrorCode::resource_access_denied, read->api_name(),
                      "to filter by prompt or answer text takes the permission read:content");
    return request;
}

void write_names(JsonWriter& json, std::string_view key, const std::vector<query::Dimension>& dimensions) {
    json.key(key).begin_array();
    for (const query::Dimension& dimension : dimensions) json.value(dimension.name);
    json.end_array();
}

void write_metadata(JsonWriter& json, const AnalyticsRequest& request, const Call& call,
                    query::DataSource source) {
    json.field("start_time", rfc3339(request.from)).field("end_time", rfc3339(request.to));
    json.field("period_days", static_cast<double>((request.to - request.from).count) /
                                  static_cast<double>(Nanos::days(1).count));
    json.field("timezone", request.calendar.zone());
    json.field("generated_at", rfc3339(call.now)).field("data_source", query::name_of(source));
}

void append_csv_line(std::string& out, const std::vector<std::string>& cells) {
    for (std::size_t at = 0; at < cells.size(); ++at) {
        if (at > 0) out += ',';
        std::string cell = cells[at];
        double value = 0;
        const char* const end = cell.data() + cell.size();
        const bool number = std::from_chars(cell.data(), end, value).ptr == end;
        if (!cell.empty() && !number &&
            std::string_view("=+-@\t\r").find(cell.front()) != std::string_view::npos)
            cell.insert(cell.begin(), '\'');
        if (cell.find_first_of(",\"\r\n") == std::string::npos) {
            out += cell;
            continue;
        }
        out += '"';
        for (const char c : cell) {
            if (c == '"') out += '"';
            out += c;
        }
        out += '"';
    }
    out += "\r\n";
}

bool wants_csv(const Parameters& parameters, const Call& call) {
    const std::string_view format = parameters.text("format");
    if (!format.empty()) return format == "csv";
    const std::string_view accept = call.request.head.headers.get("accept");
    return accept.find("text/csv") != std::string_view::npos &&
           accept.find("application/json") == std::string_view::npos;
}

}  // namespace obs::serve
