#include "catalog/catalog.h"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "catalog/scratch.h"
#include "catalog/sha256.h"
#include "catalog/test_bed.h"

namespace obs {
namespace {

using test::Backend;
using test::CatalogBed;

constexpr UnixNanos now{1'800'000'000'000'000'000};

class CatalogTest : public testing::TestWithParam<Backend> {
protected:
    Catalog open(Migrations migrations = Migrations::apply) { return bed_.open(migrations); }
    void run_sql(const std::string& statement) { bed_.run_sql(statement); }

    CatalogBed bed_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Backends, CatalogTest, testing::Values(Backend::sqlite, Backend::postgresql),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(CatalogTest, beginsWithTheDefaultProject) {
    const Catalog catalog = open();
    const auto projects = catalog.projects();
    ASSERT_TRUE(projects) << projects.error().message;
    ASSERT_EQ(projects->size(), 1u);
    EXPECT_EQ(projects->front().id, "default");
    EXPECT_EQ(projects->front().org, "default");
}

TEST_P(CatalogTest, keepsEverythingOverARestart) {
    std::string key_hash;
    {
        Catalog catalog = open();
        const Result<Project> project = catalog.create_project("Shop", now);
        ASSERT_TRUE(project) << project.error().message;
        const auto made =
            catalog.create_key(*project, {.requests_per_second = 5, .bytes_per_second = {}}, now);
        ASSERT_TRUE(made) << made.error().message;
        key_hash = made->key.sha256;
        ASSERT_TRUE(catalog.set_setting("colour", "red"));
        ASSERT_TRUE(catalog.set_setting("colour", "blue"));
    }
    const Catalog catalog = open();
    const auto key = catalog.key_by_hash(key_hash);
    ASSERT_TRUE(key && *key);
    EXPECT_EQ((*key)->projects, std::vector<std::string>{"shop"});
    EXPECT_EQ((*key)->org, "default");
    EXPECT_EQ((*key)->quota.requests_per_second, 5);
    EXPECT_EQ((*key)->quota.bytes_per_second, std::nullopt);
    EXPECT_EQ((*key)->created, now);
    EXPECT_EQ((*key)->revoked, std::nullopt);
    EXPECT_EQ(catalog.setting("colour").value(), "blue");
    EXPECT_EQ(catalog.setting("size").value(), std::nullopt);
}

TEST_P(CatalogTest, findsAProjectByIdSlugOrName) {
    Catalog catalog = open();
    ASSERT_TRUE(catalog.create_project("Kunden & Support", now));
    for (const char* name : {"kunden-support", "Kunden & Support"}) {
        const Result<Project> found = catalog.project(name);
        ASSERT_TRUE(found) << name;
        EXPECT_EQ(found->id, "kunden-support");
    }
    const Result<Project> missing = catalog.project("' OR 1=1 --");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
}

struct NameCase {
    std::string_view what, name, slug;
};
class ProjectNames : public testing::TestWithParam<NameCase> {};
TEST_P(ProjectNames, becomeAddresses) {
    const CatalogBed bed(Backend::sqlite);
    Catalog catalog = bed.open();
    const Result<Project> made = catalog.create_project(GetParam().name, now);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->slug.substr(0, GetParam().slug.size()), GetParam().slug);
    EXPECT_EQ(catalog.project(GetParam().name)->id, made->id);
}
INSTANTIATE_TEST_SUITE_P(
    Catalog, ProjectNames,
    testing::Values(NameCase{"plain", "shop", "shop"}, NameCase{"capitals", "My Shop 2", "my-shop-2"},
                    NameCase{"signs", "--a//b!!", "a-b"}, NameCase{"no_latin_letter", "客服", "project-"},
                    NameCase{"slug_in_use", "DEFAULT", "default-"},
                    NameCase{"quotes", "x'); DROP TABLE projects; --", "x-drop-table-projects"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST_P(CatalogTest, refusesProjectNamesThatAreEmptyLongOrTaken) {
    Catalog catalog = open();
    for (const std::string& name : {std::string(), std::string(101, 'x'), std::string("default")}) {
        const Result<Project> made = catalog.create_project(name, now);
        ASSERT_FALSE(made) << name;
        EXPECT_EQ(made.error().kind, ErrorKind::invalid_input);
    }
}

TEST_P(CatalogTest, showsAKeyOnceAndKeepsOnlyItsHash) {
    Catalog catalog = open();
    const auto made = catalog.create_key(*catalog.project("default"), {}, now);
    ASSERT_TRUE(made) << made.error().message;
    const std::string text = made->text.reveal();
    EXPECT_TRUE(text.starts_with("llmo_sk_live_"));
    EXPECT_EQ(text.size(), 13u + 40u);
    EXPECT_EQ(made->key.sha256, sha256_hex(text));
    EXPECT_TRUE(text.starts_with(made->key.prefix));
    const auto keys = catalog.keys();
    ASSERT_TRUE(keys);
    for (const std::string& kept : {keys->front().id, keys->front().prefix, keys->front().sha256})
        EXPECT_EQ(kept.find(text.substr(20)), std::string::npos);
}

TEST_P(CatalogTest, refusesAQuotaOfNothing) {
    Catalog catalog = open();
    EXPECT_FALSE(catalog.create_key(*catalog.project("default"),
                                    {.requests_per_second = 0, .bytes_per_second = {}}, now));
    EXPECT_FALSE(catalog.create_key(*catalog.project("default"),
                                    {.requests_per_second = {}, .bytes_per_second = -1}, now));
}

TEST_P(CatalogTest, revokesOnceByIdOrPrefix) {
    Catalog catalog = open();
    const auto first = catalog.create_key(*catalog.project("default"), {}, now);
    const auto second = catalog.create_key(*catalog.project("default"), {}, now);
    ASSERT_TRUE(first && second);
    ASSERT_TRUE(catalog.revoke_key(first->key.id, now));
    const auto again = catalog.revoke_key(first->key.id, now + Nanos::hours(1));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->revoked, now);
    const auto by_prefix = catalog.revoke_key(second->key.prefix, now);
    ASSERT_TRUE(by_prefix) << by_prefix.error().message;
    EXPECT_EQ(by_prefix->id, second->key.id);
    const std::vector<ApiKey> keys = *catalog.keys();
    for (const ApiKey& key : keys) EXPECT_EQ(key.revoked, now);
    for (const char* wrong : {"key_000000000000", "", "llmo_sk_live_", "llmo_sk_live_!", "%"}) {
        const auto refused = catalog.revoke_key(wrong, now);
        ASSERT_FALSE(refused) << wrong;
        EXPECT_EQ(refused.error().kind, ErrorKind::not_found);
    }
}

TEST_P(CatalogTest, tellsWhenAnotherConnectionChangedIt) {
    const Catalog server = open();
    Catalog command = open(Migrations::refuse);
    const auto before = server.version();
    ASSERT_TRUE(before);
    EXPECT_EQ(server.version().value(), *before);
    ASSERT_TRUE(command.create_key(*command.project("default"), {}, now));
    const auto after = server.version();
    EXPECT_NE(*after, *before);
    ASSERT_TRUE(command.note_use({{command.keys()->front().id, now}}));
    EXPECT_EQ(server.version().value(), *after) << "nobody needs to hear when a key was used";
    EXPECT_EQ(server.keys()->front().last_used, now);
}

TEST_P(CatalogTest, refusesACatalogOfANewerProgram) {
    {
        open();
    }
    run_sql("INSERT INTO schema_steps (step, applied) VALUES (999, 0)");
    for (const Migrations migrations : {Migrations::apply, Migrations::refuse}) {
        const Result<Catalog> opened = Catalog::open(bed_.address(), migrations);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().kind, ErrorKind::invalid_input);
        EXPECT_NE(opened.error().message.find("schema 999, made by a newer program"), std::string::npos)
            << opened.error().message;
    }
}

TEST_P(CatalogTest, isBroughtUpToDateByAServerAlone) {
    run_sql("CREATE TABLE schema_steps (step BIGINT PRIMARY KEY, applied BIGINT NOT NULL)");
    const Result<Catalog> command = Catalog::open(bed_.address(), Migrations::refuse);
    ASSERT_FALSE(command);
    EXPECT_NE(command.error().message.find("start `observatory serve` once"), std::string::npos);
    EXPECT_TRUE(open().project("default"));
    EXPECT_TRUE(open(Migrations::refuse).project("default"));
}

TEST(CatalogFile, isNotMadeByACommand) {
    const CatalogBed bed(Backend::sqlite);
    const Result<Catalog> command = Catalog::open(bed.address(), Migrations::refuse);
    ASSERT_FALSE(command);
    EXPECT_EQ(command.error().kind, ErrorKind::not_found);
    EXPECT_FALSE(std::filesystem::exists(bed.address().path()));
}

TEST(CatalogFile, mustBeADatabase) {
    const Scratch scratch;
    const Result<Catalog> opened =
        Catalog::open(scratch.write("catalog.sqlite", std::string(8192, 'x')), Migrations::apply);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::unavailable);
}

TEST_P(CatalogTest, servesManyThreadsAtOnce) {
    Catalog server = open();
    Catalog command = open(Migrations::refuse);
    const Project project = *server.project("default");
    const auto use = [&](Catalog& catalog) -> Result<void> {
        for (int i = 0; i < 10; ++i) {
            OBS_TRY(catalog.create_key(project, {}, now));
            OBS_TRY(catalog.keys());
            OBS_TRY(catalog.version());
        }
        return {};
    };
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&, i] {
                const Result<void> used = use(i % 2 == 0 ? server : command);
                EXPECT_TRUE(used) << used.error().message;
            });
    }
    std::set<std::string> hashes;
    const std::vector<ApiKey> keys = *server.keys();
    for (const ApiKey& key : keys) hashes.insert(key.sha256);
    EXPECT_EQ(hashes.size(), 80u);
}

TEST_P(CatalogTest, aChangeThatFailsChangesNothing) {
    Catalog catalog = open();
    const auto before = catalog.version();
    const Result<Project> made = catalog.create_project("default", now);
    ASSERT_FALSE(made);
    EXPECT_EQ(catalog.version().value(), *before);
}

TEST_P(CatalogTest, startsOfSeveralServersAtOnceMigrateOnce) {
    std::vector<std::jthread> starts;
    for (int i = 0; i < 4; ++i)
        starts.emplace_back([&] {
            // SQLite is one server's alone: its directory has a lock.
            if (GetParam() == Backend::postgresql) {
                EXPECT_EQ(open().projects()->size(), 1U);
            }
        });
    starts.clear();
    EXPECT_EQ(open().projects()->size(), 1U);
}

TEST_P(CatalogTest, allProcessesGetTheSameFirstSetting) {
    Catalog one = open(), other = open(Migrations::refuse);
    EXPECT_EQ(one.setting_or_set("secret", "a").value(), "a");
    EXPECT_EQ(other.setting_or_set("secret", "b").value(), "a");
}

TEST(CatalogInPostgres, comesBackWhenItsConnectionsWereCut) {
    const CatalogBed bed(Backend::postgresql);
    Catalog catalog = bed.open();
    for (int round = 0; round < 2; ++round) {
        bed.cut_connections();
        // Each of the connections notices for itself, at its first use.
        for (int i = 0; i < 8; ++i) EXPECT_TRUE(catalog.projects());
        bed.cut_connections();
        for (int i = 0; i < 8; ++i) {
            const auto made = catalog.create_project(fmt::format("p{}-{}", round, i), now);
            EXPECT_TRUE(made) << made.error().message;
        }
    }
}

TEST(CatalogInPostgres, neverSaysItsPassword) {
    const std::string secret = "s3cr%40et";
    for (const char* where : {"127.0.0.1:1/db", "127.0.0.1:x/db", "no.such.host.invalid/db"}) {
        const auto address = CatalogAddress::url("postgresql://user:" + secret + "@" + where);
        ASSERT_TRUE(address) << address.error().message;
        EXPECT_EQ(address->shown(), std::string("postgresql://user:***@") + where);
        const auto opened = Catalog::open(*address, Migrations::refuse);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().kind, ErrorKind::unavailable);
        EXPECT_EQ(opened.error().message.find("s3cr"), std::string::npos) << opened.error().message;
    }
}

struct AddressCase {
    std::string what, text;
    bool valid;
};
class Addresses : public testing::TestWithParam<AddressCase> {};
TEST_P(Addresses, areCheckedWithoutBeingRepeated) {
    const auto address = CatalogAddress::url(GetParam().text);
    EXPECT_EQ(address.has_value(), GetParam().valid);
    if (!address) {
        EXPECT_EQ(address.error().message.find("pw"), std::string::npos) << address.error().message;
    }
}
INSTANTIATE_TEST_SUITE_P(
    Catalog, Addresses,
    testing::Values(AddressCase{"usual", "postgresql://u:pw@h:5432/db", true},
                    AddressCase{"short_scheme", "postgres://u:pw@h/db", true},
                    AddressCase{"without_password", "postgresql://h/db", true},
                    AddressCase{"with_options", "postgresql://u:pw@h/db?sslmode=require", true},
                    AddressCase{"another_kind", "mysql://u:pw@h/db", false},
                    AddressCase{"at_sign_in_password", "postgresql://u:pw@pw@h/db", false},
                    AddressCase{"broken_escape", "postgresql://u:pw%zz@h/db", false},
                    AddressCase{"blank", "postgresql://u:pw @h/db", false},
                    AddressCase{"line_break", "postgresql://u:pw@h/db\n", false},
                    AddressCase{"password_behind", "postgresql://h/db?password=pw", false}),
    [](const auto& test) { return test.param.what; });

TEST(Sha256, isTheOneOfTheStandard) {
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace obs
