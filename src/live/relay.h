// Between instances: what happens at one is told to the others, whose listeners filter for themselves.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/batches.h"
#include "model/live_events.h"
#include "model/live_spans.h"

namespace obs::live {

class Relay {
public:
    virtual ~Relay() = default;
    // Whether another instance may have listeners; quick.
    virtual bool wanted() const = 0;
    // Any thread; never waits. What the way is too narrow for is dropped and counted.
    virtual void send(std::string message) = 0;
};

using Told = std::variant<AnyBatch, std::vector<SettledTrace>, LiveEvent>;
std::string message_of(const Told& told);
// Fails with `corrupt`.
Result<Told> told_by(std::string_view message);

}  // namespace obs::live
