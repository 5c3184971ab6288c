// What has just happened, for whoever is listening: sockets, event streams. Not a record: an event that
// nobody hears is gone, what it tells of is kept elsewhere.
#pragma once

#include <string>

#include "base/time.h"

namespace obs {

// The events of the contract's section 1.13.
enum class LiveEventType {
    trace_created,
    trace_updated,
    metric_threshold,
    cost_threshold,
    export_job_status,
    system_alert
};

struct LiveEvent {
    LiveEventType type = LiveEventType::system_alert;
    std::string org, project;  // who may hear of it; an empty project is the whole organisation
    UnixNanos at;
    std::string data;  // a JSON object, the event's fields
};

class LiveEvents {
public:
    virtual ~LiveEvents() = default;
    // From any thread; never waits. Events beyond what listeners can take are dropped and counted.
    virtual void publish(LiveEvent event) = 0;
};

}  // namespace obs
