// For tests: a catalog with the parts that sign people in, cheap hashes included.
#pragma once

#include <memory>
#include <string>

#include "catalog/scratch.h"
#include "serve/auth_routes.h"

namespace obs::serve::test {

class TestAccounts {
public:
    explicit TestAccounts(UnixNanos now);

    AuthParts parts() { return {*catalog, *authority, *sign_in}; }
    // A token of a new user, by a password that was set.
    std::string sign_in_as(std::string_view email, std::string_view role, std::vector<std::string> projects);

    const UnixNanos now;
    Scratch scratch;
    std::unique_ptr<Catalog> catalog;
    std::unique_ptr<Authority> authority;
    std::unique_ptr<SignIn> sign_in;

    static constexpr std::string_view password = "correct horse battery";
};

// One for all tests that only need the routes to be there.
TestAccounts& shared_accounts();

}  // namespace obs::serve::test
