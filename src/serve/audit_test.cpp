// Who asked for what is written down, and nothing waits for it.
#include "serve/audit_log.h"

#include <condition_variable>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

// Gathers what is handed on; may hold it back, as a journal does that is full.
class Sink {
public:
    AuditSink sink() {
        return [this](AuditBatch rows, std::function<void(bool)> done) {
            const std::lock_guard lock(mutex_);
            append_rows(rows_, rows);
            if (holding) {
                held_.push_back(std::move(done));
            } else {
                done(true);
            }
            changed_.notify_all();
        };
    }
    void wait_for(std::size_t rows) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return rows_.size() >= rows; });
    }
    std::string line(std::size_t row) {
        const std::lock_guard lock(mutex_);
        return fmt::format("{} {} {} {} {} {} {} {} {} {}", rows_.org_id[row], rows_.user_id[row],
                           rows_.role[row], rows_.action[row], rows_.resource_type[row],
                           rows_.resource_id[row], rows_.route[row], rows_.http_status[row],
                           rows_.success[row], rows_.error_code[row]);
    }
    std::size_t size() {
        const std::lock_guard lock(mutex_);
        return rows_.size();
    }
    bool holding = false;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    AuditBatch rows_;
    std::vector<std::function<void(bool)>> held_;
};

Authority::Recognised verify(std::string_view token, UnixNanos) {
    const auto role = role_from(token);
    if (!role) return std::unexpected(TokenRefusal{TokenFault::signature, "the token was not made here"});
    Principal principal{};
    principal.subject = "test";
    principal.org = "acme";
    principal.projects = {"main"};
    principal.role = *role;
    principal.permissions = permissions_of(*role);
    return std::make_shared<const Principal>(std::move(principal));
}

// One request, answered.
void ask(AuditSink sink, std::string_view method, std::string_view target, Fields headers) {
    MemoryStore store;
    ASSERT_TRUE(store.migrate());
    FakeLive live;
    Metrics metrics;
    ApiService service({.store = store,
                        .live = live,
                        .metrics = metrics,
                        .verify = verify,
                        .not_ready = [] { return std::nullopt; },
                        .audit = std::move(sink)},
                       {});
    net::Request request = request_of({}, method, target, "{}", std::move(headers));
    const auto admitted = service.admit(request.head);
    if (std::holds_alternative<net::Response>(admitted)) return;
    request.context = std::get<net::Proceed>(admitted).context;
    std::promise<void> answered;
    service.handle(std::move(request), [&](const net::Response&) { answered.set_value(); });
    answered.get_future().wait();
}

struct CallCase {
    std::string what, method, target, token;
    std::string expected;  // empty: no row
};
class Audited : public testing::TestWithParam<CallCase> {};
TEST_P(Audited, leavesARow) {
    Sink sink;
    Fields headers;
    if (!GetParam().token.empty()) headers.emplace_back("authorization", "Bearer " + GetParam().token);
    ask(sink.sink(), GetParam().method, GetParam().target, std::move(headers));
    ASSERT_EQ(sink.size(), GetParam().expected.empty() ? 0U : 1U);
    if (sink.size() == 1) {
        EXPECT_EQ(sink.line(0), GetParam().expected);
    }
}
INSTANTIATE_TEST_SUITE_P(
    Calls, Audited,
    testing::Values(CallCase{"a_list", "GET", "/api/v1/traces", "viewer",
                             "acme test viewer read traces  /api/v1/traces 200 1 "},
                    CallCase{"one_thing", "GET", "/api/v1/traces/ab", "admin",
                             "acme test admin read traces ab /api/v1/traces/:trace_id 404 0 TRACE_NOT_FOUND"},
                    CallCase{"a_search", "POST", "/api/v1/traces/search", "admin",
                             "acme test admin search traces  /api/v1/traces/search 200 1 "},
                    CallCase{"a_mistake", "GET", "/api/v1/traces?limit=0", "admin",
                             "acme test admin read traces  /api/v1/traces 400 0 LIMIT_EXCEEDED"},
                    CallCase{"denied", "GET", "/api/v1/audit", "viewer",
                             "acme test viewer read audit  /api/v1/audit 403 0 INSUFFICIENT_PERMISSIONS"},
                    CallCase{"nobody", "GET", "/api/v1/traces", "",
                             "default   read traces  /api/v1/traces 401 0 MISSING_AUTHORIZATION"},
                    CallCase{"a_wrong_token", "GET", "/api/v1/traces", "forged",
                             "default   read traces  /api/v1/traces 401 0 INVALID_TOKEN"},
                    CallCase{"a_probe", "GET", "/health", "", ""},
                    CallCase{"documentation", "GET", "/api/docs", "", ""},
                    CallCase{"nothing", "GET", "/nowhere", "", ""}),
    [](const auto& test) { return test.param.what; });

TEST(AuditLog, groupsRows) {
    Sink sink;
    AuditLog log(sink.sink(), {.group = 10, .gather = std::chrono::hours(1)});
    const net::RequestHead head{.method = "GET"};
    Principal principal{};
    principal.org = "acme";
    for (int i = 0; i < 10; ++i) log.note({.head = head, .route = nullptr, .principal = &principal});
    sink.wait_for(10);
}

TEST(AuditLog, isBoundedAndCountsWhatItDrops) {
    Sink sink;
    sink.holding = true;
    AuditLog log(sink.sink(), {.rows = 25, .group = 10, .gather = std::chrono::hours(1)});
    const net::RequestHead head{.method = "GET"};
    Principal principal{};
    principal.org = "acme";
    const auto note = [&](int rows) {
        for (int i = 0; i < rows; ++i) log.note({.head = head, .route = nullptr, .principal = &principal});
    };
    note(10);
    sink.wait_for(10);
    note(10);
    sink.wait_for(20);
    EXPECT_EQ(log.dropped(), 0U);
    note(100);
    EXPECT_EQ(log.dropped(), 95U) << "five of 25 had room; 20 are on their way";
    MetricsText text;
    log.write(text);
    EXPECT_NE(text.text().find("audit_records_total{outcome=\"dropped\"} 95\n"), std::string::npos);
}

}  // namespace
}  // namespace obs::serve::test
