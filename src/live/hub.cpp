#include "live/hub.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "live/event_row.h"
#include "query/filter_text.h"
#include "store/evaluate.h"

namespace obs::live {

namespace {

// Pieces of about this size: a slow reader has so much of what was begun, and a socket takes so much at once.
constexpr std::size_t piece_bytes = 64 << 10;

bool sees(const std::vector<std::string>& projects, std::string_view project) {
    return projects.empty() || std::ranges::find(projects, project) != projects.end();
}

std::chrono::nanoseconds chrono_of(Nanos time) {
    return std::chrono::nanoseconds(time.count);
}

}  // namespace

// A filter that is in use.
struct Hub::View {
    std::uint32_t id = 0;
    bool always = false;
    Matcher matcher;
};

// Listeners who get the same bytes.
struct Hub::Audience {
    std::string key, org;
    std::vector<std::string> projects;  // none: all of the organisation
    EventSet events;
    Framing framing;
    std::shared_ptr<View> view;
    std::unordered_set<Listener> members;  // under mutex_

    bool may_hear_of(std::string_view of_org, std::string_view project) const {
        return of_org == org && (project.empty() || sees(projects, project));
    }
};

struct Hub::Member {
    Framing framing;
    std::shared_ptr<net::Outlet> outlet;
    std::vector<std::shared_ptr<Audience>> audiences;
};

// What becomes of one tick.
struct Hub::Round {
    UnixNanos now;

    struct Hearing {
        std::shared_ptr<Audience> audience;
        std::size_t view;  // place in `views`
        std::vector<net::Piece> pieces{};
        std::string open{};  // the piece that is being written
        std::uint64_t messages = 0;

        void add(std::string_view bytes) {
            open += bytes;
            ++messages;
            if (open.size() >= piece_bytes) close();
        }
        void close() {
            if (!open.empty()) pieces.push_back(std::make_shared<const std::string>(std::exchange(open, {})));
        }
    };
    std::vector<Hearing> hearings{};
    Views views{};
    bool traces_wanted = false;

    struct Touched {
        WatchedTrace* trace;
        bool grew = false;                // else it only settled
        std::vector<bool> let_through{};  // by view
        // Made when somebody wants them.
        std::string data{};
        std::array<std::array<std::string, framings>, 2> messages{};  // created, updated

        const std::string& message(LiveEventType type, Framing framing, UnixNanos at) {
            std::string& made =
                messages[type == LiveEventType::trace_created ? 0 : 1][static_cast<std::size_t>(framing)];
            if (data.empty()) data = trace->data();
            if (made.empty()) append_message(made, framing, name_of(type), event_json(type, data, at));
            return made;
        }
    };
    std::vector<Touched> touched{};
    std::unordered_map<WatchedTrace*, std::size_t> places{};

    std::size_t touch(WatchedTrace* trace) {
        const auto [at, is_new] = places.try_emplace(trace, touched.size());
        if (is_new) touched.push_back({.trace = trace, .let_through = std::vector<bool>(views.size())});
        return at->second;
    }
};

Hub::Hub(Options options) : options_(std::move(options)), traces_(options_.traces) {}

Hub::~Hub() {
    stop();
}

void Hub::start() {
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
}

void Hub::stop() {
    if (thread_.joinable()) {
        thread_.request_stop();
        thread_.join();
    }
    relay_ = nullptr;
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (auto& [listener, member] : members_) member->outlet->end(nullptr, net::Outlet::Unsent::keep);
    members_.clear();
    audiences_.clear();
    listened_ = false;
}

void Hub::connect(Relay& relay) {
    relay_ = &relay;
}

// --- what comes in
// ---------------------------------------------------------------------------------------------------------

bool Hub::wanted() const {
    if (listened_.load(std::memory_order_relaxed)) return true;
    const Relay* const relay = relay_;
    return relay != nullptr && relay->wanted();
}

bool Hub::push(Item item) {
    bool first = false;
    {
        const std::lock_guard lock(queue_mutex_);
        if (queued_bytes_ + item.bytes > options_.queue_bytes) return false;
        queued_bytes_ += item.bytes;
        first = queue_.empty();
        queue_.push_back(std::move(item));
    }
    if (first) filled_.notify_one();
    return true;
}

void Hub::kept(SpanBatch rows) {
    const std::size_t count = rows.size(), bytes = bytes_of(rows);
    if (count == 0) return;
    if (!push({.what = AnyBatch(std::move(rows)), .bytes = bytes})) counters_.dropped_spans += count;
}

void Hub::settled(std::vector<SettledTrace> traces) {
    std::size_t bytes = 0;
    for (const SettledTrace& trace : traces)
        bytes += sizeof trace + (trace.calls ? trace.calls->size() * sizeof(SpanId) : 0);
    const std::size_t count = traces.size();
    if (!push({.what = std::move(traces), .bytes = bytes})) counters_.dropped_events += count;
}

void Hub::publish(LiveEvent event) {
    const std::size_t bytes = sizeof event + event.data.size();
    ++counters_.events[index_of(event.type)];
    if (!push({.what = std::move(event), .bytes = bytes})) ++counters_.dropped_events;
}

void Hub::receive(std::string_view message) {
    auto told = told_by(message);
    if (!told) {
        ++counters_.unreadable;
        return;
    }
    const auto* rows = std::get_if<AnyBatch>(&*told);
    const std::size_t count = rows == nullptr ? 0 : size_of(*rows);
    if (rows != nullptr && !listened_) return;
    if (!push({.what = std::move(*told), .bytes = message.size(), .from_elsewhere = true}))
        (count == 0 ? counters_.dropped_events : counters_.dropped_spans) += std::max<std::size_t>(count, 1);
}

// --- who listens
// ---------------------------------------------------------------------------------------------------------

Hub::Listener Hub::join(Framing framing, std::shared_ptr<net::Outlet> outlet) {
    const std::lock_guard lock(mutex_);
    const Listener listener = ++last_listener_;
    if (stopped_)
        outlet->end(nullptr, net::Outlet::Unsent::keep);
    else
        members_.emplace(listener, std::make_unique<Member>(Member{framing, std::move(outlet), {}}));
    return listener;
}

Result<void> Hub::subscribe(Listener listener, const Scope& scope,
                            const std::vector<Subscription>& subscriptions, net::Piece word) {
    struct Wanted {
        std::string text;
        std::shared_ptr<View> view;
    };
    std::vector<Wanted> wanted;
    for (const Subscription& each : subscriptions) {
        Matcher matcher = OBS_TRY(Matcher::compile(TableId::spans, each.filter));
        wanted.push_back({query::text_of(each.filter),
                          std::make_shared<View>(View{0, each.filter.always(), std::move(matcher)})});
    }
    const std::lock_guard lock(mutex_);
    const auto found = members_.find(listener);
    if (found == members_.end()) return {};
    Member& member = *found->second;
    std::erase_if(views_, [](const auto& entry) { return entry.second.expired(); });
    for (Wanted& each : wanted) {
        if (auto known = views_[each.text].lock()) {
            each.view = std::move(known);
            continue;
        }
        if (views_.size() > options_.filters) {
            std::erase_if(views_, [](const auto& entry) { return entry.second.expired(); });
            return fail(ErrorKind::overloaded, "{} different filters are in use; try again later",
                        options_.filters);
        }
        each.view->id = ++last_view_;
        views_[each.text] = each.view;
    }
    forget(member, listener);
    if (word) member.outlet->send(std::move(word));
    for (std::size_t at = 0; at < wanted.size(); ++at) {
        auto audience = audience_of(scope, subscriptions[at], member.framing, std::move(wanted[at].view));
        audience->members.insert(listener);
        member.audiences.push_back(std::move(audience));
    }
    note_wanted();
    return {};
}

void Hub::leave(Listener listener) {
    const std::lock_guard lock(mutex_);
    const auto found = members_.find(listener);
    if (found == members_.end()) return;
    forget(*found->second, listener);
    members_.erase(found);
    note_wanted();
}

std::shared_ptr<Hub::Audience> Hub::audience_of(const Scope& scope, const Subscription& subscription,
                                                Framing framing, std::shared_ptr<View> view) {
    std::string key = fmt::format("{} {} {} {}", static_cast<int>(framing), subscription.events.to_string(),
                                  view->id, scope.org());
    for (const std::string& project : scope.projects()) (key += '\n') += project;
    std::shared_ptr<Audience>& audience = audiences_[key];
    if (!audience)
        audience = std::make_shared<Audience>(
            Audience{key, scope.org(), scope.projects(), subscription.events, framing, std::move(view), {}});
    return audience;
}

void Hub::forget(Member& member, Listener listener) {
    for (const auto& audience : std::exchange(member.audiences, {})) {
        audience->members.erase(listener);
        if (audience->members.empty()) audiences_.erase(audience->key);
    }
}

void Hub::note_wanted() {
    const EventSet traces = set_of(LiveEventType::trace_created) | set_of(LiveEventType::trace_updated);
    listened_ = std::ranges::any_of(audiences_,
                                    [&](const auto& entry) { return (entry.second->events & traces).any(); });
}

// --- one tick
// ---------------------------------------------------------------------------------------------------------

void Hub::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(queue_mutex_);
            filled_.wait_for(lock, stop, std::chrono::seconds(1), [&] { return !queue_.empty(); });
        }
        turn();
        std::unique_lock lock(queue_mutex_);
        filled_.wait_for(lock, stop, chrono_of(options_.tick), [] { return false; });
    }
}

std::vector<Hub::Item> Hub::take() {
    const std::lock_guard lock(queue_mutex_);
    queued_bytes_ = 0;
    return std::exchange(queue_, {});
}

void Hub::turn() {
    Round round{.now = options_.clock()};
    {
        const std::lock_guard lock(mutex_);
        std::unordered_map<View*, std::size_t> places;
        for (const auto& [key, audience] : audiences_) {
            const auto [at, is_new] = places.try_emplace(audience->view.get(), round.views.size());
            if (is_new) round.views.push_back(audience->view);
            round.hearings.push_back({.audience = audience, .view = at->second});
        }
        round.traces_wanted = listened_;
    }
    std::vector<Item> items = take();
    relay(items);
    if (!round.traces_wanted) traces_.clear();
    for (const Item& item : items) hear(round, item);
    hear_traces(round);
    write(round);
    deliver(round);
    round.touched.clear();
    traces_.make_room();
    counters_.traces = traces_.size();
    send_heartbeats(round.now);
}

void Hub::relay(const std::vector<Item>& items) {
    Relay* const to = relay_;
    if (to == nullptr || !to->wanted()) return;
    for (const Item& item : items)
        if (!item.from_elsewhere) to->send(message_of(item.what));
}

void Hub::hear(Round& round, const Item& item) {
    if (const auto* event = std::get_if<LiveEvent>(&item.what)) return hear_event(round, *event);
    if (!round.traces_wanted) return;
    if (const auto* rows = std::get_if<AnyBatch>(&item.what)) return hear_spans(round, *rows);
    for (const SettledTrace& settled : std::get<std::vector<SettledTrace>>(item.what))
        if (WatchedTrace* trace = traces_.settle(settled)) round.touch(trace);
}

void Hub::hear_spans(Round& round, const AnyBatch& batch) {
    const auto& rows = std::get<SpanBatch>(batch);
    std::vector<std::uint32_t> news;
    std::vector<std::size_t> trace_of(rows.size());
    for (std::uint32_t row = 0; row < rows.size(); ++row) {
        const TraceTable::Heard heard = traces_.add(rows, row);
        if (!heard.news) continue;
        trace_of[row] = round.touch(heard.trace);
        round.touched[trace_of[row]].grew = true;
        news.push_back(row);
    }
    for (std::size_t view = 0; view < round.views.size(); ++view) {
        if (round.views[view]->always) continue;
        std::vector<std::uint32_t> left = news;
        round.views[view]->matcher.keep(batch, left);
        for (const std::uint32_t row : left) round.touched[trace_of[row]].let_through[view] = true;
    }
}

// The traces as wholes: their own fields may pass where no span of them does.
void Hub::hear_traces(Round& round) {
    if (round.touched.empty()) return;
    AnyBatch wholes = SpanBatch();
    for (const Round::Touched& touched : round.touched) touched.trace->append_to(std::get<SpanBatch>(wholes));
    std::vector<std::uint32_t> all(round.touched.size());
    std::iota(all.begin(), all.end(), 0U);
    for (std::size_t view = 0; view < round.views.size(); ++view) {
        std::vector<std::uint32_t> left = all;
        round.views[view]->matcher.keep(wholes, left);
        for (const std::uint32_t at : left) round.touched[at].let_through[view] = true;
    }
}

void Hub::hear_event(Round& round, const LiveEvent& event) {
    std::vector<std::optional<bool>> let_through(round.views.size());
    std::array<std::string, framings> messages;
    std::optional<AnyBatch> row;
    for (Round::Hearing& hearing : round.hearings) {
        const Audience& audience = *hearing.audience;
        if (!audience.events.test(index_of(event.type)) || !audience.may_hear_of(event.org, event.project))
            continue;
        std::optional<bool>& passes = let_through[hearing.view];
        if (round.views[hearing.view]->always) passes = true;
        if (!passes) {
            if (!row) row = row_of(event);
            std::vector<std::uint32_t> left{0};
            round.views[hearing.view]->matcher.keep(*row, left);
            passes = !left.empty();
        }
        if (!*passes) continue;
        std::string& message = messages[static_cast<std::size_t>(audience.framing)];
        if (message.empty())
            append_message(message, audience.framing, name_of(event.type),
                           event_json(event.type, event.data, event.at));
        hearing.add(message);
    }
}

void Hub::write(Round& round) {
    for (Round::Touched& touched : round.touched) {
        const WatchedTrace& trace = *touched.trace;
        // A filter that has let a trace through lets through what follows of it.
        std::vector<std::optional<LiveEventType>> type(round.views.size());
        for (std::size_t view = 0; view < round.views.size(); ++view) {
            const std::uint32_t id = round.views[view]->id;
            if (touched.trace->was_seen_by(id))
                type[view] = LiveEventType::trace_updated;
            else if (touched.grew && touched.let_through[view])
                type[view] = LiveEventType::trace_created;
            if (type[view] == LiveEventType::trace_created) touched.trace->seen_by.push_back(id);
        }
        for (Round::Hearing& hearing : round.hearings) {
            const Audience& audience = *hearing.audience;
            const auto& what = type[hearing.view];
            if (!what || !audience.events.test(index_of(*what)) ||
                !audience.may_hear_of(trace.org, trace.project))
                continue;
            hearing.add(touched.message(*what, audience.framing, round.now));
        }
        const bool is_new =
            std::ranges::find(type, std::optional(LiveEventType::trace_created)) != type.end();
        ++counters_.events[index_of(is_new ? LiveEventType::trace_created : LiveEventType::trace_updated)];
    }
}

void Hub::deliver(Round& round) {
    const std::lock_guard lock(mutex_);
    std::vector<Listener> behind;
    for (Round::Hearing& hearing : round.hearings) {
        hearing.close();
        if (hearing.pieces.empty()) continue;
        std::uint64_t bytes = 0;
        for (const net::Piece& piece : hearing.pieces) bytes += piece->size();
        for (const Listener listener : hearing.audience->members) {
            net::Outlet& outlet = *members_.at(listener)->outlet;
            if (outlet.waiting() > options_.behind_bytes) {
                behind.push_back(listener);
                continue;
            }
            for (const net::Piece& piece : hearing.pieces) outlet.send(piece);
            counters_.delivered += hearing.messages;
            counters_.delivered_bytes += bytes;
        }
    }
    for (const Listener listener : behind) cut_off(listener);
    if (!behind.empty()) note_wanted();
}

void Hub::cut_off(Listener listener) {
    const auto found = members_.find(listener);
    if (found == members_.end()) return;
    Member& member = *found->second;
    member.outlet->end(std::make_shared<const std::string>(
                           farewell(member.framing, close_slow, "LIMIT_EXCEEDED",
                                    "events came faster than they were read; the rest is left out")),
                       net::Outlet::Unsent::drop);
    forget(member, listener);
    members_.erase(found);
    ++counters_.cut_off;
}

void Hub::send_heartbeats(UnixNanos now) {
    if (now < next_heartbeat_) return;
    next_heartbeat_ = now + options_.heartbeat;
    std::array<net::Piece, framings> beats;
    for (const Framing framing : {Framing::websocket, Framing::event_stream})
        beats[static_cast<std::size_t>(framing)] = std::make_shared<const std::string>(heartbeat(framing));
    const std::lock_guard lock(mutex_);
    for (auto& [listener, member] : members_)
        member->outlet->send(beats[static_cast<std::size_t>(member->framing)]);
}

Hub::Stats Hub::stats() const {
    Stats stats;
    {
        const std::lock_guard lock(mutex_);
        stats.listeners = members_.size();
        stats.audiences = audiences_.size();
        for (const auto& [text, view] : views_) stats.filters += view.expired() ? 0 : 1;
    }
    {
        const std::lock_guard lock(queue_mutex_);
        stats.queued_bytes = queued_bytes_;
    }
    for (std::size_t type = 0; type < stats.events.size(); ++type)
        stats.events[type] = counters_.events[type];
    stats.traces = counters_.traces;
    stats.delivered = counters_.delivered;
    stats.delivered_bytes = counters_.delivered_bytes;
    stats.cut_off = counters_.cut_off;
    stats.dropped_spans = counters_.dropped_spans;
    stats.dropped_events = counters_.dropped_events;
    stats.unreadable = counters_.unreadable;
    return stats;
}

}  // namespace obs::live
