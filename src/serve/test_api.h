// The API over a store in memory, asked without sockets.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "serve/api_service.h"
#include "serve/test_accounts.h"
#include "store/memory/memory_store.h"
#include "store/test_rows.h"

namespace obs::serve::test {

using obs::test::TestRow;

struct Answer {
    int status = 0;
    std::string body;  // of a file, its content
    net::Headers headers;

    // The value at a JSON pointer as text, `/data/0/model`; empty if there is none.
    std::string at(std::string_view pointer) const;
    std::string cursor() const;
    // Names of the spans in `data`, separated by blanks.
    std::string names() const;
};

class FakeLive : public query::LiveData {
public:
    std::uint64_t visible_seq() const override { return visible; }
    Running running(const Scope&, std::optional<TraceId> trace) const override;

    std::uint64_t visible = 0;
    std::vector<TestRow> rows;  // that run
    UnixNanos news{};           // of all of them
};

using Fields = std::vector<std::pair<std::string, std::string>>;

// Tokens are names: `admin`, `developer`, `viewer`, `billing` of organisation `acme` and project `main`,
// `homeless` without a project, `old` that has expired.
class TestApi {
public:
    // With `accounts`, credentials are theirs and not names.
    // Without `exports` and `prices`, their routes are there and nobody works on jobs.
    explicit TestApi(ApiOptions options = {}, SpanStore* store = nullptr, TestAccounts* accounts = nullptr,
                     const ExportParts* exports = nullptr, const PriceParts* prices = nullptr);

    // Unless they say otherwise, rows are model calls of acme/main, stored and visible.
    void write(std::vector<TestRow> rows);
    Answer get(std::string_view target, std::string_view token = "admin", Fields headers = {});
    Answer search(std::string_view body, std::string_view token = "admin");
    Answer ask(std::string_view method, std::string_view target, std::string_view body, Fields headers);

    MemoryStore memory;
    FakeLive live;
    std::vector<Price> rules;  // what a rule charges
    Metrics metrics;
    std::unique_ptr<AnomalyLog> anomalies;  // of its own
    obs::live::Hub hub{obs::live::Hub::Options{}};
    bool ready = true;
    bool refuse_scores = false;
    net::RequestHead head;  // what every request begins with
    query::Figures figures;
    alert::SpendBoard board;
    alert::BudgetWatch watch;  // looks when a test says so
    std::unique_ptr<ApiService> service;

private:
    AuthParts auth_;
    BudgetParts budgets_;
    std::uint64_t writes_ = 0;
};

// Lower-case hex of raw bytes.
std::string hex(std::string_view bytes);

net::Request request_of(const net::RequestHead& head, std::string_view method, std::string_view target,
                        std::string_view body, Fields headers);

}  // namespace obs::serve::test
