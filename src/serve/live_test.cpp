// The live events as clients see them: who may listen, what they may say, and when it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/live_sessions.h"
#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using obs::test::span;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr UnixNanos now = obs::test::noon;

class Recorder final : public net::Outlet {
public:
    void send(net::Piece piece) override { bytes += *piece; }
    std::size_t waiting() const override { return 0; }
    void end(net::Piece last, Unsent) override {
        if (last) bytes += *last;
        ended = true;
    }
    std::string bytes;
    bool ended = false;
};

Principal principal_of(Role role) {
    Principal principal;
    principal.subject = std::string(name_of(role));
    principal.org = "acme";
    principal.projects = {"main"};
    principal.role = role;
    principal.permissions = permissions_of(role);
    return principal;
}

class LiveTest : public testing::Test {
protected:
    LiveSessions::Caller caller(Role role, std::string project = {}) {
        known_[std::string(name_of(role))] = std::make_shared<const Principal>(principal_of(role));
        return {std::string(name_of(role)), std::move(project), known_.at(std::string(name_of(role)))};
    }
    std::shared_ptr<Recorder> open(const ApiResult<std::shared_ptr<net::Session>>& session) {
        EXPECT_TRUE(session.has_value()) << session.error().message;
        auto outlet = std::make_shared<Recorder>();
        (*session)->opened(outlet);
        return outlet;
    }
    void keep(std::string_view name, std::string_view project = "main") {
        std::vector<TestRow> rows{span(name).set("org_id", "acme").project(project).model("gpt-4o")};
        hub_.kept(std::get<SpanBatch>(obs::test::batch_of(rows)));
        hub_.turn();
    }

    std::map<std::string, std::shared_ptr<const Principal>> known_;
    live::Hub hub_{live::Hub::Options{}};
    LiveLimits limits_{.connections = 3, .connections_per_user = 2, .recheck = std::chrono::hours(1)};
    LiveSessions sessions_{
        hub_,
        [this](std::string_view credential, UnixNanos) -> Authority::Recognised {
            const auto found = known_.find(std::string(credential));
            if (found == known_.end())
                return std::unexpected(TokenRefusal{TokenFault::expired, "it has expired"});
            return found->second;
        },
        [] { return now; }, limits_};
};

TEST_F(LiveTest, aSocketHearsOfNewTracesAtOnceAndIsNotGreeted) {
    const auto session = sessions_.socket(caller(Role::viewer));
    const auto outlet = open(session);
    EXPECT_EQ(outlet->bytes, "");
    keep("one");
    EXPECT_THAT(outlet->bytes, HasSubstr("\"event_type\":\"trace_created\""));
    keep("elsewhere", "secret");
    EXPECT_THAT(outlet->bytes, testing::Not(HasSubstr("elsewhere")));
    (*session)->closed();
    EXPECT_EQ(hub_.stats().listeners, 0U);
}

struct SaidCase {
    std::string what;
    Role role;
    std::string said, answer;
};
class Said : public LiveTest, public testing::WithParamInterface<SaidCase> {};
TEST_P(Said, isAnswered) {
    const auto session = sessions_.socket(caller(GetParam().role));
    const auto outlet = open(session);
    (*session)->received(GetParam().said);
    EXPECT_THAT(outlet->bytes, HasSubstr(GetParam().answer));
    EXPECT_FALSE(outlet->ended) << "an error leaves the connection open";
    (*session)->closed();
}
INSTANTIATE_TEST_SUITE_P(
    Messages, Said,
    testing::Values(
        SaidCase{"ping", Role::viewer, R"({"type":"ping"})", R"({"type":"pong"})"},
        SaidCase{"subscribe", Role::viewer,
                 R"({"type":"subscribe","events":["trace_updated","trace_created"]})",
                 R"({"type":"subscribed","events":["trace_created","trace_updated"],"subscription_id":"1"})"},
        SaidCase{"unsubscribe", Role::viewer, R"({"type":"unsubscribe","events":["trace_created"]})",
                 R"({"type":"unsubscribed","events":["trace_created"]})"},
        SaidCase{
            "flat_filters", Role::viewer,
            R"({"type":"subscribe","events":["trace_created"],"filters":{"model":["a","b"],"provider":"x","min_cost":0.5,"min_duration_ms":10,"environment":null}})",
            "subscribed"},
        SaidCase{
            "a_tree_in_filters", Role::viewer,
            R"({"type":"subscribe","events":["trace_created"],"filters":{"operator":"AND","conditions":[{"field":"model","operator":"eq","value":"a"}]}})",
            "subscribed"},
        SaidCase{
            "a_tree_in_filter", Role::viewer,
            R"({"type":"subscribe","events":["trace_created"],"filter":{"field":"model","operator":"eq","value":"a"}})",
            "subscribed"},
        SaidCase{"no_json", Role::viewer, "hello", "INVALID_REQUEST"},
        SaidCase{"no_object", Role::viewer, "[1]", "INVALID_REQUEST"},
        SaidCase{"no_type", Role::viewer, "{}", "MISSING_REQUIRED_FIELD"},
        SaidCase{"an_unknown_type", Role::viewer, R"({"type":"dance"})", "INVALID_FIELD_VALUE"},
        SaidCase{"no_events", Role::viewer, R"({"type":"subscribe"})", "MISSING_REQUIRED_FIELD"},
        SaidCase{"no_event", Role::viewer, R"({"type":"subscribe","events":[]})", "MISSING_REQUIRED_FIELD"},
        SaidCase{"an_unknown_event", Role::viewer, R"({"type":"subscribe","events":["x"]})",
                 "INVALID_FIELD_VALUE"},
        SaidCase{"events_that_are_no_texts", Role::viewer, R"({"type":"subscribe","events":[1]})",
                 "INVALID_FIELD_FORMAT"},
        SaidCase{"an_unknown_filter", Role::viewer,
                 R"({"type":"subscribe","events":["trace_created"],"filters":{"color":"red"}})",
                 "INVALID_FIELD_VALUE"},
        SaidCase{"a_filter_of_a_wrong_type", Role::viewer,
                 R"({"type":"subscribe","events":["trace_created"],"filters":{"min_cost":"much"}})",
                 "INVALID_FIELD_FORMAT"},
        SaidCase{
            "an_unknown_field", Role::viewer,
            R"({"type":"subscribe","events":["trace_created"],"filter":{"field":"x","operator":"eq","value":1}})",
            "error"},
        SaidCase{"an_event_without_permission", Role::billing,
                 R"({"type":"subscribe","events":["trace_created"]})", "INSUFFICIENT_PERMISSIONS"},
        SaidCase{"an_event_with_permission", Role::billing,
                 R"({"type":"subscribe","events":["cost_threshold"]})", "subscribed"},
        SaidCase{
            "a_filter_on_content_without_permission", Role::viewer,
            R"({"type":"subscribe","events":["trace_created"],"filter":{"field":"input_text","operator":"contains","value":"a"}})",
            "RESOURCE_ACCESS_DENIED"},
        SaidCase{
            "a_filter_on_content_with_permission", Role::developer,
            R"({"type":"subscribe","events":["trace_created"],"filter":{"field":"input_text","operator":"contains","value":"a"}})",
            "subscribed"}),
    [](const auto& test) { return test.param.what; });

TEST_F(LiveTest, theFirstSubscriptionReplacesTheAutomaticOneAndLaterOnesAddToIt) {
    const auto session = sessions_.socket(caller(Role::viewer));
    const auto outlet = open(session);
    const auto heard = [&](std::string_view name) {
        outlet->bytes.clear();
        keep(name);
        return outlet->bytes.contains("trace_created");
    };
    (*session)->received(R"({"type":"subscribe","events":["trace_updated"]})");
    EXPECT_FALSE(heard("one"));
    (*session)->received(R"({"type":"subscribe","events":["trace_created"],"filters":{"model":"o3"}})");
    EXPECT_FALSE(heard("two"));
    (*session)->received(R"({"type":"subscribe","events":["trace_created"]})");
    EXPECT_TRUE(heard("three")) << "an event belongs to the subscription that named it last";
    (*session)->received(R"({"type":"unsubscribe","events":["trace_created"]})");
    EXPECT_FALSE(heard("four"));
    (*session)->closed();
}

TEST_F(LiveTest, endsWhenTheCredentialIsNoLongerGood) {
    const auto session = sessions_.socket(caller(Role::viewer));
    const auto outlet = open(session);
    sessions_.recheck();
    EXPECT_FALSE(outlet->ended);
    known_.clear();
    sessions_.recheck();
    EXPECT_TRUE(outlet->ended);
    EXPECT_THAT(outlet->bytes, HasSubstr("EXPIRED_TOKEN"));
    EXPECT_THAT(outlet->bytes, HasSubstr("\x11\x31"));  // 4401
    EXPECT_EQ(hub_.stats().listeners, 0U);
    (*session)->closed();
}

TEST_F(LiveTest, losesWhatItMayNoLongerHear) {
    const auto session = sessions_.socket(caller(Role::viewer));
    const auto outlet = open(session);
    (*session)->received(R"({"type":"subscribe","events":["trace_created","cost_threshold"]})");
    Principal less = principal_of(Role::viewer);
    less.permissions = {"read:costs"};
    known_["viewer"] = std::make_shared<const Principal>(less);
    sessions_.recheck();
    outlet->bytes.clear();
    hub_.publish({LiveEventType::cost_threshold, "acme", "main", now, "{}"});
    keep("one");
    EXPECT_THAT(outlet->bytes, HasSubstr("cost_threshold"));
    EXPECT_THAT(outlet->bytes, testing::Not(HasSubstr("trace_created")));
    less.permissions = {};
    known_["viewer"] = std::make_shared<const Principal>(less);
    sessions_.recheck();
    EXPECT_TRUE(outlet->ended);
    EXPECT_THAT(outlet->bytes, HasSubstr("INSUFFICIENT_PERMISSIONS"));
    (*session)->closed();
}

TEST_F(LiveTest, losesAProjectThatIsTakenAway) {
    const auto session = sessions_.socket(caller(Role::viewer));
    const auto outlet = open(session);
    Principal moved = principal_of(Role::viewer);
    moved.projects = {"other"};
    known_["viewer"] = std::make_shared<const Principal>(moved);
    sessions_.recheck();
    keep("one");
    EXPECT_EQ(outlet->bytes, "");
    keep("two", "other");
    EXPECT_THAT(outlet->bytes, HasSubstr("trace_created"));
    (*session)->closed();
}

TEST_F(LiveTest, hasLimitsPerUserAndInAll) {
    std::vector<ApiResult<std::shared_ptr<net::Session>>> held;
    held.push_back(sessions_.socket(caller(Role::viewer)));
    held.push_back(sessions_.socket(caller(Role::viewer)));
    const auto third = sessions_.socket(caller(Role::viewer));
    ASSERT_FALSE(third.has_value());
    EXPECT_EQ(third.error().code, ErrorCode::too_many_requests);
    held.push_back(sessions_.socket(caller(Role::developer)));
    EXPECT_FALSE(sessions_.socket(caller(Role::admin)).has_value());
    held.clear();
    EXPECT_TRUE(sessions_.socket(caller(Role::viewer)).has_value()) << "who never came takes no place";
}

TEST_F(LiveTest, aStreamIsRefusedWhatItMayNotHear) {
    LiveSubscribe wanted{live::set_of(LiveEventType::trace_created)};
    const auto refused = sessions_.stream(caller(Role::billing), wanted);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::insufficient_permissions);
    const auto foreign = sessions_.stream(caller(Role::viewer, "secret"), wanted);
    ASSERT_FALSE(foreign.has_value());
    EXPECT_EQ(foreign.error().code, ErrorCode::project_access_denied);
    const auto session = sessions_.stream(caller(Role::viewer), wanted);
    const auto outlet = open(session);
    keep("one");
    EXPECT_THAT(outlet->bytes, HasSubstr("event: trace_created\ndata: {\"type\":\"event\""));
    (*session)->closed();
}

// --- routes
// -------------------------------------------------------------------------------------------------------------

const Fields upgrade{{"connection", "Upgrade"},
                     {"upgrade", "websocket"},
                     {"sec-websocket-version", "13"},
                     {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};

Fields with(Fields fields, std::string name, std::string value) {
    fields.emplace_back(std::move(name), std::move(value));
    return fields;
}

struct RouteCase {
    std::string what, target;
    Fields headers;
    int status;
};
class LiveRoutes : public testing::TestWithParam<RouteCase> {};
TEST_P(LiveRoutes, answer) {
    TestApi api;
    const Answer answer = api.ask("GET", GetParam().target, "", GetParam().headers);
    EXPECT_EQ(answer.status, GetParam().status) << answer.body;
    EXPECT_EQ(answer.headers.get("sec-websocket-protocol"),
              GetParam().what == "sub_protocol" ? "bearer" : "");
}
INSTANTIATE_TEST_SUITE_P(
    All, LiveRoutes,
    testing::Values(
        RouteCase{"token_in_the_address", "/ws?token=viewer", upgrade, 101},
        RouteCase{"alias", "/api/v1/stream?token=viewer", upgrade, 101},
        RouteCase{"header", "/ws", with(upgrade, "authorization", "Bearer viewer"), 101},
        RouteCase{"sub_protocol", "/ws", with(upgrade, "sec-websocket-protocol", "bearer, viewer"), 101},
        RouteCase{"no_token", "/ws", upgrade, 401},
        RouteCase{"a_bad_token", "/ws?token=forged", upgrade, 401},
        RouteCase{"an_expired_token", "/ws?token=old", upgrade, 401},
        RouteCase{"a_bad_sub_protocol", "/ws", with(upgrade, "sec-websocket-protocol", "bearer, forged"),
                  401},
        RouteCase{"no_upgrade", "/ws?token=viewer", {}, 426},
        RouteCase{"no_project", "/ws?token=homeless", upgrade, 400},
        RouteCase{"a_foreign_project", "/ws?token=viewer&project_id=x", upgrade, 403},
        RouteCase{"a_foreign_origin", "/ws?token=viewer", with(upgrade, "origin", "https://evil.example"),
                  403},
        RouteCase{"a_foreign_host", "/ws?token=viewer", with(upgrade, "host", "evil.example"), 403},
        RouteCase{"other_routes_take_no_token_in_the_address", "/api/v1/traces?token=viewer", {}, 401},
        RouteCase{"stream", "/api/v1/events?token=viewer", {}, 200},
        RouteCase{"stream_of_costs", "/api/v1/events?token=billing&events=cost_threshold", {}, 200},
        RouteCase{"stream_without_permission", "/api/v1/events?token=billing&events=trace_created", {}, 403},
        RouteCase{"stream_of_nothing", "/api/v1/events?token=billing", {}, 200},
        RouteCase{"stream_of_nothing_known", "/api/v1/events?token=viewer&events=x", {}, 400},
        RouteCase{"stream_with_filters", "/api/v1/events?token=viewer&model=a,b&min_cost=0.5", {}, 200},
        RouteCase{
            "stream_with_a_tree",
            "/api/v1/events?token=viewer&filter=%7B%22field%22%3A%22model%22%2C%22operator%22%3A%22eq%22%2C"
            "%22value%22%3A%22a%22%7D",
            {},
            200},
        RouteCase{"stream_with_a_broken_tree", "/api/v1/events?token=viewer&filter=%7B", {}, 400}),
    [](const auto& test) { return test.param.what; });

}  // namespace
}  // namespace obs::serve::test
