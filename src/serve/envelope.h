// The envelope of lists and traces: {"status":"success","data":…,"pagination":{…},"meta":{…}}.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/json_writer.h"
#include "query/traces.h"
#include "serve/router.h"

namespace obs::serve {

// Up to the value of `data`, which the caller writes.
inline void begin_envelope(JsonWriter& json) {
    json.begin_object().field("status", "success").key("data");
}

inline void write_pagination(JsonWriter& json, const std::optional<std::string>& cursor, std::size_t limit) {
    json.key("pagination").begin_object();
    if (cursor) json.field("cursor", *cursor);
    json.field("has_more", cursor.has_value()).field("limit", std::uint64_t{limit});
    json.end_object();
}

// `meta` and the end of the answer. `more` adds what the route has to say about it. What differs when the
// answer is used again stands last (Reply::cached_at).
template <class More>
void end_envelope(JsonWriter& json, Reply& reply, const Call& call, query::Content content, More&& more) {
    json.key("meta").begin_object();
    json.field("timestamp", rfc3339(call.now));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - call.began;
    json.field("execution_time_ms",
               static_cast<double>(static_cast<std::int64_t>(took.count() * 1000)) / 1000);
    json.field("version", "1.0");
    if (content == query::Content::hidden) json.field("content", "hidden");
    more();
    reply.cached_at = reply.body.size();
    json.field("cached", false).field("request_id", call.request_id);
    json.end_object().end_object();
}

// What stands behind Reply::cached_at when the answer is used again.
inline constexpr std::string_view cached_ending = R"(,"cached":true}})";

}  // namespace obs::serve
