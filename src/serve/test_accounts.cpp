#include "serve/test_accounts.h"

#include <stdexcept>

#include "store/test_rows.h"

namespace obs::serve::test {
namespace {

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return *std::move(result);
}

}  // namespace

TestAccounts::TestAccounts(UnixNanos at) : now(at) {
    catalog =
        std::make_unique<Catalog>(must(Catalog::open(scratch.path() / "catalog.sqlite", Migrations::apply)));
    authority = must(
        Authority::load(*catalog, must(AccessTokens::with_secret(Secret("0123456789abcdef0123456789abcdef"))),
                        [at] { return at; }));
    SignIn::Options options;
    options.passwords.memory = 8 << 10;
    options.passwords.passes = 1;
    sign_in = std::make_unique<SignIn>(*catalog, *authority, options);
}

std::string TestAccounts::sign_in_as(std::string_view email, std::string_view role,
                                     std::vector<std::string> projects) {
    Accounts accounts(*catalog);
    const auto user = must(accounts.create_user({.email = std::string(email),
                                                 .name = "Someone",
                                                 .role = std::string(role),
                                                 .projects = std::move(projects)},
                                                now));
    const Secret code = must(accounts.create_login_code(user.value().id, now));
    if (const auto fresh = authority->refresh(); !fresh) throw std::runtime_error(fresh.error().message);
    const auto signed_in = sign_in->with_code(code, {.address = "127.0.0.1"}, now);
    if (!signed_in) throw std::runtime_error(signed_in.error().message);
    const Principal who = *authority->of(signed_in->token, now).value();
    const auto set =
        sign_in->change_password(who, Secret(), Secret(std::string(password)), {.address = "127.0.0.1"}, now);
    if (!set) throw std::runtime_error(set.error().message);
    return signed_in->token;
}

TestAccounts& shared_accounts() {
    static TestAccounts accounts(obs::test::noon + Nanos::hours(1));
    return accounts;
}

}  // namespace obs::serve::test
