#include "catalog/ingest_keys.h"

#include <atomic>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "catalog/scratch.h"

namespace obs {
namespace {

constexpr bool on_loopback = true, off_loopback = false;

std::string base64(std::string_view text) {
    std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    encoded.resize(static_cast<std::size_t>(size));
    return encoded;
}

class IngestKeysTest : public testing::Test {
protected:
    // What `observatory key create` does beside a running server.
    NewApiKey make_key(Quota quota = {}, std::string_view project = "default") {
        return *command_.create_key(*command_.project(project), quota, now_);
    }
    Result<Tenant> admit(const NewApiKey& key) { return keys_->admit(key.text.reveal(), off_loopback); }
    void pass(Nanos time) { now_ = UnixNanos{now_.load().since_epoch + time.count}; }

    Scratch scratch_;
    std::atomic<UnixNanos> now_{UnixNanos{1'800'000'000'000'000'000}};
    const Catalog server_ = *Catalog::open(scratch_.path() / "catalog.sqlite", Migrations::apply);
    Catalog command_ = *Catalog::open(scratch_.path() / "catalog.sqlite", Migrations::refuse);
    const std::unique_ptr<IngestKeys> keys_ = *IngestKeys::load(server_, [this] { return now_.load(); });
};

std::string text_of(const Result<Tenant>& tenant) {
    return tenant ? tenant->org + "/" + tenant->project : tenant.error().message;
}
ErrorKind kind_of(const Result<Tenant>& tenant) {
    return tenant ? ErrorKind::internal : tenant.error().kind;
}

TEST_F(IngestKeysTest, writeDownWhenTheyWereUsed) {
    const NewApiKey used = make_key(), idle = make_key();
    ASSERT_TRUE(admit(used));
    ASSERT_TRUE(keys_->refresh());
    ASSERT_TRUE(admit(used));
    ASSERT_TRUE(keys_->note_uses());
    EXPECT_EQ(server_.key_by_hash(used.key.sha256).value()->last_used, now_.load());
    EXPECT_EQ(server_.key_by_hash(idle.key.sha256).value()->last_used, std::nullopt);
}

TEST_F(IngestKeysTest, refuseKeysThatExpiredOrOnlyAsk) {
    const auto made = [&](KeyRequest request) { return *command_.create_key(request, now_); };
    const NewApiKey brief = made({.projects = {"default"}, .expires = now_.load() + Nanos::seconds(10)});
    const NewApiKey asks = made({.scopes = {"read:traces"}, .projects = {"default"}});
    const NewApiKey both = made({.scopes = {"ingest", "read:traces"}, .projects = {"default"}});
    EXPECT_EQ(text_of(admit(brief)), "default/default");
    EXPECT_EQ(text_of(admit(both)), "default/default");
    EXPECT_EQ(text_of(admit(asks)), "this key may not send data");
    pass(Nanos::seconds(10));
    EXPECT_EQ(text_of(admit(brief)), "this ingest key has expired");
}

struct CredentialCase {
    std::string_view what, credential;
    bool from_loopback;
    bool admitted;  // to the default project
};
class Credentials : public IngestKeysTest, public testing::WithParamInterface<CredentialCase> {};
TEST_P(Credentials, withoutAKeyOfOurs) {
    const Result<Tenant> tenant = keys_->admit(GetParam().credential, GetParam().from_loopback);
    if (GetParam().admitted) {
        EXPECT_EQ(text_of(tenant), "default/default");
    } else {
        EXPECT_EQ(kind_of(tenant), ErrorKind::unauthenticated) << text_of(tenant);
    }
}
INSTANTIATE_TEST_SUITE_P(
    IngestKeys, Credentials,
    testing::Values(
        CredentialCase{"nothing_on_loopback", "", on_loopback, true},
        CredentialCase{"nothing_off_loopback", "", off_loopback, false},
        CredentialCase{"foreign_bearer_on_loopback", "Bearer sk-123", on_loopback, true},
        CredentialCase{"foreign_bearer_off_loopback", "Bearer sk-123", off_loopback, false},
        CredentialCase{"foreign_basic_on_loopback", "Basic cGstbGY6c2stbGY=", on_loopback, true},
        CredentialCase{"foreign_basic_off_loopback", "Basic cGstbGY6c2stbGY=", off_loopback, false},
        CredentialCase{"broken_basic_off_loopback", "Basic !!!!", off_loopback, false},
        CredentialCase{"scheme_alone_off_loopback", "Bearer", off_loopback, false},
        CredentialCase{"unknown_key_on_loopback", "llmo_sk_live_0123456789012345678901234567890123456789",
                       on_loopback, false},
        CredentialCase{"unknown_key_off_loopback",
                       "Bearer llmo_sk_live_0123456789012345678901234567890123456789", off_loopback, false},
        CredentialCase{"start_of_a_key_alone", "llmo_sk_", off_loopback, false}),
    [](const auto& test) { return std::string(test.param.what); });

TEST_F(IngestKeysTest, leadToTheProjectOfTheKeyHoweverItIsSent) {
    ASSERT_TRUE(command_.create_project("Shop", now_));
    const NewApiKey key = make_key({}, "shop");
    const std::string& text = key.text.reveal();
    for (const std::string& sent : {text, "Bearer " + text, "bearer  " + text, "BEARER " + text,
                                    "Basic " + base64("anyone:" + text), "Basic " + base64(":" + text)}) {
        for (const bool loopback : {on_loopback, off_loopback}) {
            const Result<Tenant> tenant = keys_->admit(sent, loopback);
            EXPECT_EQ(text_of(tenant), "default/shop") << sent.substr(0, 12);
            EXPECT_EQ(tenant.value_or(Tenant{}).key_id, key.key.id);
        }
    }
    EXPECT_EQ(kind_of(keys_->admit(text + "x", off_loopback)), ErrorKind::unauthenticated);
    EXPECT_EQ(kind_of(keys_->admit(text.substr(0, text.size() - 1), off_loopback)),
              ErrorKind::unauthenticated);
}

TEST_F(IngestKeysTest, refuseAHugeCredential) {
    EXPECT_EQ(kind_of(keys_->admit("llmo_sk_live_" + std::string(100'000, 'x'), off_loopback)),
              ErrorKind::unauthenticated);
}

TEST_F(IngestKeysTest, knowAKeyThatWasMadeAMomentAgo) {
    EXPECT_EQ(text_of(admit(make_key())), "default/default");
}

TEST_F(IngestKeysTest, forgetARevokedKeyAtTheNextRefresh) {
    const NewApiKey key = make_key();
    ASSERT_TRUE(admit(key));
    ASSERT_TRUE(command_.revoke_key(key.key.id, now_));
    ASSERT_TRUE(keys_->refresh());
    EXPECT_EQ(kind_of(admit(key)), ErrorKind::unauthenticated);
    EXPECT_EQ(text_of(admit(key)), "this ingest key was revoked");
    EXPECT_EQ(kind_of(keys_->admit(key.text.reveal(), on_loopback)), ErrorKind::unauthenticated);
}

TEST_F(IngestKeysTest, refreshByThemselves) {
    const NewApiKey key = make_key();
    ASSERT_TRUE(admit(key));
    keys_->keep_fresh();
    ASSERT_TRUE(command_.revoke_key(key.key.id, now_));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (admit(key) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(kind_of(admit(key)), ErrorKind::unauthenticated);
}

TEST_F(IngestKeysTest, askTheCatalogForUnknownKeysOnlySoOften) {
    const auto unknown = [](int i) { return "llmo_sk_live_" + std::string(32, 'x') + std::to_string(i); };
    for (int i = 0; i < IngestKeys::lookups_per_second; ++i)
        EXPECT_EQ(kind_of(keys_->admit(unknown(i), off_loopback)), ErrorKind::unauthenticated);
    EXPECT_EQ(kind_of(keys_->admit(unknown(100), off_loopback)), ErrorKind::overloaded);
    // Those who are known do not notice, and those who are new are known after the next refresh.
    const NewApiKey key = make_key();
    EXPECT_EQ(kind_of(admit(key)), ErrorKind::overloaded);
    ASSERT_TRUE(keys_->refresh());
    EXPECT_TRUE(admit(key));
    pass(Nanos::seconds(1));
    EXPECT_EQ(kind_of(keys_->admit(unknown(101), off_loopback)), ErrorKind::unauthenticated);
}

TEST_F(IngestKeysTest, limitRequestsPerSecond) {
    const NewApiKey key = make_key({.requests_per_second = 3, .bytes_per_second = {}});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(admit(key)) << i;
    const Result<Tenant> refused = admit(key);
    EXPECT_EQ(kind_of(refused), ErrorKind::overloaded);
    EXPECT_EQ(text_of(refused), "the quota of this key is used up: 3 requests a second");
    pass(Nanos::milliseconds(340));
    EXPECT_TRUE(admit(key));
    EXPECT_FALSE(admit(key));
    pass(Nanos::hours(1));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(admit(key)) << i;
    EXPECT_FALSE(admit(key)) << "unused time is not saved up beyond a second";
}

TEST_F(IngestKeysTest, limitBytesPerSecondAndLetALargeBodyPayLater) {
    const NewApiKey key = make_key({.requests_per_second = {}, .bytes_per_second = 1000});
    const Result<Tenant> tenant = admit(key);
    ASSERT_TRUE(tenant);
    keys_->charge(*tenant, 3000);
    EXPECT_EQ(text_of(admit(key)), "the quota of this key is used up: 1000 bytes a second");
    pass(Nanos::milliseconds(1990));
    EXPECT_FALSE(admit(key));
    pass(Nanos::milliseconds(20));
    EXPECT_TRUE(admit(key));
}

TEST_F(IngestKeysTest, doNotChargeOneKeyForAnother) {
    const NewApiKey greedy = make_key({.requests_per_second = 1, .bytes_per_second = 10});
    const NewApiKey modest = make_key({.requests_per_second = 1, .bytes_per_second = 10});
    const Result<Tenant> tenant = admit(greedy);
    ASSERT_TRUE(tenant);
    keys_->charge(*tenant, 1'000'000);
    EXPECT_TRUE(admit(modest));
    keys_->charge(Tenant{}, 1'000'000);  // no key, no quota
    EXPECT_TRUE(keys_->admit("", on_loopback));
}

TEST_F(IngestKeysTest, countForTheirProjectTogether) {
    const auto set = [&](std::string_view json) {
        ASSERT_TRUE(command_.set_project_settings("default", *ProjectSettings::from_json(json, {})));
        ASSERT_TRUE(keys_->refresh());
    };
    const NewApiKey one = make_key(), other = make_key();
    set(R"({"requests_per_second":2})");
    EXPECT_TRUE(admit(one));
    EXPECT_TRUE(keys_->admit("", on_loopback)) << "without a key it is project default too";
    EXPECT_EQ(text_of(admit(other)), "the quota of this project is used up: 2 requests a second");
    EXPECT_EQ(kind_of(keys_->admit("", on_loopback)), ErrorKind::overloaded);
    ASSERT_TRUE(command_.create_project("elsewhere", now_));
    EXPECT_TRUE(admit(make_key({}, "elsewhere")));
    set(R"({"bytes_per_second":1000})");
    keys_->charge(*admit(one), 3000);
    EXPECT_EQ(text_of(admit(other)), "the quota of this project is used up: 1000 bytes a second");
    set("{}");
    EXPECT_TRUE(admit(other)) << "taken back";
}

TEST_F(IngestKeysTest, rememberWhatWasUsedOverARefresh) {
    const NewApiKey key = make_key({.requests_per_second = 1, .bytes_per_second = {}});
    ASSERT_TRUE(admit(key));
    make_key();
    ASSERT_TRUE(keys_->refresh());
    EXPECT_EQ(kind_of(admit(key)), ErrorKind::overloaded);
}

TEST_F(IngestKeysTest, survivesAClockThatIsSetBack) {
    const NewApiKey key = make_key({.requests_per_second = 1, .bytes_per_second = {}});
    ASSERT_TRUE(admit(key));
    pass(Nanos::hours(-1));
    EXPECT_FALSE(admit(key));
    pass(Nanos::seconds(1));
    EXPECT_TRUE(admit(key));
}

TEST_F(IngestKeysTest, serveManyThreadsWhileKeysChange) {
    const NewApiKey key = make_key({.requests_per_second = {}, .bytes_per_second = 1'000'000'000});
    std::atomic<int> refused = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int k = 0; k < 500; ++k) {
                    const Result<Tenant> tenant = admit(key);
                    if (tenant)
                        keys_->charge(*tenant, 10);
                    else
                        ++refused;
                }
            });
        for (int i = 0; i < 20; ++i) {
            make_key();
            EXPECT_TRUE(keys_->refresh());
        }
    }
    EXPECT_EQ(refused, 0);
}

}  // namespace
}  // namespace obs
