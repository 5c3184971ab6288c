#include "receive/grpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "receive/otlp_path.h"

namespace obs::receive {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::HasSubstr;

// --- framing
// ----------------------------------------------------------------------------------------------------------

struct FrameCase {
    std::string_view what;
    std::string body;
    std::optional<std::string> message;
    bool compressed = false;
    Code refused = Code::ok;
};
class OnlyMessage : public testing::TestWithParam<FrameCase> {};

TEST_P(OnlyMessage, is_found_or_refused) {
    const FrameCase& wanted = GetParam();
    const std::expected<GrpcMessage, Refused> found = only_message(wanted.body);
    ASSERT_EQ(found.has_value(), wanted.message.has_value());
    if (found) {
        EXPECT_EQ(found->bytes, *wanted.message);
        EXPECT_EQ(found->compressed, wanted.compressed);
    } else {
        EXPECT_EQ(found.error().code, wanted.refused);
        EXPECT_FALSE(found.error().message.empty());
    }
}

INSTANTIATE_TEST_SUITE_P(
    Frames, OnlyMessage,
    testing::Values(FrameCase{"empty", "\0\0\0\0\0"s, ""}, FrameCase{"plain", "\0\0\0\0\3abc"s, "abc"},
                    FrameCase{"compressed", "\1\0\0\0\3abc"s, "abc", true},
                    FrameCase{"none", "", std::nullopt, false, Code::unimplemented},
                    FrameCase{"half_a_prefix", "\0\0\0\0"s, std::nullopt, false, Code::invalid_argument},
                    FrameCase{"cut_off", "\0\0\0\0\4abc"s, std::nullopt, false, Code::invalid_argument},
                    FrameCase{"claims_4_gibibytes", "\0\xff\xff\xff\xff"s, std::nullopt, false,
                              Code::invalid_argument},
                    FrameCase{"two", "\0\0\0\0\1a\0\0\0\0\1b"s, std::nullopt, false, Code::unimplemented},
                    FrameCase{"unknown_flag", "\2\0\0\0\1a"s, std::nullopt, false, Code::invalid_argument}),
    [](const auto& test) { return std::string(test.param.what); });

// --- metadata
// ---------------------------------------------------------------------------------------------------------

TEST(GrpcTimeout, is_read_in_every_unit) {
    EXPECT_EQ(parse_timeout("1H"), 1h);
    EXPECT_EQ(parse_timeout("2M"), 2min);
    EXPECT_EQ(parse_timeout("10S"), 10s);
    EXPECT_EQ(parse_timeout("9999m"), 9999ms);
    EXPECT_EQ(parse_timeout("5u"), 5us);
    EXPECT_EQ(parse_timeout("99999999n"), 99'999'999ns);
    EXPECT_EQ(parse_timeout("0S"), 0s);
    EXPECT_EQ(parse_timeout("99999999H"), 24h) << "as good as for ever";
    for (const std::string_view text : {"", "S", "10", "10s", "-1S", "1.5S", "123456789S", " 1S"})
        EXPECT_EQ(parse_timeout(text), std::nullopt) << text;
}

TEST(GrpcMessageText, is_percent_encoded) {
    EXPECT_EQ(percent_encoded("plain text, 100%"), "plain text, 100%25");
    EXPECT_EQ(percent_encoded("a\nb ü"), "a%0Ab %C3%BC");
    EXPECT_LE(percent_encoded(std::string(100'000, 'x')).size(), 1024U);
}

TEST(GrpcBase64, has_no_padding) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg");
    EXPECT_EQ(base64("fo"), "Zm8");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("\xff\xef\xbe"), "/+++");
}

TEST(GrpcContentType, is_known_with_and_without_a_codec) {
    EXPECT_TRUE(is_grpc("application/grpc"));
    EXPECT_TRUE(is_grpc("application/grpc+proto"));
    EXPECT_FALSE(is_grpc("application/grpc-web"));
    EXPECT_FALSE(is_grpc("application/json"));
}

// --- status
// -----------------------------------------------------------------------------------------------------------

TEST(Status, is_written_as_protobuf) {
    EXPECT_EQ(status_protobuf({.http_status = 400, .code = Code::invalid_argument, .message = "no"}),
              "\x08\x03\x12\x02no");
    EXPECT_EQ(retry_info_protobuf(5), "\x0a\x02\x08\x05");
    EXPECT_EQ(
        status_protobuf({.http_status = 503, .code = Code::unavailable, .message = "no", .retry_seconds = 5}),
        "\x08\x0e\x12\x02no\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x05");
}

TEST(Status, is_written_as_json) {
    EXPECT_EQ(status_json({.http_status = 400, .code = Code::invalid_argument, .message = "say \"no\""}),
              R"({"code":3,"message":"say \"no\""})");
    EXPECT_EQ(
        status_json({.http_status = 503, .code = Code::unavailable, .message = "no", .retry_seconds = 5}),
        R"({"code":14,"message":"no","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"5s"}]})");
}

TEST(Status, keeps_messages_short_and_utf8) {
    const std::string status = status_protobuf(
        {.http_status = 400, .code = Code::invalid_argument, .message = std::string(1 << 20, 'x')});
    EXPECT_LT(status.size(), 5000U);
    EXPECT_THAT(status_protobuf({.http_status = 400, .code = Code::invalid_argument, .message = "\xff"}),
                HasSubstr("\xef\xbf\xbd"));
}

struct SuccessCase {
    std::string_view what;
    Accepted accepted;
    Encoding encoding;
    Signal signal;
    std::string expected;
};
class ExportResponse : public testing::TestWithParam<SuccessCase> {};

TEST_P(ExportResponse, says_no_more_than_needed) {
    const SuccessCase& wanted = GetParam();
    EXPECT_EQ(export_response(wanted.accepted, wanted.encoding, wanted.signal), wanted.expected);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, ExportResponse,
    testing::Values(
        SuccessCase{"nothing_in_protobuf", {}, Encoding::protobuf, Signal::traces, ""},
        SuccessCase{"nothing_in_json", {}, Encoding::json, Signal::traces, "{}"},
        SuccessCase{"rejected_in_protobuf",
                    {300, "why"},
                    Encoding::protobuf,
                    Signal::traces,
                    "\x0a\x08\x08\xac\x02\x12\x03why"},
        SuccessCase{
            "a_warning_in_protobuf", {0, "why"}, Encoding::protobuf, Signal::logs, "\x0a\x05\x12\x03why"},
        SuccessCase{"rejected_spans",
                    {1, "why"},
                    Encoding::json,
                    Signal::traces,
                    R"({"partialSuccess":{"rejectedSpans":"1","errorMessage":"why"}})"},
        SuccessCase{"rejected_logs",
                    {1, "why"},
                    Encoding::json,
                    Signal::logs,
                    R"({"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"why"}})"},
        SuccessCase{"rejected_points",
                    {1, "why"},
                    Encoding::json,
                    Signal::metrics,
                    R"({"partialSuccess":{"rejectedDataPoints":"1","errorMessage":"why"}})"}),
    [](const auto& test) { return std::string(test.param.what); });

// --- paths
// ------------------------------------------------------------------------------------------------------------

TEST(SignalOfPath, takes_prefixes_and_slashes) {
    for (const std::string_view path :
         {"/v1/traces", "/v1/traces/", "//v1//traces", "/otlp/v1/traces", "/v1/traces//",
          "/api/public/otel/v1/traces", "/v1/v1/traces", "/traces/v1/traces"})
        EXPECT_EQ(signal_of_path(path), Signal::traces) << path;
    EXPECT_EQ(signal_of_path("/v1/logs"), Signal::logs);
    EXPECT_EQ(signal_of_path("/v1/metrics"), Signal::metrics);
    for (const std::string_view path :
         {"", "/", "/v1", "/traces", "/v1/spans", "/v1/traces/v1/traces", "/v1/traces/more",
          "/v1/logs/v1/traces", "/V1/TRACES", "/v1development/profiles"})
        EXPECT_EQ(signal_of_path(path), std::nullopt) << path;
}

TEST(AdviceForPath, names_the_likely_mistake) {
    EXPECT_THAT(advice_for_path("/"), HasSubstr("add the path"));
    EXPECT_THAT(advice_for_path("/v1/traces/v1/traces"), HasSubstr("adds it again"));
    EXPECT_THAT(advice_for_path("/v1development/profiles"), HasSubstr("profiles is not supported"));
    EXPECT_THAT(advice_for_path("/favicon.ico"), HasSubstr("/v1/traces"));
}

}  // namespace
}  // namespace obs::receive
