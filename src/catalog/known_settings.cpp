#include "catalog/known_settings.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "base/log.h"

namespace obs {

struct KnownSettings::State {
    explicit State(const Catalog& of) : catalog(of) {}

    const Catalog& catalog;

    mutable std::shared_mutex mutex;  // of `settings`; never held while the catalog is asked
    std::vector<std::pair<Project, ProjectSettings>> settings;

    std::mutex refreshing;
    std::int64_t version = -1;  // of the catalog when they were read; under `refreshing`

    std::mutex stop_mutex;
    std::condition_variable_any stopping;
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
    refresher_ = std::jthread([this](const std::stop_token& stop) {
        std::unique_lock lock(state_->stop_mutex);
        bool failing = false;
        while (!state_->stopping.wait_for(lock, stop, std::chrono::seconds(1),
                                          [&] { return stop.stop_requested(); })) {
            const auto done = refresh();
            if (!done && !failing) log::warning("settings of projects: {}", done.error().message);
            failing = !done;
        }
    });
}

}  // namespace obs
