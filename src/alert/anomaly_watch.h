// One metric of one series over time: when it begins to be out of the ordinary, gets worse, and is over. One
// anomaly as long as it lasts, however often one looks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "alert/anomaly_baseline.h"

namespace obs::alert {

// Ends now: a spike of many calls shows in the shortest, one of few in the longest.
inline constexpr std::array watched_windows{Nanos::seconds(60), Nanos::seconds(300), Nanos::seconds(900)};

class Watch {
public:
    static constexpr double begins_at = 5, goes_on_at = 3;  // deviations
    static constexpr Nanos calm = Nanos::seconds(300);      // until it is over

    enum class News : std::uint8_t { none, began, worse, over };
    // What was seen in each window; nothing where the calls were too few.
    using Seen = std::array<std::optional<Judgement>, watched_windows.size()>;

    News look(const Seen& seen, UnixNanos now);
    // As an earlier run of the program left it: it lasts, or was over since then.
    void resume(std::size_t window, double deviation);
    void resume_after(UnixNanos ended) { calm_since_ = ended; }

    bool lasts() const { return lasts_; }
    // While it lasts and when it is over.
    const Judgement& worst() const { return worst_; }
    UnixNanos worst_at() const { return worst_at_; }
    std::size_t window() const { return window_; }  // in which it was worst
    UnixNanos calm_since() const { return *calm_since_; }

private:
    bool lasts_ = false;
    std::size_t window_ = 0;
    std::size_t shown_in_ = 0;  // the shortest window that showed it
    Judgement worst_;
    UnixNanos worst_at_;
    std::optional<UnixNanos> calm_since_{};  // while it lasts; else when the last one was over
};

}  // namespace obs::alert
