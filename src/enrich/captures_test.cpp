// What real clients sent, against what their recordings say must come out.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "enrich/test_rows.h"

namespace obs {
namespace {

using namespace testing_rows;
namespace fs = std::filesystem;

const fs::path captures = "tests/captures";

std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

std::vector<fs::path> sidecars() {
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(captures))
        if (entry.path().extension() == ".json") found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
}

Understood replay(const fs::path& sidecar, const JsonObject& recording) {
    Understood understood;
    struct Request {
        std::string file, signal, encoding;
    };
    std::vector<Request> requests;
    const JsonArray listed = array_member(recording, "requests").value();
    for (const JsonElement item : listed) {
        const JsonObject request = item.get_object().value_unsafe();
        requests.push_back({std::string(text_member(request, "file")),
                            std::string(text_member(request, "signal")),
                            std::string(text_member(request, "encoding"))});
    }
    for (const Request& request : requests) {
        const Signal signal = request.signal == "traces" ? Signal::traces
                              : request.signal == "logs" ? Signal::logs
                                                         : Signal::metrics;
        const Encoding encoding = request.encoding == "json" ? Encoding::json : Encoding::protobuf;
        understand(signal, encoding, content_of(sidecar.parent_path() / request.file), understood);
    }
    settle(understood);
    return understood;
}

// The nearest row for each expected one, the most demanding first.
void expect_rows(const JsonObject& recording, const SpanBatch& spans) {
    std::vector<Shown> rows = shown(spans);
    std::vector<JsonObject> expected;
    const JsonArray listed = array_member(recording, "expect").value();
    for (const JsonElement item : listed) expected.push_back(item.get_object().value_unsafe());
    std::ranges::stable_sort(expected, std::greater<>(),
                             [](const JsonObject& wanted) { return wanted.size(); });
    for (const JsonObject& wanted : expected) {
        const auto nearest = std::ranges::min_element(
            rows, {}, [&](const Shown& row) { return differences(wanted, row).size(); });
        ASSERT_NE(nearest, rows.end()) << "there are no spans left";
        for (const std::string& difference : differences(wanted, *nearest))
            ADD_FAILURE() << (*nearest)["span_name"] << ": " << difference;
        rows.erase(nearest);
    }
}

void expect_totals(const JsonObject& recording, const SpanBatch& spans) {
    const JsonObject totals = object_member(recording, "totals").value();
    for (const auto total : totals) {
        std::int64_t sum = 0;
        for (std::size_t row = 0; row < spans.size(); ++row)
            if (spans.is_call[row] != 0)
                sum +=
                    (total.key == "prompt_tokens" ? spans.prompt_tokens[row] : spans.completion_tokens[row])
                        .value_or(Tokens{})
                        .count;
        EXPECT_EQ(sum, integer_of(JsonElement(total.value))) << total.key;
    }
}

class Capture : public testing::TestWithParam<fs::path> {};

TEST_P(Capture, isUnderstood) {
    simdjson::dom::parser parser;
    const simdjson::padded_string text(content_of(GetParam()));
    const JsonObject recording = parser.parse(text).get_object().value();
    const Understood understood = replay(GetParam(), recording);
    ASSERT_FALSE(understood.spans.empty());
    expect_rows(recording, understood.spans);
    expect_totals(recording, understood.spans);
}

INSTANTIATE_TEST_SUITE_P(All, Capture, testing::ValuesIn(sidecars()), [](const auto& test) {
    std::string name = test.param.parent_path().filename().string() + "_" + test.param.stem().string();
    for (char& c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    return name;
});

}  // namespace
}  // namespace obs
