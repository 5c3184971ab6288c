#include "catalog/budgets.h"

#include <algorithm>
#include <array>
#include <utility>

#include "catalog/database.h"

namespace obs {
namespace {

constexpr std::array<std::string_view, 6> period_names{"daily",     "weekly", "monthly",
                                                       "quarterly", "yearly", "rolling"};
constexpr std::array<std::string_view, 6> scope_names{"organisation", "project", "user",
                                                      "model",        "tag",     "key"};
constexpr std::array<std::string_view, 2> severity_names{"warning", "critical"};
constexpr std::array<std::string_view, 3> state_names{"pending", "delivered", "failed"};
constexpr std::size_t most_alerts_read = 10'000;

template <class Word, std::size_t N>
std::optional<Word> word_from(const std::array<std::string_view, N>& names, std::string_view word) {
    const auto found = std::ranges::find(names, word);
    if (found == names.end()) return std::nullopt;
    return static_cast<Word>(found - names.begin());
}

template <std::size_t N, class Word>
std::string_view word_of(const std::array<std::string_view, N>& names, Word word) {
    return names[static_cast<std::size_t>(word)];
}

// A column that may be NULL, on its way in or out.
struct Nullable {
    long long value = 0;
    soci::indicator has = soci::i_null;

    void set(std::optional<std::int64_t> given) {
        value = given.value_or(0);
        has = given ? soci::i_ok : soci::i_null;
    }
    std::optional<std::int64_t> get() const {
        return has == soci::i_ok ? std::optional<std::int64_t>(value) : std::nullopt;
    }
    std::optional<UnixNanos> time() const {
        return has == soci::i_ok ? std::optional(UnixNanos{value}) : std::nullopt;
    }
};

// ---- budgets

// A row of the table, in the types of SOCI.
struct BudgetRow {
    std::string id, org, name, project, scope, value, period, threshold_type, webhook, secret;
    long long amount = 0, rolling_days = 0, warning = 0, critical = 0, refuses = 0, active = 0, created = 0,
              updated = 0;
    Nullable hard_limit;

    explicit BudgetRow(const Budget& budget)
        : id(budget.id),
          org(budget.org),
          name(budget.name),
          project(budget.project),
          scope(name_of(budget.scope)),
          value(budget.value),
          period(name_of(budget.period)),
          threshold_type(budget.thresholds_are_percentages ? "percentage" : "absolute"),
          webhook(budget.webhook),
          secret(budget.webhook_secret.reveal()),
          amount(budget.amount.nanos),
          rolling_days(budget.rolling_days),
          warning(budget.warning),
          critical(budget.critical),
          refuses(budget.refuses ? 1 : 0),
          active(budget.active ? 1 : 0),
          created(budget.created.since_epoch),
          updated(budget.updated.since_epoch) {
        if (budget.hard_limit) hard_limit.set(budget.hard_limit->nanos);
    }

    Budget budget() const {
        Budget found{.id = id,
                     .org = org,
                     .name = name,
                     .project = project,
                     .scope = budget_scope_from(scope).value_or(BudgetScope::project),
                     .value = value,
                     .amount = {amount},
                     .period = budget_period_from(period).value_or(BudgetPeriod::monthly),
                     .rolling_days = rolling_days,
                     .thresholds_are_percentages = threshold_type == "percentage",
                     .warning = warning,
                     .critical = critical,
                     .refuses = refuses != 0,
                     .webhook = webhook,
                     .webhook_secret = Secret(secret),
                     .active = active != 0,
                     .created = {created},
                     .updated = {updated}};
        if (const auto limit = hard_limit.get()) found.hard_limit = Usd{*limit};
        return found;
    }
};

// `value` is the one text parameter `:value` of `condition`.
std::vector<Budget> select_budgets(soci::session& sql, std::string_view condition, const std::string& value) {
    BudgetRow row{Budget{}};
    soci::statement statement =
        (sql.prepare << "SELECT id, org, name, project, scope, value, amount, period, rolling_days, "
                        "threshold_type, warning, critical, hard_limit, refuses, webhook, webhook_secret, "
                        "active, created, updated FROM budgets "
                     << condition << " ORDER BY created, id",
         soci::into(row.id), soci::into(row.org), soci::into(row.name), soci::into(row.project),
         soci::into(row.scope), soci::into(row.value), soci::into(row.amount), soci::into(row.period),
         soci::into(row.rolling_days), soci::into(row.threshold_type), soci::into(row.warning),
         soci::into(row.critical), soci::into(row.hard_limit.value, row.hard_limit.has),
         soci::into(row.refuses), soci::into(row.webhook), soci::into(row.secret), soci::into(row.active),
         soci::into(row.created), soci::into(row.updated), soci::use(value, "value"));
    statement.execute();
    std::vector<Budget> found;
    while (statement.fetch()) found.push_back(row.budget());
    return found;
}

bool name_is_taken(soci::session& sql, const Budget& budget) {
    const std::vector<Budget> others = select_budgets(sql, "WHERE name = :value", budget.name);
    return std::ranges::any_of(
        others, [&](const Budget& other) { return other.org == budget.org && other.id != budget.id; });
}

void insert_budget(soci::session& sql, BudgetRow row) {
    sql << "INSERT INTO budgets (id, org, name, project, scope, value, amount, period, rolling_days, "
           "threshold_type, warning, critical, hard_limit, refuses, webhook, webhook_secret, active, "
           "created, updated) VALUES (:id, :org, :name, :project, :scope, :value, :amount, :period, :days, "
           ":type, :warning, :critical, :hard_limit, :refuses, :webhook, :secret, :active, :created, "
           ":updated)",
        soci::use(row.id), soci::use(row.org), soci::use(row.name), soci::use(row.project),
        soci::use(row.scope), soci::use(row.value), soci::use(row.amount), soci::use(row.period),
        soci::use(row.rolling_days), soci::use(row.threshold_type), soci::use(row.warning),
        soci::use(row.critical), soci::use(row.hard_limit.value, row.hard_limit.has), soci::use(row.refuses),
        soci::use(row.webhook), soci::use(row.secret), soci::use(row.active), soci::use(row.created),
        soci::use(row.updated);
}

void update_budget(soci::session& sql, BudgetRow row) {
    sql << "UPDATE budgets SET name = :name, project = :project, scope = :scope, value = :value, "
           "amount = :amount, period = :period, rolling_days = :days, threshold_type = :type, warning = "
           ":warning, critical = :critical, hard_limit = :hard_limit, refuses = :refuses, webhook = "
           ":webhook, webhook_secret = :secret, active = :active, updated = :updated WHERE id = :id",
        soci::use(row.name), soci::use(row.project), soci::use(row.scope), soci::use(row.value),
        soci::use(row.amount), soci::use(row.period), soci::use(row.rolling_days),
        soci::use(row.threshold_type), soci::use(row.warning), soci::use(row.critical),
        soci::use(row.hard_limit.value, row.hard_limit.has), soci::use(row.refuses), soci::use(row.webhook),
        soci::use(row.secret), soci::use(row.active), soci::use(row.updated), soci::use(row.id);
}

// ---- alerts

struct AlertRow {
    RaisedAlert alert;
    std::string severity;
    long long from = 0, to = 0, threshold = 0, spent = 0, amount = 0, triggered = 0;
    Nullable resolved;

    RaisedAlert value() const {
        RaisedAlert found = alert;
        found.severity = severity_from(severity).value_or(Severity::warning);
        found.from = {from};
        found.to = {to};
        found.threshold = {threshold};
        found.spent = {spent};
        found.amount = {amount};
        found.triggered = {triggered};
        found.resolved = resolved.time();
        return found;
    }
};

constexpr std::string_view select_alerts =
    "SELECT a.id, a.budget, b.name, a.org, b.project, a.subject, a.severity, a.period_from, a.period_to, "
    "a.threshold, a.spent, a.amount, a.message, a.triggered, a.resolved, a.source FROM budget_alerts a JOIN "
    "budgets b "
    "ON b.id = a.budget ";

// `parameters` are soci::use(…) of what the condition names.
template <class... Parameters>
std::vector<RaisedAlert> alerts_where(soci::session& sql, std::string_view condition,
                                      const Parameters&... parameters) {
    AlertRow row;
    RaisedAlert& alert = row.alert;
    soci::statement statement(sql);
    statement.exchange(soci::into(alert.id));
    statement.exchange(soci::into(alert.budget));
    statement.exchange(soci::into(alert.budget_name));
    statement.exchange(soci::into(alert.org));
    statement.exchange(soci::into(alert.project));
    statement.exchange(soci::into(alert.subject));
    statement.exchange(soci::into(row.severity));
    for (long long* number : {&row.from, &row.to, &row.threshold, &row.spent, &row.amount})
        statement.exchange(soci::into(*number));
    statement.exchange(soci::into(alert.message));
    statement.exchange(soci::into(row.triggered));
    statement.exchange(soci::into(row.resolved.value, row.resolved.has));
    statement.exchange(soci::into(alert.source));
    (statement.exchange(parameters), ...);
    statement.alloc();
    statement.prepare(std::string(select_alerts) + std::string(condition));
    statement.define_and_bind();
    statement.execute();
    std::vector<RaisedAlert> found;
    while (statement.fetch()) found.push_back(row.value());
    return found;
}

bool is_open_already(soci::session& sql, const RaisedAlert& alert) {
    const std::vector<RaisedAlert> open = alerts_where(sql, "WHERE a.resolved IS NULL AND a.budget = :budget",
                                                       soci::use(alert.budget, "budget"));
    return std::ranges::any_of(open, [&](const RaisedAlert& other) {
        return other.subject == alert.subject && other.severity == alert.severity &&
               other.threshold == alert.threshold;
    });
}

// False when what happened has its row already.
bool insert_alert(soci::session& sql, const RaisedAlert& alert) {
    const std::string severity(name_of(alert.severity));
    const long long from = alert.from.since_epoch, to = alert.to.since_epoch,
                    threshold = alert.threshold.nanos, spent = alert.spent.nanos, amount = alert.amount.nanos,
                    triggered = alert.triggered.since_epoch;
    soci::statement statement =
        (sql.prepare << "INSERT INTO budget_alerts (id, budget, org, subject, severity, period_from, "
                        "period_to, threshold, spent, amount, message, triggered, source) VALUES (:id, "
                        ":budget, :org, :subject, :severity, :from, :to, :threshold, :spent, :amount, "
                        ":message, :triggered, :source) ON CONFLICT (budget, subject, severity, period_from, "
                        "threshold) DO "
                        "NOTHING",
         soci::use(alert.id), soci::use(alert.budget), soci::use(alert.org), soci::use(alert.subject),
         soci::use(severity), soci::use(from), soci::use(to), soci::use(threshold), soci::use(spent),
         soci::use(amount), soci::use(alert.message), soci::use(triggered), soci::use(alert.source));
    statement.execute(true);
    return statement.get_affected_rows() > 0;
}

// False when it is open. The row tells of the last time.
bool open_again(soci::session& sql, const RaisedAlert& alert) {
    const std::string severity(name_of(alert.severity));
    const long long from = alert.from.since_epoch, to = alert.to.since_epoch,
                    threshold = alert.threshold.nanos, spent = alert.spent.nanos,
                    triggered = alert.triggered.since_epoch;
    soci::statement statement =
        (sql.prepare << "UPDATE budget_alerts SET id = :id, period_to = :to, spent = :spent, message = "
                        ":message, triggered = :triggered, source = :source, resolved = NULL WHERE budget = "
                        ":budget AND subject = :subject AND severity = :severity AND period_from = :from AND "
                        "threshold = :threshold AND resolved IS NOT NULL",
         soci::use(alert.id), soci::use(to), soci::use(spent), soci::use(alert.message), soci::use(triggered),
         soci::use(alert.source), soci::use(alert.budget), soci::use(alert.subject), soci::use(severity),
         soci::use(from), soci::use(threshold));
    statement.execute(true);
    return statement.get_affected_rows() > 0;
}

bool set_resolved(soci::session& sql, const std::string& id, UnixNanos now) {
    const long long at = now.since_epoch;
    soci::statement statement =
        (sql.prepare << "UPDATE budget_alerts SET resolved = :at WHERE id = :id AND resolved IS NULL",
         soci::use(at), soci::use(id));
    statement.execute(true);
    return statement.get_affected_rows() > 0;
}

// ---- deliveries

void insert_delivery(soci::session& sql, const Delivery& delivery) {
    const std::string state(name_of(delivery.state));
    const long long attempts = delivery.attempts, due = delivery.due.since_epoch,
                    created = delivery.created.since_epoch;
    sql << "INSERT INTO webhook_deliveries (id, budget, alert, event, url, body, state, attempts, due, "
           "error, created) VALUES (:id, :budget, :alert, :event, :url, :body, :state, :attempts, :due, '', "
           ":created)",
        soci::use(delivery.id), soci::use(delivery.budget), soci::use(delivery.alert),
        soci::use(delivery.event), soci::use(delivery.url), soci::use(delivery.body), soci::use(state),
        soci::use(attempts), soci::use(due), soci::use(created);
}

// `number` is the one parameter `:number` of `condition`, `text` its `:text`.
std::vector<Delivery> select_deliveries(soci::session& sql, std::string_view condition, long long number,
                                        const std::string& text) {
    Delivery row;
    std::string state, secret;
    long long attempts = 0, due = 0, created = 0;
    Nullable status, finished;
    soci::statement statement =
        (sql.prepare << "SELECT d.id, d.budget, d.alert, d.event, d.url, d.body, d.state, d.attempts, d.due, "
                        "d.status, d.error, d.created, d.finished, b.webhook_secret FROM webhook_deliveries "
                        "d JOIN budgets b ON b.id = d.budget "
                     << condition,
         soci::into(row.id), soci::into(row.budget), soci::into(row.alert), soci::into(row.event),
         soci::into(row.url), soci::into(row.body), soci::into(state), soci::into(attempts), soci::into(due),
         soci::into(status.value, status.has), soci::into(row.error), soci::into(created),
         soci::into(finished.value, finished.has), soci::into(secret), soci::use(number, "number"),
         soci::use(text, "text"));
    statement.execute();
    std::vector<Delivery> found;
    while (statement.fetch()) {
        row.state = word_from<DeliveryState>(state_names, state).value_or(DeliveryState::failed);
        row.attempts = attempts;
        row.due = {due};
        row.status = status.get();
        row.created = {created};
        row.finished = finished.time();
        row.secret = Secret(secret);
        found.push_back(row);
    }
    return found;
}

template <class T>
Listed<T> page_of(std::vector<T> all, Page page) {
    Listed<T> listed;
    listed.total = static_cast<std::int64_t>(all.size());
    const std::size_t begin = std::min(page.offset, all.size());
    const std::size_t end = begin + std::min(page.limit, all.size() - begin);
    listed.items.assign(std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(begin)),
                        std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(end)));
    return listed;
}

}  // namespace

std::string new_alert_id() {
    return new_uuid();
}

std::string_view name_of(BudgetPeriod period) {
    return word_of(period_names, period);
}
std::string_view name_of(BudgetScope scope) {
    return word_of(scope_names, scope);
}
std::string_view name_of(Severity severity) {
    return word_of(severity_names, severity);
}
std::string_view name_of(DeliveryState state) {
    return word_of(state_names, state);
}
std::optional<BudgetPeriod> budget_period_from(std::string_view word) {
    return word_from<BudgetPeriod>(period_names, word);
}
std::optional<BudgetScope> budget_scope_from(std::string_view word) {
    return word_from<BudgetScope>(scope_names, word);
}
std::optional<Severity> severity_from(std::string_view word) {
    return word_from<Severity>(severity_names, word);
}

Usd Budget::threshold(Severity severity) const {
    __extension__ using Wide = __int128;
    const std::int64_t level = severity == Severity::warning ? warning : critical;
    if (!thresholds_are_percentages) return {level};
    const auto share = static_cast<std::int64_t>(static_cast<Wide>(amount.nanos) * level / 100'000'000'000);
    return {std::max<std::int64_t>(share, 1)};
}

Result<std::vector<Budget>> Budgets::list(std::string_view org) const {
    return database_.read("list budgets", [&](soci::session& sql) -> Result<std::vector<Budget>> {
        return select_budgets(sql, org.empty() ? "WHERE org <> :value" : "WHERE org = :value",
                              std::string(org));
    });
}

Result<std::optional<Budget>> Budgets::find(std::string_view org, std::string_view id) const {
    return database_.read("find a budget", [&](soci::session& sql) -> Result<std::optional<Budget>> {
        for (Budget& budget : select_budgets(sql, "WHERE id = :value", std::string(id)))
            if (budget.org == org) return std::optional(std::move(budget));
        return std::optional<Budget>();
    });
}

Result<std::optional<Budget>> Budgets::create(Budget budget, UnixNanos now) {
    return database_.change("create a budget", [&](soci::session& sql) -> Result<std::optional<Budget>> {
        if (name_is_taken(sql, budget)) return std::optional<Budget>();
        if (select_budgets(sql, "WHERE org = :value", budget.org).size() >= most_of_an_organisation)
            return fail(ErrorKind::too_large, "an organisation has at most {} budgets",
                        most_of_an_organisation);
        budget.id = new_uuid();
        budget.created = budget.updated = now;
        insert_budget(sql, BudgetRow(budget));
        return std::optional(budget);
    });
}

Result<std::optional<Budget>> Budgets::change(Budget budget, UnixNanos now) {
    return database_.change("change a budget", [&](soci::session& sql) -> Result<std::optional<Budget>> {
        if (name_is_taken(sql, budget)) return std::optional<Budget>();
        if (select_budgets(sql, "WHERE id = :value", budget.id).empty())
            return fail(ErrorKind::not_found, "there is no such budget");
        budget.updated = now;
        update_budget(sql, BudgetRow(budget));
        return std::optional(budget);
    });
}

Result<bool> Budgets::remove(const Budget& budget) {
    return database_.change("delete a budget", [&](soci::session& sql) -> Result<bool> {
        soci::statement statement =
            (sql.prepare << "DELETE FROM budgets WHERE id = :id", soci::use(budget.id));
        statement.execute(true);
        return statement.get_affected_rows() > 0;
    });
}

Result<std::vector<RaisedAlert>> Budgets::open_alerts() const {
    return database_.read("read open alerts", [&](soci::session& sql) -> Result<std::vector<RaisedAlert>> {
        return alerts_where(sql, "WHERE a.resolved IS NULL");
    });
}

Result<bool> Budgets::raise(const RaisedAlert& alert, const std::optional<Delivery>& delivery) {
    // Not a note: whoever looks whether it is open must see what another process did a moment ago.
    return database_.change("raise an alert", [&](soci::session& sql) -> Result<bool> {
        if (is_open_already(sql, alert)) return false;
        if (!insert_alert(sql, alert) && !open_again(sql, alert)) return false;
        if (delivery) insert_delivery(sql, *delivery);
        return true;
    });
}

Result<bool> Budgets::resolve(const RaisedAlert& alert, UnixNanos now,
                              const std::optional<Delivery>& delivery) {
    return database_.note("resolve an alert", [&](soci::session& sql) -> Result<bool> {
        if (!set_resolved(sql, alert.id, now)) return false;
        if (delivery) insert_delivery(sql, *delivery);
        return true;
    });
}

Result<Listed<RaisedAlert>> Budgets::alerts(const AlertsWanted& wanted, Page page) const {
    return database_.read("list alerts", [&](soci::session& sql) -> Result<Listed<RaisedAlert>> {
        const long long from = wanted.from.value_or(UnixNanos{0}).since_epoch,
                        to = wanted.to.value_or(UnixNanos{INT64_MAX}).since_epoch;
        // An empty id is below every other and g above, as ids are hex: so that the same statement does for
        // one budget and for all.
        const std::string least = wanted.budget, most = wanted.budget.empty() ? "g" : wanted.budget;
        std::vector<RaisedAlert> found = alerts_where(
            sql,
            fmt::format("WHERE a.org = :org AND a.budget >= :least AND a.budget <= :most AND a.triggered < "
                        ":to AND (a.resolved IS NULL OR a.resolved >= :from OR a.triggered >= :since) ORDER "
                        "BY a.triggered DESC, a.id LIMIT {}",
                        most_alerts_read),
            soci::use(wanted.org, "org"), soci::use(least, "least"), soci::use(most, "most"),
            soci::use(to, "to"), soci::use(from, "from"), soci::use(from, "since"));
        std::erase_if(found, [&](const RaisedAlert& alert) {
            const bool seen = wanted.projects.empty() ||
                              std::ranges::find(wanted.projects, alert.project) != wanted.projects.end();
            return !seen || (wanted.only_open && alert.resolved) ||
                   (wanted.severity && alert.severity != *wanted.severity);
        });
        return page_of(std::move(found), page);
    });
}

Result<std::vector<Delivery>> Budgets::due(UnixNanos now, std::size_t most) const {
    return database_.read(
        "read what is to be delivered", [&](soci::session& sql) -> Result<std::vector<Delivery>> {
            return select_deliveries(sql,
                                     fmt::format("WHERE d.finished IS NULL AND d.due <= :number AND d.id <> "
                                                 ":text ORDER BY d.due, d.id LIMIT {}",
                                                 most),
                                     now.since_epoch, "");
        });
}

Result<bool> Budgets::claim(const Delivery& delivery, UnixNanos again) {
    return database_.note("claim a delivery", [&](soci::session& sql) -> Result<bool> {
        const long long was = delivery.due.since_epoch, next = again.since_epoch;
        soci::statement statement =
            (sql.prepare << "UPDATE webhook_deliveries SET due = :next, attempts = attempts + 1 WHERE id = "
                            ":id AND due = :was AND finished IS NULL",
             soci::use(next), soci::use(delivery.id), soci::use(was));
        statement.execute(true);
        return statement.get_affected_rows() > 0;
    });
}

Result<void> Budgets::note(const Delivery& delivery) {
    return database_.note("note a delivery", [&](soci::session& sql) -> Result<void> {
        const std::string state(name_of(delivery.state));
        const long long due = delivery.due.since_epoch;
        Nullable status, finished;
        status.set(delivery.status);
        if (delivery.finished) finished.set(delivery.finished->since_epoch);
        sql << "UPDATE webhook_deliveries SET state = :state, due = :due, status = :status, error = :error, "
               "finished = :finished WHERE id = :id",
            soci::use(state), soci::use(due), soci::use(status.value, status.has), soci::use(delivery.error),
            soci::use(finished.value, finished.has), soci::use(delivery.id);
        return {};
    });
}

Result<Listed<Delivery>> Budgets::deliveries(std::string_view budget, Page page) const {
    return database_.read("list deliveries", [&](soci::session& sql) -> Result<Listed<Delivery>> {
        Listed<Delivery> listed;
        const std::string id(budget);
        long long total = 0;
        sql << "SELECT COUNT(*) FROM webhook_deliveries WHERE budget = :id", soci::into(total), soci::use(id);
        listed.total = total;
        listed.items = select_deliveries(
            sql,
            fmt::format("WHERE d.created >= :number AND d.budget = :text ORDER BY d.created DESC, d.id LIMIT "
                        "{} OFFSET {}",
                        page.limit, page.offset),
            0, id);
        return listed;
    });
}

Result<void> Budgets::forget(UnixNanos now) {
    return database_.note("forget old alerts", [&](soci::session& sql) -> Result<void> {
        const long long alerts = (now - keep_alerts).since_epoch,
                        deliveries = (now - keep_deliveries).since_epoch;
        sql << "DELETE FROM budget_alerts WHERE resolved < :at", soci::use(alerts);
        sql << "DELETE FROM webhook_deliveries WHERE finished < :at", soci::use(deliveries);
        return {};
    });
}

}  // namespace obs
