#include "serve/export_routes.h"

#include <algorithm>
#include <utility>

#include "base/json_writer.h"
#include "serve/account_json.h"
#include "serve/byte_range.h"
#include "serve/export_json.h"
#include "serve/export_request.h"
#include "serve/job_requests.h"
#include "serve/list_request.h"
#include "serve/rights.h"

namespace obs::serve {

namespace {

constexpr std::string_view kind = "export";
constexpr Nanos usual_time = Nanos::seconds(300);  // what a client is told to expect

constexpr ParameterInfo list_parameters[] = {
    {"status",
     ParameterType::word,
     "only jobs that are so",
     {.words = "pending processing completed failed cancelled expired"}},
    {"limit", ParameterType::integer, "jobs of a page", {.fallback = "20", .least = 1, .most = 100}},
    page_offset,
};

std::unexpected<ApiError> not_found(std::string_view id) {
    return refuse(ErrorCode::job_not_found, "job_id", "there is no export {}", id.substr(0, 100));
}

ApiResult<Job> job_in_path(const ExportParts& parts, const Call& call) {
    auto job = OBS_ANSWER(job_in_path(parts.jobs, kind, call));
    if (!job) return not_found(call.parameter("job_id"));
    return *std::move(job);
}

ShownExport shown(const ExportParts& parts, const Job& job) {
    return {job, export_words(job.request), parts.lane.progress_of(job),
            job.data == parts.lane.options().data};
}

ApiResult<Reply> create(const ExportParts& parts, const Call& call, int status) {
    const std::string_view body = call.request.body.view();
    ExportRequest request = OBS_ANSWER(export_request(body, *call.principal, call.now));
    if (request.words.format == jobs::ExportFormat::parquet && !parts.parquet)
        return refuse(
            ErrorCode::invalid_field_value, "format",
            "Parquet is written by the embedded engine, which this server runs without; ask for csv, json or "
            "jsonl");
    Job job;
    job.kind = kind;
    job.request = body.empty() ? "{}" : body;
    job.projects = request.plan.question.scope.projects();
    job.rights = std::move(request.rights);
    job.up_to_seq = parts.visible_seq();
    const Job made = OBS_ANSWER(add_job(parts.jobs, parts.lane, parts.most_open, call, std::move(job)));
    Reply reply{.status = status};
    reply.headers.add("location", fmt::format("/api/v1/exports/{}", made.id));
    JsonWriter json(reply.body);
    json.begin_object().field("job_id", made.id).field("status", name_of(made.status));
    json.field("created_at", rfc3339(made.created));
    json.field("estimated_completion_at", rfc3339(made.created + usual_time));
    json.field("status_url", fmt::format("/api/v1/exports/{}", made.id)).end_object();
    return reply;
}

ApiResult<Reply> list(const ExportParts& parts, const Call& call) {
    const auto given = OBS_ANSWER(Parameters::read(list_parameters, call.request.head.query, call.now));
    const auto status = job_status_from(given.text("status"));
    std::vector<Job> jobs = OBS_ANSWER(parts.jobs.of(call.principal->org, kind));
    std::erase_if(jobs, [&](const Job& job) {
        return !sees_all_of(*call.principal, job.projects) || (status && job.status != *status);
    });
    const Page page = page_of(given);
    const Listed<Job> listed = page_in(std::move(jobs), page);
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("jobs").begin_array();
    for (const Job& job : listed.items) {
        json.begin_object();
        write_export(json, shown(parts, job));
        json.end_object();
    }
    json.end_array();
    write_pagination(json, listed.total, page, listed.items.size());
    json.end_object();
    return reply;
}

ApiResult<Reply> one(const ExportParts& parts, const Call& call) {
    const Job job = OBS_ANSWER(job_in_path(parts, call));
    const ShownExport what = shown(parts, job);
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object();
    write_export(json, what);
    write_export_metadata(json, what, call.now);
    json.end_object();
    return reply;
}

ApiResult<Reply> cancel(const ExportParts& parts, const Call& call) {
    const Job job = OBS_ANSWER(job_in_path(parts, call));
    if (!OBS_ANSWER(parts.jobs.cancel(job.org, job.id, call.now))) {
        const Job now = OBS_ANSWER(job_in_path(parts, call));
        return refuse(ErrorCode::concurrency_conflict, "",
                      "the export is {} and cannot be cancelled any more", name_of(now.status));
    }
    stop_job(parts.lane, job);
    return Reply{.status = 204};
}

// The file may hold what its maker might see and the caller may not.
ApiResult<void> may_have(const Principal& who, const Job& job) {
    for (const std::string& right : job.rights)
        if (!who.may(right))
            return refuse(ErrorCode::resource_access_denied, "", "this file takes the permission {}", right);
    if (!who.may("download:exports") && !(job.rights.size() == 1 && job.has_right("read:costs")))
        return refuse(ErrorCode::insufficient_permissions, "", "this takes the permission download:exports");
    return {};
}

ApiResult<net::FileBody> file_of(const ExportParts& parts, const Job& job, UnixNanos now) {
    const bool expired = job.status == JobStatus::expired || (job.expires && *job.expires <= now);
    if (expired) return refuse(ErrorCode::resource_expired, "", "the file has expired and was removed");
    if (job.status != JobStatus::completed)
        return refuse(ErrorCode::concurrency_conflict, "", "the export is {}; there is no file",
                      name_of(job.status));
    if (job.data != parts.lane.options().data)
        return refuse(ErrorCode::concurrency_conflict, "",
                      "the file lies with another server of this catalog");
    auto file = net::FileBody::open(parts.work.path_of(job));
    if (!file && file.error().kind == ErrorKind::not_found)
        return refuse(ErrorCode::resource_expired, "", "the file is not there any more");
    return OBS_ANSWER(std::move(file));
}

ApiResult<Reply> download(const ExportParts& parts, const Call& call) {
    const Job job = OBS_ANSWER(job_in_path(parts, call));
    OBS_ANSWER(may_have(*call.principal, job));
    const net::FileBody file = OBS_ANSWER(file_of(parts, job, call.now));
    const ExportWords words = export_words(job.request);
    const std::string tag = fmt::format("\"{}\"", job.id);
    const net::Headers& asked = call.request.head.headers;
    const bool same = asked.get("if-range").empty() || asked.get("if-range") == tag;
    const AskedRange range = same ? asked_range(asked.get("range"), file.size()) : AskedRange{};
    if (range.kind == AskedRange::Kind::outside) {
        ApiError error{ErrorCode::range_not_satisfiable, fmt::format("the file has {} bytes", file.size())};
        error.headers.add("content-range", fmt::format("bytes */{}", file.size()));
        return std::unexpected(std::move(error));
    }
    Reply reply{.content_type = export_content_type(words), .file = file};
    reply.headers.add("content-disposition",
                      fmt::format("attachment; filename=\"{}\"", export_file_name(job, words)));
    reply.headers.add("accept-ranges", "bytes");
    reply.headers.add("etag", tag);
    if (range.kind == AskedRange::Kind::part) {
        reply.status = 206;
        reply.file = file.part(range.range.begin, range.range.size);
        reply.headers.add("content-range",
                          fmt::format("bytes {}-{}/{}", range.range.begin,
                                      range.range.begin + range.range.size - 1, file.size()));
    }
    return reply;
}

void add(std::vector<Route>& routes, Route route, std::string_view alias,
         const std::function<ApiResult<Reply>(const Call&)>& handler = {}) {
    Route other = route;
    other.pattern = alias;
    if (handler) other.handler = handler;
    routes.push_back(std::move(route));
    routes.push_back(std::move(other));
}

}  // namespace

std::vector<Route> export_routes(const ExportParts& parts) {
    std::vector<Route> routes;
    Route creating{"POST",
                   "/api/v1/exports",
                   Access::token,
                   "create:exports",
                   [&parts](const Call& call) { return create(parts, call, 202); },
                   {.summary = "Writes rows into a file, which takes a while",
                    .tag = "exports",
                    .body = "ExportBody",
                    .answer = "ExportCreated",
                    .status = 202,
                    .refusals = {429}}};
    // Who may export costs and nothing else is told apart by the handler.
    creating.or_permission = "export:costs";
    Route creating_as_before = creating;
    creating_as_before.pattern = "/api/v1/export/traces";
    creating_as_before.docs.status = 200;
    creating_as_before.handler = [&parts](const Call& call) { return create(parts, call, 200); };
    routes.push_back(std::move(creating));
    routes.push_back(std::move(creating_as_before));
    add(routes,
        {"GET",
         "/api/v1/exports",
         Access::token,
         "read:exports",
         [&parts](const Call& call) { return list(parts, call); },
         {.summary = "Exports of the organisation, newest first",
          .tag = "exports",
          .parameters = list_parameters,
          .answer = "ExportList"}},
        "/api/v1/export/jobs");
    add(routes,
        {"GET",
         "/api/v1/exports/:job_id",
         Access::token,
         "read:exports",
         [&parts](const Call& call) { return one(parts, call); },
         {.summary = "One export: how far it is", .tag = "exports", .answer = "ExportJobDetails"}},
        "/api/v1/export/jobs/:job_id");
    Route fetching{"GET",
                   "/api/v1/exports/:job_id/download",
                   Access::token,
                   "download:exports",
                   [&parts](const Call& call) { return download(parts, call); },
                   {.summary = "The file",
                    .tag = "exports",
                    .files = {"text/csv", "application/json", "application/x-ndjson",
                              "application/vnd.apache.parquet", "application/gzip", "application/zstd"},
                    .also = {206},
                    .refusals = {409, 410, 416},
                    .description = "One range of bytes may be asked for with `Range`."}};
    fetching.or_permission = "export:costs";
    add(routes, std::move(fetching), "/api/v1/export/jobs/:job_id/download");
    add(routes,
        {"DELETE",
         "/api/v1/exports/:job_id",
         Access::token,
         "cancel:exports",
         [&parts](const Call& call) { return cancel(parts, call); },
         {.summary = "Cancels an export that is not done",
          .tag = "exports",
          .status = 204,
          .refusals = {409}}},
        "/api/v1/export/jobs/:job_id");
    return routes;
}

}  // namespace obs::serve
