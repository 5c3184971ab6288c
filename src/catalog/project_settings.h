// What a project decides for itself. Nothing said means what the server is set to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace obs {

// What one key or project may send; nothing means no limit of its own.
struct Quota {
    std::optional<std::int64_t> requests_per_second{};
    std::optional<std::int64_t> bytes_per_second{};  // of decompressed bodies
    auto operator<=>(const Quota&) const = default;
};

struct ProjectSettings {
    // Of its days and budgets (decision 29): a name of the IANA list, `Europe/Berlin`.
    std::string time_zone = "UTC";
    // Days (decision 30).
    std::optional<std::int64_t> keep_payload_days{}, keep_rows_days{}, keep_logs_days{}, keep_metrics_days{};
    Quota quota{};
    // Who may read prompts and answers beside admins and developers (decision 32).
    bool viewers_read_content = false;

    auto operator<=>(const ProjectSettings&) const = default;

    // The first lifetime that is longer than that of `most`, as its member is named, where both say one;
    // empty when there is none.
    std::string_view longer_than(const ProjectSettings& most) const;

    // One JSON object, members in the order above; what is not said is left out.
    std::string to_json() const;
    // Members that are absent or null keep what `base` has for absent, and become nothing for null. Fails
    // with `invalid_input` and the member's name for unknown members and values out of range.
    static Result<ProjectSettings> from_json(std::string_view json, const ProjectSettings& base);
};

}  // namespace obs
