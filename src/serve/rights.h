// What somebody may give away: no more than they have.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/accounts.h"
#include "catalog/tokens.h"
#include "serve/api_error.h"

namespace obs::serve {

struct Rights {
    std::vector<std::string> permissions;
    std::vector<std::string> projects;  // ids
    bool all_projects = false;
};

// Of a user with this role. Fails with 400 and field `role` for roles that the organisation does not have.
ApiResult<Rights> rights_of(const Accounts& accounts, std::string_view org, std::string_view role,
                            const std::vector<std::string>& projects);

// 403 when these are more than `who` has; `what` stands at the beginning of the reason.
ApiResult<void> may_give(const Principal& who, const Rights& rights, std::string_view what);

// Whether the caller sees all of these projects; none are all of the organisation.
bool sees_all_of(const Principal& who, const std::vector<std::string>& projects);

// The permissions in the spelling of the contract, each once. 400 for unknown ones.
ApiResult<std::vector<std::string>> known_permissions(const std::vector<std::string>& given,
                                                      std::string_view field);

}  // namespace obs::serve
