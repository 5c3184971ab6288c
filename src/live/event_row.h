// An event as a row of the table of spans, so that one filter speaks of both.
#pragma once

#include "model/batches.h"
#include "model/live_events.h"

namespace obs::live {

// What the event's data says of model, provider, environment, user, session, service, cost, duration and
// status; what it does not say is missing, and a condition on it does not hold.
AnyBatch row_of(const LiveEvent& event);

}  // namespace obs::live
