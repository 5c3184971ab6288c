// Every rule of the decoder. Cases made with the official message classes run through both encodings; what
// only one of them can say is written in its own bytes.
#include "decode/decode.h"

#include <cmath>
#include <limits>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <opentelemetry/proto/collector/logs/v1/logs_service.pb.h>
#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "decode/describe.h"

namespace obs {
namespace {

namespace common = opentelemetry::proto::common::v1;
namespace logs = opentelemetry::proto::logs::v1;
namespace metrics = opentelemetry::proto::metrics::v1;
namespace trace = opentelemetry::proto::trace::v1;
using opentelemetry::proto::collector::logs::v1::ExportLogsServiceRequest;
using opentelemetry::proto::collector::metrics::v1::ExportMetricsServiceRequest;
using opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
using testing::HasSubstr;

constexpr UnixNanos now{1'790'000'000'000'000'000};
constexpr std::uint64_t started = 1'789'999'999'000'000'000;
constexpr std::uint64_t one_day = 86'400'000'000'000;

std::string json_of(const google::protobuf::Message& message) {
    std::string text;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &text).ok());
    return text;
}
template <class Case>
std::string name_of(const testing::TestParamInfo<Case>& test) {
    return std::string(test.param.what);
}
// What a case expects of a request: the rows and the refusal as text.
template <class Raw>
std::string shown(const Result<Decoded<Raw>>& decoded) {
    if (!decoded) return "error: " + decoded.error().message;
    return fmt::format("{}rejected {}: {}", describe(decoded->rows), decoded->rejected, decoded->message);
}
std::string decode_spans(Encoding encoding, std::string_view body, const DecodeLimits& limits = {}) {
    const Buffer buffer(body);
    return shown(decode_traces(encoding, buffer.view(), limits, now));
}

trace::Span good_span() {
    trace::Span span;
    span.set_trace_id(std::string(16, '\x11'));
    span.set_span_id(std::string(8, '\x22'));
    span.set_name("chat");
    span.set_start_time_unix_nano(started);
    span.set_end_time_unix_nano(started + 5);
    return span;
}
ExportTraceServiceRequest request_of(const trace::Span& span) {
    ExportTraceServiceRequest request;
    *request.add_resource_spans()->add_scope_spans()->add_spans() = span;
    return request;
}
common::AnyValue* attribute(trace::Span& span, const std::string& key) {
    common::KeyValue* pair = span.add_attributes();
    pair->set_key(key);
    return pair->mutable_value();
}

struct SpanCase {
    std::string_view what;
    void (*change)(trace::Span&);
    std::string_view expected;
};
class ASpan : public testing::TestWithParam<SpanCase> {};
TEST_P(ASpan, isReadAlikeFromBothEncodings) {
    trace::Span span = good_span();
    GetParam().change(span);
    const std::string from_protobuf = decode_spans(Encoding::protobuf, request_of(span).SerializeAsString());
    EXPECT_THAT(from_protobuf, HasSubstr(GetParam().expected));
    // The library writes ids as base64, which is accepted by its length; words about a wrong id differ.
    const std::string from_json = decode_spans(Encoding::json, json_of(request_of(span)));
    if (from_protobuf.find("rejected 0") != std::string::npos) {
        EXPECT_EQ(from_json, from_protobuf);
    } else {
        EXPECT_THAT(from_json, HasSubstr("rejected 1"));
    }
}
INSTANTIATE_TEST_SUITE_P(
    Ids, ASpan,
    testing::Values(
        SpanCase{"keeps_its_ids", [](trace::Span& s) { s.set_parent_span_id(std::string(8, '\x33')); },
                 "11111111111111111111111111111111 2222222222222222 < 3333333333333333 \"chat\""},
        SpanCase{
            "without_a_trace_id_is_refused", [](trace::Span& s) { s.clear_trace_id(); },
            "rejected 1: resource_spans[0].scope_spans[0].spans[0] (span 2222222222222222): no trace id"},
        SpanCase{"with_a_trace_id_of_zeros_is_refused",
                 [](trace::Span& s) { s.set_trace_id(std::string(16, '\0')); }, "a trace id of zeros"},
        SpanCase{"with_a_trace_id_of_15_bytes_is_refused",
                 [](trace::Span& s) { s.set_trace_id(std::string(15, 'x')); }, "a trace id of 15 bytes"},
        SpanCase{"with_a_span_id_of_9_bytes_is_refused",
                 [](trace::Span& s) { s.set_span_id(std::string(9, 'x')); },
                 "(trace 11111111111111111111111111111111): a span id of 9 bytes"},
        SpanCase{"with_a_span_id_of_zeros_is_refused",
                 [](trace::Span& s) { s.set_span_id(std::string(8, '\0')); }, "a span id of zeros"},
        SpanCase{"with_a_parent_of_zeros_is_a_root",
                 [](trace::Span& s) { s.set_parent_span_id(std::string(8, '\0')); },
                 "< 0000000000000000 \"chat\" kind=0 status=0 \"\" start=1789999999000000000 duration=5 "
                 "state=\"\" []"},
        SpanCase{"with_a_parent_of_5_bytes_is_a_root_and_flagged",
                 [](trace::Span& s) { s.set_parent_span_id("12345"); }, "[bad_parent_id]"}),
    name_of<SpanCase>);
INSTANTIATE_TEST_SUITE_P(
    Times, ASpan,
    testing::Values(
        SpanCase{"that_ends_before_it_starts_is_kept_with_its_negative_duration",
                 [](trace::Span& s) { s.set_end_time_unix_nano(started - 7); },
                 "duration=-7 state=\"\" [negative_duration]"},
        SpanCase{"without_an_end_is_unfinished", [](trace::Span& s) { s.clear_end_time_unix_nano(); },
                 "duration=0 state=\"\" [unfinished]"},
        SpanCase{"in_seconds_is_repaired",
                 [](trace::Span& s) {
                     s.set_start_time_unix_nano(1'789'999'990);
                     s.set_end_time_unix_nano(1'789'999'992);
                 },
                 "start=1789999990000000000 duration=2000000000 state=\"\" [time_unit_repaired]"},
        SpanCase{"in_milliseconds_is_repaired",
                 [](trace::Span& s) {
                     s.set_start_time_unix_nano(1'789'999'990'123);
                     s.set_end_time_unix_nano(1'789'999'990'125);
                 },
                 "start=1789999990123000000 duration=2000000 state=\"\" [time_unit_repaired]"},
        SpanCase{"in_microseconds_is_repaired",
                 [](trace::Span& s) {
                     s.set_start_time_unix_nano(1'789'999'990'123'456);
                     s.set_end_time_unix_nano(1'789'999'990'123'457);
                 },
                 "start=1789999990123456000 duration=1000 state=\"\" [time_unit_repaired]"},
        SpanCase{"of_1970_is_refused", [](trace::Span& s) { s.set_start_time_unix_nano(86'400); },
                 "start time 1970-01-01T00:00:00.000086400Z is more than 90 days ago"},
        SpanCase{"of_2100_is_refused",
                 [](trace::Span& s) { s.set_start_time_unix_nano(4'102'444'800'000'000'000); },
                 "start time 2100-01-01T00:00:00Z is more than 24 hours ahead"},
        SpanCase{
            "of_the_end_of_time_is_refused",
            [](trace::Span& s) { s.set_start_time_unix_nano(std::numeric_limits<std::uint64_t>::max()); },
            "is more than 24 hours ahead"},
        SpanCase{"of_91_days_ago_is_refused",
                 [](trace::Span& s) { s.set_start_time_unix_nano(started - 91 * one_day); },
                 "(trace 11111111111111111111111111111111, span 2222222222222222): start time"},
        SpanCase{"of_89_days_ago_is_kept",
                 [](trace::Span& s) { s.set_start_time_unix_nano(started - 89 * one_day); }, "rejected 0: "},
        SpanCase{"of_23_hours_ahead_is_kept",
                 [](trace::Span& s) { s.set_start_time_unix_nano(started + one_day - one_day / 24); },
                 "rejected 0: "},
        SpanCase{"that_never_ends_lasts_as_long_as_can_be_told",
                 [](trace::Span& s) { s.set_end_time_unix_nano(std::numeric_limits<std::uint64_t>::max()); },
                 "duration=7433372037854775807"}),
    name_of<SpanCase>);
INSTANTIATE_TEST_SUITE_P(
    Fields, ASpan,
    testing::Values(
        SpanCase{"keeps_name_kind_state_and_status",
                 [](trace::Span& s) {
                     s.set_kind(trace::Span::SPAN_KIND_CLIENT);
                     s.set_trace_state("a=b");
                     s.mutable_status()->set_code(trace::Status::STATUS_CODE_ERROR);
                     s.mutable_status()->set_message("too many");
                 },
                 "kind=3 status=2 \"too many\" start=1789999999000000000 duration=5 state=\"a=b\" []"},
        SpanCase{"keeps_an_unknown_kind",
                 [](trace::Span& s) { s.set_kind(static_cast<trace::Span::SpanKind>(77)); }, "kind=77"},
        SpanCase{"clamps_a_kind_that_does_not_fit",
                 [](trace::Span& s) { s.set_kind(static_cast<trace::Span::SpanKind>(-1)); }, "kind=255"},
        SpanCase{"whose_producer_dropped_attributes_is_flagged",
                 [](trace::Span& s) { s.set_dropped_attributes_count(1); }, "[attributes_dropped]"},
        SpanCase{"whose_producer_dropped_events_is_flagged",
                 [](trace::Span& s) { s.set_dropped_events_count(1); }, "[attributes_dropped]"},
        SpanCase{"whose_producer_dropped_links_is_flagged",
                 [](trace::Span& s) { s.set_dropped_links_count(1); }, "[attributes_dropped]"},
        SpanCase{
            "keeps_events_with_their_attributes",
            [](trace::Span& s) {
                trace::Span::Event* event = s.add_events();
                event->set_name("first token");
                event->set_time_unix_nano(started + 1);
                common::KeyValue* pair = event->add_attributes();
                pair->set_key("n");
                pair->mutable_value()->set_int_value(1);
                attribute(s, "own")->set_bool_value(true);
                s.add_events()->set_name("second");
            },
            "  {own: true}\n  event 1789999999000000001 \"first token\" {n: 1}\n  event 0 \"second\" {}\n"},
        SpanCase{"keeps_links_and_drops_those_with_bad_ids",
                 [](trace::Span& s) {
                     trace::Span::Link* link = s.add_links();
                     link->set_trace_id("short");
                     link->set_span_id(std::string(8, '\x55'));
                     link = s.add_links();
                     link->set_trace_id(std::string(16, '\x44'));
                     link->set_span_id(std::string(8, '\x55'));
                     common::KeyValue* pair = link->add_attributes();
                     pair->set_key("l");
                     pair->mutable_value()->set_int_value(2);
                 },
                 "  {}\n  link 44444444444444444444444444444444 5555555555555555 {l: 2}\nrejected 0"}),
    name_of<SpanCase>);
INSTANTIATE_TEST_SUITE_P(
    Values, ASpan,
    testing::Values(
        SpanCase{"keeps_the_largest_and_smallest_integers",
                 [](trace::Span& s) {
                     attribute(s, "max")->set_int_value(std::numeric_limits<std::int64_t>::max());
                     attribute(s, "min")->set_int_value(std::numeric_limits<std::int64_t>::min());
                     attribute(s, "over")->set_int_value((std::int64_t{1} << 53) + 1);
                 },
                 "{max: 9223372036854775807, min: -9223372036854775808, over: 9007199254740993}"},
        SpanCase{"keeps_doubles_that_are_no_numbers",
                 [](trace::Span& s) {
                     attribute(s, "a")->set_double_value(std::nan(""));
                     attribute(s, "b")->set_double_value(-std::numeric_limits<double>::infinity());
                     attribute(s, "c")->set_double_value(0.1);
                 },
                 "{a: double NaN, b: double -Infinity, c: double 0.1}"},
        SpanCase{"keeps_empty_values_keys_and_texts",
                 [](trace::Span& s) {
                     attribute(s, "empty");
                     s.add_attributes()->set_key("missing");
                     attribute(s, "")->set_string_value("");
                 },
                 "{empty: empty, missing: empty, : \"\"}"},
        SpanCase{"keeps_bytes_as_base64",
                 [](trace::Span& s) { attribute(s, "b")->set_bytes_value(std::string("\x00\xff\x10", 3)); },
                 "{b: bytes AP8Q}"},
        SpanCase{"keeps_nul_in_texts",
                 [](trace::Span& s) { attribute(s, "t")->set_string_value(std::string("a\0b", 3)); },
                 "{t: \"a\\u0000b\"}"},
        SpanCase{"keeps_both_values_of_a_key_that_comes_twice",
                 [](trace::Span& s) {
                     attribute(s, "k")->set_int_value(1);
                     attribute(s, "k")->set_int_value(2);
                 },
                 "{k: 1, k: 2}"},
        SpanCase{"writes_lists_as_json",
                 [](trace::Span& s) {
                     common::ArrayValue* list = attribute(s, "l")->mutable_array_value();
                     list->add_values()->set_string_value("a\"\n");
                     list->add_values()->set_int_value(-1);
                     list->add_values()->set_double_value(1e300);
                     list->add_values()->set_double_value(std::nan(""));
                     list->add_values()->set_bool_value(true);
                     list->add_values()->set_bytes_value("\xff");
                     list->add_values();
                     list->add_values()->mutable_array_value();
                     attribute(s, "none")->mutable_array_value();
                 },
                 R"({l: json ["a\"\n",-1,1e+300,"NaN",true,"/w==",null,[]], none: json []})"},
        SpanCase{"writes_maps_as_json_and_the_last_of_a_repeated_key",
                 [](trace::Span& s) {
                     common::KeyValueList* map = attribute(s, "m")->mutable_kvlist_value();
                     const auto add = [&](const char* key) {
                         common::KeyValue* pair = map->add_values();
                         pair->set_key(key);
                         return pair->mutable_value();
                     };
                     add("z")->set_int_value(1);
                     add("a")->mutable_kvlist_value()->add_values()->set_key("in");
                     add("z")->set_int_value(2);
                     add("")->set_string_value("no key");
                     map->add_values()->set_key("none");
                 },
                 R"({m: json {"a":{"in":null},"z":2,"":"no key","none":null}})"}),
    name_of<SpanCase>);

TEST(Resources, andScopesAreKeptPerBlockAndEmptyOnesLeaveNothing) {
    ExportTraceServiceRequest request;
    for (const char* service : {"a", "empty", "b"}) {
        auto* resource = request.add_resource_spans();
        auto* pair = resource->mutable_resource()->add_attributes();
        pair->set_key("service.name");
        pair->mutable_value()->set_string_value(service);
        resource->set_schema_url("of the resource");
        auto* scope = resource->add_scope_spans();
        scope->mutable_scope()->set_name(std::string("scope of ") + service);
        scope->mutable_scope()->set_version("1");
        scope->set_schema_url("of the scope");
        resource->add_scope_spans();
        if (std::string_view(service) != "empty") *scope->add_spans() = good_span();
    }
    const Buffer body(request.SerializeAsString());
    const auto decoded = decode_traces(Encoding::protobuf, body.view(), {}, now);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->rows.resources.size(), 2);
    EXPECT_EQ(decoded->rows.scopes.size(), 2);
    EXPECT_EQ(decoded->rows.raw.list.size(), 2);
    const std::string text = describe(decoded->rows);
    EXPECT_THAT(text, HasSubstr(R"("scope of a" "1" "of the scope" {} of resource {service.name: "a"})"));
    EXPECT_THAT(text, HasSubstr(R"("scope of b" "1" "of the scope" {} of resource {service.name: "b"})"));
    EXPECT_EQ(decode_spans(Encoding::json, json_of(request)), text + "rejected 0: ");
}

TEST(Refusals, areCountedByReasonAndTheFirstIsTold) {
    ExportTraceServiceRequest request;
    auto* spans = request.add_resource_spans()->add_scope_spans();
    *spans->add_spans() = good_span();
    for (int i = 0; i < 3; ++i) {
        *spans->add_spans() = good_span();
        spans->mutable_spans(i + 1)->set_trace_id("x");
        attribute(*spans->mutable_spans(i + 1), "left out")->set_int_value(1);
    }
    *spans->add_spans() = good_span();
    spans->mutable_spans(4)->set_start_time_unix_nano(1);
    const std::string text = decode_spans(Encoding::protobuf, request.SerializeAsString());
    EXPECT_THAT(
        text,
        HasSubstr("rejected 4: resource_spans[0].scope_spans[0].spans[1] (span 2222222222222222): a trace "
                  "id of 1 bytes; 4 spans refused: 3 with a bad trace id, 1 too old"));
    EXPECT_THAT(text, testing::Not(HasSubstr("left out")));
}

// --- limits ---

TEST(Limits, cutWhatIsNestedTooDeepAlikeInBothEncodings) {
    for (const std::size_t depth : {63, 64, 65, 1000}) {
        // Encoded from the inside out: the library refuses to go that deep.
        std::string protobuf = "\x0a\x01x";
        std::string json = R"({"stringValue":"x"})";
        std::string expected = "\"x\"";
        const auto field = [](char tag, const std::string& content) {
            std::string out(1, tag);
            for (std::size_t size = content.size();; size >>= 7) {
                out += static_cast<char>(size > 0x7f ? size | 0x80 : size);
                if (size <= 0x7f) break;
            }
            return out + content;
        };
        for (std::size_t level = 0; level < depth; ++level) {
            protobuf = field('\x2a', field('\x0a', protobuf));
            json = R"({"arrayValue":{"values":[)" + json + "]}}";
        }
        const std::size_t shown_levels = std::min<std::size_t>(depth, 64);
        if (depth > 64) expected = "\"[nested too deep]\"";
        expected = std::string(shown_levels, '[') + expected + std::string(shown_levels, ']');
        const std::string span =
            good_span().SerializeAsString() + field('\x4a', "\x0a\x01k" + field('\x12', protobuf));
        const std::string body = field('\x0a', field('\x12', field('\x12', span)));
        const std::string text = decode_spans(Encoding::protobuf, body);
        EXPECT_THAT(text, HasSubstr("{k: json " + expected + "}"));
        EXPECT_EQ(text.find("[attributes_cut]") != std::string::npos, depth > 64);
        std::string twin = json_of(request_of(good_span()));
        twin.insert(twin.find("\"name\""), R"("attributes":[{"key":"k","value":)" + json + "}],");
        EXPECT_EQ(decode_spans(Encoding::json, twin), text);
    }
}

TEST(Limits, keepTheFirstAttributesEventsAndLinks) {
    trace::Span span = good_span();
    for (int i = 0; i < 100'000; ++i) attribute(span, fmt::format("key.{}", i))->set_int_value(i);
    const Buffer body(request_of(span).SerializeAsString());
    const auto decoded = decode_traces(Encoding::protobuf, body.view(), {}, now);
    ASSERT_TRUE(decoded);
    const RawRange list = decoded->rows.attributes[0];
    EXPECT_EQ(list.end - list.begin, 1024);
    EXPECT_EQ(decoded->rows.raw.key(decoded->rows.raw.list[list.begin]), "key.0");
    EXPECT_EQ(describe_flags(decoded->rows.batch.flags[0]), "attributes_cut");

    trace::Span eventful = good_span();
    for (int i = 0; i < 4; ++i) {
        eventful.add_events()->set_name(fmt::format("e{}", i));
        trace::Span::Link* link = eventful.add_links();
        link->set_trace_id(std::string(16, static_cast<char>('a' + i)));
        link->set_span_id(std::string(8, 'b'));
    }
    const DecodeLimits limits{.events = 2, .links = 1};
    const std::string text =
        decode_spans(Encoding::protobuf, request_of(eventful).SerializeAsString(), limits);
    EXPECT_THAT(text, HasSubstr("[attributes_cut]"));
    EXPECT_THAT(text, HasSubstr("event 0 \"e1\" {}\n  link 6161"));
    EXPECT_THAT(text, testing::Not(HasSubstr("link 6262")));
    EXPECT_EQ(decode_spans(Encoding::json, json_of(request_of(eventful)), limits), text);
}

TEST(Limits, cutValuesThatAreTooLong) {
    trace::Span span = good_span();
    attribute(span, "text")->set_string_value(std::string(29, '5') + "\xc3\xa4");  // the limit lies inside it
    attribute(span, "bytes")->set_bytes_value(std::string(30, 'b'));
    common::ArrayValue* list = attribute(span, "list")->mutable_array_value();
    for (int i = 0; i < 10; ++i) list->add_values()->set_string_value("abc");
    const DecodeLimits limits{.value_bytes = 30};
    const std::string text = decode_spans(Encoding::protobuf, request_of(span).SerializeAsString(), limits);
    EXPECT_THAT(text, HasSubstr("{text: \"" + std::string(29, '5') +
                                "\", bytes: bytes YmJiYmJiYmJiYmJiYmJiYmJiYmJi, " +
                                R"(list: json ["abc","abc","abc","abc","abc"]})"));
    EXPECT_THAT(text, HasSubstr("[value_truncated]"));
    EXPECT_EQ(decode_spans(Encoding::json, json_of(request_of(span)), limits), text);
}

TEST(Limits, boundWhatARequestAsksFor) {
    ExportTraceServiceRequest request;
    auto* spans = request.add_resource_spans()->add_scope_spans();
    for (int i = 0; i < 3; ++i) {
        *spans->add_spans() = good_span();
        for (int k = 0; k < 4; ++k) attribute(*spans->mutable_spans(i), "k")->set_int_value(k);
    }
    const std::string text =
        decode_spans(Encoding::protobuf, request.SerializeAsString(), DecodeLimits{.attributes_in_all = 6});
    EXPECT_THAT(text, HasSubstr("{k: 0, k: 1}"));
    EXPECT_THAT(text, HasSubstr("{}\nrejected 0"));
}

// --- the wire ---

std::string utf8_or_complaint(std::string_view text) {
    return is_utf8(text) ? "" : "not UTF-8";
}

TEST(InvalidUtf8, isReplacedInEveryTextAndFlagged) {
    trace::Span span = good_span();
    const std::string marked = "(#)";
    span.set_name("name" + marked);
    span.set_trace_state("state" + marked);
    span.mutable_status()->set_message("message" + marked);
    attribute(span, "key" + marked)->set_string_value("value" + marked);
    common::KeyValue* pair = attribute(span, "map")->mutable_kvlist_value()->add_values();
    pair->set_key("inner" + marked);
    pair->mutable_value()->set_string_value("inner" + marked);
    span.add_events()->set_name("event" + marked);
    for (const auto encoding : {Encoding::protobuf, Encoding::json}) {
        std::string body =
            encoding == Encoding::json ? json_of(request_of(span)) : request_of(span).SerializeAsString();
        for (std::size_t at = 0; (at = body.find(marked, at)) != std::string::npos;) body[at + 1] = '\xff';
        const std::string text = decode_spans(encoding, body);
        EXPECT_EQ(utf8_or_complaint(text), "");
        EXPECT_THAT(text, HasSubstr("[invalid_utf8]"));
        for (const std::string_view where : {"name", "state", "message", "key", "value", "inner", "event"})
            EXPECT_THAT(text, HasSubstr(fmt::format("{}(\xef\xbf\xbd)", where)));
    }
}

TEST(InvalidUtf8, inTheSameKeyFlagsEachSpanThatHasIt) {
    ExportTraceServiceRequest request;
    auto* spans = request.add_resource_spans()->add_scope_spans();
    for (int i = 0; i < 3; ++i) {
        *spans->add_spans() = good_span();
        attribute(*spans->mutable_spans(i), "(#)")->set_int_value(i);
    }
    for (const auto encoding : {Encoding::protobuf, Encoding::json}) {
        std::string body = encoding == Encoding::json ? json_of(request) : request.SerializeAsString();
        for (std::size_t at = 0; (at = body.find("(#)", at)) != std::string::npos;) body[at + 1] = '\xff';
        const Buffer buffer(body);
        const auto decoded = decode_traces(encoding, buffer.view(), {}, now);
        ASSERT_TRUE(decoded);
        for (std::size_t row = 0; row < 3; ++row)
            EXPECT_EQ(decoded->rows.batch.flags[row], flag_invalid_utf8);
        EXPECT_EQ(decoded->rows.raw.keys.size(), 2);
    }
}

TEST(InvalidUtf8, flagsOnlyTheSpansThatHaveIt) {
    ExportTraceServiceRequest request;
    auto* spans = request.add_resource_spans()->add_scope_spans();
    *spans->add_spans() = good_span();
    *spans->add_spans() = good_span();
    spans->mutable_spans(1)->set_name("(#)");
    for (const auto encoding : {Encoding::protobuf, Encoding::json}) {
        std::string body = encoding == Encoding::json ? json_of(request) : request.SerializeAsString();
        body[body.find("(#)") + 1] = '\xff';
        const Buffer buffer(body);
        const auto decoded = decode_traces(encoding, buffer.view(), {}, now);
        ASSERT_TRUE(decoded);
        EXPECT_EQ(decoded->rows.batch.flags[0], 0);
        EXPECT_EQ(decoded->rows.batch.flags[1], flag_invalid_utf8);
    }
}

// Fields of a span behind those of a good one, in wire bytes.
struct WireCase {
    std::string_view what;
    std::string bytes;
    std::string_view expected;
};
class WireBytes : public testing::TestWithParam<WireCase> {};
TEST_P(WireBytes, areReadAsProtobufSays) {
    const std::string span = good_span().SerializeAsString() + GetParam().bytes;
    // By hand, so that what is wrong in the span stays as it is. Lengths stay below 128.
    const auto field = [](char tag, const std::string& content) {
        return std::string{tag, static_cast<char>(content.size())} + content;
    };
    EXPECT_THAT(decode_spans(Encoding::protobuf, field('\x0a', field('\x12', field('\x12', span)))),
                HasSubstr(GetParam().expected));
}
using namespace std::string_literals;
INSTANTIATE_TEST_SUITE_P(
    Leniency, WireBytes,
    testing::Values(
        WireCase{"last_scalar_wins", "\x2a\x01z\x30\x02\x30\x03"s, "\"z\" kind=3"},
        WireCase{"repeated_messages_merge", "\x7a\x02\x18\x02\x7a\x03\x12\x01m"s, "status=2 \"m\""},
        WireCase{"unknown_fields_are_skipped",
                 "\xfa\x7f\x03new\xf8\x7f\x05\xf1\x7f\x31\x32\x33\x34\x35\x36\x37\x38"s, "rejected 0"},
        WireCase{"groups_are_skipped", "\xfb\x7f\x08\x01\x13\x0a\x01x\x14\xfc\x7f\x30\x03"s, "kind=3"},
        WireCase{"known_numbers_of_another_wire_type_are_skipped", "\x28\x07\x35\x01\x02\x03\x04\x30\x03"s,
                 "\"chat\" kind=3"},
        WireCase{"fields_of_length_zero_are_empty", "\x4a\x00\x5a\x00\x2a\x00"s, "\"\" kind=0"},
        WireCase{"hex_ids_are_accepted",
                 "\x0a\x20"
                 "0123456789abcdef0123456789ABCDEF\x12\x10"
                 "89abcdef01234567"s,
                 "0123456789abcdef0123456789abcdef 89abcdef01234567 <"},
        WireCase{"hex_of_no_id_is_refused",
                 "\x12\x10"
                 "89abcdef0123456x"s,
                 "a span id of 16 bytes"},
        WireCase{"value_before_key", "\x4a\x07\x12\x02\x18\x07\x0a\x01k"s, "{k: 7}"},
        WireCase{"strindex_is_ignored", "\x4a\x09\x0a\x01k\x12\x02\x40\x05\x18\x02"s, "{k: empty}"},
        WireCase{"pieces_of_a_value_merge",
                 "\x4a\x11\x0a\x01k\x12\x05\x2a\x03\x0a\x01\x40\x12\x05\x2a\x03\x0a\x01\x48"s, "cut short"},
        WireCase{"pieces_of_a_list_merge",
                 "\x4a\x15\x0a\x01k\x12\x06\x2a\x04\x0a\x02\x18\x01\x12\x08\x2a\x06\x0a\x04\x18\x02\x18\x03"s,
                 "{k: json [1,3]}"},
        WireCase{"a_text_behind_a_list_replaces_it",
                 "\x4a\x0e\x0a\x01k\x12\x09\x2a\x04\x0a\x02\x18\x01\x0a\x01t"s, "{k: \"t\"}"},
        WireCase{"a_list_behind_a_text_forgets_the_list_before",
                 "\x4a\x14\x0a\x01k\x12\x0f\x2a\x04\x0a\x02\x18\x01\x0a\x01t\x2a\x04\x0a\x02\x18\x02"s,
                 "{k: json [2]}"},
        WireCase{"events_before_attributes_do_not_mix",
                 "\x5a\x0a\x12\x01\x65\x1a\x05\x0a\x01i\x12\x00\x4a\x07\x0a\x01k\x12\x02\x18\x07"s,
                 "{k: 7}\n  event 0 \"e\" {i: empty}"}),
    name_of<WireCase>);
INSTANTIATE_TEST_SUITE_P(
    Errors, WireBytes,
    testing::Values(
        WireCase{"length_past_the_end", "\x2a\x7f"s,
                 "error: the request is no OTLP protobuf: byte 58, in "
                 "resource_spans[0].scope_spans[0].spans[0]: a length "
                 "that goes past the end of its message"},
        WireCase{"a_tag_without_a_value", "\x30"s, "a number that is cut short"},
        WireCase{"a_fixed_number_cut_short", "\x39\x01\x02"s, "a number that is cut short"},
        WireCase{"an_endless_number", "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,
                 "more than ten bytes"},
        WireCase{"an_endless_tag", "\xff\xff\xff\xff\xff\x01"s, "a field number that is too large"},
        WireCase{"field_zero", "\x02\x00"s, "a field number of zero"},
        WireCase{"wire_type_six", "\x2e"s, "a wire type that does not exist"},
        WireCase{"a_group_that_never_began", "\x0c"s, "a group that ends and never began"},
        WireCase{"a_group_that_does_not_end", "\x0b"s, "a group that does not end"},
        WireCase{"a_group_that_ends_under_another_number", "\x0b\x14"s,
                 "a group that ends under another number"},
        WireCase{"groups_nested_too_deep", std::string(40, '\x0b') + std::string(20, '\x0b'),
                 "a group that does not end"},
        WireCase{"inside_an_attribute", "\x4a\x04\x0a\x09xx"s, "spans[0].attributes[0]: a length"}),
    name_of<WireCase>);

// --- JSON ---

struct JsonCase {
    std::string_view what;
    std::string_view members;  // behind those of a good span; a repeated key replaces
    std::string_view expected;
};
class SpanJson : public testing::TestWithParam<JsonCase> {};
TEST_P(SpanJson, isReadAsTheSpecificationAllows) {
    const std::string body = fmt::format(
        R"({{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"11111111111111111111111111111111",)"
        R"("spanId":"2222222222222222","name":"chat","startTimeUnixNano":"1789999999000000000",)"
        R"("endTimeUnixNano":"1789999999000000005",{}}}]}}]}}]}})",
        GetParam().members);
    EXPECT_THAT(decode_spans(Encoding::json, body), HasSubstr(GetParam().expected));
}
INSTANTIATE_TEST_SUITE_P(
    Leniency, SpanJson,
    testing::Values(
        JsonCase{"hex_ids_of_either_case",
                 R"("traceId":"ABCDEF0123456789abcdef0123456789","spanId":"ABCDEF0123456789")",
                 "abcdef0123456789abcdef0123456789 abcdef0123456789 <"},
        JsonCase{"base64_ids", R"("traceId":"EREREREREREREREREREREQ==","parentSpanId":"MzMzMzMzMzM=")",
                 "11111111111111111111111111111111 2222222222222222 < 3333333333333333"},
        JsonCase{"base64_ids_without_padding", R"("parentSpanId":"MzMzMzMzMzM")", "< 3333333333333333"},
        JsonCase{"an_id_that_is_neither_is_refused_alone", R"("spanId":"xyz")", "a span id of 3 characters"},
        JsonCase{"times_as_numbers", R"("startTimeUnixNano":1789999999000000001)",
                 "start=1789999999000000001 duration=4"},
        JsonCase{"times_as_numbers_with_exponent", R"("startTimeUnixNano":1.789999999e18)",
                 "start=1789999999000000000"},
        JsonCase{"kind_as_a_name", R"("kind":"SPAN_KIND_CLIENT")", "kind=3"},
        JsonCase{"kind_as_a_number_in_a_text", R"("kind":"3")", "kind=3"},
        JsonCase{"status_as_a_name", R"("status":{"code":"STATUS_CODE_ERROR","message":"m"})",
                 "status=2 \"m\""},
        JsonCase{"null_is_absent", R"("kind":null,"status":null,"attributes":null,"events":null)",
                 "rejected 0"},
        JsonCase{"unknown_keys_are_ignored", R"("new":{"deep":[1,{"x":"}]"}]},"kind":3,"trace_id":"x")",
                 "kind=3"},
        JsonCase{"escaped_keys_are_keys", R"("\u006bind":3)", "kind=3"},
        JsonCase{"escapes", R"("name":"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00\u0000")",
                 "\"\\\"\\\\/\\b\\f\\n\\r\\t\xc3\xa4\xf0\x9f\x98\x80\\u0000\""},
        JsonCase{"half_a_surrogate_pair_is_replaced", R"("name":"a\ud83d")", "\"a\xef\xbf\xbd\" kind=0"},
        JsonCase{"the_other_half_is_replaced", R"("name":"\ude00b")", "[invalid_utf8]"},
        JsonCase{"a_high_half_and_a_letter", R"("name":"\ud83d\u0041")",
                 "\"\xef\xbf\xbd"
                 "A\""},
        JsonCase{
            "integers_as_numbers_and_texts",
            R"("attributes":[{"key":"a","value":{"intValue":"-9223372036854775808"}},)"
            R"({"key":"b","value":{"intValue":9223372036854775807}},{"key":"c","value":{"intValue":1e3}},)"
            R"({"key":"d","value":{"intValue":2.50e1}},{"key":"e","value":{"intValue":1.0}}])",
            "{a: -9223372036854775808, b: 9223372036854775807, c: 1000, d: 25, e: 1}"},
        JsonCase{
            "doubles_as_numbers_and_texts",
            R"("attributes":[{"key":"a","value":{"doubleValue":"NaN"}},{"key":"b","value":{"doubleValue":"-Infinity"}},)"
            R"({"key":"c","value":{"doubleValue":"1.5"}},{"key":"d","value":{"doubleValue":7}}])",
            "{a: double NaN, b: double -Infinity, c: double 1.5, d: double 7}"},
        JsonCase{
            "bytes_in_any_base64",
            R"("attributes":[{"key":"a","value":{"bytesValue":"-_8="}},{"key":"b","value":{"bytesValue":"+/8"}}])",
            "{a: bytes +/8=, b: bytes +/8=}"},
        JsonCase{"value_before_key",
                 R"("attributes":[{"value":{"kvlistValue":{"values":)"
                 R"([{"value":{"intValue":1},"key":"in"},{"value":{"intValue":2}}]}},"key":"k"}])",
                 R"({k: json {"in":1,"":2}})"},
        JsonCase{"null_as_a_value",
                 R"("attributes":[{"key":"k","value":null},)"
                 R"({"key":"l","value":{"arrayValue":{"values":[{},{"stringValue":null}]}}}])",
                 "{k: empty, l: json [null,null]}"}),
    name_of<JsonCase>);
INSTANTIATE_TEST_SUITE_P(
    Errors, SpanJson,
    testing::Values(
        JsonCase{"attributes_as_an_object", R"("attributes":{"k":"v"})",
                 "in resourceSpans[0].scopeSpans[0].spans[0].attributes: a list of {\"key\": ..., \"value\": "
                 "{...}} is "
                 "needed"},
        JsonCase{"a_value_that_is_no_object", R"("attributes":[{"key":"k","value":"v"}])",
                 "spans[0].attributes[0].value: an object is needed"},
        JsonCase{"a_number_for_a_text", R"("name":5)", "spans[0].name: a text is needed"},
        JsonCase{"a_text_for_a_number", R"("startTimeUnixNano":"yesterday")",
                 "spans[0].startTimeUnixNano: a whole number is needed"},
        JsonCase{"a_fraction_of_a_nanosecond", R"("startTimeUnixNano":1.5)", "a whole number is needed"},
        JsonCase{"a_negative_time", R"("startTimeUnixNano":-1)", "a number that must not be negative"},
        JsonCase{"an_integer_that_is_too_large",
                 R"("attributes":[{"key":"k","value":{"intValue":"9223372036854775808"}}])",
                 "attributes[0].value.intValue: a number that is too large"},
        JsonCase{"a_huge_exponent", R"("startTimeUnixNano":1e999999999)", "a number that is too large"},
        JsonCase{"an_unknown_enum_name", R"("kind":"CLIENT")", "spans[0].kind: a whole number is needed"},
        JsonCase{"a_bool_that_is_none", R"("attributes":[{"key":"k","value":{"boolValue":"yes"}}])",
                 "true or false is needed"},
        JsonCase{"bytes_that_are_no_base64", R"("attributes":[{"key":"k","value":{"bytesValue":"%"}}])",
                 "bytesValue: base64 is needed"},
        JsonCase{"two_values", R"("attributes":[{"key":"k","value":{"intValue":1,"boolValue":true}}])",
                 "more than one value"},
        JsonCase{"two_keys",
                 R"("attributes":[{"key":"k","value":{"kvlistValue":{"values":[{"key":"a","key":"b"}]}}}])",
                 "kvlistValue.values[0].key: more than one key"},
        JsonCase{"a_bad_escape", R"("name":"\x")", "an escape sequence that JSON does not have"},
        JsonCase{"a_missing_comma", R"("name":"a" "kind":3)", "no JSON from here on"},
        JsonCase{"a_word", R"("name":nul)", "a word that JSON does not have"}),
    name_of<JsonCase>);

struct BodyCase {
    std::string_view what;
    Encoding encoding;
    std::string body;
    std::string_view expected;
};
class ABody : public testing::TestWithParam<BodyCase> {};
TEST_P(ABody, isReadOrRefusedAsAWhole) {
    EXPECT_THAT(decode_spans(GetParam().encoding, GetParam().body), HasSubstr(GetParam().expected));
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, ABody,
    testing::Values(BodyCase{"empty_protobuf", Encoding::protobuf, "", "rejected 0: "},
                    BodyCase{"empty_object", Encoding::json, "{}", "rejected 0: "},
                    BodyCase{"byte_order_mark", Encoding::json, "\xef\xbb\xbf{}", "rejected 0: "},
                    BodyCase{"empty_json", Encoding::json, "",
                             "error: the request is no OTLP JSON: byte 0: nothing there"},
                    BodyCase{"a_list", Encoding::json, "[1,2,3]", "an object is needed"},
                    BodyCase{"a_number", Encoding::json, "7", "an object is needed"},
                    BodyCase{"cut_json", Encoding::json, R"({"resourceSpans":[{"scopeSpans":[{)", "error: "},
                    BodyCase{"cut_inside_a_text", Encoding::json, R"({"resourceSpans":[{"na)",
                             "a text that does not end"},
                    BodyCase{"two_requests", Encoding::json, "{}{}", "more text behind the end"},
                    BodyCase{"html", Encoding::json, "<html></html>", "error: "},
                    BodyCase{"json_as_protobuf", Encoding::protobuf, "{\"resourceSpans\":[]}", "error: "},
                    BodyCase{"a_newline_inside_a_text", Encoding::json, "{\"a\":\"\n\"}",
                             "a control character inside a text"}),
    name_of<BodyCase>);

// --- logs ---

struct LogCase {
    std::string_view what;
    void (*change)(logs::LogRecord&);
    std::string_view expected;
};
class ALogRecord : public testing::TestWithParam<LogCase> {};
TEST_P(ALogRecord, isReadAlikeFromBothEncodings) {
    ExportLogsServiceRequest request;
    logs::LogRecord* record = request.add_resource_logs()->add_scope_logs()->add_log_records();
    record->set_time_unix_nano(started);
    GetParam().change(*record);
    const Buffer body(request.SerializeAsString());
    const std::string text = shown(decode_logs(Encoding::protobuf, body.view(), {}, now));
    EXPECT_THAT(text, HasSubstr(GetParam().expected));
    const Buffer json(json_of(request));
    EXPECT_EQ(shown(decode_logs(Encoding::json, json.view(), {}, now)), text);
}
INSTANTIATE_TEST_SUITE_P(
    Records, ALogRecord,
    testing::Values(
        LogCase{"keeps_its_fields",
                [](logs::LogRecord& r) {
                    r.set_observed_time_unix_nano(started + 1);
                    r.set_trace_id(std::string(16, '\x11'));
                    r.set_span_id(std::string(8, '\x22'));
                    r.set_severity_number(logs::SEVERITY_NUMBER_WARN);
                    r.set_severity_text("Warning");
                    r.set_event_name("gen_ai.choice");
                    r.mutable_body()->set_string_value("hello");
                },
                "1789999999000000000 observed=1789999999000000001 11111111111111111111111111111111 "
                "2222222222222222 "
                "severity=13 \"Warning\" event=\"gen_ai.choice\" body=\"hello\" []"},
        LogCase{"without_a_time_takes_the_observed_one",
                [](logs::LogRecord& r) {
                    r.clear_time_unix_nano();
                    r.set_observed_time_unix_nano(started + 1);
                },
                "1789999999000000001 observed=1789999999000000001"},
        LogCase{"without_any_time_takes_now", [](logs::LogRecord& r) { r.clear_time_unix_nano(); },
                "1790000000000000000 observed=0"},
        LogCase{"with_bad_ids_is_kept_without_correlation",
                [](logs::LogRecord& r) {
                    r.set_trace_id("short");
                    r.set_span_id(std::string(8, '\0'));
                },
                "00000000000000000000000000000000 0000000000000000"},
        LogCase{"takes_its_event_name_from_an_attribute",
                [](logs::LogRecord& r) {
                    for (const char* key : {"event_name", "event.name"}) {
                        common::KeyValue* pair = r.add_attributes();
                        pair->set_key(key);
                        pair->mutable_value()->set_string_value(key);
                    }
                },
                "event=\"event.name\""},
        LogCase{"has_a_body_of_any_kind",
                [](logs::LogRecord& r) {
                    common::KeyValue* pair = r.mutable_body()->mutable_kvlist_value()->add_values();
                    pair->set_key("content");
                    pair->mutable_value()->set_string_value("hi");
                },
                "body=json {\"content\":\"hi\"}"},
        LogCase{"in_milliseconds_is_repaired",
                [](logs::LogRecord& r) { r.set_time_unix_nano(1'789'999'990'123); }, "[time_unit_repaired]"},
        LogCase{"too_old_is_refused",
                [](logs::LogRecord& r) { r.set_time_unix_nano(started - 100 * one_day); },
                "rejected 1: resource_logs[0].scope_logs[0].log_records[0]: time 2026-06-13"},
        LogCase{"whose_producer_dropped_attributes_is_flagged",
                [](logs::LogRecord& r) { r.set_dropped_attributes_count(2); }, "[attributes_dropped]"}),
    name_of<LogCase>);

// --- metrics ---

struct MetricCase {
    std::string_view what;
    void (*change)(metrics::Metric&);
    std::string_view expected;
};
class AMetric : public testing::TestWithParam<MetricCase> {};
TEST_P(AMetric, isReadAlikeFromBothEncodings) {
    ExportMetricsServiceRequest request;
    metrics::Metric* metric = request.add_resource_metrics()->add_scope_metrics()->add_metrics();
    metric->set_name("m");
    GetParam().change(*metric);
    const Buffer body(request.SerializeAsString());
    const std::string text = shown(decode_metrics(Encoding::protobuf, body.view(), {}, now));
    EXPECT_THAT(text, HasSubstr(GetParam().expected));
    const Buffer json(json_of(request));
    EXPECT_EQ(shown(decode_metrics(Encoding::json, json.view(), {}, now)), text);
}
template <class Point>
Point* at_time(Point* point) {
    point->set_time_unix_nano(started);
    return point;
}
INSTANTIATE_TEST_SUITE_P(
    Metrics, AMetric,
    testing::Values(
        MetricCase{"gauge",
                   [](metrics::Metric& m) {
                       m.set_unit("s");
                       m.set_description("d");
                       auto* point = at_time(m.mutable_gauge()->add_data_points());
                       point->set_as_double(1.5);
                       point->set_start_time_unix_nano(started - 1);
                       for (const auto& [key, value] : {std::pair{"gen_ai.provider.name", "openai"},
                                                        {"gen_ai.request.model", "asked"},
                                                        {"gen_ai.response.model", "answered"}}) {
                           auto* pair = point->add_attributes();
                           pair->set_key(key);
                           pair->mutable_value()->set_string_value(value);
                       }
                   },
                   "\"m\" gauge unit=\"s\" \"d\" temporality=0 monotonic=0 ts=1789999999000000000 "
                   "start=1789999998999999999 flags=0 value=1.5   provider=\"openai\" model=\"answered\""},
        MetricCase{"sum",
                   [](metrics::Metric& m) {
                       at_time(m.mutable_sum()->add_data_points())->set_as_int(-3);
                       m.mutable_sum()->set_is_monotonic(true);
                       m.mutable_sum()->set_aggregation_temporality(metrics::AGGREGATION_TEMPORALITY_DELTA);
                   },
                   "sum unit=\"\" \"\" temporality=1 monotonic=1 ts=1789999999000000000 start=0 flags=0 "
                   "value=-3 int=-3"},
        MetricCase{"histogram",
                   [](metrics::Metric& m) {
                       auto* point = at_time(m.mutable_histogram()->add_data_points());
                       point->set_count(3);
                       point->set_sum(0);
                       point->set_min(-1);
                       for (const double bound : {1.0, 2.5}) point->add_explicit_bounds(bound);
                       for (const std::uint64_t count : {0, 1, 2}) point->add_bucket_counts(count);
                       m.mutable_histogram()->set_aggregation_temporality(
                           metrics::AGGREGATION_TEMPORALITY_CUMULATIVE);
                   },
                   "temporality=2 monotonic=0 ts=1789999999000000000 start=0 flags=0 count=3 sum=0 min=-1 "
                   R"({"bounds":[1,2.5],"counts":[0,1,2]})"},
        MetricCase{
            "histogram_without_buckets",
            [](metrics::Metric& m) { at_time(m.mutable_histogram()->add_data_points())->set_count(3); },
            R"(count=3 {"bounds":[],"counts":[]})"},
        MetricCase{"histogram_with_wrong_buckets_is_refused",
                   [](metrics::Metric& m) {
                       auto* point = at_time(m.mutable_histogram()->add_data_points());
                       point->add_explicit_bounds(1);
                       point->add_bucket_counts(1);
                   },
                   "rejected 1: resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0]: 1 "
                   "buckets for 1 "
                   "bounds"},
        MetricCase{
            "exponential_histogram",
            [](metrics::Metric& m) {
                auto* point = at_time(m.mutable_exponential_histogram()->add_data_points());
                point->set_count(7);
                point->set_scale(-2);
                point->set_zero_count(1);
                point->set_zero_threshold(0.5);
                point->mutable_positive()->set_offset(-3);
                point->mutable_positive()->add_bucket_counts(300);
            },
            R"(exponential_histogram unit="" "" temporality=0 monotonic=0 ts=1789999999000000000 start=0 flags=0 )"
            R"(count=7 {"scale":-2,"zero_count":1,"zero_threshold":0.5,"positive":{"offset":-3,"counts":[300]},)"
            R"("negative":{"offset":0,"counts":[]}})"},
        MetricCase{"summary",
                   [](metrics::Metric& m) {
                       auto* point = at_time(m.mutable_summary()->add_data_points());
                       point->set_count(2);
                       auto* quantile = point->add_quantile_values();
                       quantile->set_quantile(0.5);
                       quantile->set_value(3);
                   },
                   R"(temporality=2 monotonic=0 ts=1789999999000000000 start=0 flags=0 count=2 sum=0 )"
                   R"({"quantiles":[{"quantile":0.5,"value":3}]})"},
        MetricCase{
            "exemplars",
            [](metrics::Metric& m) {
                auto* point = at_time(m.mutable_sum()->add_data_points());
                point->set_as_int(1);
                auto* exemplar = point->add_exemplars();
                exemplar->set_time_unix_nano(started);
                exemplar->set_as_double(2.5);
                exemplar->set_trace_id(std::string(16, '\x11'));
                auto* pair = exemplar->add_filtered_attributes();
                pair->set_key("k");
                pair->mutable_value()->set_int_value(1);
                point->add_exemplars();  // without a value
                pair = point->add_attributes();
                pair->set_key("own");
            },
            R"([{"time":"2026-09-21T14:13:19Z","value":2.5,"trace_id":"11111111111111111111111111111111",)"
            R"("attributes":{"k":1}}] provider="" model="")"},
        MetricCase{"point_without_a_time_is_refused",
                   [](metrics::Metric& m) { m.mutable_gauge()->add_data_points()->set_as_int(1); },
                   "gauge.data_points[0]: no time"},
        MetricCase{"point_without_a_value_is_refused",
                   [](metrics::Metric& m) { at_time(m.mutable_gauge()->add_data_points()); },
                   "data_points[0]: no value"},
        MetricCase{"point_that_says_it_has_no_value_is_kept",
                   [](metrics::Metric& m) { at_time(m.mutable_gauge()->add_data_points())->set_flags(1); },
                   "flags=1   provider"},
        MetricCase{"points_are_counted_and_not_metrics",
                   [](metrics::Metric& m) {
                       for (int i = 0; i < 3; ++i) m.mutable_gauge()->add_data_points();
                   },
                   "rejected 3"},
        MetricCase{"metric_without_data_is_refused", [](metrics::Metric&) {}, "metrics[0]: no data"},
        MetricCase{"metric_without_points_is_nothing", [](metrics::Metric& m) { m.mutable_gauge(); },
                   "rejected 0"}),
    name_of<MetricCase>);

TEST(MetricJson, namesBehindThePointsCount) {
    const Buffer body(
        R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{"asInt":"4","timeUnixNano":)"
        R"("1789999999000000000"}],"isMonotonic":true,"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA"},)"
        R"("name":"late","unit":"By"}],"scope":{"name":"late scope"}}],"resource":{"attributes":[{"key":"service.name",)"
        R"("value":{"stringValue":"late service"}}]}}]})");
    const std::string text = shown(decode_metrics(Encoding::json, body.view(), {}, now));
    EXPECT_THAT(text, HasSubstr("\"late\" sum unit=\"By\" \"\" temporality=1 monotonic=1"));
    EXPECT_THAT(text, HasSubstr("scope \"late scope\""));
    EXPECT_THAT(text, HasSubstr("{service.name: \"late service\"}"));
}

}  // namespace
}  // namespace obs
