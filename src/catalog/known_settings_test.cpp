#include "catalog/known_settings.h"

#include <gtest/gtest.h>

#include "catalog/test_bed.h"

namespace obs {
namespace {

using test::Backend;
using test::CatalogBed;

constexpr UnixNanos now{1'800'000'000'000'000'000};

class KnownSettingsTest : public testing::TestWithParam<Backend> {
protected:
    void put(std::string_view project, std::string_view json) {
        const ProjectSettings settings = *ProjectSettings::from_json(json, {});
        ASSERT_TRUE(catalog.set_project_settings(project, settings));
        ASSERT_TRUE(known->refresh());
    }
    std::string zone(std::vector<std::string> projects) const {
        return known->time_zone(Scope("default", std::move(projects)));
    }

    CatalogBed bed{GetParam()};
    Catalog catalog = bed.open();
    const std::string shop = catalog.create_project("shop", now)->id;
    const std::unique_ptr<KnownSettings> known = *KnownSettings::load(catalog);
};
INSTANTIATE_TEST_SUITE_P(Backends, KnownSettingsTest, testing::Values(Backend::sqlite, Backend::postgresql),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(KnownSettingsTest, knowTheZoneOfAScope) {
    EXPECT_EQ(zone({"default"}), "UTC");
    put("default", R"({"time_zone":"Europe/Berlin"})");
    EXPECT_EQ(zone({"default"}), "Europe/Berlin");
    EXPECT_EQ(zone({shop}), "UTC");
    EXPECT_EQ(zone({"default", shop}), "UTC") << "they differ";
    EXPECT_EQ(zone({}), "UTC") << "they differ";
    put(shop, R"({"time_zone":"Europe/Berlin"})");
    EXPECT_EQ(zone({}), "Europe/Berlin") << "all projects of the organisation agree";
    EXPECT_EQ(known->time_zone(Scope("another", {})), "UTC");
    EXPECT_EQ(zone({"nowhere"}), "UTC");
}

TEST_P(KnownSettingsTest, leaveArchivedProjectsOutOfAll) {
    put("default", R"({"time_zone":"Asia/Tokyo"})");
    ASSERT_TRUE(catalog.archive_project(*catalog.project(shop), now));
    ASSERT_TRUE(known->refresh());
    EXPECT_EQ(zone({}), "Asia/Tokyo");
    EXPECT_EQ(zone({shop}), "UTC");
}

TEST_P(KnownSettingsTest, takeOverWhatAnotherProcessChanged) {
    known->keep_fresh();
    Catalog other = bed.open(Migrations::refuse);
    ASSERT_TRUE(
        other.set_project_settings("default", *ProjectSettings::from_json(R"({"keep_rows_days":7})", {})));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!known->all().front().second.keep_rows_days && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_EQ(known->all().front().second.keep_rows_days, 7);
}

struct LongerCase {
    std::string what, project, server, member;
};
class LongerThan : public testing::TestWithParam<LongerCase> {};
TEST_P(LongerThan, namesTheLifetime) {
    const auto& [what, project, server, member] = GetParam();
    EXPECT_EQ(ProjectSettings::from_json(project, {})->longer_than(*ProjectSettings::from_json(server, {})),
              member);
}
INSTANTIATE_TEST_SUITE_P(
    Settings, LongerThan,
    testing::Values(
        LongerCase{"shorter", R"({"keep_rows_days":7})", R"({"keep_rows_days":90})", ""},
        LongerCase{"longer", R"({"keep_rows_days":91})", R"({"keep_rows_days":90})", "keep_rows_days"},
        LongerCase{"the_server_keeps_for_ever", R"({"keep_logs_days":91})", "{}", ""},
        LongerCase{"the_project_says_nothing", "{}", R"({"keep_logs_days":30})", ""},
        LongerCase{"a_quota_is_no_lifetime", R"({"bytes_per_second":9})", R"({"bytes_per_second":1})", ""}),
    [](const auto& test) { return test.param.what; });

}  // namespace
}  // namespace obs
