#include "live/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "store/test_rows.h"

namespace obs::live {
namespace {

using namespace std::chrono_literals;
using obs::test::span;
using obs::test::TestRow;
using obs::test::where;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr UnixNanos now = obs::test::noon + Nanos::hours(1);

// What a client gets, as it is on the wire.
class Recorder final : public net::Outlet {
public:
    void send(net::Piece piece) override {
        if (slow) waits += piece->size();
        bytes += *piece;
        ++pieces;
    }
    std::size_t waiting() const override { return waits; }
    void end(net::Piece last, Unsent unsent) override {
        if (unsent == Unsent::drop) bytes.clear();
        if (last) bytes += *last;
        ended = true;
    }

    std::string bytes;
    int pieces = 0;
    bool slow = false, ended = false;
    std::size_t waits = 0;
};

struct Client {
    std::shared_ptr<Recorder> outlet = std::make_shared<Recorder>();
    Hub::Listener listener = 0;

    // The JSON of its messages; what was taken is gone.
    std::vector<std::string> messages() {
        std::vector<std::string> found;
        std::string_view left = outlet->bytes;
        constexpr std::string_view data = "\ndata: ";
        for (std::size_t at = left.find(data); at != std::string_view::npos; at = left.find(data)) {
            left.remove_prefix(at + data.size());
            found.emplace_back(left.substr(0, left.find('\n')));
        }
        outlet->bytes.clear();
        return found;
    }
    // The same in short: `trace_created a $0.002 1 span`.
    std::vector<std::string> told();
};

std::string text_at(const std::string& json, std::string_view pointer) {
    simdjson::dom::parser parser;
    simdjson::dom::element root, found;
    if (parser.parse(json).get(root) != simdjson::SUCCESS) return "not JSON";
    if (root.at_pointer(pointer).get(found) != simdjson::SUCCESS) return "";
    std::string_view text;
    return found.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(found);
}

std::vector<std::string> Client::told() {
    std::vector<std::string> found;
    for (const std::string& json : messages()) {
        std::string line = text_at(json, "/event_type") + " " + text_at(json, "/data/span_name");
        if (const std::string cost = text_at(json, "/data/cost_usd"); !cost.empty()) line += " $" + cost;
        line += " " + text_at(json, "/data/span_count");
        if (text_at(json, "/data/settled") == "true") line += " settled";
        found.push_back(line);
    }
    return found;
}

TestRow below_root(TestRow row) {
    return row.set("parent_span_id", obs::test::span_bytes("root"));
}

class HubTest : public testing::Test {
protected:
    Client join(EventSet events, Filter filter = {}, std::vector<std::string> projects = {},
                std::string org = "acme") {
        Client client;
        client.listener = hub_.join(Framing::event_stream, client.outlet);
        const auto subscribed = hub_.subscribe(client.listener, Scope(std::move(org), std::move(projects)),
                                               {{events, std::move(filter)}});
        EXPECT_TRUE(subscribed.has_value());
        return client;
    }
    void keep(std::vector<TestRow> rows) {
        for (TestRow& row : rows) {
            if (row.get("org_id") == nullptr) row.set("org_id", "acme");
            if (row.get("project_id") == nullptr) row.project("main");
            if (row.get("model") != nullptr) row.set("is_call", std::int64_t{1});
        }
        hub_.kept(std::get<SpanBatch>(obs::test::batch_of(rows)));
    }
    void settle(std::string_view trace, std::optional<std::vector<std::string>> calls = std::nullopt) {
        SettledTrace settled{"acme", "main", *TraceId::from_bytes(obs::test::trace_bytes(trace))};
        if (calls) settled.calls.emplace();
        for (const std::string& call : calls.value_or(std::vector<std::string>{}))
            settled.calls->push_back(*SpanId::from_bytes(obs::test::span_bytes(call)));
        hub_.settled({std::move(settled)});
    }
    void publish(LiveEventType type, std::string data, std::string project = "main",
                 std::string org = "acme") {
        hub_.publish({type, std::move(org), std::move(project), now, std::move(data)});
    }

    static constexpr EventSet created = EventSet(1U << index_of(LiveEventType::trace_created));
    static constexpr EventSet updated = EventSet(1U << index_of(LiveEventType::trace_updated));
    static constexpr EventSet traces{3U};
    static constexpr EventSet everything{63U};

    Hub hub_{[] {
        Hub::Options options;
        options.clock = [] { return now; };
        options.behind_bytes = 1000;
        options.queue_bytes = 100'000;
        options.filters = 3;
        return options;
    }()};
};

TEST_F(HubTest, wantsSpansOnlyWhileSomebodyListensToTraces) {
    EXPECT_FALSE(hub_.wanted());
    const Client of_costs = join(set_of(LiveEventType::cost_threshold));
    EXPECT_FALSE(hub_.wanted());
    const Client of_traces = join(created);
    EXPECT_TRUE(hub_.wanted());
    hub_.leave(of_traces.listener);
    EXPECT_FALSE(hub_.wanted());
}

TEST_F(HubTest, tellsOfATraceWhenItIsNewWhenItGrowsAndWhenItSettles) {
    Client client = join(traces);
    keep({below_root(span("first")).trace("a").model("gpt-4o").cost(2'000'000)});
    hub_.turn();
    EXPECT_THAT(client.told(), ElementsAre("trace_created first $0.002 1"));
    keep({span("root").trace("a"), below_root(span("second")).trace("a").model("gpt-4o").cost(1'000'000)});
    hub_.turn();
    EXPECT_THAT(client.told(), ElementsAre("trace_updated root $0.003 3"));
    hub_.turn();
    EXPECT_THAT(client.told(), IsEmpty());
    settle("a", std::vector<std::string>{"second"});
    hub_.turn();
    EXPECT_THAT(client.told(), ElementsAre("trace_updated root $0.001 3 settled"));
}

TEST_F(HubTest, tellsOnceOfWhatCameInOneTick) {
    Client client = join(traces);
    keep({span("one").trace("a")});
    keep({span("two").trace("a"), span("other").trace("b")});
    settle("b");
    hub_.turn();
    EXPECT_THAT(client.told(), ElementsAre("trace_created one 2", "trace_created other 1 settled"));
    EXPECT_EQ(client.outlet->pieces, 2);  // all events in one, and a heartbeat
}

TEST_F(HubTest, aSpanThatCameBeforeIsNoNews) {
    Client client = join(traces);
    keep({span("one").trace("a").cost(5)});
    hub_.turn();
    keep({span("one").trace("a").cost(5)});
    hub_.turn();
    EXPECT_THAT(client.told(), ElementsAre(HasSubstr("trace_created")));
}

TEST_F(HubTest, aTraceThatSettlesUnheardOfIsNoEvent) {
    Client client = join(traces);
    settle("unknown");
    hub_.turn();
    EXPECT_THAT(client.told(), IsEmpty());
}

TEST_F(HubTest, aTraceThatSettlesIsNewToNobody) {
    Client before = join(traces);
    keep({span("one").trace("a")});
    hub_.turn();
    Client after = join(traces, where("span_name", Operator::present));
    settle("a");
    hub_.turn();
    EXPECT_THAT(before.told(), ElementsAre("trace_created one 1", "trace_updated one 1 settled"));
    EXPECT_THAT(after.told(), IsEmpty());
}

TEST_F(HubTest, repeatsTheTraceAtTheTopOfTraceCreatedOnly) {
    Client client = join(traces);
    keep(
        {span("chat").trace("a").model("gpt-4o").provider("openai").user("u1").cost(2'000'000).took(1500ms)});
    hub_.turn();
    const std::string json = client.messages().at(0);
    for (const std::string_view at : {"", "/data"}) {
        EXPECT_EQ(text_at(json, fmt::format("{}/model", at)), "gpt-4o");
        EXPECT_EQ(text_at(json, fmt::format("{}/provider", at)), "openai");
        EXPECT_EQ(text_at(json, fmt::format("{}/user_id", at)), "u1");
        EXPECT_EQ(text_at(json, fmt::format("{}/cost_usd", at)), "0.002");
        EXPECT_EQ(text_at(json, fmt::format("{}/duration_ms", at)), "1500");
        EXPECT_EQ(text_at(json, fmt::format("{}/status_code", at)), "UNSET");
        EXPECT_EQ(text_at(json, fmt::format("{}/org_id", at)), "acme");
        EXPECT_EQ(text_at(json, fmt::format("{}/environment", at)), "");
    }
    EXPECT_EQ(text_at(json, "/type"), "event");
    EXPECT_EQ(text_at(json, "/timestamp"), "2026-01-09T13:00:00Z");
    EXPECT_EQ(text_at(json, "/data/timestamp"), "2026-01-09T12:00:00Z");
    settle("a");
    hub_.turn();
    EXPECT_EQ(text_at(client.messages().at(0), "/model"), "");
}

struct ScopeCase {
    std::string what, org;
    std::vector<std::string> projects;
    bool hears;
};
class Scopes : public HubTest, public testing::WithParamInterface<ScopeCase> {};
TEST_P(Scopes, decideWhatIsHeard) {
    Client client = join(everything, {}, GetParam().projects, GetParam().org);
    keep({span("secret")});
    publish(LiveEventType::cost_threshold, R"({"threshold_value":1})");
    hub_.turn();
    EXPECT_EQ(client.messages().size(), GetParam().hears ? 2U : 0U);
}
INSTANTIATE_TEST_SUITE_P(
    All, Scopes,
    testing::Values(ScopeCase{"the_whole_organisation", "acme", {}, true},
                    ScopeCase{"the_project", "acme", {"other", "main"}, true},
                    ScopeCase{"another_project", "acme", {"other"}, false},
                    ScopeCase{"another_organisation", "umbrella", {}, false},
                    ScopeCase{"the_same_project_of_another_organisation", "umbrella", {"main"}, false}),
    [](const auto& test) { return test.param.what; });

TEST_F(HubTest, whatConcernsTheOrganisationIsHeardInEachOfItsProjects) {
    Client mine = join(everything, {}, {"main"}), foreign = join(everything, {}, {"main"}, "umbrella");
    publish(LiveEventType::system_alert, R"({"severity":"warning","message":"disk"})", "");
    hub_.turn();
    EXPECT_EQ(mine.messages().size(), 1U);
    EXPECT_EQ(foreign.messages().size(), 0U);
}

struct FilterCase {
    std::string what;
    Filter filter;
    std::vector<std::string> heard;
};
class Filters : public HubTest, public testing::WithParamInterface<FilterCase> {};
TEST_P(Filters, letThroughTracesThatHoldThem) {
    Client client = join(created, GetParam().filter);
    keep({span("chat").trace("a").model("gpt-4o").user("u1").cost(400).attribute("tier", "gold"),
          span("more").trace("a").model("o3").cost(400), span("cheap").trace("b").model("gpt-4o").cost(1)});
    hub_.turn();
    std::vector<std::string> heard;
    for (const std::string& json : client.messages()) heard.push_back(text_at(json, "/data/span_name"));
    EXPECT_EQ(heard, GetParam().heard);
}
INSTANTIATE_TEST_SUITE_P(
    All, Filters,
    testing::Values(FilterCase{"none", {}, {"chat", "cheap"}},
                    FilterCase{"of_any_span", where("model", Operator::eq, {"o3"}), {"chat"}},
                    FilterCase{"of_the_cost_of_the_whole",
                               where("total_cost", Operator::gte, {std::int64_t{800}}),
                               {"chat"}},
                    FilterCase{"of_nothing_that_came", where("model", Operator::eq, {"claude"}), {}},
                    FilterCase{"of_an_attribute", where("attributes.tier", Operator::eq, {"gold"}), {"chat"}},
                    FilterCase{"of_a_missing_field", where("user_id", Operator::eq, {"u2"}), {}},
                    FilterCase{"of_several_together",
                               obs::test::all_of({where("model", Operator::eq, {"gpt-4o"}),
                                                  where("user_id", Operator::eq, {"u1"})}),
                               {"chat"}}),
    [](const auto& test) { return test.param.what; });

TEST_F(HubTest, aFilterThatLetATraceThroughLetsThroughWhatFollows) {
    Client client = join(traces, where("model", Operator::eq, {"o3"}));
    keep({span("one").trace("a")});
    hub_.turn();
    EXPECT_THAT(client.told(), IsEmpty());
    keep({span("two").trace("a").model("o3")});
    hub_.turn();
    EXPECT_THAT(client.told(), ElementsAre("trace_created one 2"));
    keep({span("three").trace("a")});
    hub_.turn();
    EXPECT_THAT(client.told(), ElementsAre("trace_updated one 3"));
}

struct EventCase {
    std::string what, data;
    Filter filter;
    bool heard;
};
class Published : public HubTest, public testing::WithParamInterface<EventCase> {};
TEST_P(Published, goToWhomTheyConcern) {
    Client client = join(set_of(LiveEventType::cost_threshold), GetParam().filter);
    publish(LiveEventType::cost_threshold, GetParam().data);
    publish(LiveEventType::export_job_status, R"({"job_id":"j"})");
    hub_.turn();
    const std::vector<std::string> messages = client.messages();
    ASSERT_EQ(messages.size(), GetParam().heard ? 1U : 0U);
    for (const std::string& json : messages) EXPECT_EQ(text_at(json, "/data"), GetParam().data);
}
INSTANTIATE_TEST_SUITE_P(All, Published,
                         testing::Values(EventCase{"without_a_filter", R"({"current_value":2})", {}, true},
                                         EventCase{"with_the_field", R"({"provider":"openai"})",
                                                   where("provider", Operator::eq, {"openai"}), true},
                                         EventCase{"with_another_value", R"({"provider":"x"})",
                                                   where("provider", Operator::eq, {"openai"}), false},
                                         EventCase{"without_the_field", R"({"model":"x"})",
                                                   where("provider", Operator::eq, {"openai"}), false},
                                         EventCase{"with_a_cost", R"({"cost_usd":0.5})",
                                                   where("total_cost", Operator::gte, {std::int64_t{1}}),
                                                   true}),
                         [](const auto& test) { return test.param.what; });

TEST_F(HubTest, listenersAlikeShareTheirBytes) {
    class Keeper final : public net::Outlet {
    public:
        void send(net::Piece piece) override { last = std::move(piece); }
        std::size_t waiting() const override { return 0; }
        void end(net::Piece, Unsent) override {}
        net::Piece last;
    };
    std::array<std::shared_ptr<Keeper>, 2> keepers;
    for (auto& keeper : keepers) {
        keeper = std::make_shared<Keeper>();
        const auto listener = hub_.join(Framing::websocket, keeper);
        ASSERT_TRUE(
            hub_.subscribe(listener, Scope("acme", {}), {{created, where("span_name", Operator::present)}}));
    }
    EXPECT_EQ(hub_.stats().audiences, 1U);
    EXPECT_EQ(hub_.stats().filters, 1U);
    keep({span("one")});
    hub_.turn();
    EXPECT_NE(keepers[0]->last, nullptr);
    EXPECT_EQ(keepers[0]->last, keepers[1]->last);
}

TEST_F(HubTest, aNewSubscriptionReplacesTheOldOne) {
    Client client = join(created);
    ASSERT_TRUE(hub_.subscribe(client.listener, Scope("acme", {}), {{set_of(LiveEventType::system_alert)}}));
    keep({span("one")});
    publish(LiveEventType::system_alert, "{}");
    hub_.turn();
    EXPECT_EQ(client.messages().size(), 1U);
    EXPECT_EQ(hub_.stats().audiences, 1U);
    ASSERT_TRUE(hub_.subscribe(client.listener, Scope("acme", {}), {}));
    EXPECT_EQ(hub_.stats().audiences, 0U);
}

TEST_F(HubTest, refusesMoreFiltersThanItMayHaveAndForgetsThoseThatAreGone) {
    std::vector<Client> clients;
    for (const char* model : {"a", "b", "c"})
        clients.push_back(join(created, where("model", Operator::eq, {model})));
    const auto refused = hub_.subscribe(clients[0].listener, Scope("acme", {}),
                                        {{created, where("model", Operator::eq, {"d"})}});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, ErrorKind::overloaded);
    keep({span("one").model("a")});
    hub_.turn();
    EXPECT_EQ(clients[0].messages().size(), 1U) << "nothing changed";
    hub_.leave(clients[2].listener);
    EXPECT_TRUE(hub_.subscribe(clients[0].listener, Scope("acme", {}),
                               {{created, where("model", Operator::eq, {"d"})}}));
}

TEST_F(HubTest, refusesAFilterThatDoesNotFit) {
    Client client = join(created);
    const auto refused = hub_.subscribe(client.listener, Scope("acme", {}),
                                        {{created, where("model", Operator::regex, {"("})}});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid_input);
}

TEST_F(HubTest, cutsOffWhoReadsTooSlowlyAndNobodyElse) {
    Client slow = join(created), quick = join(created);
    slow.outlet->slow = true;
    for (int n = 0; n < 20; ++n) {
        keep({span(fmt::format("s{}", n))});
        hub_.turn();
    }
    EXPECT_TRUE(slow.outlet->ended);
    EXPECT_THAT(slow.outlet->bytes,
                HasSubstr("event: error\ndata: {\"type\":\"error\",\"code\":\"LIMIT_EXCEEDED\""));
    EXPECT_FALSE(quick.outlet->ended);
    EXPECT_EQ(quick.messages().size(), 20U);
    EXPECT_EQ(hub_.stats().cut_off, 1U);
    EXPECT_EQ(hub_.stats().listeners, 1U);
    hub_.leave(slow.listener);
}

TEST_F(HubTest, dropsAndCountsWhatItsQueueCannotHold) {
    Client client = join(everything);
    for (int n = 0; n < 4; ++n) keep({span("big").input(std::string(40'000, 'x'))});
    publish(LiveEventType::system_alert, fmt::format(R"({{"message":"{}"}})", std::string(90'000, 'x')));
    EXPECT_EQ(hub_.stats().dropped_spans, 2U);
    EXPECT_EQ(hub_.stats().dropped_events, 1U);
    hub_.turn();
    EXPECT_EQ(client.messages().size(), 1U);
    EXPECT_EQ(hub_.stats().queued_bytes, 0U);
}

TEST_F(HubTest, forgetsTracesWhenNobodyListens) {
    Client client = join(traces);
    keep({span("one").trace("a")});
    hub_.turn();
    EXPECT_EQ(hub_.stats().traces, 1U);
    hub_.leave(client.listener);
    hub_.turn();
    EXPECT_EQ(hub_.stats().traces, 0U);
}

TEST_F(HubTest, endsEveryAnswerWhenItStops) {
    Client client = join(created);
    hub_.stop();
    EXPECT_TRUE(client.outlet->ended);
    EXPECT_FALSE(hub_.wanted());
}

TEST_F(HubTest, deliversFromItsThread) {
    Client client = join(created);
    hub_.start();
    keep({span("one")});
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (hub_.stats().delivered == 0 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    hub_.stop();
    EXPECT_THAT(client.told(), ElementsAre("trace_created one 1"));
}

// --- between instances
// ---------------------------------------------------------------------------------------------------

class Line final : public Relay {
public:
    bool wanted() const override { return open; }
    void send(std::string message) override { messages.push_back(std::move(message)); }
    bool open = true;
    std::vector<std::string> messages;
};

TEST_F(HubTest, tellsOtherInstancesAndNotWhatTheyTold) {
    Line line;
    hub_.connect(line);
    EXPECT_TRUE(hub_.wanted());
    Hub other{Hub::Options{}};
    Client client;
    client.listener = other.join(Framing::event_stream, client.outlet);
    ASSERT_TRUE(other.subscribe(client.listener, Scope("acme", {}),
                                {{everything, where("attributes.tier", Operator::ne, {"x"})}}));
    Line back;
    other.connect(back);
    keep({span("one").trace("a").attribute("tier", "gold")});
    settle("a", std::vector<std::string>{});
    publish(LiveEventType::system_alert, R"({"message":"m"})");
    hub_.turn();
    EXPECT_EQ(line.messages.size(), 3U);
    for (const std::string& message : line.messages) other.receive(message);
    other.turn();
    EXPECT_THAT(client.told(), ElementsAre("system_alert  ", "trace_created one 1 settled"));
    EXPECT_THAT(back.messages, IsEmpty());
    line.open = false;
    EXPECT_FALSE(hub_.wanted());
}

TEST_F(HubTest, countsMessagesOfOthersThatMakeNoSense) {
    for (const std::string_view bad : {"", "x", "L1", "L1?", "L1s", "L1sgarbage", "L1t\xff", "L1e12345678"})
        hub_.receive(bad);
    EXPECT_EQ(hub_.stats().unreadable, 8U);
}

}  // namespace
}  // namespace obs::live
