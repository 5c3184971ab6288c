// Where OTLP/HTTP requests go: `[/any/prefix]/v1/{traces,logs,metrics}`, however many slashes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/intake.h"

namespace obs::receive {

// Nothing for every other path, `/v1/traces/v1/traces` (an endpoint given twice) among them.
std::optional<Signal> signal_of_path(std::string_view path);
// What is most likely wrong with a path that is none of ours, for a person to read.
std::string advice_for_path(std::string_view path);

}  // namespace obs::receive
