// Messages that come as events of their own: log records with a body, or span events with attributes.
#pragma once

#include <string>
#include <string_view>

#include "enrich/messages.h"

namespace obs {

bool is_message_event(std::string_view event_name);

// Reads one event into the conversation it belongs to. `body` is the JSON object of the log record's body or
// of the span event's attributes.
void read_message_event(std::string_view event_name, std::string_view body, Conversation& input,
                        Conversation& output);

}  // namespace obs
