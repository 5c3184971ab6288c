// Prices that people set while the program runs, for an organisation or one of its projects. Nothing is
// forgotten: a price that was taken back still explains what it priced.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "catalog/catalog.h"

namespace obs {

struct SetPrice {
    std::int64_t revision = 0;  // of all prices that were ever set; the later one is the higher
    std::string id{}, org{};
    std::string project{};  // empty: all of the organisation
    // What it is about, as `entry` says it; absent members are empty.
    std::string provider{}, model{}, service{}, valid_from{};
    std::string entry{};  // the price, a JSON object of the members of docs/prices.md
    std::string set_by{};
    UnixNanos set{};
    std::string retired_by{};
    std::optional<UnixNanos> retired{};  // since then it holds no more

    // What stands before the model in rules: `set/12`.
    std::string source() const { return fmt::format("set/{}", revision); }
    bool operator==(const SetPrice&) const = default;
};

// Thread-safe; the catalog outlives it. Entries and rights are checked by the caller.
class Prices {
public:
    static constexpr std::int64_t most_of_an_org = 1'000;  // that hold

    explicit Prices(Catalog& catalog) : catalog_(catalog) {}

    // Gives it an id and a revision. What holds for the same project, provider, model, service and beginning
    // is taken back. `overloaded` when the organisation has as many as it may have.
    Result<SetPrice> set(SetPrice price);
    // The newest first. `retired` too, or only those that hold; of these projects and of all, or of any
    // project when none is named.
    Result<std::vector<SetPrice>> of(std::string_view org, const std::vector<std::string>& projects,
                                     bool retired) const;
    Result<std::optional<SetPrice>> find(std::string_view org, std::string_view id) const;
    // False when it was taken back before.
    Result<bool> retire(std::string_view org, std::string_view id, std::string_view by, UnixNanos now);
    // Of every organisation, the retired ones too.
    Result<std::vector<SetPrice>> all() const;

private:
    Catalog& catalog_;
};

}  // namespace obs
