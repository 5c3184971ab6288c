#include "net/workers.h"

namespace obs::net {

Workers::Workers(unsigned threads, std::size_t queue) : queue_(queue) {
    for (unsigned n = 0; n < threads; ++n)
        threads_.emplace_back([this](std::stop_token stop) {
            while (std::optional<std::function<void()>> job = queue_.pop(stop)) (*job)();
        });
}

Workers::~Workers() = default;

}  // namespace obs::net
