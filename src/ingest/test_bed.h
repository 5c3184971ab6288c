// What the tests of this folder share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "enrich/enrich.h"
#include "pricing/price_board.h"
#include "store/memory/memory_store.h"
#include "store/test_rows.h"
#include "text/tokeniser.h"

namespace obs::test {

inline const Enricher& enricher() {
    static const PriceBoard prices(PriceTable::load().value());
    static const Tokeniser tokeniser;
    static const Enricher enricher(prices, tokeniser);
    return enricher;
}

// Asks again until the answer is yes; false when it is not within ten seconds.
template <class Condition>
bool eventually(Condition&& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

class TempDirectory {
public:
    TempDirectory() {
        std::string pattern = testing::TempDir() + "ingest-XXXXXX";
        path_ = mkdtemp(pattern.data());
    }
    ~TempDirectory() { std::filesystem::remove_all(path_); }
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// Spans of trace `t` that began in the order of the numbers at the end of their names.
inline TestRow step(std::string_view name, std::string_view parent, std::string_view kind = "other") {
    TestRow row = span(name).trace("t").set("kind", std::string(kind));
    row.set("org_id", std::string("default")).project("default");
    if (!parent.empty()) row.set("parent_span_id", span_bytes(parent));
    return row.at(std::chrono::seconds(name.empty() ? 0 : name.back() - '0'));
}
// A model call that used 10 and 5 tokens.
inline TestRow call(std::string_view name, std::string_view parent) {
    return step(name, parent, "llm").set("is_call", std::int64_t{1}).tokens(10, 5);
}
// An agent that repeats 10 and 5 tokens.
inline TestRow agent(std::string_view name, std::string_view parent, std::string_view kind = "agent") {
    return step(name, parent, kind)
        .set("rollup_prompt_tokens", std::int64_t{10})
        .set("rollup_completion_tokens", std::int64_t{5});
}
// A log event that knows the answer of a span.
inline TestRow answer_of(std::string_view name, std::string_view text) {
    return span("gen_ai.client.inference.operation.details").trace("t").id(name).output(text);
}
// One of several events, each with a message of the conversation.
inline TestRow message_of(std::string_view name, std::string_view text) {
    return span("gen_ai.user.message").trace("t").id(name).input(text);
}

inline SpanBatch spans_of(const std::vector<TestRow>& rows) {
    return rows.empty() ? SpanBatch() : std::get<SpanBatch>(batch_of(rows));
}

// Every stored span of an organisation, oldest first.
inline SpanBatch stored_spans(SpanStore& store, std::string_view org = "default") {
    RowQuestion question(Scope(std::string(org), {}));
    question.limit = 1'000'000;
    question.order = {{field("ts"), false}};
    return std::get<SpanBatch>(store.rows(question, {}).value().batch);
}

// `call1 10+5 call root`: own tokens, tokens repeated from below in brackets, what it counts as.
inline std::string shown(const SpanBatch& rows) {
    std::string text;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        text += rows.span_name[row];
        if (rows.prompt_tokens[row])
            text += fmt::format(" {}+{}", rows.prompt_tokens[row]->count, rows.completion_tokens[row]->count);
        if (rows.rollup_prompt_tokens[row])
            text += fmt::format(" ({}+{})", rows.rollup_prompt_tokens[row]->count,
                                rows.rollup_completion_tokens[row]->count);
        if (rows.is_call[row] != 0) text += " call";
        if (rows.is_root[row] != 0) text += " root";
        text += "\n";
    }
    return text;
}

}  // namespace obs::test
