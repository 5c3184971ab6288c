#include "catalog/saved_views.h"

#include <algorithm>

#include "catalog/database.h"

namespace obs {
namespace {

// `first` and `second` are the text parameters `:first` and `:second` of `condition`; every condition has
// both.
std::vector<SavedView> select_views(soci::session& sql, std::string_view condition, const std::string& first,
                                    const std::string& second) {
    SavedView row;
    long long shared = 0, created = 0, changed = 0;
    soci::statement statement =
        (sql.prepare << "SELECT id, org, project, owner, name, shared, question, created, changed FROM "
                        "saved_views "
                     << condition,
         soci::into(row.id), soci::into(row.org), soci::into(row.project), soci::into(row.owner),
         soci::into(row.name), soci::into(shared), soci::into(row.question), soci::into(created),
         soci::into(changed), soci::use(first, "first"), soci::use(second, "second"));
    statement.execute();
    std::vector<SavedView> found;
    while (statement.fetch()) {
        row.shared = shared != 0;
        row.created = {created};
        row.changed = {changed};
        found.push_back(row);
    }
    return found;
}

bool is_taken(soci::session& sql, const SavedView& view) {
    const std::vector<SavedView> own =
        select_views(sql, "WHERE owner = :first AND org = :second", view.owner, view.org);
    return std::ranges::any_of(own, [&](const SavedView& other) {
        return other.id != view.id && other.project == view.project && other.name == view.name;
    });
}

std::int64_t count_of(soci::session& sql, const SavedView& view) {
    long long count = 0;
    sql << "SELECT COUNT(*) FROM saved_views WHERE org = :org AND owner = :owner", soci::into(count),
        soci::use(view.org), soci::use(view.owner);
    return count;
}

}  // namespace

Result<std::vector<SavedView>> SavedViews::visible(std::string_view org, std::string_view owner,
                                                   const std::vector<std::string>& projects) const {
    using Views = std::vector<SavedView>;
    Views found =
        OBS_TRY(catalog_.database().read("list saved views", [&](soci::session& sql) -> Result<Views> {
            return select_views(
                sql, "WHERE org = :first AND (owner = :second OR shared <> 0) ORDER BY name, created, id",
                std::string(org), std::string(owner));
        }));
    if (projects.empty()) return found;
    std::erase_if(found, [&](const SavedView& view) {
        return std::ranges::find(projects, view.project) == projects.end();
    });
    return found;
}

Result<std::optional<SavedView>> SavedViews::view_of(std::string_view org, std::string_view id) const {
    using Found = std::optional<SavedView>;
    return catalog_.database().read("find a saved view", [&](soci::session& sql) -> Result<Found> {
        std::vector<SavedView> found =
            select_views(sql, "WHERE org = :first AND id = :second", std::string(org), std::string(id));
        return found.empty() ? Found() : Found(std::move(found.front()));
    });
}

Result<ViewChange> SavedViews::create(SavedView& view) {
    return catalog_.database().note("keep a view", [&](soci::session& sql) -> Result<ViewChange> {
        if (is_taken(sql, view)) return ViewChange::taken;
        if (count_of(sql, view) >= most_of_an_owner) return ViewChange::too_many;
        view.id = new_uuid();
        const long long shared = view.shared ? 1 : 0, created = view.created.since_epoch,
                        changed = view.changed.since_epoch;
        sql << "INSERT INTO saved_views (id, org, project, owner, name, shared, question, created, changed) "
               "VALUES (:id, :org, :project, :owner, :name, :shared, :question, :created, :changed)",
            soci::use(view.id), soci::use(view.org), soci::use(view.project), soci::use(view.owner),
            soci::use(view.name), soci::use(shared), soci::use(view.question), soci::use(created),
            soci::use(changed);
        return ViewChange::done;
    });
}

Result<ViewChange> SavedViews::change(const SavedView& view) {
    return catalog_.database().note("change a view", [&](soci::session& sql) -> Result<ViewChange> {
        if (is_taken(sql, view)) return ViewChange::taken;
        const long long shared = view.shared ? 1 : 0, changed = view.changed.since_epoch;
        soci::statement statement =
            (sql.prepare << "UPDATE saved_views SET name = :name, shared = :shared, question = :question, "
                            "changed = :changed WHERE org = :org AND id = :id",
             soci::use(view.name), soci::use(shared), soci::use(view.question), soci::use(changed),
             soci::use(view.org), soci::use(view.id));
        statement.execute(true);
        return statement.get_affected_rows() == 1 ? ViewChange::done : ViewChange::gone;
    });
}

Result<ViewChange> SavedViews::remove(const SavedView& view) {
    return catalog_.database().note("delete a view", [&](soci::session& sql) -> Result<ViewChange> {
        soci::statement statement = (sql.prepare << "DELETE FROM saved_views WHERE org = :org AND id = :id",
                                     soci::use(view.org), soci::use(view.id));
        statement.execute(true);
        return statement.get_affected_rows() == 1 ? ViewChange::done : ViewChange::gone;
    });
}

}  // namespace obs
