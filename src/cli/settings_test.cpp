#include "cli/settings.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/scratch.h"
#include "cli/machine.h"

namespace obs::cli {
namespace {

using testing::HasSubstr;

std::string problems_of(const Loaded& loaded) {
    std::string text;
    for (const std::string& problem : loaded.problems) text += problem + "\n";
    return text;
}

struct PrecedenceCase {
    std::string_view what;
    Flags flags;
    Environment environment;
    std::string_view file;
    std::string_view expected;  // of --api
};
class Precedence : public testing::TestWithParam<PrecedenceCase> {};
TEST_P(Precedence, ofSources) {
    const Scratch scratch;
    const std::filesystem::path file =
        GetParam().file.empty() ? std::filesystem::path() : scratch.write("o.yaml", GetParam().file);
    const Loaded loaded = load_settings(GetParam().flags, GetParam().environment, file);
    EXPECT_EQ(problems_of(loaded), "");
    EXPECT_EQ(loaded.settings.api.text(), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Settings, Precedence,
    testing::Values(
        PrecedenceCase{"default", {}, {}, "", "127.0.0.1:8080"},
        PrecedenceCase{"file_over_default", {}, {}, "api: a:1", "a:1"},
        PrecedenceCase{"environment_over_file", {}, {{"LLMOBS_API", "b:2"}}, "api: a:1", "b:2"},
        PrecedenceCase{"flag_over_environment", {{"api", "c:3"}}, {{"LLMOBS_API", "b:2"}}, "api: a:1", "c:3"},
        PrecedenceCase{"flag_over_file", {{"api", "c:3"}}, {}, "api: a:1", "c:3"},
        PrecedenceCase{"empty_variable_is_none", {}, {{"LLMOBS_API", ""}}, "api: a:1", "a:1"},
        PrecedenceCase{"empty_file", {}, {}, "\n# nothing\n", "127.0.0.1:8080"},
        PrecedenceCase{
            "other_variables_are_not_ours", {}, {{"API", "d:4"}, {"PATH", "/bin"}}, "", "127.0.0.1:8080"}),
    [](const auto& test) { return std::string(test.param.what); });

struct ValueCase {
    std::string_view what, setting, text, shown;
};
class Values : public testing::TestWithParam<ValueCase> {};
TEST_P(Values, areReadAndShown) {
    const Loaded loaded =
        load_settings({{std::string(GetParam().setting), std::string(GetParam().text)}}, {}, "");
    EXPECT_EQ(problems_of(loaded), "");
    const auto table = settings_table();
    const auto setting = std::ranges::find(table, GetParam().setting, &Setting::name);
    ASSERT_NE(setting, table.end());
    EXPECT_EQ(setting->show(loaded.settings), GetParam().shown);
}
INSTANTIATE_TEST_SUITE_P(Settings, Values,
                         testing::Values(ValueCase{"data", "data", "/var/lib/o", "/var/lib/o"},
                                         ValueCase{"free_port", "otlp-grpc", "127.0.0.1:0", "127.0.0.1:0"},
                                         ValueCase{"ipv6", "otlp-http", "[::1]:4318", "[::1]:4318"},
                                         ValueCase{"store", "store", "memory", "memory"},
                                         ValueCase{"bytes_plain", "body-limit", "1048576", "1MiB"},
                                         ValueCase{"bytes_binary", "body-limit", "32MiB", "32MiB"},
                                         ValueCase{"bytes_decimal", "body-limit", "1MB", "1000000"},
                                         ValueCase{"bytes_short", "memory", "4g", "4GiB"},
                                         ValueCase{"seconds", "settle-after", "45s", "45s"},
                                         ValueCase{"seconds_without_unit", "settle-after", "45", "45s"},
                                         ValueCase{"milliseconds", "settle-after-root", "1500ms", "1500ms"},
                                         ValueCase{"minutes", "settle-after", "2m", "120s"},
                                         ValueCase{"days", "keep-rows", "365", "365"},
                                         ValueCase{"level", "log-level", "warn", "warning"},
                                         ValueCase{"origins", "cors-origins",
                                                   "https://a.org, http://localhost:3000",
                                                   "https://a.org,http://localhost:3000"},
                                         ValueCase{"all_origins", "cors-origins", "*", "*"},
                                         ValueCase{"threads", "io-threads", "4", "4"}),
                         [](const auto& test) { return std::string(test.param.what); });

struct BadValue {
    std::string_view what, setting, text, says;
};
class BadValues : public testing::TestWithParam<BadValue> {};
TEST_P(BadValues, areRefusedWithTheFlagAndAnExample) {
    const std::string name(GetParam().setting);
    const Loaded loaded = load_settings({{name, std::string(GetParam().text)}}, {}, "");
    ASSERT_EQ(loaded.problems.size(), 1u) << problems_of(loaded);
    EXPECT_TRUE(loaded.problems.front().starts_with("--" + name + ": ")) << loaded.problems.front();
    EXPECT_THAT(loaded.problems.front(), HasSubstr(std::string(GetParam().says)));
}
INSTANTIATE_TEST_SUITE_P(
    Settings, BadValues,
    testing::Values(BadValue{"port_absent", "api", "localhost", "127.0.0.1:4317"},
                    BadValue{"host_absent", "api", ":80", "HOST:PORT"},
                    BadValue{"port_too_large", "api", "a:65536", "HOST:PORT"},
                    BadValue{"port_negative", "api", "a:-1", "HOST:PORT"},
                    BadValue{"port_with_more", "api", "a:80x", "HOST:PORT"},
                    BadValue{"ipv6_without_brackets", "api", "::1:80", "[::1]"},
                    BadValue{"ipv6_open_bracket", "api", "[::1:80", "[::1]"},
                    BadValue{"empty", "api", "", "HOST:PORT"},
                    BadValue{"unknown_store", "store", "disk", "embedded or memory"},
                    BadValue{"store_of_later", "store", "clickhouse://host", "not supported by this version"},
                    BadValue{"size_without_number", "memory", "GiB", "a size from"},
                    BadValue{"size_unknown_unit", "memory", "2TB", "a size from"},
                    BadValue{"size_overflow", "memory", "99999999999GiB", "a size from"},
                    BadValue{"size_too_small", "memory", "1MiB", "512MiB"},
                    BadValue{"size_negative", "body-limit", "-1", "a size from"},
                    BadValue{"size_zero", "body-limit", "0", "a size from"},
                    BadValue{"days_zero", "keep-rows", "0", "from 1 to 36500"},
                    BadValue{"days_with_unit", "keep-rows", "30d", "from 1 to 36500"},
                    BadValue{"budgets_too_seldom", "budget-interval", "61s", "a time from 1ms to 1m"},
                    BadValue{"webhooks_to_who_knows_where", "webhook-targets", "some", "public or all"},
                    BadValue{"time_zero", "settle-after", "0", "a time from 1ms to 1d"},
                    BadValue{"time_too_long", "settle-after", "25h", "a time from"},
                    BadValue{"origin_without_scheme", "cors-origins", "example.org", "an origin"},
                    BadValue{"origin_with_path", "cors-origins", "https://a.org/x", "an origin"},
                    BadValue{"origin_empty", "cors-origins", "https://", "an origin"},
                    BadValue{"level_unknown", "log-level", "loud", "debug, info"},
                    BadValue{"threads_too_many", "io-threads", "1000", "from 1 to 64"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(Settings, neverRepeatAPasswordOfAStore) {
    const Loaded loaded = load_settings({{"store", "postgres://user:hunter2@host/db"}}, {}, "");
    EXPECT_THAT(problems_of(loaded), HasSubstr("postgres"));
    EXPECT_EQ(problems_of(loaded).find("hunter2"), std::string::npos);
}

struct BadFile {
    std::string_view what, content, says;
};
class BadFiles : public testing::TestWithParam<BadFile> {};
TEST_P(BadFiles, areRefusedWithKeyAndLine) {
    const Scratch scratch;
    const Loaded loaded = load_settings({}, {}, scratch.write("o.yaml", GetParam().content));
    ASSERT_EQ(loaded.problems.size(), 1u) << problems_of(loaded);
    EXPECT_THAT(loaded.problems.front(), HasSubstr((scratch.path() / "o.yaml").string()));
    EXPECT_THAT(loaded.problems.front(), HasSubstr(std::string(GetParam().says)));
}
INSTANTIATE_TEST_SUITE_P(
    Settings, BadFiles,
    testing::Values(BadFile{"unknown_key", "data: x\notlp_grp: a:1\n",
                            "line 2: \"otlp_grp\" is no setting; did you mean otlp_grpc?"},
                    BadFile{"wild_key", "frobnicate_everything_now: 1\n",
                            "line 1: \"frobnicate_everything_now\" is no setting; `observatory"},
                    BadFile{"bad_value", "# first\n\napi: nowhere\n",
                            "line 3: api: \"nowhere\" is not HOST:PORT"},
                    BadFile{"value_is_a_map", "api:\n  host: a\n", "line 1: api must be one value"},
                    BadFile{"value_absent", "api:\n", "line 1: api must be one value"},
                    BadFile{"twice", "api: a:1\napi: a:2\n", "line 2: api is set twice"},
                    BadFile{"twice_by_alias", "otlp_grpc: a:1\nreceiver:\n  grpc_endpoint: a:2\n",
                            "line 3: receiver.grpc_endpoint is set twice"},
                    BadFile{"unknown_in_section", "receiver:\n  grpc_port: 1\n",
                            "line 2: \"receiver.grpc_port\" is no setting"},
                    BadFile{"a_list", "- api\n", "settings must be"},
                    BadFile{"a_word", "api", "settings must be"}, BadFile{"broken_yaml", "api: [a\n", "line"},
                    BadFile{"key_is_a_list", "[a]: 1\n", "line 1: a key must be a word"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(Settings, tellOfEveryProblemAtOnce) {
    const Scratch scratch;
    const Loaded loaded =
        load_settings({{"store", "x"}}, {{"LLMOBS_MEMORY", "y"}}, scratch.write("o.yaml", "a: 1\nb: 2\n"));
    EXPECT_EQ(loaded.problems.size(), 4u) << problems_of(loaded);
}

TEST(Settings, refuseAFileThatIsNotThereOrHuge) {
    const Scratch scratch;
    EXPECT_THAT(problems_of(load_settings({}, {}, scratch.path() / "none.yaml")), HasSubstr("none.yaml"));
    EXPECT_THAT(problems_of(load_settings({}, {}, scratch.write("o.yaml", std::string(2 << 20, '#')))),
                HasSubstr("larger than 1 MiB"));
}

TEST(Settings, knowTheNamesOfOlderDeployments) {
    const Scratch scratch;
    const Environment environment{{"LLMOBS_HTTP_ENDPOINT", "0.0.0.0:4318"},
                                  {"OTLP_MAX_MESSAGE_SIZE", "4194304"},
                                  {"LOG_LEVEL", "debug"},
                                  {"RETENTION_LOGS_DAYS", "7"},
                                  {"CORS_ORIGINS", "http://localhost:3000,http://localhost:8080"}};
    const Loaded loaded =
        load_settings({}, environment, scratch.write("o.yaml", "receiver:\n  grpc_endpoint: 0.0.0.0:4317\n"));
    EXPECT_EQ(problems_of(loaded), "");
    EXPECT_EQ(loaded.settings.otlp_http.text(), "0.0.0.0:4318");
    EXPECT_EQ(loaded.settings.otlp_grpc.text(), "0.0.0.0:4317");
    EXPECT_EQ(loaded.settings.body_limit, 4u << 20);
    EXPECT_EQ(loaded.settings.log_level, log::Level::debug);
    EXPECT_EQ(loaded.settings.keep_logs, 7);
    EXPECT_EQ(loaded.settings.cors_origins.size(), 2u);
}

TEST(Settings, preferOurOwnNameToAnAlias) {
    const Loaded loaded = load_settings({}, {{"LLMOBS_LOG_LEVEL", "error"}, {"LOG_LEVEL", "debug"}}, "");
    EXPECT_EQ(loaded.settings.log_level, log::Level::error);
}

TEST(Settings, readListsAndDashesInFiles) {
    const Scratch scratch;
    const Loaded loaded = load_settings(
        {}, {}, scratch.write("o.yaml", "cors-origins: [https://a.org, https://b.org]\nkeep-rows: 10\n"));
    EXPECT_EQ(problems_of(loaded), "");
    EXPECT_EQ(loaded.settings.cors_origins, (std::vector<std::string>{"https://a.org", "https://b.org"}));
    EXPECT_EQ(loaded.settings.keep_rows, 10);
}

TEST(Settings, refuseWhatDoesNotFitTogether) {
    EXPECT_THAT(problems_of(load_settings({{"tls-cert", "a.pem"}}, {}, "")),
                HasSubstr("both --tls-cert and --tls-key"));
    EXPECT_THAT(problems_of(load_settings({{"body-limit", "512MiB"}}, {}, "")), HasSubstr("--byte-budget"));
}

TEST(Settings, areEachDefinedOnceAndTheirDefaultsAreValid) {
    std::set<std::string> names;
    const ServeSettings defaults;
    for (const Setting& setting : settings_table()) {
        EXPECT_TRUE(names.insert(std::string(setting.name)).second) << setting.name;
        EXPECT_FALSE(setting.help.empty()) << setting.name;
        for (const std::string_view alias : setting.environment_aliases)
            EXPECT_TRUE(names.insert(std::string(alias)).second) << alias;
        ServeSettings copy;
        const std::string shown = setting.show(defaults);
        const bool automatic = shown.empty() || shown.find(' ') != std::string::npos;
        if (!automatic) {
            EXPECT_TRUE(setting.set(copy, shown)) << setting.name << " " << shown;
        }
        EXPECT_EQ(setting.show(copy), shown) << setting.name;
    }
    EXPECT_EQ(problems_of(load_settings({}, {}, "")), "");
}

struct LoopbackCase {
    std::string_view what, host;
    bool loopback;
};
class Loopback : public testing::TestWithParam<LoopbackCase> {};
TEST_P(Loopback, isToldByTheHost) {
    EXPECT_EQ((Address{std::string(GetParam().host), 1}.is_loopback()), GetParam().loopback);
}
INSTANTIATE_TEST_SUITE_P(
    Address, Loopback,
    testing::Values(LoopbackCase{"v4", "127.0.0.1", true}, LoopbackCase{"v4_other", "127.1.2.3", true},
                    LoopbackCase{"v6", "::1", true}, LoopbackCase{"name", "localhost", true},
                    LoopbackCase{"any_v4", "0.0.0.0", false}, LoopbackCase{"any_v6", "::", false},
                    LoopbackCase{"private_v4", "10.0.0.1", false},
                    LoopbackCase{"name_that_begins_so", "127.example.org", false}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(PlanMemory, dividesHalfOfTheMachineOrTwoGibibytes) {
    const ServeSettings settings;
    EXPECT_EQ(plan_memory(settings, 64ULL << 30)->total, 2ULL << 30);
    const Result<MemoryPlan> plan = plan_memory(settings, 2ULL << 30);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->total, 1ULL << 30);
    EXPECT_EQ(plan->engine, (1ULL << 30) - (256ULL << 20) - 400'000'000);
    EXPECT_EQ(plan->one_question, plan->engine / 4);
    const Result<MemoryPlan> small = plan_memory(settings, 1ULL << 30);
    ASSERT_FALSE(small);
    EXPECT_THAT(small.error().message, HasSubstr("--memory at least 760 MiB"));
}

TEST(PlanJournal, takesATenthOfTheDiskOrTwentyGibibytes) {
    ServeSettings settings;
    EXPECT_EQ(plan_journal(settings, 100'000'000'000), 10'000'000'000u);
    EXPECT_EQ(plan_journal(settings, 10'000'000'000'000), 20ULL << 30);
    settings.journal_budget = 5;
    EXPECT_EQ(plan_journal(settings, 100), 5u);
}

TEST(FindEngineLibrary, looksBesideTheProgramUnlessItIsTold) {
    const Scratch scratch;
    std::filesystem::create_directories(scratch.path() / "lib");
    std::filesystem::create_directories(scratch.path() / "bin");
    ServeSettings settings;
    EXPECT_THAT(find_engine_library(settings, scratch.path() / "bin" / "observatory").error().message,
                HasSubstr("bin/lib/libchdb.so"));
    const std::filesystem::path library = scratch.write("lib/libchdb.so", "");
    EXPECT_EQ(find_engine_library(settings, scratch.path() / "bin" / "observatory").value(), library);
    EXPECT_EQ(find_engine_library(settings, scratch.path() / "observatory").value(), library);
    settings.engine_library = scratch.path() / "other.so";
    EXPECT_THAT(find_engine_library(settings, scratch.path() / "observatory").error().message,
                HasSubstr("--engine-library"));
}

TEST(Machine, knowsItself) {
    EXPECT_GT(machine_memory(), 64u << 20);
    EXPECT_GE(raise_file_limit(), 256u);
    EXPECT_TRUE(std::filesystem::exists(executable_path()));
    const Scratch scratch;
    const Result<Disk> disk = disk_of(scratch.path() / "not" / "made" / "yet");
    ASSERT_TRUE(disk);
    EXPECT_GE(disk->size, disk->available);
    EXPECT_GT(disk->size, 0u);
}

}  // namespace
}  // namespace obs::cli
