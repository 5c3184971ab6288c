#include "base/log.h"

#include <memory>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace obs::log {

namespace {
spdlog::logger& logger() {
    static spdlog::logger instance = [] {
        spdlog::logger created("observatory", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        created.set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                                                                          spdlog::pattern_time_type::utc));
        created.flush_on(spdlog::level::info);
        return created;
    }();
    return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::info: return spdlog::level::info;
        case Level::warning: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
    }
    return spdlog::level::err;
}
}  // namespace

void set_level(Level level) {
    logger().set_level(to_spdlog(level));
}
bool enabled(Level level) {
    return logger().should_log(to_spdlog(level));
}
void write(Level level, std::string_view text) {
    logger().log(to_spdlog(level), text);
}

}  // namespace obs::log
