#include "catalog/accounts.h"

#include <atomic>
#include <latch>
#include <thread>

#include <gtest/gtest.h>

#include "catalog/authority.h"
#include "catalog/sign_in.h"
#include "catalog/test_bed.h"

namespace obs {
namespace {

using test::Backend;
using test::CatalogBed;

constexpr UnixNanos now{1'800'000'000'000'000'000};
constexpr std::string_view good_password = "correct horse battery";

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return *std::move(result);
}

class AccountsTest : public testing::TestWithParam<Backend> {
protected:
    User make(std::string_view email, std::string_view role = "viewer") {
        return must(accounts.create_user({.email = std::string(email),
                                          .name = "Someone",
                                          .role = std::string(role),
                                          .projects = {"default"}},
                                         now))
            .value();
    }
    static AccessTokens tokens() {
        return must(AccessTokens::with_secret(Secret("0123456789abcdef0123456789abcdef")));
    }

    CatalogBed bed{GetParam()};
    Catalog catalog = bed.open();
    Accounts accounts{catalog};
};
INSTANTIATE_TEST_SUITE_P(Backends, AccountsTest, testing::Values(Backend::sqlite, Backend::postgresql),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(AccountsTest, keepsAUserAsMade) {
    const User made = make("Ann@Example.org", "developer");
    const User found = must(accounts.user_by_email("ann@EXAMPLE.org")).value();
    EXPECT_EQ(found.id, made.id);
    EXPECT_EQ(found.id.size(), 36U);
    EXPECT_EQ(found.email, "Ann@Example.org");
    EXPECT_EQ(found.role, "developer");
    EXPECT_EQ(found.projects, std::vector<std::string>{"default"});
    EXPECT_TRUE(found.active);
    EXPECT_FALSE(found.has_password);
    EXPECT_EQ(found.created, now);
    EXPECT_EQ(found.last_login, std::nullopt);
    EXPECT_EQ(must(accounts.user_of("umbrella", made.id)), std::nullopt);
    EXPECT_EQ(must(accounts.create_user({.email = "ANN@example.org", .name = "x", .role = "viewer"}, now)),
              std::nullopt);
}

TEST_P(AccountsTest, listsByPages) {
    for (int i = 0; i < 5; ++i) make(fmt::format("u{}@example.org", i));
    const auto page = must(accounts.users_of("default", {.limit = 2, .offset = 3}));
    EXPECT_EQ(page.items.size(), 2U);
    EXPECT_EQ(page.total, 5);
    EXPECT_EQ(must(accounts.users_of("umbrella", {})).total, 0);
}

TEST_P(AccountsTest, redeemsAOneTimeLoginOnceInTime) {
    const User ann = make("ann@example.org");
    const Secret early = must(accounts.create_login_code(ann.id, now));
    const Secret code = must(accounts.create_login_code(ann.id, now));
    EXPECT_EQ(must(accounts.redeem_login_code(early, now)), std::nullopt) << "a newer one was made";
    const UnixNanos last = now + Accounts::code_lifetime - Nanos{1};
    EXPECT_EQ(must(accounts.redeem_login_code(code, last)).value().id, ann.id);
    EXPECT_EQ(must(accounts.redeem_login_code(code, last)), std::nullopt);
    const Secret late = must(accounts.create_login_code(ann.id, now));
    EXPECT_EQ(must(accounts.redeem_login_code(late, now + Accounts::code_lifetime)), std::nullopt);
}

TEST_P(AccountsTest, redeemsAOneTimeLoginOnceForManyAtOnce) {
    const Secret code = must(accounts.create_login_code(make("ann@example.org").id, now));
    std::atomic<int> redeemed = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&] { redeemed += must(accounts.redeem_login_code(code, now)) ? 1 : 0; });
    }
    EXPECT_EQ(redeemed, 1);
}

TEST_P(AccountsTest, keepsOneAdminWhenTwoAreTakenAtOnce) {
    const User one = make("a@example.org", "admin"), other = make("b@example.org", "admin");
    std::atomic<int> kept = 0;
    {
        std::vector<std::jthread> threads;
        for (const User* user : {&one, &other})
            threads.emplace_back([&, user] {
                kept +=
                    must(accounts.change_user(*user, {.active = false}, now)) == Change::last_admin ? 1 : 0;
            });
    }
    EXPECT_EQ(kept, 1);
}

TEST_P(AccountsTest, endsTheOldestOfTooManySessions) {
    const User ann = make("ann@example.org");
    Session first;
    for (int i = 0; i < Accounts::sessions_of_a_user + 1; ++i) {
        const Session session =
            must(accounts.begin_session(ann, Nanos::hours(1), "::1", "test", now + Nanos::seconds(i)));
        if (i == 0) first = session;
    }
    EXPECT_NE(must(accounts.session_of("default", first.id)).value().revoked, std::nullopt);
    EXPECT_EQ(must(accounts.facts(now)).revoked.size(), 1U);
}

TEST_P(AccountsTest, forgetsWhatIsOver) {
    const User ann = make("ann@example.org");
    const Session session = must(accounts.begin_session(ann, Nanos::hours(1), "::1", "test", now));
    ASSERT_TRUE(accounts.end_session(session, now));
    ASSERT_TRUE(accounts.forget(now + Nanos::hours(2)));
    EXPECT_TRUE(must(accounts.facts(now)).revoked.empty());
    EXPECT_EQ(must(accounts.sessions_of("default", ann.id, {})).total, 1);
    ASSERT_TRUE(accounts.forget(now + Nanos::days(31)));
    EXPECT_EQ(must(accounts.sessions_of("default", ann.id, {})).total, 0);
}

TEST_P(AccountsTest, revocationReachesAnotherServerByItsNextLook) {
    const Catalog second = bed.open(Migrations::refuse);
    Catalog theirs = bed.open(Migrations::refuse);
    const auto here = must(Authority::load(catalog, tokens(), [] { return now; }));
    const auto there = must(Authority::load(theirs, tokens(), [] { return now; }));
    const NewApiKey key = must(catalog.create_key({.scopes = {"read:traces"}, .projects = {"default"}}, now));
    ASSERT_TRUE(there->refresh());
    EXPECT_TRUE(there->of(key.text.reveal(), now));
    const std::string token = must(here->tokens().issue({}, now));
    const Principal who = *there->of(token, now).value();
    ASSERT_TRUE(catalog.revoke_key(key.key.id, now));
    ASSERT_TRUE(accounts.revoke_token(who.token, who.expires));
    ASSERT_TRUE(there->refresh());
    EXPECT_EQ(static_cast<int>(there->of(key.text.reveal(), now).error().fault),
              static_cast<int>(TokenFault::key));
    EXPECT_EQ(static_cast<int>(there->of(token, now).error().fault), static_cast<int>(TokenFault::revoked));
}

TEST_P(AccountsTest, aUserSignsInWithAPassword) {
    const auto authority = must(Authority::load(catalog, tokens(), [] { return now; }));
    SignIn::Options options;
    options.passwords.memory = 8 << 10;
    options.passwords.passes = 1;
    SignIn sign_in(catalog, *authority, options);
    const User ann = make("ann@example.org");
    Passwords passwords(options.passwords);
    ASSERT_TRUE(
        accounts.set_password(ann.id, must(passwords.hash(Secret(std::string(good_password)))), "", now));
    ASSERT_TRUE(authority->refresh());
    const auto signed_in = sign_in.with_password("ann@example.org", Secret(std::string(good_password)),
                                                 {.address = "192.0.2.1", .agent = "curl\n"}, now);
    ASSERT_TRUE(signed_in) << signed_in.error().message;
    const Principal who = *authority->of(signed_in->token, now).value();
    EXPECT_EQ(who.user, ann.id);
    EXPECT_FALSE(authority->of(signed_in->token, now + Nanos::hours(12)));
    const auto session = must(accounts.session_of("default", who.session)).value();
    EXPECT_EQ(session.address, "192.0.2.1");
    EXPECT_EQ(session.agent, "curl?");
    EXPECT_FALSE(sign_in.with_password("ann@example.org", Secret("wrong"), {.address = "192.0.2.1"}, now));
}

TEST_P(AccountsTest, theFirstStartMakesAnAdmin) {
    EXPECT_TRUE(must(first_login(catalog, now)));
    EXPECT_TRUE(must(first_login(catalog, now))) << "nobody has a password yet";
    EXPECT_EQ(must(accounts.users_of("default", {})).total, 1);
    const User admin = must(accounts.user_by_email("admin@localhost")).value();
    ASSERT_TRUE(accounts.set_password(admin.id, "hash", "", now));
    EXPECT_FALSE(must(first_login(catalog, now)));
}

TEST_P(AccountsTest, whoSignsInIsKnownAtOnceWhoeverMadeThem) {
    Catalog other = bed.open(Migrations::refuse);
    const auto authority = must(Authority::load(catalog, tokens(), [] { return now; }));
    SignIn sign_in(catalog, *authority,
                   {.session_lifetime = Nanos::seconds(100),
                    .passwords = {.at_once = 1, .waiting = 1, .memory = 8 << 10, .passes = 1}});
    const Secret code = must(first_login(other, now)).value();
    const auto signed_in = sign_in.with_code(code, {.address = "::1"}, now);
    ASSERT_TRUE(signed_in) << signed_in.error().message;
    EXPECT_TRUE(authority->of(signed_in->token, now));
    EXPECT_FALSE(authority->of(signed_in->token, now + Nanos::seconds(100)));
    const NewApiKey key = must(other.create_key({.scopes = {"read:traces"}, .projects = {"default"}}, now));
    const auto bought = sign_in.with_key(key.key.id, key.text, {.address = "::1"}, now);
    ASSERT_TRUE(bought) << bought.error().message;
    EXPECT_TRUE(authority->of(bought->token, now));
}

TEST(Passwords, matchOnlyThemselves) {
    const Passwords passwords({.memory = 8 << 10, .passes = 1});
    const std::string hash = must(passwords.hash(Secret(std::string(good_password))));
    EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$")) << hash;
    EXPECT_NE(hash, must(passwords.hash(Secret(std::string(good_password)))));
    EXPECT_TRUE(must(passwords.matches(Secret(std::string(good_password)), hash)));
    for (const std::string& wrong : {std::string(), std::string("correct horse batter"),
                                     std::string(good_password) + " ", std::string(good_password) + '\0'})
        EXPECT_FALSE(must(passwords.matches(Secret(wrong), hash))) << wrong;
    EXPECT_FALSE(must(passwords.matches(Secret(std::string(good_password)), "")));
    EXPECT_FALSE(must(passwords.matches(Secret(std::string(good_password)), "no hash")));
}

TEST(Passwords, haveALength) {
    const Passwords passwords({.memory = 8 << 10, .passes = 1});
    EXPECT_FALSE(passwords.hash(Secret("123456789")));
    EXPECT_TRUE(passwords.hash(Secret("1234567890")));
    EXPECT_FALSE(passwords.hash(Secret(std::string(257, 'x'))));
}

TEST(Passwords, areHashedByFewAtATime) {
    const Passwords passwords({.at_once = 1, .waiting = 1, .memory = 32 << 20, .passes = 3});
    std::atomic<int> done = 0, refused = 0;
    std::latch all_there(8);
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&] {
                all_there.arrive_and_wait();
                const auto hash = passwords.hash(Secret(std::string(good_password)));
                (hash ? done : refused) += 1;
                if (!hash) {
                    EXPECT_EQ(hash.error().kind, ErrorKind::overloaded);
                }
            });
    }
    EXPECT_EQ(done + refused, 8);
    EXPECT_GE(done, 1);
    EXPECT_GE(refused, 1);
}

TEST(Attempts, countFailuresByUserAndByNetwork) {
    Attempts attempts;
    const auto at = [](int seconds) { return now + Nanos::seconds(seconds); };
    for (int i = 0; i < Attempts::of_user_and_address; ++i)
        EXPECT_FALSE(attempts.begin("Ann", "2001:db8:1:2:3::4", at(i)));
    EXPECT_TRUE(attempts.begin("ann", "2001:db8:1:2:ffff::9", at(10))) << "the same network";
    EXPECT_FALSE(attempts.begin("ann", "2001:db8:1:3::4", at(10)));
    EXPECT_FALSE(attempts.begin("bob", "2001:db8:1:2:3::4", at(10)));
    EXPECT_EQ(attempts.begin("ann", "2001:db8:1:2:3::4", at(10)), std::chrono::seconds(890));
    EXPECT_FALSE(attempts.begin("ann", "2001:db8:1:2:3::4", at(15 * 60)));
}

TEST(Attempts, forgetWhatWasRight) {
    Attempts attempts;
    for (int i = 0; i < 1000; ++i) {
        ASSERT_FALSE(attempts.begin("ann", "192.0.2.1", now)) << i;
        attempts.succeeded("ann", "192.0.2.1", now);
    }
}

TEST(Attempts, areBoundByAddress) {
    Attempts attempts;
    int let = 0;
    for (int i = 0; i < 1000; ++i) let += attempts.begin(fmt::format("u{}", i), "192.0.2.1", now) ? 0 : 1;
    EXPECT_EQ(let, Attempts::of_address);
}

TEST(Attempts, keepABoundedNumberOfNames) {
    Attempts attempts;
    for (std::size_t i = 0; i < Attempts::most_names * 2; ++i)
        EXPECT_FALSE(attempts.begin(fmt::format("u{}", i), fmt::format("10.{}.{}.1", i / 250, i % 250), now));
}

}  // namespace
}  // namespace obs
