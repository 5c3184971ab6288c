// Exports over the API: what may be asked for, by whom, and who may have the file.
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "catalog/scratch.h"
#include "serve/export_request.h"
#include "serve/export_routes.h"
#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using obs::test::span;
using namespace std::chrono_literals;

constexpr UnixNanos now = obs::test::noon + Nanos::hours(1);

Principal principal(Role role) {
    Principal who;
    who.subject = "test";
    who.org = "acme";
    who.projects = {"main"};
    who.role = role;
    who.permissions = permissions_of(role);
    return who;
}

// ---- the request

struct RefusedCase {
    std::string what, body, code, field;
    Role role = Role::developer;
};
class RefusedExport : public testing::TestWithParam<RefusedCase> {};
TEST_P(RefusedExport, namesWhatIsWrong) {
    const auto request = export_request(GetParam().body, principal(GetParam().role), now);
    ASSERT_FALSE(request);
    EXPECT_EQ(info_of(request.error().code).code, GetParam().code) << request.error().message;
    EXPECT_EQ(request.error().field, GetParam().field) << request.error().message;
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, RefusedExport,
    testing::Values(
        RefusedCase{"no_json", "{", "INVALID_REQUEST", ""},
        RefusedCase{"no_object", "[]", "INVALID_REQUEST", ""},
        RefusedCase{"a_format", R"({"format":"xml"})", "INVALID_FIELD_VALUE", "format"},
        RefusedCase{"a_format_of_another_type", R"({"format":1})", "INVALID_FIELD_VALUE", "format"},
        RefusedCase{"a_compression", R"({"compression":"rar"})", "INVALID_FIELD_VALUE", "compression"},
        RefusedCase{"a_table", R"({"table":"users"})", "INVALID_FIELD_VALUE", "table"},
        RefusedCase{"no_rows", R"({"limit":0})", "LIMIT_EXCEEDED", "limit"},
        RefusedCase{"too_many_rows", R"({"limit":1000001})", "LIMIT_EXCEEDED", "limit"},
        RefusedCase{"rows_as_text", R"({"limit":"many"})", "INVALID_FIELD_FORMAT", "limit"},
        RefusedCase{"a_field", R"({"fields":["ts","colour"]})", "INVALID_FIELD_VALUE", "fields"},
        RefusedCase{"a_member", R"({"colour":"red"})", "INVALID_REQUEST", "colour"},
        RefusedCase{"a_member_of_flat_filters", R"({"filters":{"colour":"red"}})", "INVALID_REQUEST",
                    "colour"},
        RefusedCase{"an_order", R"({"sort_by":"ts"})", "INVALID_REQUEST", "sort_by"},
        RefusedCase{"both_spellings", R"({"filter":{},"filters":{}})", "INVALID_REQUEST", "filter"},
        RefusedCase{"filters_of_another_type", R"({"filters":[1]})", "INVALID_FIELD_FORMAT", "filters"},
        RefusedCase{"a_long_window", R"({"from":"now-400d"})", "INVALID_DATE_RANGE", "from"},
        RefusedCase{"a_window_backwards", R"({"from":"now","to":"now-1d"})", "INVALID_DATE_RANGE", "from"},
        RefusedCase{"a_status", R"({"status":"GREEN"})", "INVALID_FIELD_VALUE", "status"},
        RefusedCase{"a_parquet_name", R"({"format":"parquet","fields":["attributes.a b"]})",
                    "INVALID_FIELD_VALUE", "fields"},
        RefusedCase{"another_project", R"({"project_id":"secret"})", "PROJECT_ACCESS_DENIED", "project_id"},
        RefusedCase{"content_without_the_right", R"({"fields":["input_text"]})", "RESOURCE_ACCESS_DENIED",
                    "fields", Role::viewer},
        RefusedCase{"guessing_content", R"({"search":"secret"})", "RESOURCE_ACCESS_DENIED", "search_text",
                    Role::viewer},
        RefusedCase{"the_audit", R"({"table":"audit"})", "INSUFFICIENT_PERMISSIONS", "table"},
        RefusedCase{"more_than_costs", R"({"fields":["ts","span_name"]})", "RESOURCE_ACCESS_DENIED", "fields",
                    Role::billing},
        RefusedCase{"logs_for_billing", R"({"table":"logs"})", "INSUFFICIENT_PERMISSIONS", "table",
                    Role::billing},
        RefusedCase{"a_flat_filter_of_logs", R"({"table":"logs","severity_text":"INFO"})", "INVALID_REQUEST",
                    "severity_text"}),
    [](const auto& test) { return test.param.what; });

std::string fields_of(const ExportRequest& request) {
    std::string names;
    for (const auto& member : request.plan.selection.members())
        names += (names.empty() ? "" : ",") + member.name;
    return names;
}

TEST(ExportRequest, hasTheDefaultsOfTheContract) {
    const auto request = export_request("", principal(Role::developer), now);
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_EQ(request->plan.format, jobs::ExportFormat::csv);
    EXPECT_EQ(request->plan.compression, jobs::Compression::none);
    EXPECT_EQ(request->plan.question.limit, 100'000u);
    EXPECT_EQ(request->plan.question.window.to, now);
    EXPECT_EQ(request->plan.question.window.from, now - Nanos::days(365));
    EXPECT_EQ(request->rights, (std::vector<std::string>{"read:traces", "read:content"}));
}

TEST(ExportRequest, keepsTheOrderAndTheNamesOfFields) {
    const auto request = export_request(R"({"fields":["model","latency_ms","attributes.x","timestamp"]})",
                                        principal(Role::developer), now);
    ASSERT_TRUE(request);
    EXPECT_EQ(fields_of(*request), "model,latency_ms,attributes.x,timestamp");
}

TEST(ExportRequest, leavesContentOutForWhoMayNotReadIt) {
    Principal who = principal(Role::developer);
    std::erase(who.permissions, "read:content");
    const auto request =
        export_request(R"({"fields":"model,input_text,attributes,attributes.x,ts"})", who, now);
    ASSERT_TRUE(request);
    EXPECT_EQ(fields_of(*request), "model,ts");
    EXPECT_EQ(request->rights, std::vector<std::string>{"read:traces"});
}

TEST(ExportRequest, givesBillingCostsAlone) {
    const auto request = export_request("{}", principal(Role::billing), now);
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_NE(fields_of(*request).find("total_cost_usd"), std::string::npos);
    EXPECT_EQ(fields_of(*request).find("span_name"), std::string::npos);
    EXPECT_EQ(request->rights, std::vector<std::string>{"read:costs"});
}

struct SameCase {
    std::string what, one, other;
};
class SameExport : public testing::TestWithParam<SameCase> {};
std::string rows_of(MemoryStore& store, std::string_view body) {
    const auto request = export_request(body, principal(Role::developer), now);
    if (!request) return request.error().message;
    RowQuestion question = request->plan.question;
    const auto rows = store.rows(question, {});
    std::string names;
    const auto& spans = std::get<SpanBatch>(rows->batch);
    for (std::size_t row = 0; row < spans.size(); ++row) names += std::string(spans.span_name[row]) + " ";
    return names;
}
TEST_P(SameExport, isAskedForInOtherWords) {
    TestApi api;
    api.write({span("a").at(1s).model("gpt-4o").cost(5'000'000'000).tags({"x", "y"}),
               span("b").at(2s).model("gpt-4o").cost(1).tags({"x"}),
               span("c").at(3s).model("o3").user("ann")});
    api.write({span("d").at(-26h).model("gpt-4o").cost(7'000'000'000)});
    const std::string one = rows_of(api.memory, GetParam().one);
    EXPECT_EQ(one, rows_of(api.memory, GetParam().other));
    EXPECT_NE(one, "");
}
INSTANTIATE_TEST_SUITE_P(
    Filters, SameExport,
    testing::Values(
        SameCase{
            "a_tree_and_a_flat_object",
            R"({"filters":{"operator":"AND","conditions":[{"field":"model","operator":"eq","value":"gpt-4o"},)"
            R"({"field":"total_cost_usd","operator":"gte","value":1}]}})",
            R"({"filters":{"model":"gpt-4o","min_cost":1}})"},
        SameCase{"flat_members_beside_a_tree",
                 R"({"model":"gpt-4o","filters":{"field":"total_cost_usd","operator":"gte","value":1}})",
                 R"({"filters":{"model":"gpt-4o","min_cost":1}})"},
        SameCase{"the_other_names_of_the_window", R"({"start_time":"now-2h","end_time":"now"})",
                 R"({"from":"now-2h"})"},
        SameCase{"a_list_and_a_text", R"({"model":["gpt-4o","o3"]})", R"({"model":"gpt-4o,o3"})"},
        SameCase{
            "a_leaf_and_the_original_group",
            R"({"filter":{"operator":"or","filters":[{"field":"user_id","operator":"eq","value":"ann"}]}})",
            R"({"user_id":"ann"})"},
        SameCase{"empty_filters", R"({"filters":{}})", R"({})"}),
    [](const auto& test) { return test.param.what; });

TEST(ExportPlan, isTheSameWhenItIsMadeAgain) {
    for (const Role role : {Role::developer, Role::billing, Role::admin}) {
        const std::string body =
            R"({"from":"now-1d","model":"gpt-4o","format":"jsonl","compression":"zstd"})";
        const auto request = export_request(body, principal(role), now);
        ASSERT_TRUE(request);
        Job job;
        job.org = "acme";
        job.projects = request->plan.question.scope.projects();
        job.rights = request->rights;
        job.request = body;
        job.created = now;
        job.up_to_seq = 5;
        const auto plan = export_plan_of(job);
        ASSERT_TRUE(plan) << plan.error().message;
        EXPECT_EQ(plan->question.window.from, now - Nanos::days(1));
        EXPECT_EQ(plan->question.up_to_seq, 5u);
        EXPECT_EQ(plan->question.scope.projects(), request->plan.question.scope.projects());
        EXPECT_EQ(plan->selection.members().size(), request->plan.selection.members().size());
        EXPECT_EQ(plan->format, jobs::ExportFormat::jsonl);
        EXPECT_EQ(plan->compression, jobs::Compression::zstd);
    }
}

// ---- the routes

class ExportRoutes : public testing::Test {
protected:
    void SetUp() override {
        std::filesystem::create_directory(directory_);
        lane_.start();
    }
    Answer ask(std::string_view method, const std::string& target, std::string_view token,
               std::string_view body = "", Fields headers = {}) {
        headers.emplace_back("authorization", fmt::format("Bearer {}", token));
        return api_.ask(method, target, body, std::move(headers));
    }
    void write(std::vector<TestRow> rows) {
        for (std::size_t i = 0; i < rows.size(); ++i)
            rows[i].set("org_id", "acme").project("main").set("is_call", std::int64_t{1}).seq(i + 1);
        ASSERT_TRUE(store_.write(obs::test::batch_of(rows), "rows"));
    }
    std::string create(std::string_view body, std::string_view token = "developer") {
        const Answer made = ask("POST", "/api/v1/exports", token, body);
        EXPECT_EQ(made.status, 202) << made.body;
        const std::string quoted = made.at("/job_id");
        return quoted.size() > 2 ? quoted.substr(1, quoted.size() - 2) : "none";
    }
    std::string done(const std::string& id) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        for (;;) {
            const Answer job = ask("GET", "/api/v1/exports/" + id, "admin");
            const std::string status = job.at("/status");
            if (status != "\"pending\"" && status != "\"processing\"") return status;
            if (std::chrono::steady_clock::now() > deadline) return "never";
            std::this_thread::yield();
        }
    }

    Scratch scratch_;
    const std::filesystem::path directory_ = scratch_.path() / "exports";
    Catalog catalog_ = Catalog::open(scratch_.path() / "catalog", Migrations::apply).value();
    Jobs jobs_{catalog_};
    MemoryStore store_;
    jobs::ExportWork work_{
        {.directory = directory_, .data = "here", .room = {.keep_free = 0}, .clock = [] { return now; }},
        store_,
        jobs_,
        export_plan_of};
    jobs::Lane lane_{{.data = "here", .look_every = 20ms, .clock = [] { return now; }},
                     jobs_,
                     {{"export", &work_}},
                     nullptr};
    ExportParts parts_{.jobs = jobs_,
                       .lane = lane_,
                       .work = work_,
                       .visible_seq = [] { return std::uint64_t{100}; },
                       .parquet = false};
    TestApi api_{{}, &store_, nullptr, &parts_};
};

TEST_F(ExportRoutes, goFromTheRequestToTheFile) {
    write({span("a").at(1s).model("gpt-4o"), span("b").at(2s).model("o3")});
    const std::string id = create(R"({"fields":["span_name","model"],"format":"csv"})");
    ASSERT_EQ(done(id), "\"completed\"");
    const Answer job = ask("GET", "/api/v1/exports/" + id, "developer");
    EXPECT_EQ(job.at("/trace_count"), "2");
    EXPECT_EQ(job.at("/progress_percent"), "100");
    EXPECT_EQ(job.at("/metadata/can_cancel"), "false");
    EXPECT_EQ(job.at("/metadata/can_download"), "true");
    EXPECT_EQ(job.at("/metadata/seconds_until_expiration"), "604800");
    EXPECT_EQ(job.at("/download_url"), fmt::format("\"/api/v1/exports/{}/download\"", id));
    const Answer file = ask("GET", "/api/v1/exports/" + id + "/download", "developer");
    EXPECT_EQ(file.status, 200);
    EXPECT_EQ(file.body, "span_name,model\r\nb,o3\r\na,gpt-4o\r\n");
    EXPECT_EQ(file.headers.get("content-type"), "text/csv");
    EXPECT_EQ(file.headers.get("content-disposition"),
              fmt::format("attachment; filename=\"traces-{}.csv\"", id.substr(0, 8)));
    const Answer part =
        ask("GET", "/api/v1/exports/" + id + "/download", "developer", "", {{"range", "bytes=10-14"}});
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(part.body, "model");
    EXPECT_EQ(part.headers.get("content-range"), "bytes 10-14/33");
    EXPECT_EQ(
        ask("GET", "/api/v1/exports/" + id + "/download", "developer", "", {{"range", "bytes=99-"}}).status,
        416);
    const Answer again = ask("GET", "/api/v1/exports/" + id + "/download", "developer", "",
                             {{"range", "bytes=0-0"}, {"if-range", "\"another\""}});
    EXPECT_EQ(again.status, 200);
}

TEST_F(ExportRoutes, answerTheAliasesOfTheContract) {
    const Answer made = ask("POST", "/api/v1/export/traces", "developer", R"({"format":"jsonl"})");
    EXPECT_EQ(made.status, 200) << made.body;
    const std::string id = made.at("/job_id").substr(1, 36);
    ASSERT_EQ(done(id), "\"completed\"");
    EXPECT_EQ(ask("GET", "/api/v1/export/jobs", "developer").at("/jobs/0/job_id"), "\"" + id + "\"");
    EXPECT_EQ(ask("GET", "/api/v1/export/jobs/" + id, "developer").status, 200);
    EXPECT_EQ(ask("GET", "/api/v1/export/jobs/" + id + "/download", "developer").status, 200);
    EXPECT_EQ(ask("DELETE", "/api/v1/export/jobs/" + id, "developer").status, 409);
}

TEST_F(ExportRoutes, listWhatTheCallerSees) {
    const std::string mine = create("{}"), all = create("{}", "admin");
    EXPECT_EQ(done(mine), "\"completed\"");
    EXPECT_EQ(done(all), "\"completed\"");
    EXPECT_EQ(ask("GET", "/api/v1/exports", "admin").at("/pagination/total"), "2");
    const Answer seen = ask("GET", "/api/v1/exports?status=completed", "viewer");
    EXPECT_EQ(seen.at("/pagination/total"), "1");
    EXPECT_EQ(seen.at("/jobs/0/job_id"), "\"" + mine + "\"");
    EXPECT_EQ(ask("GET", "/api/v1/exports?status=failed", "admin").at("/pagination/total"), "0");
    EXPECT_EQ(ask("GET", "/api/v1/exports?limit=1", "admin").at("/pagination/has_more"), "true");
    EXPECT_EQ(ask("GET", "/api/v1/exports?limit=101", "admin").status, 400);
    EXPECT_EQ(ask("GET", "/api/v1/exports/" + all, "developer").status, 404);
    EXPECT_EQ(ask("GET", "/api/v1/exports/" + all + "/download", "developer").status, 404);
    EXPECT_EQ(ask("DELETE", "/api/v1/exports/" + all, "developer").status, 404);
    EXPECT_EQ(ask("GET", "/api/v1/exports/../../etc/passwd", "admin").status, 404);
}

TEST_F(ExportRoutes, giveContentToNobodyWhoMayNotReadIt) {
    write({span("a").input("secret")});
    const std::string with = create(R"({"fields":["span_name","input_text"]})"),
                      without = create(R"({"fields":["span_name"]})"), costs = create("{}", "billing");
    for (const std::string& id : {with, without, costs}) ASSERT_EQ(done(id), "\"completed\"");
    const auto download = [&](const std::string& id, std::string_view token) {
        return ask("GET", "/api/v1/exports/" + id + "/download", token).status;
    };
    EXPECT_EQ(download(with, "developer"), 200);
    EXPECT_EQ(download(with, "viewer"), 403);
    EXPECT_EQ(download(without, "viewer"), 200);
    EXPECT_EQ(download(without, "billing"), 403);
    EXPECT_EQ(download(costs, "billing"), 200);
    EXPECT_EQ(download(costs, "viewer"), 200);
    EXPECT_EQ(ask("POST", "/api/v1/exports", "viewer", "{}").status, 403);
}

TEST_F(ExportRoutes, sayThatParquetNeedsTheEngine) {
    const Answer refused = ask("POST", "/api/v1/exports", "developer", R"({"format":"parquet"})");
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(refused.at("/error/field"), "\"format\"");
}

TEST_F(ExportRoutes, haveNoFileBeforeAndAfterItsTime) {
    lane_.stop();
    const std::string id = create("{}");
    const std::string download = "/api/v1/exports/" + id + "/download";
    EXPECT_EQ(ask("GET", download, "developer").status, 409);
    ASSERT_TRUE(jobs_.take("here", "x", now, now + Nanos::hours(1)).value());
    ASSERT_TRUE(
        jobs_.finish(id, "x", {.file = id + ".csv", .expires = now - Nanos::seconds(1)}, now).value());
    EXPECT_EQ(ask("GET", download, "developer").status, 410);
}

TEST_F(ExportRoutes, areCancelledOnceAndBounded) {
    lane_.stop();
    std::vector<std::string> ids;
    for (int i = 0; i < 10; ++i) ids.push_back(create("{}"));
    const Answer refused = ask("POST", "/api/v1/exports", "developer", "{}");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.headers.get("retry-after"), "10");
    EXPECT_EQ(ask("DELETE", "/api/v1/exports/" + ids.front(), "developer").status, 204);
    EXPECT_EQ(ask("DELETE", "/api/v1/exports/" + ids.front(), "developer").status, 409);
    EXPECT_EQ(ask("GET", "/api/v1/exports/" + ids.front(), "developer").at("/status"), "\"cancelled\"");
    EXPECT_EQ(ask("POST", "/api/v1/exports", "developer", "{}").status, 202);
}

}  // namespace
}  // namespace obs::serve::test
