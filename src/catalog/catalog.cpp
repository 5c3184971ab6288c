#include "catalog/catalog.h"

#include "catalog/data_directory.h"
#include "catalog/database.h"

namespace obs {
namespace {

constexpr std::size_t name_limit = 100;

struct ProjectRow {
    Project project;
    long long created = 0, archived = 0;
    soci::indicator has_archived = soci::i_null;

    Project value() const {
        Project copy = project;
        copy.created = {created};
        if (has_archived == soci::i_ok) copy.archived = UnixNanos{archived};
        return copy;
    }
};

// `value` is the one text parameter `:value` of `condition`; every condition has it. User text is never SQL.
std::vector<Project> select_projects(soci::session& sql, std::string_view condition,
                                     const std::string& value) {
    ProjectRow row;
    soci::statement statement =
        (sql.prepare << "SELECT id, org, name, slug, created, archived FROM projects " << condition,
         soci::into(row.project.id), soci::into(row.project.org), soci::into(row.project.name),
         soci::into(row.project.slug), soci::into(row.created), soci::into(row.archived, row.has_archived),
         soci::use(value, "value"));
    statement.execute();
    std::vector<Project> found;
    while (statement.fetch()) found.push_back(row.value());
    return found;
}

// Lower case letters and digits with single dashes; names without any get random ones.
std::string slug_of(std::string_view name) {
    std::string slug;
    for (const char c : name) {
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            slug += c;
        else if (c >= 'A' && c <= 'Z')
            slug += static_cast<char>(c - 'A' + 'a');
        else if (!slug.empty() && slug.back() != '-')
            slug += '-';
    }
    while (!slug.empty() && slug.back() == '-') slug.pop_back();
    return slug.empty() ? "project-" + random_text(8) : slug;
}

Result<void> check_name(soci::session& sql, std::string_view org, std::string_view name) {
    if (name.empty() || name.size() > name_limit)
        return fail(ErrorKind::invalid_input, "the name of a project has 1 to {} bytes, this one {}",
                    name_limit, name.size());
    for (const Project& other : select_projects(sql, "WHERE name = :value", std::string(name)))
        if (other.org == org) return fail(ErrorKind::invalid_input, "there is a project {} already", name);
    return {};
}

}  // namespace

Catalog::Catalog(std::unique_ptr<CatalogDatabase> database) : database_(std::move(database)) {}
Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;
Catalog::~Catalog() = default;

Result<Catalog> Catalog::open(CatalogAddress address, Migrations migrations) {
    return Catalog(OBS_TRY(CatalogDatabase::open(std::move(address), migrations)));
}

const CatalogAddress& Catalog::address() const {
    return database_->address();
}

Result<std::vector<Project>> Catalog::projects() const {
    return database_->read("list projects", [&](soci::session& sql) -> Result<std::vector<Project>> {
        return select_projects(sql, "WHERE org <> :value ORDER BY created, id", "");
    });
}

Result<Listed<Project>> Catalog::projects_of(std::string_view org, Page page) const {
    return database_->read("list projects", [&](soci::session& sql) -> Result<Listed<Project>> {
        Listed<Project> listed;
        const std::string of(org);
        long long total = 0;
        sql << "SELECT COUNT(*) FROM projects WHERE org = :org", soci::into(total), soci::use(of);
        listed.total = total;
        listed.items =
            select_projects(sql,
                            fmt::format("WHERE org = :value ORDER BY created, id LIMIT {} OFFSET {}",
                                        page.limit, page.offset),
                            of);
        return listed;
    });
}

Result<Project> Catalog::project(std::string_view any_name) const {
    return database_->read("find a project", [&](soci::session& sql) -> Result<Project> {
        for (const char* condition : {"WHERE id = :value", "WHERE slug = :value", "WHERE name = :value"}) {
            std::vector<Project> found = select_projects(sql, condition, std::string(any_name));
            if (!found.empty()) return std::move(found.front());
        }
        return fail(ErrorKind::not_found, "there is no project {}", any_name);
    });
}

Result<std::optional<Project>> Catalog::project_of(std::string_view org, std::string_view id) const {
    return database_->read("find a project", [&](soci::session& sql) -> Result<std::optional<Project>> {
        for (Project& project : select_projects(sql, "WHERE id = :value", std::string(id)))
            if (project.org == org) return std::optional(std::move(project));
        return std::optional<Project>();
    });
}

Result<Project> Catalog::create_project(std::string_view name, UnixNanos now, std::string_view org) {
    return database_->change("create a project", [&](soci::session& sql) -> Result<Project> {
        OBS_TRY_VOID(check_name(sql, org, name));
        std::string slug = slug_of(name);
        if (!select_projects(sql, "WHERE slug = :value OR id = :value", slug).empty())
            slug += "-" + random_text(8);
        const std::string text(name), of(org);
        const long long created = now.since_epoch;
        sql << "INSERT INTO projects (id, org, name, slug, created) VALUES (:id, :org, :name, :slug, "
               ":created)",
            soci::use(slug), soci::use(of), soci::use(text), soci::use(slug), soci::use(created);
        return Project{.id = slug, .org = of, .name = text, .slug = slug, .created = now};
    });
}

Result<Project> Catalog::rename_project(const Project& project, std::string_view name) {
    return database_->change("rename a project", [&](soci::session& sql) -> Result<Project> {
        Project renamed = project;
        renamed.name = name;
        if (name == project.name) return renamed;
        OBS_TRY_VOID(check_name(sql, project.org, name));
        sql << "UPDATE projects SET name = :name WHERE id = :id", soci::use(renamed.name),
            soci::use(renamed.id);
        return renamed;
    });
}

Result<Project> Catalog::archive_project(const Project& project, UnixNanos now) {
    if (project.id == "default")
        return fail(ErrorKind::invalid_input, "project default is where data without a key goes; it stays");
    return database_->change("archive a project", [&](soci::session& sql) -> Result<Project> {
        const long long at = now.since_epoch;
        sql << "UPDATE projects SET archived = :at WHERE id = :id AND archived IS NULL", soci::use(at),
            soci::use(project.id);
        // A key that sends has this one project and no other.
        sql << "UPDATE api_keys SET revoked = :at WHERE projects = :id AND revoked IS NULL", soci::use(at),
            soci::use(project.id);
        return select_projects(sql, "WHERE id = :value", project.id).at(0);
    });
}

Result<ProjectSettings> Catalog::project_settings(std::string_view project_id) const {
    return database_->read("read a project's settings", [&](soci::session& sql) -> Result<ProjectSettings> {
        std::string text;
        const std::string id(project_id);
        sql << "SELECT settings FROM projects WHERE id = :id", soci::into(text), soci::use(id);
        if (!sql.got_data()) return fail(ErrorKind::not_found, "there is no project {}", project_id);
        return OBS_TRY(ProjectSettings::from_json(text, {}), "settings of project {}", project_id);
    });
}

Result<std::vector<std::pair<Project, ProjectSettings>>> Catalog::settings_of_projects() const {
    using All = std::vector<std::pair<Project, ProjectSettings>>;
    return database_->read("read settings of projects", [&](soci::session& sql) -> Result<All> {
        All all;
        for (Project& project : select_projects(sql, "WHERE org <> :value ORDER BY created, id", "")) {
            std::string text;
            sql << "SELECT settings FROM projects WHERE id = :id", soci::into(text), soci::use(project.id);
            ProjectSettings settings =
                OBS_TRY(ProjectSettings::from_json(text, {}), "settings of project {}", project.id);
            all.emplace_back(std::move(project), std::move(settings));
        }
        return all;
    });
}

Result<void> Catalog::set_project_settings(std::string_view project_id, const ProjectSettings& settings) {
    return database_->change("write a project's settings", [&](soci::session& sql) -> Result<void> {
        const std::string id(project_id), text = settings.to_json();
        sql << "UPDATE projects SET settings = :settings WHERE id = :id", soci::use(text), soci::use(id);
        return {};
    });
}

Result<std::optional<std::string>> Catalog::setting(std::string_view name) const {
    return database_->read("read a setting", [&](soci::session& sql) -> Result<std::optional<std::string>> {
        std::string value;
        const std::string key(name);
        sql << "SELECT value FROM settings WHERE name = :name", soci::into(value), soci::use(key);
        return sql.got_data() ? std::optional(value) : std::nullopt;
    });
}

Result<void> Catalog::set_setting(std::string_view name, std::string_view value) {
    return database_->change("write a setting", [&](soci::session& sql) -> Result<void> {
        const std::string key(name), text(value);
        sql << "INSERT INTO settings (name, value) VALUES (:name, :value) "
               "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            soci::use(key), soci::use(text);
        return {};
    });
}

Result<std::string> Catalog::setting_or_set(std::string_view name, std::string_view value) {
    return database_->note("keep a setting", [&](soci::session& sql) -> Result<std::string> {
        const std::string key(name), text(value);
        std::string kept;
        sql << "INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING",
            soci::use(key), soci::use(text);
        sql << "SELECT value FROM settings WHERE name = :name", soci::into(kept), soci::use(key);
        return kept;
    });
}

Result<std::int64_t> Catalog::version() const {
    return database_->version();
}

}  // namespace obs
