#include "cli/commands.h"

#include <filesystem>
#include <optional>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/catalog.h"
#include "catalog/data_directory.h"
#include "catalog/ingest_keys.h"
#include "catalog/scratch.h"
#include "catalog/tokens.h"

namespace obs::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Ran {
    int code;
    std::string out, err;
};

class CommandTest : public testing::Test {
protected:
    Ran run(const std::vector<std::string>& arguments) {
        std::vector<const char*> argv{"observatory"};
        for (const std::string& argument : arguments) argv.push_back(argument.c_str());
        std::ostringstream out, err;
        const int code = cli::run(static_cast<int>(argv.size()), argv.data(), {out, err}, environment_,
                                  [this](const ServeSettings& settings) {
                                      served_ = settings;
                                      return 17;
                                  });
        return {code, out.str(), err.str()};
    }
    // A server that runs meanwhile.
    void start_server() {
        server_.emplace(*DataDirectory::open(data(), Lock::take));
        catalog_.emplace(*Catalog::open(server_->catalog_file(), Migrations::apply));
        tokens_.emplace(*AccessTokens::of(*server_, *catalog_));
    }
    std::string data() const { return (scratch_.path() / "data").string(); }
    static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

    Scratch scratch_;
    Environment environment_;
    std::optional<ServeSettings> served_;
    std::optional<DataDirectory> server_;
    std::optional<Catalog> catalog_;
    std::optional<AccessTokens> tokens_;
};

TEST_F(CommandTest, versionIsPrinted) {
    const Ran ran = run({"version"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, "observatory " + std::string(program_version()) + "\n");
}

struct Misuse {
    std::string_view what;
    std::vector<std::string> arguments;
    std::string_view says;
};
class Misuses : public CommandTest, public testing::WithParamInterface<Misuse> {};
TEST_P(Misuses, endWithTwo) {
    const Ran ran = run(GetParam().arguments);
    EXPECT_EQ(ran.code, 2);
    EXPECT_THAT(ran.err, HasSubstr(std::string(GetParam().says)));
    EXPECT_FALSE(served_);
}
INSTANTIATE_TEST_SUITE_P(
    Commands, Misuses,
    testing::Values(
        Misuse{"no_command", {}, "subcommand"}, Misuse{"unknown_command", {"fly"}, ""},
        Misuse{"unknown_flag", {"serve", "--fly"}, "--fly"},
        Misuse{"flag_without_value", {"serve", "--api"}, "--api"},
        Misuse{"bad_value", {"serve", "--api", "x"}, "observatory: --api: \"x\" is not HOST:PORT"},
        Misuse{"store_of_later", {"serve", "--store", "clickhouse://a"}, "not supported by this version"},
        Misuse{"no_config", {"serve", "--config", "/nowhere/o.yaml"}, "/nowhere/o.yaml"},
        Misuse{"key_without_verb", {"key"}, "subcommand"},
        Misuse{"revoke_without_id", {"key", "revoke"}, "id"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST_F(CommandTest, anExportSaysWhatIsMissing) {
    EXPECT_THAT(run({"export", "--data", data()}).err, HasSubstr("no --token, and none can be made"));
    environment_ = {{"LLMOBS_TOKEN", "x"}};
    const Ran filter = run({"export", "--filter", "gpt-4o"});
    EXPECT_EQ(filter.code, 1);
    EXPECT_THAT(filter.err, HasSubstr("\"gpt-4o\" is not NAME=VALUE"));
    // No port.
    const std::string file = (scratch_.path() / "calls.csv").string();
    const Ran nobody = run({"export", "--api", "http://127.0.0.1:0", "-o", file});
    EXPECT_EQ(nobody.code, 1);
    EXPECT_THAT(nobody.err, HasSubstr("http://127.0.0.1:0: "));
    EXPECT_TRUE(std::filesystem::is_empty(scratch_.path()));
}

TEST_F(CommandTest, serveGetsItsSettings) {
    environment_ = {{"LLMOBS_OTLP_HTTP", "127.0.0.1:7"}};
    const Ran ran = run({"serve", "--data", data(), "--api", "127.0.0.1:0", "--grpc-endpoint", "[::1]:9",
                         "-c", scratch_.write("o.yaml", "store: memory\n").string()});
    EXPECT_EQ(ran.code, 17) << ran.err;
    ASSERT_TRUE(served_);
    EXPECT_EQ(served_->data, data());
    EXPECT_EQ(served_->api.text(), "127.0.0.1:0");
    EXPECT_EQ(served_->otlp_grpc.text(), "[::1]:9");
    EXPECT_EQ(served_->otlp_http.text(), "127.0.0.1:7");
    EXPECT_EQ(served_->store, StoreKind::memory);
}

TEST_F(CommandTest, theConfigFileMayBeNamedByTheEnvironment) {
    environment_ = {{"LLMOBS_CONFIG", scratch_.write("o.yaml", "store: memory\n").string()}};
    EXPECT_EQ(run({"serve"}).code, 17);
    ASSERT_TRUE(served_);
    EXPECT_EQ(served_->store, StoreKind::memory);
}

TEST_F(CommandTest, helpShowsEverySettingWithItsDefaultAndVariable) {
    const Ran ran = run({"serve", "--help"});
    EXPECT_EQ(ran.code, 0);
    const ServeSettings defaults;
    for (const Setting& setting : settings_table()) {
        EXPECT_THAT(ran.out, HasSubstr("--" + std::string(setting.name)));
        EXPECT_THAT(ran.out, HasSubstr(setting.environment_name()));
        EXPECT_THAT(ran.out, HasSubstr(setting.show(defaults)));
    }
}

TEST_F(CommandTest, aTokenIsUnderstoodByTheServer) {
    start_server();
    const Ran ran = run({"token", "--data", data(), "--role", "Viewer", "--ttl", "90s", "--project",
                         "default", "--subject", "ann"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    const UnixNanos now = system_now();
    const auto claims = tokens_->read(first_line(ran.out), now);
    ASSERT_TRUE(claims) << claims.error().message;
    EXPECT_EQ(claims->principal.role, Role::viewer);
    EXPECT_EQ(claims->principal.subject, "ann");
    EXPECT_EQ(claims->principal.projects, std::vector<std::string>{"default"});
    EXPECT_FALSE(tokens_->read(first_line(ran.out), now + Nanos::seconds(91)));
}

struct NoToken {
    std::string_view what;
    std::vector<std::string> arguments;
    std::string_view says;
};
class NoTokens : public CommandTest, public testing::WithParamInterface<NoToken> {};
TEST_P(NoTokens, areMadeFrom) {
    start_server();
    std::vector<std::string> arguments{"token", "--data", data()};
    arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr(std::string(GetParam().says)));
}
INSTANTIATE_TEST_SUITE_P(
    Commands, NoTokens,
    testing::Values(NoToken{"an_unknown_role", {"--role", "root"}, "none of admin, developer"},
                    NoToken{"an_unknown_project", {"--project", "shop"}, "there is no project shop"},
                    NoToken{"a_time_without_unit", {"--ttl", "24"}, "such as 15m, 24h or 7d"},
                    NoToken{"a_time_of_nothing", {"--ttl", "0h"}, "such as"},
                    NoToken{"a_negative_time", {"--ttl=-1h"}, "such as"},
                    NoToken{"a_time_with_more", {"--ttl", "1hx"}, "such as"},
                    NoToken{"an_empty_time", {"--ttl", ""}, "such as"},
                    NoToken{"eleven_years", {"--ttl", "4000d"}, "3660 days"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST_F(CommandTest, everyCommandSaysWhenThereIsNoDirectoryAndMakesNone) {
    for (const std::vector<std::string>& words : {std::vector<std::string>{"token"},
                                                  {"key", "create"},
                                                  {"key", "list"},
                                                  {"key", "revoke", "key_1"}}) {
        std::vector<std::string> arguments = words;
        arguments.insert(arguments.end(), {"--data", data()});
        const Ran ran = run(arguments);
        EXPECT_EQ(ran.code, 1);
        EXPECT_THAT(ran.err, HasSubstr("there is no data directory at " + data()));
    }
    EXPECT_FALSE(std::filesystem::exists(data()));
}

TEST_F(CommandTest, theDirectoryMayBeNamedByTheEnvironment) {
    start_server();
    environment_ = {{"LLMOBS_DATA", data()}};
    EXPECT_EQ(run({"token"}).code, 0);
}

TEST_F(CommandTest, aKeyLivesFromCreateToRevokeWhileTheServerRuns) {
    start_server();
    const std::unique_ptr<IngestKeys> keys = *IngestKeys::load(*catalog_);
    const Ran created =
        run({"key", "create", "--data", data(), "--project", "Shop", "--bytes-per-second", "1000000"});
    ASSERT_EQ(created.code, 0) << created.err;
    EXPECT_THAT(created.err, HasSubstr("made project Shop (id shop)"));
    const std::string key = first_line(created.out);
    EXPECT_EQ(keys->admit("Bearer " + key, false).value_or(Tenant{}).project, "shop");

    const Ran listed = run({"key", "list", "--data", data()});
    EXPECT_EQ(listed.code, 0);
    EXPECT_THAT(listed.out, HasSubstr(key.substr(0, 19) + "..."));
    EXPECT_THAT(listed.out, HasSubstr("1000000 bytes/s"));
    EXPECT_THAT(listed.out, HasSubstr("active"));
    EXPECT_THAT(listed.out, Not(HasSubstr(key)));

    const Ran revoked = run({"key", "revoke", "--data", data(), key.substr(0, 19)});
    EXPECT_EQ(revoked.code, 0) << revoked.err;
    ASSERT_TRUE(keys->refresh());
    EXPECT_FALSE(keys->admit("Bearer " + key, false));
    EXPECT_THAT(run({"key", "list", "--data", data()}).out, HasSubstr("revoked 20"));
    EXPECT_EQ(run({"token", "--data", data(), "--project", "Shop"}).code, 0);
}

TEST_F(CommandTest, aSecondKeyMakesNoSecondProject) {
    start_server();
    EXPECT_THAT(run({"key", "create", "--data", data(), "--project", "Shop"}).err, HasSubstr("made project"));
    EXPECT_THAT(run({"key", "create", "--data", data(), "--project", "Shop"}).err,
                Not(HasSubstr("made project")));
    EXPECT_EQ(run({"key", "create", "--data", data(), "--requests-per-second", "-3"}).code, 1);
}

TEST_F(CommandTest, revokingAnUnknownKeyFails) {
    start_server();
    const Ran ran = run({"key", "revoke", "--data", data(), "key_nothing"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("there is no key key_nothing"));
}

TEST_F(CommandTest, doctorEndsWithOneWhenSomethingIsBroken) {
    const std::vector<std::string> addresses{"--api",       "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0",
                                             "--otlp-http", "127.0.0.1:0", "--store",     "memory"};
    std::vector<std::string> arguments{"doctor", "--data", data()};
    arguments.insert(arguments.end(), addresses.begin(), addresses.end());
    start_server();
    EXPECT_THAT(run(arguments).out, HasSubstr("ok      data directory: in use by process"));
    server_.reset();
    scratch_.write("data/format", "9\n");
    const Ran broken = run(arguments);
    EXPECT_EQ(broken.code, 1);
    EXPECT_THAT(broken.out, HasSubstr("made by a newer program"));
    EXPECT_THAT(broken.out, HasSubstr("use a newer program"));
    arguments.insert(arguments.end(), {"--keep-rows", "0"});
    EXPECT_THAT(run(arguments).out, HasSubstr("broken  configuration: --keep-rows"));
}

}  // namespace
}  // namespace obs::cli
