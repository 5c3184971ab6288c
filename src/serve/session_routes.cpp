#include "serve/session_routes.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "base/hash.h"
#include "base/json_writer.h"
#include "query/condition.h"
#include "query/cursor.h"
#include "query/fields.h"
#include "query/sessions.h"
#include "serve/envelope.h"
#include "serve/trace_json.h"

namespace obs::serve {

namespace {

using namespace std::chrono_literals;
using query::Party;
using query::PartyTotals;

constexpr WindowRule last_day{.span = Nanos::days(1), .most = Nanos::days(365)};
constexpr WindowRule last_month{.span = Nanos::days(30), .most = Nanos::days(365)};
constexpr std::size_t longest_id = 1024;

constexpr std::string_view sorts[] = {"last_seen", "first_seen", "calls", "errors", "tokens", "cost"};

constexpr ParameterInfo page_limit{
    "limit", ParameterType::integer, "rows of a page", {.fallback = "50", .least = 1, .most = 200}};
constexpr auto list_parameters =
    call_filters + std::array{ParameterInfo{"search", ParameterType::text,
                                            "words that stand in input or output; takes read:content"},
                              ParameterInfo{"sort_by",
                                            ParameterType::word,
                                            "what they are ordered by",
                                            {.words = "last_seen first_seen calls errors tokens cost",
                                             .fallback = "last_seen"}},
                              parameter::sort_order, parameter::cursor, page_limit};
constexpr std::array one_parameters{parameter::project_id, parameter::from, parameter::to};
constexpr std::array turn_parameters{parameter::project_id,
                                     parameter::from,
                                     parameter::to,
                                     ParameterInfo{"sort_order",
                                                   ParameterType::word,
                                                   "oldest or newest first",
                                                   {.words = "asc desc", .fallback = "asc"}},
                                     parameter::cursor,
                                     page_limit};

struct Shared {
    std::shared_ptr<const AnalyticsShared> analytics;
    query::Sessions sessions;

    explicit Shared(const AnalyticsParts& parts) : analytics(share(parts)), sessions(analytics->figures) {}
};

std::string_view name_of(Party by) {
    return by == Party::session ? "session_id" : "user_id";
}

// Of the whole question but its page: a cursor goes with the question it came from.
std::uint64_t fingerprint_of(std::span<const ParameterInfo> table, const Parameters& given,
                             const Call& call) {
    std::string text = fmt::format("{}\n{}", call.request.head.path, call.principal->org);
    for (const std::string& project : call.principal->projects) text += '\n' + project;
    for (const ParameterInfo& info : table)
        if (info.name != "cursor" && info.name != "limit" && given.has(info.name))
            text += fmt::format("\n{}={}", info.name, given.text(info.name));
    return hash64(text);
}

ApiResult<std::optional<query::Cursor>> cursor_of(const Parameters& given, std::uint64_t fingerprint) {
    const std::string_view text = given.text("cursor");
    if (text.empty()) return std::optional<query::Cursor>();
    return std::optional(OBS_ANSWER(query::parse_cursor(text, fingerprint, {})));
}

ApiResult<std::string> id_in(const Call& call, Party by) {
    std::string id(call.parameter(name_of(by)));
    if (id.empty() || id.size() > longest_id)
        return refuse(ErrorCode::resource_not_found, std::string(name_of(by)), "there is no such {}",
                      by == Party::session ? "session" : "user");
    return id;
}

Filter has_id(Party by, std::string id) {
    return Filter::where({{find_column(TableId::spans, name_of(by))}, Operator::eq, {Scalar(std::move(id))}});
}

// ----- lists

void write_party(JsonWriter& json, const PartyTotals& row, Party by) {
    json.begin_object().field(name_of(by), row.id).field("project_id", row.project);
    json.field("first_seen", rfc3339(row.first_seen)).field("last_seen", rfc3339(row.last_seen));
    if (by == Party::session)
        json.field("duration_ms", row.duration.count / 1'000'000).field("traces", row.traces);
    json.field("calls", row.calls).field("spans", row.spans).field("errors", row.errors);
    if (row.tokens) json.field("tokens", row.tokens->count);
    if (row.cost) json.field("cost_usd", *row.cost);
    if (by == Party::user) json.field("sessions", row.sessions);
    const auto texts = [&](std::string_view name, const std::vector<std::string>& list) {
        json.key(name).begin_array();
        for (const std::string& text : list) json.value(text);
        json.end_array();
    };
    texts("models", row.models);
    if (by == Party::session) texts("users", row.users);
    json.end_object();
}

ApiResult<Reply> answer_list(const Shared& shared, const Call& call, Party by, WindowRule window,
                             const std::optional<Filter>& among) {
    const Parameters given = OBS_ANSWER(Parameters::read(list_parameters, call.request.head.query, call.now));
    const std::uint64_t fingerprint = fingerprint_of(list_parameters, given, call);
    const auto cursor = OBS_ANSWER(cursor_of(given, fingerprint));
    Call then = call;
    if (cursor) then.now = cursor->now;
    const AnalyticsRequest request =
        OBS_ANSWER(analytics_request(shared.analytics->parts, given, then, window));
    query::PartyQuestion question(by, request.scope);
    if (among) question.filter.also(*among);
    if (!request.filter.always()) question.filter.also(request.filter);
    question.window = {request.from, request.to};
    question.now = then.now;
    question.sort = *std::ranges::find(sorts, given.text("sort_by"));
    question.descending = given.text("sort_order") == "desc";
    question.limit = static_cast<std::size_t>(*given.integer("limit"));
    question.fingerprint = fingerprint;
    question.cursor = cursor;
    const query::PartyPage page = OBS_ANSWER(shared.sessions.list(question, call.cancel));
    Reply reply{.until = request.to, .once = cursor.has_value()};
    JsonWriter json(reply.body);
    begin_envelope(json);
    json.begin_array();
    for (const PartyTotals& row : page.rows) write_party(json, row, by);
    json.end_array();
    write_pagination(json, page.cursor, question.limit);
    end_envelope(json, reply, call, content_for(*call.principal),
                 [&] { json.field("from", rfc3339(request.from)).field("to", rfc3339(request.to)); });
    return reply;
}

// ----- one of them

ApiResult<Reply> answer_one(const Shared& shared, const Call& call, Party by) {
    const Parameters given = OBS_ANSWER(Parameters::read(one_parameters, call.request.head.query, call.now));
    const std::string id = OBS_ANSWER(id_in(call, by));
    query::PartyQuestion question(by, OBS_ANSWER(scope_of(*call.principal, given.text("project_id"))));
    question.filter = has_id(by, id);
    question.window = OBS_ANSWER(window_of(given, call.now));
    question.now = call.now;
    question.limit = 1;
    const query::PartyPage page = OBS_ANSWER(shared.sessions.list(question, call.cancel));
    if (page.rows.empty())
        return refuse(ErrorCode::resource_not_found, std::string(name_of(by)), "there is no {} {}",
                      by == Party::session ? "session" : "user", std::string_view(id).substr(0, 100));
    Reply reply;
    JsonWriter json(reply.body);
    begin_envelope(json);
    write_party(json, page.rows.front(), by);
    end_envelope(json, reply, call, content_for(*call.principal), [] {});
    return reply;
}

// ----- turns

void write_turn(JsonWriter& json, const query::Turn& turn) {
    json.begin_object().field("trace_id", turn.trace.hex());
    if (turn.root) json.field("span_id", turn.root->hex());
    json.field("timestamp", rfc3339(turn.start)).field("span_name", turn.name);
    if (!turn.status.empty()) json.field("status_code", turn.status);
    if (!turn.user.empty()) json.field("user_id", turn.user);
    if (!turn.input.empty()) json.field("input", turn.input);
    if (!turn.output.empty()) json.field("output", turn.output);
    if (turn.cut) json.field("cut", true);
    write_totals(json, turn.totals);
    json.end_object();
}

ApiResult<Reply> answer_turns(const Shared& shared, const Call& call) {
    const Parameters given = OBS_ANSWER(Parameters::read(turn_parameters, call.request.head.query, call.now));
    query::TurnQuestion question(OBS_ANSWER(scope_of(*call.principal, given.text("project_id"))));
    question.session = OBS_ANSWER(id_in(call, Party::session));
    question.fingerprint = fingerprint_of(turn_parameters, given, call);
    question.cursor = OBS_ANSWER(cursor_of(given, question.fingerprint));
    question.now = question.cursor ? question.cursor->now : call.now;
    question.window = OBS_ANSWER(window_of(given, question.now));
    question.descending = given.text("sort_order") == "desc";
    question.limit = static_cast<std::size_t>(*given.integer("limit"));
    question.content = content_for(*call.principal);
    const query::TurnPage page = OBS_ANSWER(shared.sessions.turns(question, call.cancel));
    if (page.turns.empty() && !question.cursor)
        return refuse(ErrorCode::resource_not_found, "session_id", "there is no session {}",
                      std::string_view(question.session).substr(0, 100));
    Reply reply{.until = question.window.to, .once = question.cursor.has_value()};
    JsonWriter json(reply.body);
    begin_envelope(json);
    json.begin_array();
    for (const query::Turn& turn : page.turns) write_turn(json, turn);
    json.end_array();
    write_pagination(json, page.cursor, question.limit);
    end_envelope(json, reply, call, question.content, [] {});
    return reply;
}

}  // namespace

std::vector<Route> session_routes(const AnalyticsParts& parts) {
    const auto shared = std::make_shared<const Shared>(parts);
    std::vector<Route> routes;
    const auto add = [&](std::string_view pattern, Handler handler, RouteDocs docs) {
        docs.tag = "sessions";
        routes.push_back({"GET",
                          pattern,
                          Access::token,
                          "read:traces",
                          std::move(handler),
                          std::move(docs),
                          {.keep = 60s, .keep_past = 300s}});
    };
    const auto list = [shared](Party by) -> Handler {
        return [shared, by](const Call& call) { return answer_list(*shared, call, by, last_day, {}); };
    };
    const auto one = [shared](Party by) -> Handler {
        return [shared, by](const Call& call) { return answer_one(*shared, call, by); };
    };
    constexpr std::string_view of_the_last_day =
        "Totals are of the spans that match, in the window; of the last 24 hours when no `from` is given.";
    add("/api/v1/sessions", list(Party::session),
        {.summary = "Sessions with their totals, those seen last first",
         .parameters = list_parameters,
         .answer = "SessionTotalsList",
         .description = of_the_last_day});
    add("/api/v1/sessions/:session_id", one(Party::session),
        {.summary = "One session with its totals",
         .parameters = one_parameters,
         .answer = "SessionTotalsAnswer",
         .refusals = {404}});
    add("/api/v1/sessions/:session_id/turns",
        [shared](const Call& call) { return answer_turns(*shared, call); },
        {.summary = "A session as a thread: its traces in order",
         .parameters = turn_parameters,
         .answer = "TurnList",
         .refusals = {404},
         .description = "`input` and `output` are the beginnings of what the root was sent and answered, "
                        "else the first and last model call; they take the permission read:content."});
    add("/api/v1/users", list(Party::user),
        {.summary = "End users with their totals, those seen last first",
         .parameters = list_parameters,
         .answer = "UserTotalsList",
         .description = of_the_last_day});
    add("/api/v1/users/:user_id", one(Party::user),
        {.summary = "One end user with totals",
         .parameters = one_parameters,
         .answer = "UserTotalsAnswer",
         .refusals = {404}});
    add("/api/v1/users/:user_id/sessions",
        [shared](const Call& call) -> ApiResult<Reply> {
            const std::string id = OBS_ANSWER(id_in(call, Party::user));
            return answer_list(*shared, call, Party::session, last_month, has_id(Party::user, id));
        },
        {.summary = "Sessions of an end user",
         .parameters = list_parameters,
         .answer = "SessionTotalsList",
         .description = "Of the last 30 days when no `from` is given."});
    return routes;
}

}  // namespace obs::serve
