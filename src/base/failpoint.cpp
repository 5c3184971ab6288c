#include "base/failpoint.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

namespace obs::failpoint_detail {

namespace {
const char* const wanted = std::getenv("LLMOBS_FAILPOINT");
}

const bool armed = wanted != nullptr;

void reached(std::string_view name) {
    static const std::string_view text(wanted);
    static const std::size_t colon = text.find(':');
    static const long nth = colon == std::string_view::npos ? 1 : std::atol(wanted + colon + 1);
    static std::atomic<long> times{0};
    if (name == text.substr(0, colon) && ++times == nth) std::raise(SIGKILL);
}

}  // namespace obs::failpoint_detail
