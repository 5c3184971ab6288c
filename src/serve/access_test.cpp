// Who may ask what, and what every answer has: permissions, scopes, content, headers, refusals.
#include <condition_variable>
#include <future>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using namespace std::chrono_literals;
using obs::test::span;

struct AccessCase {
    std::string what, token, target;
    int status;
    std::string code;
};
class AccessMatrix : public testing::TestWithParam<AccessCase> {};

TEST_P(AccessMatrix, isKept) {
    TestApi api;
    const Answer answer = api.get(GetParam().target, GetParam().token);
    EXPECT_EQ(answer.status, GetParam().status) << answer.body;
    EXPECT_EQ(answer.at("/error/code"), GetParam().code.empty() ? "" : "\"" + GetParam().code + "\"");
}
INSTANTIATE_TEST_SUITE_P(
    Tokens, AccessMatrix,
    testing::Values(
        AccessCase{"admin_reads_traces", "admin", "/api/v1/traces", 200, ""},
        AccessCase{"developer_reads_traces", "developer", "/api/v1/traces", 200, ""},
        AccessCase{"viewer_reads_traces", "viewer", "/api/v1/traces", 200, ""},
        AccessCase{"billing_reads_no_traces", "billing", "/api/v1/traces", 403, "INSUFFICIENT_PERMISSIONS"},
        AccessCase{"billing_reads_no_trace", "billing", "/api/v1/traces/01", 403, "INSUFFICIENT_PERMISSIONS"},
        AccessCase{"billing_reads_no_logs", "billing", "/api/v1/logs?trace_id=1", 403,
                   "INSUFFICIENT_PERMISSIONS"},
        AccessCase{"billing_reads_unpriced_models", "billing", "/api/v1/models/unpriced", 200, ""},
        AccessCase{"viewer_reads_fields", "viewer", "/api/v1/fields", 200, ""},
        AccessCase{"an_expired_token", "old", "/api/v1/traces", 401, "EXPIRED_TOKEN"},
        AccessCase{"a_forged_token", "forged", "/api/v1/traces", 401, "INVALID_TOKEN"},
        AccessCase{"no_token_at_all", "", "/api/v1/traces", 401, "INVALID_TOKEN"},
        AccessCase{"a_token_without_projects", "homeless", "/api/v1/traces", 400, "PROJECT_REQUIRED"},
        AccessCase{"a_project_of_the_token", "viewer", "/api/v1/traces?project_id=main", 200, ""},
        AccessCase{"a_project_outside_the_token", "viewer", "/api/v1/traces?project_id=x", 403,
                   "PROJECT_ACCESS_DENIED"},
        AccessCase{"an_admin_has_all_projects", "admin", "/api/v1/traces?project_id=x", 200, ""},
        AccessCase{"health_needs_no_token", "forged", "/health", 200, ""},
        AccessCase{"an_unknown_path", "admin", "/api/v2/traces", 404, "RESOURCE_NOT_FOUND"},
        AccessCase{"a_trailing_slash", "admin", "/api/v1/traces/", 200, ""}),
    [](const auto& test) { return test.param.what; });

struct HeaderCase {
    std::string what;
    Fields headers;
    std::string code;
};
class Authorization : public testing::TestWithParam<HeaderCase> {};
TEST_P(Authorization, isRefusedWithItsReason) {
    TestApi api;
    const Answer answer = api.ask("GET", "/api/v1/traces", "", GetParam().headers);
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer.at("/error/code"), "\"" + GetParam().code + "\"");
    EXPECT_EQ(answer.headers.get("www-authenticate"), "Bearer");
}
INSTANTIATE_TEST_SUITE_P(
    Headers, Authorization,
    testing::Values(HeaderCase{"missing", {}, "MISSING_AUTHORIZATION"},
                    HeaderCase{"without_bearer", {{"authorization", "admin"}}, "INVALID_AUTHORIZATION"},
                    HeaderCase{
                        "another_scheme", {{"authorization", "Basic YWRtaW4="}}, "INVALID_AUTHORIZATION"},
                    HeaderCase{"an_ingest_key", {{"x-api-key", "llmo_sk_live_x"}}, "INVALID_API_KEY"}),
    [](const auto& test) { return test.param.what; });

TEST(Authorization, takesBearerInAnyCase) {
    TestApi api;
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", {{"authorization", "bearer  admin"}}).status, 200);
}

TEST(Scopes, showNothingOfOthers) {
    TestApi api;
    api.write({span("mine"), span("of_another_project").project("secret"),
               span("foreign").set("org_id", "umbrella")});
    EXPECT_EQ(api.get("/api/v1/traces?sort_by=span_name", "developer").names(), "mine");
    EXPECT_EQ(api.get("/api/v1/traces?sort_by=span_name", "admin").names(), "of_another_project mine");
    EXPECT_EQ(
        api.search(R"({"filters":{"field":"project_id","operator":"eq","value":"secret"}})", "developer")
            .names(),
        "");
}

TEST(Content, isShownOnlyToWhoMayReadIt) {
    TestApi api;
    api.write({span("s")
                   .input("secret prompt")
                   .output("secret answer")
                   .set("error_message", "secret fault")
                   .set("events", R"([{"name":"secret"}])")
                   .set("input_messages", R"([{"role":"secret"}])")});
    for (const std::string& target : std::vector<std::string>{
             "/api/v1/traces", "/api/v1/traces?fields=input_text,events",
             "/api/v1/traces/" + hex(obs::test::trace_bytes("s")) + "?include=children"}) {
        EXPECT_NE(api.get(target, "developer").body.find("secret"), std::string::npos) << target;
        const Answer hidden = api.get(target, "viewer");
        EXPECT_EQ(hidden.status, 200);
        EXPECT_EQ(hidden.body.find("secret"), std::string::npos) << hidden.body;
        EXPECT_EQ(hidden.at("/meta/content"), "\"hidden\"");
    }
}

TEST(Content, cannotBeGuessedByFilters) {
    TestApi api;
    for (const char* filter :
         {R"({"field":"input_text","operator":"starts_with","value":"s"})",
          R"({"field":"model","operator":"search","value":"secret"})",
          R"({"operator":"NOT","conditions":[{"field":"error_message","operator":"regex","value":"s"}]})"}) {
        const Answer answer = api.search(fmt::format(R"({{"filters":{}}})", filter), "viewer");
        EXPECT_EQ(answer.status, 403) << answer.body;
        EXPECT_EQ(answer.at("/error/code"), "\"RESOURCE_ACCESS_DENIED\"");
    }
    EXPECT_EQ(api.get("/api/v1/traces?search=secret", "viewer").status, 403);
}

TEST(Router, namesTheMethodsOfAPath) {
    TestApi api;
    const Answer answer = api.ask("DELETE", "/api/v1/traces", "", {});
    EXPECT_EQ(answer.status, 405);
    EXPECT_EQ(answer.headers.get("allow"), "GET");
    EXPECT_EQ(answer.at("/error/code"), "\"METHOD_NOT_ALLOWED\"");
    // `search` is also what a trace id could look like.
    EXPECT_EQ(api.ask("PUT", "/api/v1/traces/search", "", {}).headers.get("allow"), "POST, GET");
}

struct IdCase {
    std::string what, sent, expected;  // empty: one of ours
};
class RequestId : public testing::TestWithParam<IdCase> {};
TEST_P(RequestId, isEchoedWhenItIsSafe) {
    TestApi api;
    const Answer answer = api.ask("GET", "/alive", "", {{"x-request-id", GetParam().sent}});
    const std::string id(answer.headers.get("x-request-id"));
    if (GetParam().expected.empty())
        EXPECT_EQ(id.size(), 32U);
    else
        EXPECT_EQ(id, GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(Ids, RequestId,
                         testing::Values(IdCase{"plain", "req-1:a/b.c_d", "req-1:a/b.c_d"},
                                         IdCase{"none", "", ""},
                                         IdCase{"hostile", "a\r\nset-cookie: b\x01\"<", "aset-cookie:b"},
                                         IdCase{"only_hostile", "\"<>", ""},
                                         IdCase{"long", std::string(500, 'x'), std::string(128, 'x')}),
                         [](const auto& test) { return test.param.what; });

TEST(Answers, haveSecurityHeaders) {
    TestApi api;
    for (const char* target : {"/alive", "/nowhere", "/api/v1/traces"}) {
        const Answer answer = api.get(target);
        EXPECT_EQ(answer.headers.get("x-content-type-options"), "nosniff");
        EXPECT_EQ(answer.headers.get("x-frame-options"), "DENY");
        EXPECT_EQ(answer.headers.get("referrer-policy"), "strict-origin-when-cross-origin");
        EXPECT_EQ(answer.headers.get("content-security-policy"), "default-src 'self'");
        EXPECT_TRUE(answer.headers.get("cache-control").starts_with("private, "));
        EXPECT_EQ(answer.headers.get("content-type"), "application/json");
        EXPECT_EQ(answer.headers.get("strict-transport-security"), "") << "only under TLS";
        EXPECT_EQ(answer.headers.get("access-control-allow-origin"), "");
    }
    api.head.tls = true;
    EXPECT_NE(api.get("/alive").headers.get("strict-transport-security"), "");
}

struct HostCase {
    std::string what, host, origin;
    bool loopback;
    int status;
};
class Browser : public testing::TestWithParam<HostCase> {};
TEST_P(Browser, isKeptFromOtherNamesAndOrigins) {
    TestApi api({.cors_origins = {"http://page.example"}});
    api.head.listener_on_loopback = GetParam().loopback;
    Fields headers;
    if (!GetParam().host.empty()) headers.emplace_back("host", GetParam().host);
    if (!GetParam().origin.empty()) headers.emplace_back("origin", GetParam().origin);
    EXPECT_EQ(api.ask("GET", "/alive", "", headers).status, GetParam().status);
}
INSTANTIATE_TEST_SUITE_P(
    Hosts, Browser,
    testing::Values(HostCase{"localhost", "localhost:8080", "", true, 200},
                    HostCase{"ipv4", "127.0.0.1:8080", "", true, 200},
                    HostCase{"ipv6", "[::1]:8080", "", true, 200},
                    HostCase{"without_host", "", "", true, 200},
                    HostCase{"rebound_name", "evil.example:8080", "", true, 403},
                    HostCase{"name_that_begins_alike", "127.0.0.1.evil.example", "", true, 403},
                    HostCase{"name_that_ends_alike", "localhost.evil.example", "", true, 403},
                    HostCase{"any_name_off_loopback", "observatory.example", "", false, 200},
                    HostCase{"own_origin", "localhost:8080", "http://localhost:8080", true, 200},
                    HostCase{"another_port", "localhost:8080", "http://localhost:3000", true, 403},
                    HostCase{"another_origin", "localhost:8080", "http://evil.example", true, 403},
                    HostCase{"no_origin_to_speak_of", "localhost:8080", "null", true, 403},
                    HostCase{"an_allowed_origin", "localhost:8080", "http://page.example", true, 200}),
    [](const auto& test) { return test.param.what; });

TEST(Browser, isToldWhatAnAllowedOriginMayDo) {
    TestApi api({.cors_origins = {"http://page.example"}});
    const Answer answer =
        api.ask("OPTIONS", "/api/v1/traces/search", "", {{"origin", "http://page.example"}});
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.headers.get("access-control-allow-origin"), "http://page.example");
    EXPECT_EQ(answer.headers.get("access-control-allow-methods"), "POST, GET");
    EXPECT_NE(answer.headers.get("access-control-allow-headers").find("authorization"), std::string::npos);
}

TEST(Metrics, areOpenOnLoopbackOnly) {
    TestApi api;
    EXPECT_EQ(api.ask("GET", "/metrics", "", {}).status, 200);
    api.head.listener_on_loopback = false;
    EXPECT_EQ(api.ask("GET", "/metrics", "", {}).status, 401);
    EXPECT_EQ(api.get("/metrics", "viewer").status, 200);
}

TEST(Metrics, countRequestsByRouteAndNeverByPath) {
    TestApi api;
    api.get("/api/v1/traces/0123");
    api.get("/api/v1/traces?limit=0");
    api.get("/some/secret/path");
    api.ask("BREW", "/api/v1/traces", "", {});
    const std::string text = api.ask("GET", "/metrics", "", {}).body;
    for (const char* line :
         {R"(http_requests_total{method="GET",endpoint="/api/v1/traces/:trace_id",status="404"} 1)",
          R"(http_requests_total{method="GET",endpoint="/api/v1/traces",status="400"} 1)",
          R"(http_requests_total{method="GET",endpoint="unmatched",status="404"} 1)",
          R"(http_requests_total{method="other",endpoint="unmatched",status="405"} 1)",
          "# TYPE http_request_duration_seconds histogram",
          R"(http_request_duration_seconds_count{method="GET",endpoint="/api/v1/traces"} 1)",
          R"(db_queries_total{query="rows"} 1)"})
        EXPECT_NE(text.find(std::string(line) + "\n"), std::string::npos) << line << "\n" << text;
    EXPECT_EQ(text.find("secret"), std::string::npos);
}

TEST(Metrics, ofOtherPartsAreShown) {
    TestApi api;
    api.metrics.add([](MetricsText& out) {
        out.counter("collector_spans_dropped_total", "Spans refused.", {{"reason", "a \"b\"\\\n"}}, 3);
        out.gauge("free_bytes", "Room.", {}, 1.5);
    });
    const std::string text = api.ask("GET", "/metrics", "", {}).body;
    EXPECT_NE(text.find("# HELP collector_spans_dropped_total Spans refused.\n# TYPE "
                        "collector_spans_dropped_total counter\n"
                        "collector_spans_dropped_total{reason=\"a \\\"b\\\"\\\\\\n\"} 3\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("free_bytes 1.5\n"), std::string::npos);
}

TEST(Probes, tellHowItIs) {
    TestApi api;
    EXPECT_EQ(api.ask("GET", "/health", "", {}).at("/status"), "\"healthy\"");
    EXPECT_EQ(api.ask("GET", "/health", "", {}).at("/database"), "\"healthy\"");
    for (const char* target : {"/ready", "/health/ready", "/alive", "/health/live"})
        EXPECT_EQ(api.ask("GET", target, "", {}).status, 200) << target;
    api.ready = false;
    EXPECT_EQ(api.ask("GET", "/ready", "", {}).status, 503);
    EXPECT_EQ(api.ask("GET", "/alive", "", {}).status, 200);
}

TEST(FieldsRoute, tellsWhatCanBeAsked) {
    TestApi api;
    const Answer answer = api.get("/api/v1/fields");
    EXPECT_EQ(answer.at("/table"), "\"spans\"");
    EXPECT_NE(
        answer.body.find(
            R"({"name":"ts","type":"time","meaning":"start of the span","filterable":true,"sortable":true,)"
            R"("groupable":false,"content":false,"aliases":["timestamp"],)"
            R"("operators":["eq","ne","gt","gte","lt","lte","in","not_in"]})"),
        std::string::npos)
        << answer.body;
    EXPECT_EQ(api.get("/api/v1/fields?table=logs").at("/table"), "\"logs\"");
    EXPECT_EQ(api.get("/api/v1/fields?table=users").status, 400);
}

TEST(UnpricedModelsRoute, listsWhatNobodyKnewAPriceFor) {
    TestApi api;
    const auto call = [](std::string_view name, std::string_view model) {
        return span(name).provider("acme").model(model);
    };
    api.write({call("a", "acme-1").tokens(10, 2),
               call("b", "acme-1").at(1s).tokens(1, 2).set("client_cost", std::int64_t{5'000'000}),
               call("c", "acme-2").tokens(1, 1).set("price_rule", "a rule"), call("d", "acme-3"),
               call("e", "acme-1").tokens(1, 1).project("other"),
               call("wrapper", "acme-1").tokens(1, 1).set("kind", "agent")});
    EXPECT_EQ(api.get("/api/v1/models/unpriced", "developer").at("/models"),
              R"([{"project_id":"main","provider":"acme","model":"acme-1","span_count":2,)"
              R"("first_seen":"2026-01-09T12:00:00Z","last_seen":"2026-01-09T12:00:01Z",)"
              R"("tokens":15,"client_cost_usd":0.005}])");
    EXPECT_EQ(api.get("/api/v1/models/unpriced").at("/models/1/project_id"), "\"other\"");
    EXPECT_EQ(api.get("/api/v1/models/unpriced?from=now-1m").at("/models"), "[]");
    EXPECT_EQ(api.get("/api/v1/models/unpriced?limit=1&project_id=main").at("/models/1"), "");
}

// A store that answers when it is told to, or not at all.
class SlowStore : public SpanStore {
public:
    Result<void> migrate() override { return {}; }
    Result<void> write(const AnyBatch&, std::string_view) override { return {}; }
    Result<void> amend(const Amendments&) override { return {}; }
    Result<Rows> rows(const RowQuestion&, const Cancel&) override {
        std::unique_lock lock(mutex_);
        ++asked_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
        if (fault) return std::unexpected(*fault);
        return Rows{SpanBatch{}, {}};
    }
    Result<Table> groups(const GroupQuestion&, const Cancel&) override { return Table{}; }
    Result<void> stream(const RowQuestion&, const std::function<bool(AnyBatch)>&, const Cancel&) override {
        return {};
    }
    Result<void> forget(const Forget&) override { return {}; }
    StoreHealth health() override { return {.ok = false, .reason = "secret path"}; }

    void wait_until_asked() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return asked_ > 0; });
    }
    void answer() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    std::optional<Error> fault;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int asked_ = 0;
    bool open_ = false;
};

TEST(ApiService, refusesWhatItHasNoRoomFor) {
    SlowStore store;
    TestApi api({.threads = 1, .queue = 1}, &store);
    const auto ask = [&] {
        return std::async(std::launch::async, [&] { return api.get("/api/v1/traces"); });
    };
    auto first = ask();
    store.wait_until_asked();
    // The second fills the queue; the third finds it full. Which of both is refused is up to the machine.
    auto second = ask(), third = ask();
    while (second.wait_for(std::chrono::seconds(0)) != std::future_status::ready &&
           third.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
        std::this_thread::yield();
    store.answer();
    EXPECT_EQ(first.get().status, 200);
    const Answer a = second.get(), b = third.get();
    const Answer& refused = a.status == 200 ? b : a;
    EXPECT_EQ(std::min(a.status, b.status), 200);
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.headers.get("retry-after"), "1");
    EXPECT_EQ(refused.at("/error/code"), "\"SERVICE_UNAVAILABLE\"");
}

struct FaultCase {
    std::string what;
    ErrorKind kind;
    int status;
    std::string code;
};
class StoreFault : public testing::TestWithParam<FaultCase> {};
TEST_P(StoreFault, isToldWithoutItsText) {
    SlowStore store;
    store.fault = Error{GetParam().kind, "SELECT secret FROM disk", {}};
    store.answer();
    TestApi api({}, &store);
    const Answer answer = api.get("/api/v1/traces");
    EXPECT_EQ(answer.status, GetParam().status);
    EXPECT_EQ(answer.at("/error/code"), "\"" + GetParam().code + "\"");
    EXPECT_EQ(answer.body.find("secret"), std::string::npos) << answer.body;
}
INSTANTIATE_TEST_SUITE_P(
    Kinds, StoreFault,
    testing::Values(FaultCase{"unavailable", ErrorKind::unavailable, 503, "DATABASE_ERROR"},
                    FaultCase{"overloaded", ErrorKind::overloaded, 503, "SERVICE_UNAVAILABLE"},
                    FaultCase{"cancelled", ErrorKind::cancelled, 504, "REQUEST_TIMEOUT"},
                    FaultCase{"corrupt", ErrorKind::corrupt, 500, "INTERNAL_SERVER_ERROR"},
                    FaultCase{"invalid_input_is_our_mistake", ErrorKind::invalid_input, 500,
                              "INTERNAL_SERVER_ERROR"}),
    [](const auto& test) { return test.param.what; });

TEST(Probes, doNotTellWhatIsWrong) {
    SlowStore store;
    TestApi api({}, &store);
    const Answer answer = api.ask("GET", "/health", "", {});
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.at("/status"), "\"degraded\"");
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
    EXPECT_EQ(api.ask("GET", "/ready", "", {}).status, 503);
}

TEST(ApiService, hasAnAnswerForWhoWaitsTooLong) {
    TestApi api({.answer_within = std::chrono::seconds(30)});
    const net::Request request =
        request_of(api.head, "GET", "/api/v1/traces", "", {{"authorization", "Bearer admin"}});
    const auto proceed = std::get<net::Proceed>(api.service->admit(request.head));
    EXPECT_EQ(proceed.answer_within, std::chrono::seconds(30));
    EXPECT_EQ(proceed.body_limit, std::size_t{10} << 20);
    const net::Response late = proceed.late();
    EXPECT_EQ(late.status, 504);
    EXPECT_NE(late.body.find("REQUEST_TIMEOUT"), std::string::npos);
}

struct RefusalCase {
    std::string what;
    int status;
    std::string code;
};
class ServerRefusal : public testing::TestWithParam<RefusalCase> {};
TEST_P(ServerRefusal, hasTheShapeOfTheApi) {
    TestApi api;
    const net::Response response = api.service->refusal(api.head, GetParam().status, "because");
    EXPECT_EQ(response.status, GetParam().status);
    const Answer answer{response.status, response.body, response.headers};
    EXPECT_EQ(answer.at("/error/code"), "\"" + GetParam().code + "\"");
    EXPECT_EQ(answer.at("/error/message"), "\"because\"");
}
INSTANTIATE_TEST_SUITE_P(Statuses, ServerRefusal,
                         testing::Values(RefusalCase{"bad_coding", 400, "INVALID_REQUEST"},
                                         RefusalCase{"slow_body", 408, "OPERATION_TIMEOUT"},
                                         RefusalCase{"big_body", 413, "BODY_TOO_LARGE"},
                                         RefusalCase{"unknown_coding", 415, "UNSUPPORTED_ENCODING"},
                                         RefusalCase{"big_head", 431, "HEADERS_TOO_LARGE"},
                                         RefusalCase{"no_room", 503, "SERVICE_UNAVAILABLE"}),
                         [](const auto& test) { return test.param.what; });

}  // namespace
}  // namespace obs::serve::test
