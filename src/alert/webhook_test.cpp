#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "alert/webhooks.h"
#include "catalog/scratch.h"

namespace obs::alert {
namespace {

constexpr UnixNanos now{1'800'000'000'000'000'000};

struct TargetCase {
    std::string what, url;
    bool taken;
};
class WebhookTargets : public testing::TestWithParam<TargetCase> {};
TEST_P(WebhookTargets, arePublicHosts) {
    EXPECT_EQ(check_target(GetParam().url, Targets::public_only).has_value(), GetParam().taken);
}
INSTANTIATE_TEST_SUITE_P(
    Addresses, WebhookTargets,
    testing::Values(TargetCase{"a_name", "https://hooks.example.org/a?b=c", true},
                    TargetCase{"plain_http", "http://hooks.example.org:8080/", true},
                    TargetCase{"a_public_address", "https://93.184.216.34/", true},
                    TargetCase{"a_public_address_6", "https://[2606:2800:220:1::1]/", true},
                    TargetCase{"loopback", "http://127.0.0.1:9000/", false},
                    TargetCase{"loopback_elsewhere", "http://127.9.9.9/", false},
                    TargetCase{"loopback_as_a_number", "http://2130706433/", false},
                    TargetCase{"loopback_in_hex", "http://0x7f000001/", false},
                    TargetCase{"loopback_in_short", "http://127.1/", false},
                    TargetCase{"loopback_6", "http://[::1]/", false},
                    TargetCase{"loopback_mapped", "http://[::ffff:127.0.0.1]/", false},
                    TargetCase{"loopback_translated", "http://[64:ff9b::7f00:1]/", false},
                    TargetCase{"loopback_in_6to4", "http://[2002:7f00:1::]/", false},
                    TargetCase{"localhost", "http://localhost/", false},
                    TargetCase{"localhost_in_capitals", "http://LOCALHOST/", false},
                    TargetCase{"localhost_with_a_dot", "http://localhost./", false},
                    TargetCase{"nowhere", "http://0.0.0.0/", false},
                    TargetCase{"private_10", "http://10.1.2.3/", false},
                    TargetCase{"private_172", "http://172.31.0.1/", false},
                    TargetCase{"private_192", "http://192.168.0.1/", false},
                    TargetCase{"carrier", "http://100.64.0.1/", false},
                    TargetCase{"metadata", "http://169.254.169.254/latest", false},
                    TargetCase{"multicast", "http://224.0.0.1/", false},
                    TargetCase{"link_local_6", "http://[fe80::1]/", false},
                    TargetCase{"private_6", "http://[fd00::1]/", false},
                    TargetCase{"a_file", "file:///etc/passwd", false},
                    TargetCase{"another_scheme", "gopher://hooks.example.org/", false},
                    TargetCase{"no_scheme", "hooks.example.org", false},
                    TargetCase{"a_password", "https://a:b@hooks.example.org/", false},
                    TargetCase{"no_host", "https://", false}, TargetCase{"nothing", "", false},
                    TargetCase{"a_header", "https://hooks.example.org/\r\nx: y", false},
                    TargetCase{"too_long", "https://hooks.example.org/" + std::string(3000, 'x'), false}),
    [](const auto& test) { return test.param.what; });

TEST(WebhookTargets, mayBePrivateWhereThatIsSet) {
    EXPECT_TRUE(check_target("http://127.0.0.1:9000/x", Targets::all));
    EXPECT_FALSE(check_target("file:///etc/passwd", Targets::all));
}

TEST(HttpPost, doesNotConnectWhereItMayNot) {
    for (const char* url : {"http://localhost:9/", "http://127.0.0.1:9/", "http://[::1]:9/"}) {
        const auto refused = http_post({.url = url, .body = ""}, Targets::public_only, Nanos::seconds(5), {});
        ASSERT_FALSE(refused) << url;
        EXPECT_EQ(refused.error().kind, ErrorKind::forbidden) << refused.error().message;
    }
}

TEST(WebhookSignature, isHmacOfTimestampAndBody) {
    // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
    EXPECT_EQ(webhook_signature(Secret("key"), "1700000000", R"({"a":1})"),
              "sha256=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03");
}

class WebhookTest : public testing::Test {
protected:
    WebhookTest() {
        budget = budgets
                     .create({.org = "default",
                              .name = "b",
                              .project = "default",
                              .amount = {1},
                              .webhook = "https://hooks.example.org/",
                              .webhook_secret = Secret("secret")},
                             now)
                     .value()
                     .value();
        RaisedAlert alert{.id = new_alert_id(),
                          .budget = budget.id,
                          .org = "default",
                          .from = now,
                          .to = now + Nanos::days(1),
                          .triggered = now};
        const Delivery delivery{.id = "d1",
                                .budget = budget.id,
                                .alert = alert.id,
                                .event = "budget.alert",
                                .url = budget.webhook,
                                .body = "{}",
                                .due = now,
                                .created = now};
        EXPECT_TRUE(budgets.raise(alert, delivery).value());
    }
    Webhooks::Options options() {
        return {.attempts = 4, .send = [this](const Post& post, const std::stop_token&) {
                    const std::lock_guard lock(mutex);
                    sent.push_back(post);
                    return answers.empty() ? Result<int>(200) : take();
                }};
    }
    Result<int> take() {
        Result<int> answer = answers.front();
        answers.erase(answers.begin());
        return answer;
    }
    std::size_t deliver(Webhooks& webhooks, Nanos later) {
        const auto tried = webhooks.deliver(now + later, {});
        EXPECT_TRUE(tried) << tried.error().message;
        return tried.value_or(0);
    }
    Delivery kept() { return budgets.deliveries(budget.id, {}).value().items.at(0); }

    Scratch scratch;
    Catalog catalog = Catalog::open(scratch.path() / "catalog.sqlite", Migrations::apply).value();
    Budgets budgets{catalog};
    Budget budget;
    std::mutex mutex;
    std::vector<Post> sent;
    std::vector<Result<int>> answers;
};

TEST_F(WebhookTest, isToldOnceAndSigned) {
    Webhooks webhooks(options(), catalog);
    EXPECT_EQ(deliver(webhooks, {}), 1U);
    EXPECT_EQ(deliver(webhooks, Nanos::days(1)), 0U);
    ASSERT_EQ(sent.size(), 1U);
    const std::map<std::string, std::string> headers(sent[0].headers.begin(), sent[0].headers.end());
    EXPECT_EQ(headers.at("X-Observatory-Timestamp"), "1800000000");
    EXPECT_EQ(headers.at("X-Observatory-Signature"),
              webhook_signature(Secret("secret"), "1800000000", sent[0].body));
    EXPECT_EQ(headers.at("X-Observatory-Delivery"), "d1");
    EXPECT_EQ(kept().state, DeliveryState::delivered);
    EXPECT_EQ(kept().status, 200);
    EXPECT_EQ(kept().attempts, 1);
}

TEST_F(WebhookTest, isTriedAgainWithGrowingPauses) {
    Webhooks webhooks(options(), catalog);
    answers = {500, fail(ErrorKind::unavailable, "connection refused"), 302, 204};
    EXPECT_EQ(deliver(webhooks, {}), 1U);
    EXPECT_EQ(kept().error, "the answer was 500");
    EXPECT_EQ(deliver(webhooks, Nanos::milliseconds(999)), 0U);
    EXPECT_EQ(deliver(webhooks, Nanos::seconds(1)), 1U);
    EXPECT_EQ(kept().error, "connection refused");
    EXPECT_EQ(kept().status, std::nullopt);
    EXPECT_EQ(deliver(webhooks, Nanos::seconds(4)), 0U);
    EXPECT_EQ(deliver(webhooks, Nanos::seconds(5)), 1U);
    EXPECT_EQ(kept().state, DeliveryState::pending);
    EXPECT_EQ(deliver(webhooks, Nanos::seconds(21)), 1U);
    EXPECT_EQ(kept().state, DeliveryState::delivered);
    EXPECT_EQ(kept().attempts, 4);
    EXPECT_EQ(webhooks.stats().retried, 3U);
}

TEST_F(WebhookTest, isGivenUpInTheEnd) {
    Webhooks webhooks(options(), catalog);
    answers = {500, 500, 500, 500, 200};
    for (int hour = 0; hour < 6; ++hour) deliver(webhooks, Nanos::hours(hour));
    EXPECT_EQ(sent.size(), 4U);
    EXPECT_EQ(kept().state, DeliveryState::failed);
    EXPECT_EQ(webhooks.stats().failed, 1U);
}

TEST_F(WebhookTest, isNotTriedAgainWhereNobodyMayGo) {
    Webhooks webhooks(options(), catalog);
    answers = {fail(ErrorKind::forbidden, "the host is not a public one")};
    deliver(webhooks, {});
    EXPECT_EQ(kept().state, DeliveryState::failed);
}

TEST_F(WebhookTest, isClaimedByOneProcess) {
    const Delivery due = budgets.due(now, 10).value().at(0);
    EXPECT_TRUE(budgets.claim(due, now + Nanos::seconds(70)).value());
    EXPECT_FALSE(budgets.claim(due, now + Nanos::seconds(70)).value());
    EXPECT_TRUE(budgets.due(now + Nanos::seconds(69), 10).value().empty());
    EXPECT_EQ(budgets.due(now + Nanos::seconds(70), 10).value().size(), 1U) << "whoever claimed it is gone";
}

}  // namespace
}  // namespace obs::alert
