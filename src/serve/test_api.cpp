#include "serve/test_api.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/ids.h"
#include "catalog/scratch.h"
#include "serve/export_request.h"

namespace obs::serve::test {

namespace {

constexpr UnixNanos now = obs::test::noon + Nanos::hours(1);

Authority::Recognised verify(std::string_view token, UnixNanos) {
    if (token.starts_with("llmo_sk_"))
        return std::unexpected(TokenRefusal{TokenFault::key, "there is no such key"});
    if (token == "old") return std::unexpected(TokenRefusal{TokenFault::expired, "the token has expired"});
    Principal principal{};
    principal.subject = "test";
    principal.org = "acme";
    principal.projects = {"main"};
    if (token == "homeless") {
        principal.projects.clear();
        principal.permissions = permissions_of(Role::viewer);
        return std::make_shared<const Principal>(std::move(principal));
    }
    const auto role = role_from(token);
    if (!role) return std::unexpected(TokenRefusal{TokenFault::signature, "the token was not made here"});
    principal.role = *role;
    principal.permissions = permissions_of(*role);
    return std::make_shared<const Principal>(std::move(principal));
}

// One for all tests that only need the routes to be there.
struct IdleExports {
    Scratch scratch;
    Catalog catalog = Catalog::open(scratch.path() / "catalog", Migrations::apply).value();
    Jobs jobs{catalog};
    MemoryStore store;
    jobs::ExportWork work{{.directory = scratch.path(), .data = "here"}, store, jobs, export_plan_of};
    jobs::Lane lane{{.data = "here"}, jobs, {{"export", &work}}, nullptr};
    ExportParts parts{
        .jobs = jobs, .lane = lane, .work = work, .visible_seq = [] { return std::uint64_t{0}; }};
};
const ExportParts& idle_exports() {
    static IdleExports exports;
    return exports.parts;
}

struct IdlePrices {
    IdleExports exports;
    PriceBoard board{PriceTable::load().value()};
    std::unique_ptr<KnownPrices> known = KnownPrices::load(exports.catalog, board).value();
    PriceParts parts{.catalog = exports.catalog,
                     .known = *known,
                     .board = board,
                     .jobs = exports.jobs,
                     .lane = exports.lane,
                     .visible_seq = [] { return std::uint64_t{0}; }};
};
const PriceParts& idle_prices() {
    static IdlePrices prices;
    return prices.parts;
}

std::string body_of(net::Response& response) {
    if (!response.file) return std::move(response.body);
    std::string content(response.file->size(), '\0');
    EXPECT_EQ(response.file->read(0, content), content.size());
    return content;
}

using Verify = std::function<Authority::Recognised(std::string_view, UnixNanos)>;

}  // namespace

std::string hex(std::string_view bytes) {
    return to_hex(std::as_bytes(std::span(bytes)));
}

std::string Answer::at(std::string_view pointer) const {
    simdjson::dom::parser parser;
    simdjson::dom::element root, found;
    if (parser.parse(body).get(root) != simdjson::SUCCESS) {
        ADD_FAILURE() << "not JSON: " << body.substr(0, 500);
        return {};
    }
    if (root.at_pointer(pointer).get(found) != simdjson::SUCCESS) return {};
    return simdjson::minify(found);
}

std::string Answer::cursor() const {
    const std::string quoted = at("/pagination/cursor");
    return quoted.empty() ? quoted : quoted.substr(1, quoted.size() - 2);
}

std::string Answer::names() const {
    std::string names;
    for (std::size_t i = 0;; ++i) {
        const std::string name = at(fmt::format("/data/{}/span_name", i));
        if (name.empty()) return names;
        names += (names.empty() ? "" : " ") + name.substr(1, name.size() - 2);
    }
}

FakeLive::Running FakeLive::running(const Scope&, std::optional<TraceId> trace) const {
    Running found;
    if (rows.empty()) return found;
    const SpanBatch all = std::get<SpanBatch>(obs::test::batch_of(rows));
    for (std::size_t row = 0; row < all.size(); ++row)
        if (!trace || all.trace_id[row] == *trace) {
            append_row(found.spans, all, row);
            found.news.push_back(news);
        }
    return found;
}

TestApi::TestApi(ApiOptions options, SpanStore* store, TestAccounts* accounts, const ExportParts* exports,
                 const PriceParts* prices)
    : figures(memory, live, nullptr),
      watch({}, *(accounts == nullptr ? shared_accounts() : *accounts).catalog, figures, board, nullptr, {}),
      auth_((accounts == nullptr ? shared_accounts() : *accounts).parts()),
      budgets_{auth_.catalog, board, watch} {
    head.listener_on_loopback = true;
    EXPECT_TRUE(memory.migrate());
    static std::atomic<int> made = 0;
    anomalies = AnomalyLog::load(auth_.catalog, fmt::format("test {}", ++made)).value();
    service = std::make_unique<ApiService>(
        ApiParts{
            .store = store == nullptr ? memory : *store,
            .live = live,
            .metrics = metrics,
            .verify = accounts == nullptr ? Verify(verify)
                                          : Verify([accounts](std::string_view credential, UnixNanos at) {
                                                return accounts->authority->of(credential, at);
                                            }),
            .not_ready = [this]() -> std::optional<std::string> {
                return ready ? std::nullopt : std::optional<std::string>("replaying");
            },
            .scores =
                [this](const Tenant& whose, ScoreBatch row, const std::function<void(Result<void>)>& done) {
                    EXPECT_EQ(whose.org, row.org_id[0]);
                    if (refuse_scores) return done(fail(ErrorKind::overloaded, "no room"));
                    row.seq.put(0, ++live.visible);
                    done(memory.write(AnyBatch(std::move(row)), fmt::format("s{}", ++writes_)));
                },
            .clock = [] { return now; },
            .auth = &auth_,
            .budgets = &budgets_,
            .hub = &hub,
            .exports = exports == nullptr ? &idle_exports() : exports,
            .anomalies = &*anomalies,
            .prices_of_rule =
                [this](std::string_view rule) {
                    std::vector<Price> found;
                    std::ranges::copy_if(rules, std::back_inserter(found),
                                         [&](const Price& price) { return price.rule == rule; });
                    return found;
                },
            .prices = prices == nullptr ? &idle_prices() : prices},
        std::move(options));
}

void TestApi::write(std::vector<TestRow> rows) {
    for (TestRow& row : rows) {
        if (row.get("org_id") == nullptr) row.set("org_id", "acme");
        if (row.get("project_id") == nullptr) row.project("main");
        if (row.table() == TableId::spans && row.get("kind") == nullptr) row.set("is_call", std::int64_t{1});
        row.seq(++live.visible);
    }
    const auto written = memory.write(obs::test::batch_of(rows), fmt::format("w{}", ++writes_));
    ASSERT_TRUE(written) << written.error().message;
}

net::Request request_of(const net::RequestHead& head, std::string_view method, std::string_view target,
                        std::string_view body, Fields headers) {
    net::Request request{.head = head, .body = Buffer(body), .received = body.size()};
    request.head.method = method;
    request.head.path = target.substr(0, target.find('?'));
    if (target.contains('?')) request.head.query = target.substr(target.find('?') + 1);
    for (auto& [name, value] : headers) request.head.headers.add(std::move(name), std::move(value));
    return request;
}

Answer TestApi::ask(std::string_view method, std::string_view target, std::string_view body, Fields headers) {
    net::Request request = request_of(head, method, target, body, std::move(headers));
    auto admitted = service->admit(request.head);
    const auto answer = [](net::Response response) {
        std::string content = body_of(response);
        return Answer{response.status, std::move(content), std::move(response.headers)};
    };
    if (auto* refusal = std::get_if<net::Response>(&admitted)) return answer(std::move(*refusal));
    request.context = std::get<net::Proceed>(admitted).context;
    std::promise<net::Response> promise;
    auto future = promise.get_future();
    service->handle(std::move(request),
                    [&](net::Response response) { promise.set_value(std::move(response)); });
    return answer(future.get());
}

Answer TestApi::get(std::string_view target, std::string_view token, Fields headers) {
    headers.emplace_back("authorization", fmt::format("Bearer {}", token));
    return ask("GET", target, "", std::move(headers));
}

Answer TestApi::search(std::string_view body, std::string_view token) {
    return ask("POST", "/api/v1/traces/search", body, {{"authorization", fmt::format("Bearer {}", token)}});
}

}  // namespace obs::serve::test
