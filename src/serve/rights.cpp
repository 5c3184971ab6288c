#include "serve/rights.h"

#include <algorithm>

namespace obs::serve {

ApiResult<Rights> rights_of(const Accounts& accounts, std::string_view org, std::string_view role,
                            const std::vector<std::string>& projects) {
    if (const std::optional<Role> built_in = role_from(role))
        return Rights{permissions_of(*built_in), projects, *built_in == Role::admin};
    const std::optional<CustomRole> custom = OBS_ANSWER(accounts.role_by_name(org, role));
    if (!custom)
        return refuse(
            ErrorCode::invalid_field_value, "role",
            "the role is none of admin, developer, viewer, billing, nor one of the organisation's own");
    return Rights{custom->permissions, projects, false};
}

ApiResult<void> may_give(const Principal& who, const Rights& rights, std::string_view what) {
    for (const std::string& permission : rights.permissions)
        if (!who.may(permission))
            return refuse(ErrorCode::resource_access_denied, "",
                          "{} takes the permission {}, which you do not have", what, permission);
    if (who.sees_all_projects()) return {};
    if (rights.all_projects)
        return refuse(ErrorCode::resource_access_denied, "",
                      "{} takes a view of all projects, which you do not have", what);
    for (const std::string& project : rights.projects)
        if (std::ranges::find(who.projects, project) == who.projects.end())
            return refuse(ErrorCode::resource_access_denied, "", "{} takes project {}, which you do not see",
                          what, project);
    return {};
}

ApiResult<std::vector<std::string>> known_permissions(const std::vector<std::string>& given,
                                                      std::string_view field) {
    std::vector<std::string> known;
    for (const std::string& text : given) {
        const std::optional<std::string_view> permission = permission_from(text);
        if (!permission)
            return refuse(ErrorCode::invalid_field_value, std::string(field),
                          "{:?} is no permission; there are: {}", text.substr(0, 50),
                          fmt::join(all_permissions, ", "));
        if (std::ranges::find(known, *permission) == known.end()) known.emplace_back(*permission);
    }
    return known;
}

bool sees_all_of(const Principal& who, const std::vector<std::string>& projects) {
    if (who.sees_all_projects()) return true;
    return !projects.empty() && std::ranges::all_of(projects, [&](const std::string& project) {
        return std::ranges::find(who.projects, project) != who.projects.end();
    });
}

}  // namespace obs::serve
