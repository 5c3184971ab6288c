// The same bytes through our readers, the official library and protozero: captures of real clients, captures
// with errors put into them, and random messages. Where the library refuses, it must be for what docs say we
// tolerate: texts that are no UTF-8, and broken content of messages that we do not look into.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <opentelemetry/proto/collector/logs/v1/logs_service.pb.h>
#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "decode/decode.h"
#include "decode/describe.h"
#include "decode/reference_decode.h"

namespace obs {
namespace {

namespace pb = google::protobuf;
using opentelemetry::proto::collector::logs::v1::ExportLogsServiceRequest;
using opentelemetry::proto::collector::metrics::v1::ExportMetricsServiceRequest;
using opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;

// The library complains of every text that is no UTF-8, as it should.
pb::LogHandler* const talkative = pb::SetLogHandler(nullptr);

constexpr UnixNanos now{1'790'000'000'000'000'000};
// Captures are as old as they are.
const DecodeLimits any_time{.oldest = Nanos::days(20'000), .newest = Nanos::days(20'000)};

template <class Raw>
std::string shown(const Decoded<Raw>& decoded) {
    return fmt::format("{}rejected {}", describe(decoded.rows), decoded.rejected);
}
template <class Raw>
std::string shown(const Result<Decoded<Raw>>& decoded) {
    return decoded ? shown(*decoded) : std::string("refused");
}
template <class Raw>
std::string shown(const std::optional<Decoded<Raw>>& decoded) {
    return decoded ? shown(*decoded) : std::string("refused");
}
std::string ours(Signal signal, Encoding encoding, std::string_view body, const DecodeLimits& limits) {
    const Buffer buffer(body);
    switch (signal) {
        case Signal::traces: return shown(decode_traces(encoding, buffer.view(), limits, now));
        case Signal::logs: return shown(decode_logs(encoding, buffer.view(), limits, now));
        default: return shown(decode_metrics(encoding, buffer.view(), limits, now));
    }
}
std::string theirs(Signal signal, std::string_view body, const DecodeLimits& limits) {
    switch (signal) {
        case Signal::traces: return shown(protobuf_traces(body, limits, now));
        case Signal::logs: return shown(protobuf_logs(body, limits, now));
        default: return shown(protobuf_metrics(body, limits, now));
    }
}

struct Capture {
    std::string name;
    Signal signal;
    std::string body;
    bool is_json() const { return body.starts_with('{'); }
};
std::vector<Capture> captures() {
    std::vector<Capture> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator("tests/captures")) {
        if (entry.path().extension() != ".otlp") continue;
        std::ifstream file(entry.path(), std::ios::binary);
        const std::string name = entry.path().filename().string();
        const Signal signal = name.find(".logs.") != std::string::npos      ? Signal::logs
                              : name.find(".metrics.") != std::string::npos ? Signal::metrics
                                                                            : Signal::traces;
        found.push_back({name, signal, {std::istreambuf_iterator<char>(file), {}}});
    }
    std::ranges::sort(found, {}, &Capture::name);
    return found;
}

pb::Message* new_request(Signal signal, pb::Arena& arena) {
    switch (signal) {
        case Signal::traces: return pb::Arena::CreateMessage<ExportTraceServiceRequest>(&arena);
        case Signal::logs: return pb::Arena::CreateMessage<ExportLogsServiceRequest>(&arena);
        default: return pb::Arena::CreateMessage<ExportMetricsServiceRequest>(&arena);
    }
}

// The official parser over a schema in which texts are bytes and messages that we skip are unknown: readable
// for it must mean readable for us, and the other way round.
class TolerantParser {
public:
    TolerantParser() {
        for (const pb::Descriptor* request :
             {ExportTraceServiceRequest::descriptor(), ExportLogsServiceRequest::descriptor(),
              ExportMetricsServiceRequest::descriptor()})
            add(request->file());
    }
    bool can_read(Signal signal, std::string_view body) {
        pb::Arena arena;
        const std::string name = new_request(signal, arena)->GetDescriptor()->full_name();
        const std::unique_ptr<pb::Message> message(
            factory_.GetPrototype(pool_.FindMessageTypeByName(name))->New());
        return message->ParseFromArray(body.data(), static_cast<int>(body.size()));
    }

private:
    void add(const pb::FileDescriptor* file) {
        if (pool_.FindFileByName(file->name()) != nullptr) return;
        for (int i = 0; i < file->dependency_count(); ++i) add(file->dependency(i));
        pb::FileDescriptorProto copy;
        file->CopyTo(&copy);
        for (auto& message : *copy.mutable_message_type()) change(message);
        ASSERT_NE(pool_.BuildFile(copy), nullptr) << file->name();
    }
    static void change(pb::DescriptorProto& message) {
        for (auto& nested : *message.mutable_nested_type()) change(nested);
        auto& fields = *message.mutable_field();
        for (int i = fields.size() - 1; i >= 0; --i) {
            if (fields[i].type() == pb::FieldDescriptorProto::TYPE_STRING)
                fields[i].set_type(pb::FieldDescriptorProto::TYPE_BYTES);
            if (fields[i].name() == "entity_refs" || fields[i].name() == "metadata")
                fields.DeleteSubrange(i, 1);
        }
    }
    pb::DescriptorPool pool_;
    pb::DynamicMessageFactory factory_;
};

void expect_agreement(TolerantParser& tolerant, Signal signal, std::string_view body,
                      const DecodeLimits& limits, const std::string& what) {
    const std::string mine = ours(signal, Encoding::protobuf, body, limits);
    const std::string official = theirs(signal, body, limits);
    EXPECT_TRUE(is_utf8(mine)) << what;
    if (official != "refused") {
        EXPECT_EQ(mine, official) << what;
    } else {
        EXPECT_EQ(mine != "refused", tolerant.can_read(signal, body)) << what;
    }
}

TEST(Captures, areThere) {
    EXPECT_GT(captures().size(), 100);
}

TEST(Captures, areReadAsTheOfficialLibraryReadsThem) {
    TolerantParser tolerant;
    for (const Capture& capture : captures()) {
        if (capture.is_json()) {
            EXPECT_NE(ours(capture.signal, Encoding::json, capture.body, any_time), "refused")
                << capture.name;
            continue;
        }
        expect_agreement(tolerant, capture.signal, capture.body, any_time, capture.name);
        if (capture.signal != Signal::traces) continue;
        EXPECT_EQ(ours(capture.signal, Encoding::protobuf, capture.body, any_time),
                  shown(protozero_traces(capture.body, any_time, now)))
            << capture.name;
    }
}

TEST(Captures, areTheSameInJson) {
    for (const Capture& capture : captures()) {
        if (capture.is_json()) continue;
        pb::Arena arena;
        pb::Message* request = new_request(capture.signal, arena);
        ASSERT_TRUE(request->ParseFromString(capture.body)) << capture.name;
        std::string json;
        ASSERT_TRUE(pb::util::MessageToJsonString(*request, &json).ok());
        EXPECT_EQ(ours(capture.signal, Encoding::json, json, any_time),
                  ours(capture.signal, Encoding::protobuf, capture.body, any_time))
            << capture.name;
    }
}

// Truncates, flips bits, cuts out, repeats.
std::string damaged(std::string body, std::mt19937_64& random) {
    const auto below = [&](std::size_t limit) { return random() % limit; };
    for (std::size_t changes = 1 + below(3); changes > 0 && body.size() > 2; --changes) {
        const std::size_t at = below(body.size());
        switch (below(5)) {
            case 0: body.resize(at); break;
            case 1: body[at] = static_cast<char>(body[at] ^ 1 << below(8)); break;
            case 2: body[at] = static_cast<char>(random()); break;
            case 3: body.erase(at, 1 + below(8)); break;
            default: body.insert(at, body.substr(below(body.size()), below(16)));
        }
    }
    return body;
}

TEST(DamagedCaptures, areReadOrRefusedAsTheOfficialLibraryDoes) {
    TolerantParser tolerant;
    std::mt19937_64 random(7);
    for (const Capture& capture : captures()) {
        if (capture.is_json()) continue;
        for (int round = 0; round < 60; ++round) {
            expect_agreement(tolerant, capture.signal, damaged(capture.body, random), any_time,
                             fmt::format("{} round {}", capture.name, round));
            if (HasFailure()) return;
        }
    }
}

TEST(DamagedCaptures, inJsonNeverGiveTextThatIsNoUtf8) {
    std::mt19937_64 random(8);
    for (const Capture& capture : captures()) {
        if (!capture.is_json()) continue;
        for (int round = 0; round < 300; ++round)
            EXPECT_TRUE(
                is_utf8(ours(capture.signal, Encoding::json, damaged(capture.body, random), any_time)));
    }
}

TEST(RandomBytes, neverCrash) {
    TolerantParser tolerant;
    std::mt19937_64 random(9);
    for (int round = 0; round < 20'000; ++round) {
        std::string body(random() % 64, '\0');
        for (char& byte : body) byte = static_cast<char>(random() % 4 == 0 ? random() : random() % 0x80);
        for (const Signal signal : {Signal::traces, Signal::logs, Signal::metrics})
            expect_agreement(tolerant, signal, body, any_time, fmt::format("round {}", round));
        ours(Signal::traces, Encoding::json, body, any_time);
        if (HasFailure()) return;
    }
}

// Fills messages by their descriptors, with a taste for what is special.
class RandomMessage {
public:
    RandomMessage(std::uint64_t seed, bool with_unknown_fields)
        : random_(seed), unknown_(with_unknown_fields) {}

    void fill(pb::Message& message, int depth = 0) {
        const pb::Reflection& fields = *message.GetReflection();
        for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
            const pb::FieldDescriptor* field = message.GetDescriptor()->field(i);
            const bool is_message = field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE;
            if (below(10) < 3 || (is_message && depth > 14)) continue;
            // Not in the definitions that we test against the library's: fields of a development status.
            if (field->name().find("strindex") != std::string::npos) continue;
            if (!field->is_repeated()) {
                set(message, fields, field, depth);
                continue;
            }
            for (std::uint64_t count = below(depth < 8 ? 4 : 2); count > 0; --count)
                add(message, fields, field, depth);
        }
        if (unknown_ && below(4) == 0) add_unknown(*fields.MutableUnknownFields(&message), 0);
    }

private:
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    std::uint64_t whole() {
        switch (below(6)) {
            case 0: return 0;
            case 1: return 1;
            case 2: return std::numeric_limits<std::uint64_t>::max();
            case 3: return std::uint64_t{1} << 63;
            case 4: return std::numeric_limits<std::int64_t>::max();
            default: return random_();
        }
    }
    double real() {
        switch (below(6)) {
            case 0: return std::numeric_limits<double>::quiet_NaN();
            case 1: return -std::numeric_limits<double>::infinity();
            case 2: return -0.0;
            case 3: return static_cast<double>(random_()) * 1e-5;
            case 4: return std::numeric_limits<double>::denorm_min();
            default: return static_cast<double>(below(1000)) / 8;
        }
    }
    std::string text() {
        constexpr std::string_view pieces[] = {"a",
                                               "key",
                                               "gen_ai.request.model",
                                               "\xc3\xa4",
                                               "\xe4\xb8\x96",
                                               "\"\\/",
                                               "\n\t\x01",
                                               std::string_view("\0", 1),
                                               "event.name",
                                               " ",
                                               "\xf0\x9f\x98\x80"};
        std::string made;
        for (std::uint64_t count = below(5); count > 0; --count) made += pieces[below(std::size(pieces))];
        return made;
    }
    std::string bytes(const pb::FieldDescriptor* field) {
        if (field->name().find("_id") != std::string::npos && below(8) != 0)
            return std::string(field->name() == "trace_id" ? 16 : 8, static_cast<char>(1 + below(255)));
        std::string made(below(20), '\0');
        for (char& byte : made) byte = static_cast<char>(random_());
        return made;
    }
    std::uint64_t fixed(const pb::FieldDescriptor* field) {
        if (field->name().find("time_unix_nano") == std::string::npos || below(10) == 0) return whole();
        return static_cast<std::uint64_t>(now.since_epoch) - below(1'000'000'000'000);
    }

#define OBS_FOR_KINDS(SCALAR, MESSAGE)                                                                 \
    switch (field->cpp_type()) {                                                                       \
        case pb::FieldDescriptor::CPPTYPE_INT32: SCALAR(Int32, static_cast<std::int32_t>(whole()));    \
        case pb::FieldDescriptor::CPPTYPE_INT64: SCALAR(Int64, static_cast<std::int64_t>(whole()));    \
        case pb::FieldDescriptor::CPPTYPE_UINT32: SCALAR(UInt32, static_cast<std::uint32_t>(whole())); \
        case pb::FieldDescriptor::CPPTYPE_UINT64: SCALAR(UInt64, fixed(field));                        \
        case pb::FieldDescriptor::CPPTYPE_DOUBLE: SCALAR(Double, real());                              \
        case pb::FieldDescriptor::CPPTYPE_BOOL: SCALAR(Bool, below(2) == 0);                           \
        case pb::FieldDescriptor::CPPTYPE_ENUM: SCALAR(EnumValue, static_cast<int>(below(8)));         \
        case pb::FieldDescriptor::CPPTYPE_STRING:                                                      \
            SCALAR(String, field->type() == pb::FieldDescriptor::TYPE_BYTES ? bytes(field) : text());  \
        case pb::FieldDescriptor::CPPTYPE_MESSAGE: MESSAGE;                                            \
        default: FAIL() << field->full_name();                                                         \
    }
    void set(pb::Message& message, const pb::Reflection& fields, const pb::FieldDescriptor* field,
             int depth) {
#define OBS_SET(Kind, value) return fields.Set##Kind(&message, field, value)
        OBS_FOR_KINDS(OBS_SET, return fill(*fields.MutableMessage(&message, field), depth + 1))
#undef OBS_SET
    }
    void add(pb::Message& message, const pb::Reflection& fields, const pb::FieldDescriptor* field,
             int depth) {
#define OBS_ADD(Kind, value) return fields.Add##Kind(&message, field, value)
        OBS_FOR_KINDS(OBS_ADD, return fill(*fields.AddMessage(&message, field), depth + 1))
#undef OBS_ADD
    }
#undef OBS_FOR_KINDS
    void add_unknown(pb::UnknownFieldSet& set, int depth) {
        const int number = static_cast<int>(2000 + below(100'000));
        switch (below(depth < 4 ? 5 : 4)) {
            case 0: set.AddVarint(number, random_()); break;
            case 1: set.AddFixed32(number, static_cast<std::uint32_t>(random_())); break;
            case 2: set.AddFixed64(number, random_()); break;
            case 3: set.AddLengthDelimited(number, text()); break;
            default: add_unknown(*set.AddGroup(number), depth + 1);
        }
    }

    std::mt19937_64 random_;
    bool unknown_;
};

TEST(RandomMessages, areReadAlikeByTheOfficialLibraryAndInJson) {
    TolerantParser tolerant;
    std::size_t rows = 0;
    for (std::uint64_t seed = 0; seed < 1500; ++seed) {
        for (const Signal signal : {Signal::traces, Signal::logs, Signal::metrics}) {
            pb::Arena arena;
            pb::Message* request = new_request(signal, arena);
            RandomMessage(seed, true).fill(*request);
            const std::string body = request->SerializeAsString();
            const std::string what = fmt::format("seed {} signal {}", seed, static_cast<int>(signal));
            expect_agreement(tolerant, signal, body, {}, what);
            std::string json;
            ASSERT_TRUE(pb::util::MessageToJsonString(*request, &json).ok());
            const std::string mine = ours(signal, Encoding::protobuf, body, {});
            ASSERT_EQ(ours(signal, Encoding::json, json, {}), mine) << what << "\n" << json.substr(0, 2000);
            rows += static_cast<std::size_t>(std::ranges::count(mine, '\n'));
            if (HasFailure()) return;
        }
    }
    EXPECT_GT(rows, 10'000) << "the messages say too little";
}

}  // namespace
}  // namespace obs
