#include "cli/interrupted.h"

#include <pthread.h>

namespace obs::cli {

namespace {
constexpr timespec look_every{.tv_sec = 0, .tv_nsec = 50'000'000};
}

Interrupted::Interrupted() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    watch_ = std::jthread([this](const std::stop_token& over) {
        while (!over.stop_requested())
            if (sigtimedwait(&signals_, nullptr, &look_every) > 0) source_.request_stop();
    });
}

Interrupted::~Interrupted() {
    watch_.request_stop();
    watch_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace obs::cli
