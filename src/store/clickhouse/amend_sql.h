// The statements that change stored spans (Amendments, Forget). What they mean: store/memory/amend.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/span_store.h"
#include "store/sql/statement.h"

namespace obs {

// Of the rows whose keys are in `amended_keys`. Done twice they change nothing more.
enum class Amendment : std::uint8_t { to_rollup, to_own, to_root, not_root, content, costs };
Statement amend_statement(Amendment what, const Amendments& amendments);
// Removes the rows whose keys and seq are in `amended_keys`.
Statement remove_repeated_statement(const Amendments& amendments);

// The rows that `forget` speaks of, as a condition. Values are bound in the order org, project, user, before.
Statement rows_to_forget(const Forget& forget);
// Rows in days that `forget` takes as a whole are left to DROP PARTITION.
Statement forget_statement(const Forget& forget);

}  // namespace obs
