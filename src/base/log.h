// The program's log: one line an event on standard error,
// `2026-11-24T09:00:00.000Z info journal: recovered 3 batches`. Never a secret (see secret.h), never prompt
// text: sizes, counts and ids only.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace obs::log {

enum class Level { debug, info, warning, error };

// From `debug` to `error`; what is below is dropped. Set once at start.
void set_level(Level level);
void write(Level level, std::string_view text);
bool enabled(Level level);

template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(Level::info)) write(Level::info, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(Level::warning)) write(Level::warning, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(Level::error)) write(Level::error, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(Level::debug)) write(Level::debug, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace obs::log
