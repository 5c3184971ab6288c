#include "serve/live_sessions.h"

#include <utility>
#include <vector>

#include "base/json_writer.h"
#include "serve/list_request.h"

namespace obs::serve {

namespace {

using live::EventSet;
using live::Framing;

net::Piece piece_of(Framing framing, std::string_view json) {
    auto piece = std::make_shared<std::string>();
    live::append_message(*piece, framing, "message", json);
    return piece;
}

void write_events(JsonWriter& json, const EventSet& events) {
    json.key("events").begin_array();
    for (const LiveEventType type : live::all_event_types)
        if (events.test(live::index_of(type))) json.value(live::name_of(type));
    json.end_array();
}

std::string subscribed_json(const EventSet& events, std::uint64_t number) {
    std::string out;
    JsonWriter json(out);
    json.begin_object().field("type", "subscribed");
    write_events(json, events);
    json.field("subscription_id", std::to_string(number)).end_object();
    return out;
}

std::string unsubscribed_json(const EventSet& events) {
    std::string out;
    JsonWriter json(out);
    json.begin_object().field("type", "unsubscribed");
    write_events(json, events);
    json.end_object();
    return out;
}

bool same_rights(const Principal& a, const Principal& b) {
    return a.org == b.org && a.projects == b.projects && a.permissions == b.permissions && a.role == b.role &&
           a.limited_to_projects == b.limited_to_projects;
}

}  // namespace

// One of the connections that there may be; given back when the last who holds it is gone.
struct LiveSessions::Place {
    LiveSessions& all;
    std::string user;

    Place(LiveSessions& of, std::string whose) : all(of), user(std::move(whose)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        const std::lock_guard lock(all.mutex_);
        const auto taken = all.places_.find(user);
        if (--taken->second == 0) all.places_.erase(taken);
        --all.taken_;
    }
};

class LiveSessions::Client final : public net::Session, public std::enable_shared_from_this<Client> {
public:
    Client(LiveSessions& all, Caller caller, Scope scope, Framing framing, std::shared_ptr<Place> place,
           std::vector<live::Hub::Subscription> subscriptions, bool automatic)
        : all_(all),
          caller_(std::move(caller)),
          framing_(framing),
          place_(std::move(place)),
          scope_(std::move(scope)),
          subscriptions_(std::move(subscriptions)),
          automatic_(automatic) {}

    void opened(std::shared_ptr<net::Outlet> outlet) override {
        {
            const std::lock_guard lock(mutex_);
            outlet_ = std::move(outlet);
            listener_ = all_.hub_.join(framing_, outlet_);
            if (const auto taken = all_.hub_.subscribe(listener_, scope_, subscriptions_); !taken)
                return end(0, api_error(taken.error()));
        }
        all_.add(shared_from_this());
    }

    void received(std::string_view message) override {
        const UnixNanos now = all_.clock_();
        auto understood = live_message(message, now);
        const std::lock_guard lock(mutex_);
        if (!understood) return refuse_message(understood.error());
        std::visit([&](const auto& said) { obey(said); }, *understood);
    }

    void closed() override {
        all_.hub_.leave(listener_);
        const std::lock_guard lock(all_.mutex_);
        all_.clients_.erase(shared_from_this());
    }

    // Whether who listens still may.
    void recheck(UnixNanos now) {
        const auto principal = all_.verify_(caller_.credential, now);
        const std::lock_guard lock(mutex_);
        if (!principal)
            return end(live::close_unauthorised,
                       {code_of_fault(principal.error().fault), principal.error().message});
        if (*principal == caller_.principal || same_rights(**principal, *caller_.principal)) return;
        caller_.principal = *principal;
        take_rights();
    }

private:
    static std::string key_of(ErrorCode code) { return std::string(info_of(code).code); }

    void send(std::string_view json) { outlet_->send(piece_of(framing_, json)); }
    void refuse_message(const ApiError& error) { send(live::error_json(key_of(error.code), error.message)); }
    void end(std::uint16_t close_code, const ApiError& error) {
        outlet_->end(std::make_shared<const std::string>(
                         live::farewell(framing_, close_code, key_of(error.code), error.message)),
                     net::Outlet::Unsent::keep);
        all_.hub_.leave(listener_);
        const std::lock_guard lock(all_.mutex_);
        ++all_.ended_;
    }

    void obey(const LivePing&) { send(R"({"type":"pong"})"); }

    void obey(const LiveSubscribe& wanted) {
        if (const auto refusal = denied(wanted, *caller_.principal)) return refuse_message(*refusal);
        auto next = automatic_ ? std::vector<live::Hub::Subscription>{} : without(wanted.events);
        next.push_back({wanted.events, wanted.filter});
        const auto taken = all_.hub_.subscribe(listener_, scope_, next,
                                               piece_of(framing_, subscribed_json(wanted.events, last_ + 1)));
        if (!taken) return refuse_message(api_error(taken.error()));
        ++last_;
        automatic_ = false;
        subscriptions_ = std::move(next);
    }

    void obey(const LiveUnsubscribe& unwanted) {
        subscriptions_ = without(unwanted.events);
        automatic_ = false;
        const auto left = all_.hub_.subscribe(listener_, scope_, subscriptions_,
                                              piece_of(framing_, unsubscribed_json(unwanted.events)));
        if (!left) refuse_message(api_error(left.error()));
    }

    // What there is, without these events: an event type belongs to the subscription that named it last.
    std::vector<live::Hub::Subscription> without(const EventSet& events) const {
        std::vector<live::Hub::Subscription> left;
        for (const live::Hub::Subscription& each : subscriptions_)
            if (const EventSet rest = each.events & ~events; rest.any()) left.push_back({rest, each.filter});
        return left;
    }

    // Other rights than before: another scope, perhaps fewer events.
    void take_rights() {
        auto scope = scope_of(*caller_.principal, caller_.project);
        if (!scope) return end(live::close_forbidden, scope.error());
        scope_ = *std::move(scope);
        std::vector<live::Hub::Subscription> kept;
        for (const live::Hub::Subscription& each : subscriptions_) {
            const EventSet allowed = each.events & events_for(*caller_.principal);
            if (allowed.any() && !denied({allowed, each.filter}, *caller_.principal))
                kept.push_back({allowed, each.filter});
        }
        if (kept.empty() && !subscriptions_.empty())
            return end(live::close_forbidden,
                       {ErrorCode::insufficient_permissions, "nothing is left that you may listen to"});
        subscriptions_ = std::move(kept);
        if (const auto taken = all_.hub_.subscribe(listener_, scope_, subscriptions_); !taken)
            end(live::close_forbidden, api_error(taken.error()));
    }

    LiveSessions& all_;
    Caller caller_;  // the principal: under mutex_
    const Framing framing_;
    const std::shared_ptr<Place> place_;

    std::mutex mutex_;
    std::shared_ptr<net::Outlet> outlet_;  // set once, before anybody else knows the client
    live::Hub::Listener listener_ = 0;     // the same
    Scope scope_;
    std::vector<live::Hub::Subscription> subscriptions_;
    bool automatic_;  // nothing was subscribed to yet
    std::uint64_t last_ = 0;
};

LiveSessions::LiveSessions(live::Hub& hub, Verify verify, Clock clock, LiveLimits limits)
    : hub_(hub), verify_(std::move(verify)), clock_(std::move(clock)), limits_(limits) {
    checker_ = std::jthread([this](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            recheck();
            std::unique_lock lock(mutex_);
            stopping_.wait_for(lock, stop, limits_.recheck, [] { return false; });
        }
    });
}

LiveSessions::~LiveSessions() = default;

ApiResult<std::shared_ptr<LiveSessions::Place>> LiveSessions::place_for(const Principal& principal) {
    const std::string user = principal.org + '/' + principal.subject;
    const std::lock_guard lock(mutex_);
    const auto known = places_.find(user);
    const bool full = taken_ >= limits_.connections;
    if (full || (known != places_.end() && known->second >= limits_.connections_per_user)) {
        ++refused_;
        ApiError error{ErrorCode::too_many_requests,
                       full ? std::string("as many listen as there may be; try again later")
                            : fmt::format("you have {} connections that listen; close one",
                                          limits_.connections_per_user)};
        error.headers.add("retry-after", "5");
        return std::unexpected(std::move(error));
    }
    ++places_[user];
    ++taken_;
    return std::make_shared<Place>(*this, user);
}

ApiResult<std::shared_ptr<net::Session>> LiveSessions::socket(Caller caller) {
    Scope scope = OBS_ANSWER(scope_of(*caller.principal, caller.project));
    auto place = OBS_ANSWER(place_for(*caller.principal));
    std::vector<live::Hub::Subscription> automatic;
    if (const EventSet events = unasked_events(*caller.principal); events.any())
        automatic.push_back({events});
    return std::make_shared<Client>(*this, std::move(caller), std::move(scope), Framing::websocket,
                                    std::move(place), std::move(automatic), true);
}

ApiResult<std::shared_ptr<net::Session>> LiveSessions::stream(Caller caller, LiveSubscribe wanted) {
    Scope scope = OBS_ANSWER(scope_of(*caller.principal, caller.project));
    if (auto refusal = denied(wanted, *caller.principal)) return std::unexpected(*std::move(refusal));
    auto place = OBS_ANSWER(place_for(*caller.principal));
    std::vector<live::Hub::Subscription> subscriptions;
    if (wanted.events.any()) subscriptions.push_back({wanted.events, std::move(wanted.filter)});
    return std::make_shared<Client>(*this, std::move(caller), std::move(scope), Framing::event_stream,
                                    std::move(place), std::move(subscriptions), false);
}

void LiveSessions::add(const std::shared_ptr<Client>& client) {
    const std::lock_guard lock(mutex_);
    clients_.insert(client);
}

void LiveSessions::recheck() {
    std::vector<std::shared_ptr<Client>> all;
    {
        const std::lock_guard lock(mutex_);
        all.assign(clients_.begin(), clients_.end());
    }
    const UnixNanos now = clock_();
    for (const auto& client : all) client->recheck(now);
}

void LiveSessions::write(MetricsText& out) const {
    const std::lock_guard lock(mutex_);
    out.gauge("live_connections", "Clients that listen to events", {}, static_cast<double>(taken_));
    out.counter("live_connections_refused_total", "Clients beyond the limits", {},
                static_cast<double>(refused_));
    out.counter("live_connections_ended_total", "Clients who may no longer listen", {},
                static_cast<double>(ended_));
}

}  // namespace obs::serve
