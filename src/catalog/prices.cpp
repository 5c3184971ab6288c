#include "catalog/prices.h"

#include <algorithm>

#include "catalog/database.h"

namespace obs {
namespace {

// `org` and `id` are the text parameters `:org` and `:id` of `condition`; every condition has both.
std::vector<SetPrice> select_prices(soci::session& sql, std::string_view condition, const std::string& org,
                                    const std::string& id) {
    SetPrice row;
    long long revision = 0, set = 0, retired = 0;
    soci::indicator is_retired = soci::i_null;
    soci::statement statement =
        (sql.prepare << "SELECT revision, id, org, project, provider, model, service, valid_from, entry, "
                        "set_by, set_at, retired_by, retired_at FROM prices WHERE "
                     << condition << " ORDER BY revision DESC",
         soci::into(revision), soci::into(row.id), soci::into(row.org), soci::into(row.project),
         soci::into(row.provider), soci::into(row.model), soci::into(row.service), soci::into(row.valid_from),
         soci::into(row.entry), soci::into(row.set_by), soci::into(set), soci::into(row.retired_by),
         soci::into(retired, is_retired), soci::use(org, "org"), soci::use(id, "id"));
    statement.execute();
    std::vector<SetPrice> found;
    while (statement.fetch()) {
        row.revision = revision;
        row.set = {set};
        row.retired = is_retired == soci::i_ok ? std::optional(UnixNanos{retired}) : std::nullopt;
        found.push_back(row);
    }
    return found;
}

void retire_same(soci::session& sql, const SetPrice& price) {
    const long long at = price.set.since_epoch;
    sql << "UPDATE prices SET retired_at = :at, retired_by = :who WHERE org = :org AND project = :project "
           "AND "
           "provider = :provider AND model = :model AND service = :service AND valid_from = :valid_from AND "
           "retired_at IS NULL",
        soci::use(at), soci::use(price.set_by), soci::use(price.org), soci::use(price.project),
        soci::use(price.provider), soci::use(price.model), soci::use(price.service),
        soci::use(price.valid_from);
}

}  // namespace

Result<SetPrice> Prices::set(SetPrice price) {
    return catalog_.database().change("set a price", [&](soci::session& sql) -> Result<SetPrice> {
        retire_same(sql, price);
        long long holding = 0, last = 0;
        sql << "SELECT COUNT(*) FROM prices WHERE org = :org AND retired_at IS NULL", soci::into(holding),
            soci::use(price.org);
        if (holding >= most_of_an_org)
            return fail(ErrorKind::overloaded, "there are {} prices, which is as many as may be", holding);
        sql << "SELECT CAST(COALESCE(MAX(revision), 0) AS BIGINT) FROM prices", soci::into(last);
        price.revision = last + 1;
        price.id = new_uuid();
        const long long revision = price.revision, set = price.set.since_epoch;
        sql << "INSERT INTO prices (revision, id, org, project, provider, model, service, valid_from, entry, "
               "set_by, set_at, retired_by) VALUES (:revision, :id, :org, :project, :provider, :model, "
               ":service, :valid_from, :entry, :set_by, :set_at, '')",
            soci::use(revision), soci::use(price.id), soci::use(price.org), soci::use(price.project),
            soci::use(price.provider), soci::use(price.model), soci::use(price.service),
            soci::use(price.valid_from), soci::use(price.entry), soci::use(price.set_by), soci::use(set);
        return price;
    });
}

Result<std::vector<SetPrice>> Prices::of(std::string_view org, const std::vector<std::string>& projects,
                                         bool retired) const {
    using Found = std::vector<SetPrice>;
    Found found = OBS_TRY(catalog_.database().read("list prices", [&](soci::session& sql) -> Result<Found> {
        return select_prices(
            sql, retired ? "org = :org AND id <> :id" : "org = :org AND id <> :id AND retired_at IS NULL",
            std::string(org), "");
    }));
    if (projects.empty()) return found;
    std::erase_if(found, [&](const SetPrice& price) {
        return !price.project.empty() && std::ranges::find(projects, price.project) == projects.end();
    });
    return found;
}

Result<std::optional<SetPrice>> Prices::find(std::string_view org, std::string_view id) const {
    using Found = std::optional<SetPrice>;
    return catalog_.database().read("find a price", [&](soci::session& sql) -> Result<Found> {
        std::vector<SetPrice> found =
            select_prices(sql, "org = :org AND id = :id", std::string(org), std::string(id));
        return found.empty() ? Found() : Found(std::move(found.front()));
    });
}

Result<bool> Prices::retire(std::string_view org, std::string_view id, std::string_view by, UnixNanos now) {
    return catalog_.database().change("take a price back", [&](soci::session& sql) -> Result<bool> {
        const std::string of(org), which(id), who(by);
        const long long at = now.since_epoch;
        soci::statement retiring =
            (sql.prepare << "UPDATE prices SET retired_at = :at, retired_by = :who WHERE org = :org AND id = "
                            ":id AND retired_at IS NULL",
             soci::use(at), soci::use(who), soci::use(of), soci::use(which));
        retiring.execute(true);
        return retiring.get_affected_rows() != 0;
    });
}

Result<std::vector<SetPrice>> Prices::all() const {
    return catalog_.database().read("list prices", [&](soci::session& sql) -> Result<std::vector<SetPrice>> {
        return select_prices(sql, "org <> :org AND id <> :id", "", "");
    });
}

}  // namespace obs
