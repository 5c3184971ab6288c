// Work that is done again each second, from a thread of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"

namespace obs {

// Must be the last member of what it works on: its thread ends with it, and uses everything above.
class EachSecond {
public:
    // Rounds count from 1. Of failures in a row the first is logged, behind `what`.
    using Work = std::function<Result<void>(int round)>;
    // Once; `at_end` is called from the same thread when it ends.
    void start(std::string what, Work work, std::function<void()> at_end = {});

private:
    std::mutex mutex_;
    std::condition_variable_any stopping_;
    std::jthread thread_;
};

}  // namespace obs
