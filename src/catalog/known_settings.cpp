#include "catalog/known_settings.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <shared_mutex>

namespace obs {

struct KnownSettings::State {
    explicit State(const Catalog& of) : catalog(of) {}

    const Catalog& catalog;

    mutable std::shared_mutex mutex;  // of `settings`; never held while the catalog is asked
    std::vector<std::pair<Project, ProjectSettings>> settings;

    std::mutex refreshing;
    std::int64_t version = -1;  // of the catalog when they were read; under `refreshing`
};

KnownSettings::KnownSettings(std::unique_ptr<State> state) : state_(std::move(state)) {}
KnownSettings::~KnownSettings() = default;

Result<std::unique_ptr<KnownSettings>> KnownSettings::load(const Catalog& catalog) {
    std::unique_ptr<KnownSettings> known(new KnownSettings(std::make_unique<State>(catalog)));
    OBS_TRY_VOID(known->refresh());
    return known;
}

std::vector<std::pair<Project, ProjectSettings>> KnownSettings::all() const {
    const std::shared_lock lock(state_->mutex);
    return state_->settings;
}

std::string KnownSettings::time_zone(const Scope& scope) const {
    const auto& wanted = scope.projects();
    const std::shared_lock lock(state_->mutex);
    std::optional<std::string> zone;
    for (const auto& [project, settings] : state_->settings) {
        const bool named = std::ranges::find(wanted, project.id) != wanted.end();
        if (project.org != scope.org() || (wanted.empty() ? project.archived.has_value() : !named)) continue;
        if (zone && *zone != settings.time_zone) return "UTC";
        zone = settings.time_zone;
    }
    return zone.value_or("UTC");
}

Result<void> KnownSettings::refresh() {
    const std::lock_guard one_at_a_time(state_->refreshing);
    // Asked before they are read: a change in between is then seen by the next refresh.
    const std::int64_t version = OBS_TRY(state_->catalog.version());
    if (version == state_->version) return {};
    auto settings = OBS_TRY(state_->catalog.settings_of_projects());
    const std::unique_lock lock(state_->mutex);
    state_->settings = std::move(settings);
    state_->version = version;
    return {};
}

void KnownSettings::keep_fresh() {
    refresher_.start("settings of projects", [this](int) { return refresh(); });
}

}  // namespace obs
