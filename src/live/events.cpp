#include "live/events.h"

#include "base/json_writer.h"
#include "net/websocket.h"

namespace obs::live {

namespace {

constexpr std::array<std::string_view, all_event_types.size()> names{"trace_created",     "trace_updated",
                                                                     "metric_threshold",  "cost_threshold",
                                                                     "export_job_status", "system_alert"};

// The members of a JSON object without its braces.
std::string_view members_of(std::string_view object) {
    const std::size_t begin = object.find('{'), end = object.rfind('}');
    return begin == std::string_view::npos || end <= begin ? std::string_view()
                                                           : object.substr(begin + 1, end - begin - 1);
}

// `timestamp` is the last member of a trace's data (trace_data.cpp), and the envelope has its own.
std::string_view without_timestamp(std::string_view members) {
    return members.substr(0, members.rfind(",\"timestamp\":"));
}

}  // namespace

std::string_view name_of(LiveEventType type) {
    return names[index_of(type)];
}

std::optional<LiveEventType> event_type_from(std::string_view name) {
    for (const LiveEventType type : all_event_types)
        if (name_of(type) == name) return type;
    return std::nullopt;
}

std::string event_json(LiveEventType type, std::string_view data, UnixNanos at) {
    std::string json;
    json.reserve(data.size() * 2 + 128);
    JsonWriter writer(json);
    writer.begin_object().field("type", "event").field("event_type", name_of(type));
    writer.key("data").raw(data).field("timestamp", rfc3339(at));
    if (type == LiveEventType::trace_created)
        if (const std::string_view members = without_timestamp(members_of(data)); !members.empty())
            writer.raw(members);
    writer.end_object();
    return json;
}

std::string error_json(std::string_view code, std::string_view message) {
    std::string json;
    JsonWriter(json)
        .begin_object()
        .field("type", "error")
        .field("code", code)
        .field("message", message)
        .end_object();
    return json;
}

void append_message(std::string& out, Framing framing, std::string_view name, std::string_view json) {
    if (framing == Framing::websocket) return net::append_text_frame(out, json);
    // JSON of ours has no line break.
    ((out += "event: ") += name) += "\ndata: ";
    (out += json) += "\n\n";
}

std::string farewell(Framing framing, std::uint16_t close_code, std::string_view code,
                     std::string_view message) {
    std::string out;
    append_message(out, framing, "error", error_json(code, message));
    if (framing == Framing::websocket) net::append_close_frame(out, close_code, message);
    return out;
}

std::string_view heartbeat(Framing framing) {
    return framing == Framing::websocket ? std::string_view() : ": \n\n";
}

}  // namespace obs::live
