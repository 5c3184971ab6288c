// Addresses, and what happens while there is no Redis. With one: tests/system/test_redis.py.
#include "serve/redis.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace obs::serve {
namespace {

struct AddressCase {
    std::string what, url, expected;  // empty: refused
};
class RedisAddressFrom : public testing::TestWithParam<AddressCase> {};
TEST_P(RedisAddressFrom, readsAUrl) {
    const auto address = redis_address_from(GetParam().url);
    if (GetParam().expected.empty()) {
        ASSERT_FALSE(address);
        EXPECT_EQ(address.error().message.find("hunter2"), std::string::npos);
        return;
    }
    ASSERT_TRUE(address) << address.error().message;
    EXPECT_EQ(fmt::format("{} {} {}", address->text(), address->user, address->password.reveal()),
              GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Urls, RedisAddressFrom,
    testing::Values(AddressCase{"host", "redis://cache", "redis://cache:6379/0  "},
                    AddressCase{"port_and_database", "redis://cache:7000/3", "redis://cache:7000/3  "},
                    AddressCase{"password", "redis://:hunter2@cache", "redis://cache:6379/0  hunter2"},
                    AddressCase{"user", "redis://ann:hun@ter2@cache", "redis://cache:6379/0 ann hun@ter2"},
                    AddressCase{"ipv6", "redis://[::1]:7000", "redis://::1:7000/0  "},
                    AddressCase{"ipv6_without_port", "redis://[::1]", "redis://::1:6379/0  "},
                    AddressCase{"socket", "unix:///run/redis.sock?db=2", "unix:///run/redis.sock  "},
                    AddressCase{"no_scheme", "cache:6379", ""}, AddressCase{"no_host", "redis://", ""},
                    AddressCase{"tls", "rediss://:hunter2@cache", ""},
                    AddressCase{"bad_port", "redis://:hunter2@cache:99999", ""},
                    AddressCase{"bad_database", "redis://cache/x", ""},
                    AddressCase{"relative_socket", "unix://run/redis.sock", ""}),
    [](const auto& test) { return test.param.what; });

TEST(Redis, isNotWaitedForWhileItIsAway) {
    Redis redis(*redis_address_from("unix:///nowhere/redis.sock"));
    EXPECT_FALSE(redis.well());
    const std::string_view words[] = {"PING"};
    for (int i = 0; i < 1000; ++i) EXPECT_FALSE(redis.command(words));
    EXPECT_FALSE(redis.script("return 1", {}, {}));
    EXPECT_EQ(redis.failures(), 0U) << "nobody tried";
}

}  // namespace
}  // namespace obs::serve
