// Who hears of what. Spans come in as they are kept, traces as they settle, other events as they are
// published; at most every `tick` what has gathered becomes events: matched once for each distinct filter,
// written once for each distinct audience, and given to its listeners as one piece of bytes that they share.
//
// A trace becomes events when its spans come by:
// - trace_created: the first time that a filter lets the trace through, which is the first time that those
// who
//   use the filter hear of it;
// - trace_updated: every later time that spans of it came, at most once a tick, and once when it settles
//   (`settled` is then true, and its cost is final).
// A filter lets an event through when it holds for the event's own fields or, of a trace, for one of the
// spans that came.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "live/events.h"
#include "live/relay.h"
#include "live/trace_table.h"
#include "model/live_events.h"
#include "model/live_spans.h"
#include "model/question.h"
#include "net/session.h"

namespace obs::live {

class Hub final : public LiveEvents, public LiveSpans {
public:
    struct Options {
        Nanos tick{50'000'000};
        Nanos heartbeat = Nanos::seconds(15);
        std::size_t queue_bytes = std::size_t{32} << 20;  // of what waits for the next tick
        std::size_t behind_bytes = std::size_t{1} << 20;  // a reader who is further behind is cut off
        std::size_t filters = 256;                        // distinct ones in use at once
        TraceTable::Limits traces{};
        Clock clock = system_now;
    };

    // Without a thread until start(): tests turn the hub by hand.
    explicit Hub(Options options);
    ~Hub() override;
    void start();
    // Ends every listener's answer, and listens no more.
    void stop();
    // Events of this hub go to other instances too, and theirs come here. Before start(); in use until
    // stop().
    void connect(Relay& relay);
    // What another instance sent.
    void receive(std::string_view message);

    void publish(LiveEvent event) override;
    bool wanted() const override;
    void kept(SpanBatch rows) override;
    void settled(std::vector<SettledTrace> traces) override;

    using Listener = std::uint64_t;
    struct Subscription {
        EventSet events;
        Filter filter{};
    };
    // From here on until leave(), or until it is cut off, the outlet gets the events that it subscribes to.
    Listener join(Framing framing, std::shared_ptr<net::Outlet> outlet);
    // Replaces all its subscriptions. An event type belongs to one of them. `word` is sent before their first
    // event, and may be null. Fails with `invalid_input` for a
    // filter that does not fit spans, and with `overloaded` when too many are in use; then nothing changes.
    Result<void> subscribe(Listener listener, const Scope& scope,
                           const std::vector<Subscription>& subscriptions, net::Piece word = nullptr);
    void leave(Listener listener);

    struct Stats {
        std::uint64_t listeners = 0, audiences = 0, filters = 0, traces = 0, queued_bytes = 0;
        std::array<std::uint64_t, all_event_types.size()> events{};  // that came, whoever heard of them
        std::uint64_t delivered = 0;                                 // messages to listeners
        std::uint64_t delivered_bytes = 0;
        std::uint64_t cut_off = 0;        // readers too slow
        std::uint64_t dropped_spans = 0;  // the queue was full
        std::uint64_t dropped_events = 0;
        std::uint64_t unreadable = 0;  // messages of other instances
    };
    Stats stats() const;

    // One tick: for tests, and for the thread.
    void turn();

private:
    struct View;
    struct Audience;
    struct Member;
    struct Round;
    using Views = std::vector<std::shared_ptr<View>>;

    struct Item {
        std::variant<AnyBatch, std::vector<SettledTrace>, LiveEvent> what;
        std::size_t bytes = 0;
        bool from_elsewhere = false;
    };

    bool push(Item item);
    void run(const std::stop_token& stop);
    std::vector<Item> take();
    void relay(const std::vector<Item>& items);
    void hear(Round& round, const Item& item);
    void hear_spans(Round& round, const AnyBatch& rows);
    void hear_traces(Round& round);
    void hear_event(Round& round, const LiveEvent& event);
    void write(Round& round);
    void deliver(Round& round);
    void send_heartbeats(UnixNanos now);

    std::shared_ptr<Audience> audience_of(const Scope& scope, const Subscription& subscription,
                                          Framing framing, std::shared_ptr<View> view);
    // Takes it out of every audience.
    void forget(Member& member, Listener listener);
    void cut_off(Listener listener);
    void note_wanted();

    const Options options_;
    std::atomic<Relay*> relay_ = nullptr;

    mutable std::mutex queue_mutex_;
    std::condition_variable_any filled_;
    std::vector<Item> queue_;             // under queue_mutex_
    std::size_t queued_bytes_ = 0;        // the same
    std::atomic<bool> listened_ = false;  // somebody here wants traces

    mutable std::mutex mutex_;  // of who listens; held briefly
    std::unordered_map<Listener, std::unique_ptr<Member>> members_;
    std::map<std::string, std::weak_ptr<View>> views_;            // by text of the filter
    std::map<std::string, std::shared_ptr<Audience>> audiences_;  // by what they hear
    Listener last_listener_ = 0;
    std::uint32_t last_view_ = 0;
    bool stopped_ = false;

    // Of the thread that turns.
    TraceTable traces_;
    UnixNanos next_heartbeat_{};

    struct Counters {
        std::array<std::atomic<std::uint64_t>, all_event_types.size()> events{};
        std::atomic<std::uint64_t> delivered = 0, delivered_bytes = 0, cut_off = 0, dropped_spans = 0,
                                   dropped_events = 0, unreadable = 0, traces = 0;
    };
    Counters counters_;
    std::jthread thread_;  // last: it uses everything above
};

}  // namespace obs::live
