#include "catalog/each_second.h"

#include <chrono>
#include <utility>

#include "base/log.h"

namespace obs {

void EachSecond::start(std::string what, Work work, std::function<void()> at_end) {
    thread_ = std::jthread([this, what = std::move(what), work = std::move(work),
                            at_end = std::move(at_end)](const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        bool failing = false;
        for (int round = 1;
             !stopping_.wait_for(lock, stop, std::chrono::seconds(1), [&] { return stop.stop_requested(); });
             ++round) {
            const auto done = work(round);
            if (!done && !failing) log::warning("{}: {}", what, done.error().message);
            failing = !done;
        }
        if (at_end) at_end();
    });
}

}  // namespace obs
