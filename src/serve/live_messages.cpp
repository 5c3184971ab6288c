#include "serve/live_messages.h"

#include <algorithm>
#include <array>
#include <vector>

#include <simdjson.h>

#include "query/condition.h"
#include "query/filter_grammar.h"
#include "serve/list_request.h"

namespace obs::serve {

namespace {

using live::EventSet;
using query::Value;
using simdjson::dom::element;
using simdjson::dom::object;

// The flat filters, as members of `filters` and as parameters.
struct FlatFilter {
    std::string_view name, field;
    Operator op;  // `in`: a text or a list of texts
};
constexpr FlatFilter flat_filters[] = {
    {"provider", "provider", Operator::in},        {"model", "model", Operator::in},
    {"environment", "environment", Operator::in},  {"user_id", "user_id", Operator::in},
    {"min_cost", "total_cost_usd", Operator::gte}, {"min_duration_ms", "duration_ms", Operator::gte}};
constexpr std::string_view flat_names = "provider, model, environment, user_id, min_cost and min_duration_ms";

constexpr std::array<std::string_view, live::all_event_types.size()> permissions{
    "read:traces", "read:traces", "read:metrics", "read:costs", "read:exports", "read:alerts"};

constexpr ParameterInfo stream_parameters[] = {
    {"events",
     ParameterType::words,
     "which events; trace_created when not said",
     {.words = "trace_created trace_updated metric_threshold cost_threshold export_job_status system_alert"}},
    parameter::project_id,
    parameter::provider,
    parameter::model,
    parameter::environment,
    {"user_id", ParameterType::list, "end user"},
    {"min_cost", ParameterType::number, "US dollars at least", {.most = parameter::most_number}},
    {"min_duration_ms", ParameterType::number, "milliseconds at least", {.most = parameter::most_number}},
    {"filter", ParameterType::text, "a tree of conditions as JSON, like that of a search"},
    {"token", ParameterType::text, "a token, where headers cannot be set", {.most = 8192}},
};

ApiResult<EventSet> event_set(const std::vector<std::string>& names) {
    EventSet events;
    for (const std::string& name : names) {
        const auto type = live::event_type_from(name);
        if (!type)
            return refuse(ErrorCode::invalid_field_value, "events", "there is no event {:?}",
                          name.substr(0, 50));
        events.set(live::index_of(*type));
    }
    if (events.none())
        return refuse(ErrorCode::missing_required_field, "events", "events is a list of event types");
    return events;
}

ApiResult<Filter> flat_condition(const FlatFilter& flat, const std::vector<Value>& values, UnixNanos now) {
    const auto field = query::find_field(TableId::spans, flat.field);
    auto made = query::where(TableId::spans, *field, flat.op, values, now);
    if (!made)
        return refuse(ErrorCode::invalid_field_value, std::string(flat.name), "{}", made.error().message);
    return *std::move(made);
}

// ---- messages ----

std::optional<element> member(const object& of, std::string_view key) {
    element json;
    if (of[key].get(json) != simdjson::SUCCESS || json.is_null()) return std::nullopt;
    return json;
}

ApiResult<EventSet> events_in(const object& message) {
    std::vector<std::string> names;
    const auto json = member(message, "events");
    simdjson::dom::array list;
    if (!json || json->get(list) != simdjson::SUCCESS)
        return refuse(ErrorCode::missing_required_field, "events", "events is a list of event types");
    for (const element each : list) {
        std::string_view name;
        if (each.get(name) != simdjson::SUCCESS)
            return refuse(ErrorCode::invalid_field_format, "events", "events is a list of event types");
        names.emplace_back(name);
    }
    return event_set(names);
}

ApiResult<std::vector<Value>> flat_values(const FlatFilter& flat, const element& json) {
    std::vector<Value> values;
    const auto wrong = [&] {
        return refuse(ErrorCode::invalid_field_format, std::string(flat.name), "{} is {}", flat.name,
                      flat.op == Operator::in ? "a text, or a list of texts" : "a number");
    };
    const auto add_text = [&](const element& text) {
        std::string_view value;
        if (text.get(value) != simdjson::SUCCESS) return false;
        values.emplace_back(std::string(value));
        return true;
    };
    if (flat.op != Operator::in) {
        double number = 0;
        if (!json.is_number() || json.get(number) != simdjson::SUCCESS) return wrong();
        values.emplace_back(number);
        return values;
    }
    simdjson::dom::array list;
    if (json.get(list) != simdjson::SUCCESS) {
        if (!add_text(json)) return wrong();
        return values;
    }
    for (const element each : list)
        if (!add_text(each)) return wrong();
    if (values.empty() || values.size() > query::list_values_limit) return wrong();
    return values;
}

ApiResult<Filter> flat_filter_in(const object& filters, UnixNanos now) {
    Filter all;
    for (const auto [name, json] : filters) {
        const FlatFilter* flat = std::ranges::find(flat_filters, name, &FlatFilter::name);
        if (flat == std::end(flat_filters))
            return refuse(ErrorCode::invalid_field_value, std::string(name.substr(0, 100)),
                          "filters are {}, or a tree of conditions", flat_names);
        if (json.is_null()) continue;
        const std::vector<Value> values = OBS_ANSWER(flat_values(*flat, json));
        all.also(OBS_ANSWER(flat_condition(*flat, values, now)));
    }
    return all;
}

// `filters` are flat ones or the root of a tree, as the search spells it; `filter` is a tree.
ApiResult<Filter> filter_in(const object& message, UnixNanos now) {
    Filter all;
    if (const auto json = member(message, "filters")) {
        object filters;
        if (json->get(filters) != simdjson::SUCCESS)
            return refuse(ErrorCode::invalid_field_format, "filters", "filters is an object");
        if (member(filters, "operator"))
            all.also(OBS_ANSWER(query::parse_filter(TableId::spans, *json, now)));
        else
            all = OBS_ANSWER(flat_filter_in(filters, now));
    }
    if (const auto json = member(message, "filter"))
        all.also(OBS_ANSWER(query::parse_filter(TableId::spans, *json, now)));
    return all;
}

}  // namespace

ApiResult<LiveMessage> live_message(std::string_view json, UnixNanos now) {
    simdjson::dom::parser parser;
    object message;
    const simdjson::padded_string padded(json);
    if (parser.parse(padded).get(message) != simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_request, "", "a message is a JSON object with a type");
    std::string_view type;
    if (message["type"].get(type) != simdjson::SUCCESS)
        return refuse(ErrorCode::missing_required_field, "type", "type is subscribe, unsubscribe or ping");
    if (type == "ping") return LivePing{};
    if (type == "unsubscribe") return LiveUnsubscribe{OBS_ANSWER(events_in(message))};
    if (type == "subscribe") {
        const EventSet events = OBS_ANSWER(events_in(message));
        return LiveSubscribe{events, OBS_ANSWER(filter_in(message, now))};
    }
    return refuse(ErrorCode::invalid_field_value, "type", "type is subscribe, unsubscribe or ping, not {:?}",
                  type.substr(0, 50));
}

std::span<const ParameterInfo> live_parameters() {
    return stream_parameters;
}

live::EventSet unasked_events(const Principal& principal) {
    return live::set_of(LiveEventType::trace_created) & events_for(principal);
}

ApiResult<LiveSubscribe> live_subscription(const Parameters& parameters, const Principal& principal,
                                           UnixNanos now) {
    LiveSubscribe wanted{unasked_events(principal)};
    if (parameters.has("events")) wanted.events = OBS_ANSWER(event_set(parameters.list("events")));
    for (const FlatFilter& flat : flat_filters) {
        if (!parameters.has(flat.name)) continue;
        std::vector<Value> values;
        if (flat.op == Operator::in)
            for (std::string& text : parameters.list(flat.name)) values.emplace_back(std::move(text));
        else
            values.emplace_back(*parameters.number(flat.name));
        wanted.filter.also(OBS_ANSWER(flat_condition(flat, values, now)));
    }
    if (const std::string_view tree = parameters.text("filter"); !tree.empty()) {
        simdjson::dom::parser parser;
        const simdjson::padded_string padded(tree);
        element json;
        if (parser.parse(padded).get(json) != simdjson::SUCCESS)
            return refuse(ErrorCode::invalid_field_format, "filter",
                          "filter is a tree of conditions as JSON");
        wanted.filter.also(OBS_ANSWER(query::parse_filter(TableId::spans, json, now)));
    }
    return wanted;
}

std::string_view permission_of(LiveEventType type) {
    return permissions[live::index_of(type)];
}

live::EventSet events_for(const Principal& principal) {
    EventSet events;
    for (const LiveEventType type : live::all_event_types)
        events.set(live::index_of(type), principal.may(permission_of(type)));
    return events;
}

std::optional<ApiError> denied(const LiveSubscribe& wanted, const Principal& principal) {
    for (const LiveEventType type : live::all_event_types)
        if (wanted.events.test(live::index_of(type)) && !principal.may(permission_of(type)))
            return ApiError{
                ErrorCode::insufficient_permissions,
                fmt::format("{} takes the permission {}", live::name_of(type), permission_of(type)),
                "events"};
    const ColumnInfo* read = query::content_read_by(wanted.filter);
    if (read != nullptr && !principal.may("read:content"))
        return ApiError{ErrorCode::resource_access_denied,
                        fmt::format("a filter on {} takes the permission read:content", read->name),
                        std::string(read->name)};
    return std::nullopt;
}

}  // namespace obs::serve
