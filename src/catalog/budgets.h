// Budgets of organisations and projects, the alerts that they raised, and the webhooks that tell of these.
// What is spent is not kept here: alert/ asks for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "catalog/catalog.h"

namespace obs {

enum class BudgetPeriod : std::uint8_t { daily, weekly, monthly, quarterly, yearly, rolling };
// Whose calls count: all of the organisation or of a project, or those of a user, a model, a tag or an ingest
// key in it.
enum class BudgetScope : std::uint8_t { organisation, project, user, model, tag, key };
enum class Severity : std::uint8_t { warning, critical };

std::string_view name_of(BudgetPeriod period);
std::string_view name_of(BudgetScope scope);
std::string_view name_of(Severity severity);
std::optional<BudgetPeriod> budget_period_from(std::string_view word);
std::optional<BudgetScope> budget_scope_from(std::string_view word);
std::optional<Severity> severity_from(std::string_view word);

struct Budget {
    std::string id{};
    std::string org{};
    std::string name{};     // one budget of the organisation has it
    std::string project{};  // id; empty: all projects of the organisation
    BudgetScope scope = BudgetScope::project;
    // The user, model, tag or key; empty: each of them may spend the amount.
    std::string value{};
    Usd amount{};
    BudgetPeriod period = BudgetPeriod::monthly;
    std::int64_t rolling_days = 0;  // of a rolling window
    // Billionths of a dollar, or of a percent of the amount.
    bool thresholds_are_percentages = true;
    std::int64_t warning = 80'000'000'000, critical = 100'000'000'000;
    std::optional<Usd> hard_limit{};
    bool refuses = false;   // spans over the hard limit; else they are flagged
    std::string webhook{};  // where alerts are posted to; empty: nowhere
    Secret webhook_secret{};
    bool active = true;
    UnixNanos created{}, updated{};

    // Each value of the scope is looked at for itself.
    bool each() const { return value.empty() && scope > BudgetScope::project; }
    Usd threshold(Severity severity) const;  // never nothing
};

struct RaisedAlert {
    std::string id{};
    std::string budget{}, budget_name{}, org{}, project{};
    std::string subject{};  // which user, model, tag or key; empty for budgets of a project
    Severity severity = Severity::warning;
    UnixNanos from{}, to{};  // the period. Of a rolling window: the day on which it was noticed
    Usd threshold{}, spent{}, amount{};
    std::string message{};
    UnixNanos triggered{};
    std::optional<UnixNanos> resolved{};
    std::string source{};  // which data was looked at: the id of a data directory
};

// Random, for alerts and deliveries: what is told of them names them before they are kept.
std::string new_alert_id();

enum class DeliveryState : std::uint8_t { pending, delivered, failed };
std::string_view name_of(DeliveryState state);

// One message to a webhook.
struct Delivery {
    std::string id{};
    std::string budget{}, alert{};
    std::string event{};  // `budget.alert`, `budget.resolved`
    std::string url{}, body{};
    DeliveryState state = DeliveryState::pending;
    std::int64_t attempts = 0;
    UnixNanos due{};
    std::optional<std::int64_t> status{};  // of the last answer
    std::string error{};                   // why the last attempt failed
    UnixNanos created{};
    std::optional<UnixNanos> finished{};
    Secret secret{};  // of the budget; only of those that are due
};

// Which alerts are meant.
struct AlertsWanted {
    std::string org{};
    std::string budget{};                 // id; empty: all
    std::vector<std::string> projects{};  // ids; empty: all, and those of the organisation
    std::optional<Severity> severity{};
    std::optional<UnixNanos> from{}, to{};  // triggered in the window, or not resolved before it
    bool only_open = false;
};

// Thread-safe. Every call may wait for a disk or a network. Ids of other organisations find nothing.
class Budgets {
public:
    static constexpr std::size_t most_of_an_organisation = 1000;
    static constexpr Nanos keep_alerts = Nanos::days(395), keep_deliveries = Nanos::days(30);

    // `catalog` must outlive this object.
    explicit Budgets(const Catalog& catalog) : database_(catalog.database()) {}

    // Oldest first; of all organisations for an empty name.
    Result<std::vector<Budget>> list(std::string_view org) const;
    Result<std::optional<Budget>> find(std::string_view org, std::string_view id) const;
    // Sets the id. Nothing when the name is taken; `too_large` when there are enough.
    Result<std::optional<Budget>> create(Budget budget, UnixNanos now);
    // Nothing when the name is taken; `not_found` when it is gone.
    Result<std::optional<Budget>> change(Budget budget, UnixNanos now);
    // Its alerts and deliveries go with it. False when it is gone already.
    Result<bool> remove(const Budget& budget);

    // Those that are not resolved, of all organisations.
    Result<std::vector<RaisedAlert>> open_alerts() const;
    // True for the one caller who was first: its delivery is kept, if there is one, with the alert. One that
    // was resolved in the same period is open again, under the new id.
    Result<bool> raise(const RaisedAlert& alert, const std::optional<Delivery>& delivery);
    // True for the one caller who was first, as above.
    Result<bool> resolve(const RaisedAlert& alert, UnixNanos now, const std::optional<Delivery>& delivery);
    // Newest first.
    Result<Listed<RaisedAlert>> alerts(const AlertsWanted& wanted, Page page) const;

    // At most so many, those first that wait longest.
    Result<std::vector<Delivery>> due(UnixNanos now, std::size_t most) const;
    // True for the one caller who may try it now; it is due again at `again` if nothing is heard of it.
    Result<bool> claim(const Delivery& delivery, UnixNanos again);
    // What became of an attempt.
    Result<void> note(const Delivery& delivery);
    // Newest first.
    Result<Listed<Delivery>> deliveries(std::string_view budget, Page page) const;

    // Deletes what is too old.
    Result<void> forget(UnixNanos now);

private:
    CatalogDatabase& database_;
};

}  // namespace obs
