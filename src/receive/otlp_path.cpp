#include "receive/otlp_path.h"

#include <vector>

#include <fmt/format.h>

namespace obs::receive {
namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
    std::vector<std::string_view> segments;
    while (!path.empty()) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        if (slash > 0) segments.push_back(path.substr(0, slash));
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return segments;
}

std::optional<Signal> signal_named(std::string_view name) {
    if (name == "traces") return Signal::traces;
    if (name == "logs") return Signal::logs;
    if (name == "metrics") return Signal::metrics;
    return std::nullopt;
}

// How often `v1/<signal>` stands in the path.
int endpoints_in(const std::vector<std::string_view>& segments) {
    int count = 0;
    for (std::size_t n = 1; n < segments.size(); ++n)
        if (segments[n - 1] == "v1" && signal_named(segments[n])) ++count;
    return count;
}

}  // namespace

std::optional<Signal> signal_of_path(std::string_view path) {
    const std::vector<std::string_view> segments = segments_of(path);
    if (segments.size() < 2 || segments[segments.size() - 2] != "v1" || endpoints_in(segments) != 1)
        return std::nullopt;
    return signal_named(segments.back());
}

std::string advice_for_path(std::string_view path) {
    const std::vector<std::string_view> segments = segments_of(path);
    constexpr std::string_view ours = "OTLP is taken at /v1/traces, /v1/logs and /v1/metrics";
    if (segments.empty())
        return fmt::format("{}; an endpoint that is set for one signal is used as it is: add the path to it",
                           ours);
    if (endpoints_in(segments) > 1)
        return fmt::format("{}; the endpoint seems to name the path already, and the client adds it again",
                           ours);
    if (segments.size() >= 2 && segments[segments.size() - 2] == "v1development")
        return fmt::format("{}; {} is not supported", ours, segments.back().substr(0, 64));
    return std::string(ours);
}

}  // namespace obs::receive
