// The clients of the live events: how many there may be, what each says, and whether they still may listen.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

#include "base/time.h"
#include "catalog/authority.h"
#include "live/hub.h"
#include "net/session.h"
#include "serve/api_error.h"
#include "serve/live_messages.h"
#include "serve/metrics.h"

namespace obs::serve {

struct LiveLimits {
    std::size_t connections = 2048;           // in all
    std::size_t connections_per_user = 64;    // of one user or key
    std::chrono::milliseconds recheck{1000};  // how often each is asked whether it still may
};

// Thread-safe. Outlives the server that calls its sessions.
class LiveSessions {
public:
    using Verify = std::function<Authority::Recognised(std::string_view credential, UnixNanos now)>;
    LiveSessions(live::Hub& hub, Verify verify, Clock clock, LiveLimits limits);
    ~LiveSessions();

    // Who listens, recognised by this credential; `project` as the request named it, empty for none.
    struct Caller {
        std::string credential, project;
        std::shared_ptr<const Principal> principal;
    };
    // A client that speaks: it hears of trace_created until it subscribes to something else. Fails with
    // TOO_MANY_REQUESTS over a limit, and when the caller has no project.
    ApiResult<std::shared_ptr<net::Session>> socket(Caller caller);
    // A client that only listens. Fails like the other, and when it may not have what it wants.
    ApiResult<std::shared_ptr<net::Session>> stream(Caller caller, LiveSubscribe wanted);

    // Asks everybody again now; what the thread does all the time.
    void recheck();
    void write(MetricsText& out) const;

private:
    class Client;
    struct Place;
    ApiResult<std::shared_ptr<Place>> place_for(const Principal& principal);
    void add(const std::shared_ptr<Client>& client);

    live::Hub& hub_;
    const Verify verify_;
    const Clock clock_;
    const LiveLimits limits_;

    mutable std::mutex mutex_;
    std::map<std::string, std::size_t> places_;  // taken, by user
    std::size_t taken_ = 0;
    std::uint64_t refused_ = 0, ended_ = 0;
    std::unordered_set<std::shared_ptr<Client>> clients_;
    std::condition_variable_any stopping_;
    std::jthread checker_;  // last: it uses everything above
};

}  // namespace obs::serve
