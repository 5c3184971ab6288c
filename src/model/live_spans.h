// The way of the data as it is watched while it comes in.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "model/batches.h"

namespace obs {

// A trace that is complete.
struct SettledTrace {
    std::string org, project;
    TraceId id;
    // Those of its spans whose usage counts; nothing when only the store knows.
    std::optional<std::vector<SpanId>> calls{};
};

// Any thread; nothing here waits. What is too much to be watched is dropped and counted.
class LiveSpans {
public:
    virtual ~LiveSpans() = default;
    // Whether anybody watches; quick. When nobody does, the others need not be called.
    virtual bool wanted() const = 0;
    // Rows that are safe now.
    virtual void kept(SpanBatch rows) = 0;
    virtual void settled(std::vector<SettledTrace> traces) = 0;
};

}  // namespace obs
