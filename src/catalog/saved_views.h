// Questions that people kept under a name, for themselves or for their project.
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

struct SavedView {
    std::string id, org, project;
    std::string owner;  // who made it: a user, a key, or the subject of a token
    std::string name;
    bool shared = false;   // with everybody who sees the project
    std::string question;  // a JSON object
    UnixNanos created, changed;
};

// What cannot be told apart from success by an error of the catalog.
enum class ViewChange : std::uint8_t {
    done,
    taken,     // the owner has a view of this name in the project
    too_many,  // the owner has as many views as one may have
    gone,      // there is no such view
};

// Thread-safe; the catalog outlives it. Names, questions and rights are checked by the caller.
class SavedViews {
public:
    static constexpr std::int64_t most_of_an_owner = 200;

    explicit SavedViews(Catalog& catalog) : catalog_(catalog) {}

    // Those of the owner, and those that are shared, by name. Of the projects; `projects` empty: of all.
    Result<std::vector<SavedView>> visible(std::string_view org, std::string_view owner,
                                           const std::vector<std::string>& projects) const;
    Result<std::optional<SavedView>> view_of(std::string_view org, std::string_view id) const;
    // Gives the view an id.
    Result<ViewChange> create(SavedView& view);
    // Name, sharing, question and time of change of the view with this id.
    Result<ViewChange> change(const SavedView& view);
    Result<ViewChange> remove(const SavedView& view);

private:
    Catalog& catalog_;
};

}  // namespace obs
