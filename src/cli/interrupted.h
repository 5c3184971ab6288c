// SIGINT and SIGTERM as a stop token.
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace obs::cli {

// While it lives these signals ask for a stop and end nothing. One at a time, made before other threads.
class Interrupted {
public:
    Interrupted();
    ~Interrupted();
    std::stop_token stop() const { return source_.get_token(); }

private:
    sigset_t signals_{}, before_{};
    std::stop_source source_;
    std::jthread watch_;
};

}  // namespace obs::cli
