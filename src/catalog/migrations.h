// The catalog's schema, as the numbered steps that led to it. A step that was released never changes: what
// comes after is a new file in migrations/ and a new element here. Plain SQL that SQLite and PostgreSQL both
// read; times are nanoseconds since 1970.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "catalog/migrations/0001_projects.h"
#include "catalog/migrations/0002_accounts.h"
#include "catalog/migrations/0003_budgets.h"
#include "catalog/migrations/0004_jobs.h"
#include "catalog/migrations/0005_anomalies.h"
#include "catalog/migrations/0006_saved_views.h"
#include "catalog/migrations/0007_prices.h"

namespace obs {

// Step i + 1 is element i.
inline constexpr std::array catalog_steps{
    std::span<const std::string_view>(catalog_step_1), std::span<const std::string_view>(catalog_step_2),
    std::span<const std::string_view>(catalog_step_3), std::span<const std::string_view>(catalog_step_4),
    std::span<const std::string_view>(catalog_step_5), std::span<const std::string_view>(catalog_step_6),
    std::span<const std::string_view>(catalog_step_7),
};

}  // namespace obs
