#include "alert/budget_watch.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"

namespace obs::alert {

namespace {

using std::chrono::steady_clock;

// Both together are less than the minute in which spend is to be noticed.
constexpr auto longest_look = std::chrono::seconds(25);
constexpr auto until_ready = std::chrono::milliseconds(100);
constexpr Nanos longest_wait = Nanos::seconds(30), between_forgetting = Nanos::hours(1);
// Looking may take this part of the time.
constexpr std::int64_t share = 20;
constexpr Severity severities[] = {Severity::warning, Severity::critical};

bool is_same(const RaisedAlert& alert, const RaisedAlert& other) {
    return alert.budget == other.budget && alert.subject == other.subject &&
           alert.severity == other.severity && alert.threshold == other.threshold;
}

std::optional<Delivery> delivery_of(const RaisedAlert& alert, const Budget& budget, AlertNews news,
                                    UnixNanos now) {
    if (budget.webhook.empty()) return std::nullopt;
    return Delivery{.id = new_alert_id(),
                    .budget = budget.id,
                    .alert = alert.id,
                    .event = event_name(news),
                    .url = budget.webhook,
                    .body = alert_json(alert, budget, news, now),
                    .due = now,
                    .created = now};
}

// An alert of a rolling window belongs to the day on which it was noticed, so that it comes once a day at
// most; it ends with the window that it was noticed in.
Period alert_period(const BudgetState& state, UnixNanos now) {
    if (state.budget.period != BudgetPeriod::rolling) return state.period;
    const std::int64_t day = Nanos::days(1).count;
    return {{now.since_epoch / day * day}, now + Nanos::days(state.budget.rolling_days)};
}

// Whether the budget still has what it was raised for.
bool stands(const RaisedAlert& alert, const Budget& budget) {
    return budget.active && budget.threshold(alert.severity) == alert.threshold &&
           (budget.each() || budget.value == alert.subject);
}

Usd spent_by(const BudgetState& state, std::string_view subject) {
    if (!state.budget.each()) return state.spent;
    for (const auto& [name, spent] : state.subjects)
        if (name == subject) return spent;
    return {};
}

}  // namespace

BudgetWatch::BudgetWatch(Options options, const Catalog& catalog, const query::Figures& figures,
                         SpendBoard& board, LiveEvents* events, std::function<void()> wake_webhooks)
    : options_(std::move(options)),
      catalog_(catalog),
      budgets_(catalog),
      figures_(figures),
      board_(board),
      events_(events),
      wake_webhooks_(std::move(wake_webhooks)) {}

BudgetWatch::~BudgetWatch() {
    stop();
}

void BudgetWatch::start() {
    worker_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void BudgetWatch::stop() {
    if (!worker_.joinable()) return;
    worker_.request_stop();
    worker_.join();
}

void BudgetWatch::look_now() {
    const std::lock_guard lock(mutex_);
    asked_ = true;
    changed_.notify_all();
}

BudgetWatch::Stats BudgetWatch::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

void BudgetWatch::run(const std::stop_token& stop) {
    bool failing = false;
    while (!stop.stop_requested()) {
        if (!options_.ready()) {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, stop, until_ready, [] { return false; });
            continue;
        }
        const auto began = steady_clock::now();
        const Result<void> done = look(options_.clock(), {.stop = stop, .deadline = began + longest_look});
        const Nanos took{std::chrono::nanoseconds(steady_clock::now() - began).count()};
        if (!done && !failing && !stop.stop_requested())
            log::warning("budgets cannot be looked at: {}", done.error().message);
        failing = !done;
        const Nanos wait = std::max(options_.every, std::min(Nanos{took.count * share}, longest_wait));
        std::unique_lock lock(mutex_);
        ++(done ? stats_.looks : stats_.failures);
        stats_.last_nanos = static_cast<std::uint64_t>(took.count);
        changed_.wait_for(lock, stop, std::chrono::nanoseconds(wait.count), [this] { return asked_; });
        asked_ = false;
    }
}

Result<void> BudgetWatch::look(UnixNanos now, const Cancel& cancel) {
    OBS_TRY_VOID(refresh());
    auto board = std::make_shared<const Board>(OBS_TRY(spending(figures_, watched_, now, cancel)));
    board_.set(board);
    std::vector<RaisedAlert> open = OBS_TRY(budgets_.open_alerts());
    const auto ended = std::ranges::stable_partition(
        open, [&](const RaisedAlert& alert) { return !is_over(alert, *board, now); });
    for (const RaisedAlert& alert : ended) OBS_TRY_VOID(resolve(alert, now));
    open.erase(ended.begin(), ended.end());
    for (const BudgetState& state : board->states()) OBS_TRY_VOID(raise(state, open, now));
    if (now - forgotten_ < between_forgetting) return {};
    forgotten_ = now;
    return budgets_.forget(now);
}

Result<void> BudgetWatch::refresh() {
    // Asked before the budgets are read: a change in between is then seen by the next look.
    const std::int64_t version = OBS_TRY(catalog_.version());
    if (version == version_) return {};
    watched_ = OBS_TRY(read_budgets());
    version_ = version;
    const std::lock_guard lock(mutex_);
    stats_.budgets = watched_.size();
    return {};
}

Result<std::vector<WatchedBudget>> BudgetWatch::read_budgets() const {
    std::vector<WatchedBudget> watched;
    std::map<std::string, query::Calendar> calendars{{"", {}}};
    for (Budget& budget : OBS_TRY(budgets_.list(""))) {
        if (!budget.active) continue;
        auto calendar = calendars.find(budget.project);
        if (calendar == calendars.end()) {
            const ProjectSettings settings = OBS_TRY(catalog_.project_settings(budget.project));
            calendar = calendars
                           .emplace(budget.project,
                                    query::Calendar::of(settings.time_zone).value_or(query::Calendar()))
                           .first;
        }
        watched.push_back({std::move(budget), calendar->second});
    }
    return watched;
}

Result<void> BudgetWatch::raise(const BudgetState& state, const std::vector<RaisedAlert>& open,
                                UnixNanos now) {
    for (const Severity severity : severities) {
        const Usd threshold = state.budget.threshold(severity);
        if (!state.budget.each()) {
            if (state.spent >= threshold)
                OBS_TRY_VOID(raise_one(state, state.budget.value, state.spent, severity, open, now));
            continue;
        }
        for (const auto& [subject, spent] : state.subjects)
            if (spent >= threshold) OBS_TRY_VOID(raise_one(state, subject, spent, severity, open, now));
    }
    return {};
}

Result<void> BudgetWatch::raise_one(const BudgetState& state, std::string_view subject, Usd spent,
                                    Severity severity, const std::vector<RaisedAlert>& open, UnixNanos now) {
    const Budget& budget = state.budget;
    const Period period = alert_period(state, now);
    RaisedAlert alert{.id = new_alert_id(),
                      .budget = budget.id,
                      .budget_name = budget.name,
                      .org = budget.org,
                      .project = budget.project,
                      .subject = std::string(subject),
                      .severity = severity,
                      .from = period.from,
                      .to = period.to,
                      .threshold = budget.threshold(severity),
                      .spent = spent,
                      .amount = budget.amount,
                      .triggered = now,
                      .source = options_.source};
    if (std::ranges::any_of(open, [&](const RaisedAlert& other) { return is_same(alert, other); })) return {};
    alert.message = alert_message(alert, budget);
    if (!OBS_TRY(budgets_.raise(alert, delivery_of(alert, budget, AlertNews::raised, now)))) return {};
    tell(alert, budget, AlertNews::raised, now);
    const std::lock_guard lock(mutex_);
    ++stats_.raised;
    return {};
}

bool BudgetWatch::is_over(const RaisedAlert& alert, const Board& board, UnixNanos now) const {
    if (alert.to <= now) return true;
    const BudgetState* state = board.find(alert.budget);
    if (state == nullptr || !stands(alert, state->budget)) return true;
    // A sum that hovers about a threshold is no news each time.
    return alert.source == options_.source &&
           spent_by(*state, alert.subject).nanos < alert.threshold.nanos / 20 * 19;
}

Result<void> BudgetWatch::resolve(const RaisedAlert& alert, UnixNanos now) {
    const auto budget = OBS_TRY(budgets_.find(alert.org, alert.budget));
    if (!budget) return {};
    // Another process may have made it, or changed it, since we read it.
    const std::shared_ptr<const Board> board = board_.now();
    const BudgetState* state = board->find(alert.budget);
    if (alert.to > now && (state == nullptr || state->budget.updated != budget->updated) &&
        stands(alert, *budget))
        return {};
    if (!OBS_TRY(budgets_.resolve(alert, now, delivery_of(alert, *budget, AlertNews::resolved, now))))
        return {};
    tell(alert, *budget, AlertNews::resolved, now);
    const std::lock_guard lock(mutex_);
    ++stats_.resolved;
    return {};
}

void BudgetWatch::tell(const RaisedAlert& alert, const Budget& budget, AlertNews news, UnixNanos now) {
    if (!budget.webhook.empty() && wake_webhooks_) wake_webhooks_();
    if (events_ == nullptr) return;
    events_->publish({.type = LiveEventType::cost_threshold,
                      .org = alert.org,
                      .project = budget.project,
                      .at = now,
                      .data = alert_json(alert, budget, news, now)});
}

}  // namespace obs::alert
