#include <algorithm>
#include <utility>

#include "base/json_writer.h"
#include "jobs/reprice_work.h"
#include "query/time_expression.h"
#include "serve/account_json.h"
#include "serve/export_request.h"
#include "serve/job_requests.h"
#include "serve/json_body.h"
#include "serve/list_request.h"
#include "serve/price_routes.h"
#include "serve/rights.h"

namespace obs::serve {

namespace {

constexpr std::string_view kind = "reprice";
constexpr std::string_view members = "project_id provider model from to dry_run";
constexpr std::size_t most_names = 100, longest_name = 256;
constexpr Nanos longest_window = Nanos::days(365);

struct Request {
    jobs::RepriceAsked asked;
    bool dry_run = false;
};

ApiResult<std::optional<UnixNanos>> time_in(const JsonBody& body, std::string_view name, UnixNanos now) {
    const auto text = OBS_ANSWER(body.optional_text(name, 100));
    if (!text) return std::optional<UnixNanos>();
    const auto at = query::parse_time(*text, now);
    if (!at) return refuse(ErrorCode::invalid_field_format, std::string(name), "{}", at.error().message);
    return std::optional(*at);
}

ApiResult<std::vector<std::string>> names_in(const JsonBody& body, std::string_view name) {
    const auto scalar = body.optional_text(name, longest_name);
    if (scalar) return *scalar ? std::vector{**scalar} : std::vector<std::string>{};
    auto names = OBS_ANSWER(body.optional_texts(name, longest_name)).value_or(std::vector<std::string>{});
    if (names.size() > most_names)
        return refuse(ErrorCode::limit_exceeded, std::string(name), "at most {} of {}", most_names, name);
    return names;
}

ApiResult<Request> request_of(std::string_view text, const Principal& who, UnixNanos now) {
    const JsonBody body = OBS_ANSWER(JsonBody::read(text, members));
    const std::string project = OBS_ANSWER(body.optional_text("project_id", 128)).value_or(std::string());
    Request request{.asked = {.scope = OBS_ANSWER(scope_of(who, project))},
                    .dry_run = OBS_ANSWER(body.optional_flag("dry_run")).value_or(false)};
    Window& window = request.asked.window;
    window.from = OBS_ANSWER(time_in(body, "from", now));
    window.to = OBS_ANSWER(time_in(body, "to", now)).value_or(now);
    if (!window.from)
        return refuse(ErrorCode::missing_required_field, "from", "say from when on calls are priced anew");
    if (*window.from >= *window.to || *window.to - *window.from > longest_window)
        return refuse(ErrorCode::invalid_date_range, "from",
                      "a window ends after it began, and is at most 365 days long");
    request.asked.providers = OBS_ANSWER(names_in(body, "provider"));
    request.asked.models = OBS_ANSWER(names_in(body, "model"));
    return request;
}

void write_window(JsonWriter& json, const Request& request) {
    json.field("dry_run", request.dry_run).field("from", rfc3339(*request.asked.window.from));
    json.field("to", rfc3339(*request.asked.window.to));
}

void write_job(JsonWriter& json, const PriceParts& parts, const Job& job, bool with_parts) {
    const auto at = [&](std::string_view name, const std::optional<UnixNanos>& time) {
        if (time) json.field(name, rfc3339(*time));
    };
    json.begin_object();
    if (const auto request = request_of(job.request, principal_of(job), job.created))
        write_window(json, *request);
    json.field("job_id", job.id).field("status", name_of(job.status)).field("created_by", job.created_by);
    json.field("created_at", rfc3339(job.created));
    at("started_at", job.started);
    at("completed_at", job.completed);
    json.field("progress_percent", parts.lane.progress_of(job));
    if (!job.error.empty()) json.field("error_message", job.error);
    if (with_parts)
        for (const std::string_view member : {"planned", "stored"})
            if (const std::string diff = jobs::reprice_result(job.result, member); !diff.empty())
                json.key(member).raw(diff);
    json.end_object();
}

ApiResult<Reply> dry_run(const PriceParts& parts, SpanStore& store, const Request& request,
                         const Call& call) {
    auto diff = jobs::reprice(store, jobs::reprice_question(request.asked), parts.board,
                              jobs::Reader::question, {}, {}, call.cancel);
    if (!diff && diff.error().kind == ErrorKind::cancelled)
        return refuse(
            ErrorCode::query_timeout, "from",
            "there are too many calls to look at while you wait; narrow the window or name a model");
    const jobs::RepriceDiff found = OBS_ANSWER(std::move(diff));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object();
    write_window(json, request);
    json.key("planned").begin_object();
    jobs::write_diff(json, found);
    json.end_object().end_object();
    return reply;
}

ApiResult<Reply> start(const PriceParts& parts, SpanStore& store, const Call& call) {
    const std::string_view body = call.request.body.view();
    const Request request = OBS_ANSWER(request_of(body, *call.principal, call.now));
    if (request.dry_run) return dry_run(parts, store, request, call);
    Job job;
    job.kind = kind;
    job.request = body;
    job.projects = request.asked.scope.projects();
    job.rights = {"manage:prices"};
    job.up_to_seq = parts.visible_seq();
    const Job made = OBS_ANSWER(add_job(parts.jobs, parts.lane, parts.most_open, call, std::move(job)));
    Reply reply{.status = 202};
    reply.headers.add("location", fmt::format("/api/v1/prices/reprice/{}", made.id));
    JsonWriter json(reply.body);
    write_job(json, parts, made, true);
    return reply;
}

ApiResult<Job> job_in_path(const PriceParts& parts, const Call& call) {
    auto job = OBS_ANSWER(job_in_path(parts.jobs, kind, call));
    if (!job) return refuse(ErrorCode::job_not_found, "job_id", "there is no such job");
    return *std::move(job);
}

ApiResult<Reply> list_jobs(const PriceParts& parts, const Call& call) {
    const auto given = OBS_ANSWER(Parameters::read(page_parameters, call.request.head.query, call.now));
    std::vector<Job> all = OBS_ANSWER(parts.jobs.of(call.principal->org, kind));
    std::erase_if(all, [&](const Job& job) { return !sees_all_of(*call.principal, job.projects); });
    const Page page = page_of(given);
    const Listed<Job> listed = page_in(std::move(all), page);
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("jobs").begin_array();
    for (const Job& job : listed.items) write_job(json, parts, job, false);
    json.end_array();
    write_pagination(json, listed.total, page, listed.items.size());
    json.end_object();
    return reply;
}

ApiResult<Reply> show_job(const PriceParts& parts, const Call& call) {
    Reply reply;
    JsonWriter json(reply.body);
    write_job(json, parts, OBS_ANSWER(job_in_path(parts, call)), true);
    return reply;
}

ApiResult<Reply> cancel_job(const PriceParts& parts, const Call& call) {
    const Job job = OBS_ANSWER(job_in_path(parts, call));
    if (!OBS_ANSWER(parts.jobs.cancel(job.org, job.id, call.now)))
        return refuse(ErrorCode::concurrency_conflict, "", "it is over and cannot be cancelled any more");
    stop_job(parts.lane, job);
    return Reply{.status = 204};
}

}  // namespace

Result<jobs::RepriceAsked> reprice_asked_of(const Job& job) {
    auto request = request_of(job.request, principal_of(job), job.created);
    if (!request) return fail(ErrorKind::invalid_input, "{}", request.error().message);
    return std::move(request->asked);
}

std::vector<Route> reprice_routes(const PriceParts& parts, SpanStore& store) {
    std::vector<Route> routes;
    const auto add = [&](std::string_view method, std::string_view pattern, std::string_view permission,
                         Handler handler, RouteDocs docs) {
        docs.tag = "prices";
        routes.push_back({method, pattern, Access::token, permission, std::move(handler), std::move(docs)});
    };
    add("POST", "/api/v1/prices/reprice", "manage:prices",
        [&parts, &store](const Call& call) { return start(parts, store, call); },
        {.summary = "Price stored calls anew",
         .body = "RepriceBody",
         .answer = "Reprice",
         .status = 202,
         .also = {200},
         .refusals = {403, 429},
         .description =
             "A job writes what the calls of the window cost by the prices of now, and goes on after a stop "
             "or a crash of the server. With `dry_run` nothing is written: it is answered at once (200) what "
             "would change, by project, model and day."});
    add("GET", "/api/v1/prices/reprice", "read:costs",
        [&parts](const Call& call) { return list_jobs(parts, call); },
        {.summary = "Jobs that price anew, newest first",
         .parameters = page_parameters,
         .answer = "RepriceList"});
    add("GET", "/api/v1/prices/reprice/:job_id", "read:costs",
        [&parts](const Call& call) { return show_job(parts, call); },
        {.summary = "One of them: how far it is, what was planned, what is stored now", .answer = "Reprice"});
    add("DELETE", "/api/v1/prices/reprice/:job_id", "manage:prices",
        [&parts](const Call& call) { return cancel_job(parts, call); },
        {.summary = "Cancel one that is not done",
         .status = 204,
         .refusals = {409},
         .description = "Calls that it has priced anew by then stay so."});
    return routes;
}

}  // namespace obs::serve
