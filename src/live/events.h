// How events are written: names, JSON, and the bytes of a WebSocket or an event stream.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/live_events.h"

namespace obs::live {

inline constexpr std::array all_event_types{LiveEventType::trace_created,     LiveEventType::trace_updated,
                                            LiveEventType::metric_threshold,  LiveEventType::cost_threshold,
                                            LiveEventType::export_job_status, LiveEventType::system_alert};
std::string_view name_of(LiveEventType type);
std::optional<LiveEventType> event_type_from(std::string_view name);

using EventSet = std::bitset<all_event_types.size()>;
constexpr std::size_t index_of(LiveEventType type) {
    return static_cast<std::size_t>(type);
}
inline EventSet set_of(LiveEventType type) {
    return EventSet().set(index_of(type));
}

enum class Framing : std::uint8_t { websocket, event_stream };
inline constexpr std::size_t framings = 2;

// {"type":"event","event_type":…,"data":…,"timestamp":…}. Of trace_created the members of `data` follow, so
// that the message can be read as a trace; the envelope's own names stay the envelope's.
std::string event_json(LiveEventType type, std::string_view data, UnixNanos at);
// {"type":"error","code":…,"message":…}
std::string error_json(std::string_view code, std::string_view message);

// One message. `name` is the event's in an event stream.
void append_message(std::string& out, Framing framing, std::string_view name, std::string_view json);
// The last words to a client: an error, and for a WebSocket its close code.
std::string farewell(Framing framing, std::uint16_t close_code, std::string_view code,
                     std::string_view message);
// What keeps the way to a silent client open; nothing for WebSockets, which have pings.
std::string_view heartbeat(Framing framing);

// Close codes of our own.
inline constexpr std::uint16_t close_unauthorised = 4401, close_forbidden = 4403, close_slow = 4408;

}  // namespace obs::live
