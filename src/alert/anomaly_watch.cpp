#include "alert/anomaly_watch.h"

#include <algorithm>

namespace obs::alert {

namespace {

// A little worse is no news.
constexpr double worse_by = 1.25;

// The shortest window that shows it, of those that begin after `after`.
std::optional<std::size_t> shown_in(const Watch::Seen& seen, UnixNanos now, std::optional<UnixNanos> after) {
    for (std::size_t at = 0; at < seen.size(); ++at) {
        if (after && now - watched_windows[at] < *after) return std::nullopt;
        if (seen[at] && seen[at]->deviation >= Watch::begins_at) return at;
    }
    return std::nullopt;
}

}  // namespace

void Watch::resume(std::size_t window, double deviation) {
    lasts_ = true;
    calm_since_.reset();
    window_ = shown_in_ = std::min(window, watched_windows.size() - 1);
    worst_.deviation = deviation;
}

Watch::News Watch::look(const Seen& seen, UnixNanos now) {
    // What one anomaly was about does not begin another.
    const auto shown = shown_in(seen, now, lasts_ ? std::nullopt : calm_since_);
    if (!lasts_) {
        if (!shown) return News::none;
        *this = {};
        lasts_ = true;
        window_ = shown_in_ = *shown;
        worst_ = *seen[*shown];
        worst_at_ = now;
        return News::began;
    }
    if (shown) shown_in_ = std::min(shown_in_, *shown);
    const bool goes_on = seen[shown_in_] && seen[shown_in_]->deviation >= goes_on_at;
    if (!goes_on) {
        if (!calm_since_) calm_since_ = now;
        if (now - *calm_since_ < calm) return News::none;
        lasts_ = false;
        return News::over;
    }
    calm_since_.reset();
    if (!shown || seen[*shown]->deviation < worst_.deviation * worse_by) return News::none;
    worst_ = *seen[*shown];
    worst_at_ = now;
    window_ = *shown;
    return News::worse;
}

}  // namespace obs::alert
