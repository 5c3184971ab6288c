#include "serve/score_routes.h"

#include <future>
#include <memory>
#include <utility>

#include "base/json_writer.h"
#include "query/scores.h"
#include "serve/envelope.h"
#include "serve/list_request.h"
#include "serve/row_json.h"
#include "serve/score_body.h"

namespace obs::serve {

namespace {

constexpr ParameterInfo score_parameters[] = {
    {"score_id", ParameterType::text, "id of the score", {.most = 1024}},
    parameter::project_id,
};
constexpr ParameterInfo post_parameters[] = {parameter::trace_id};

struct Parts {
    SpanStore& store;
    ScoreSink keep;
};
using SharedParts = std::shared_ptr<const Parts>;

ApiResult<Reply> answer_with(const ScoreBatch& scores, int status, const Call& call) {
    Reply reply{.status = status};
    JsonWriter json(reply.body);
    begin_envelope(json);
    const query::Content content = content_for(*call.principal);
    const RowWriter<ScoreBatch> row(scores, Selection::all(TableId::scores, content));
    json.begin_object();
    row.write_members(json, 0);
    json.end_object();
    end_envelope(json, reply, call, content, [] {});
    return reply;
}

// What is on disk is kept, whatever happens next; only then the client is told.
ApiResult<void> kept(const Parts& parts, Tenant whose, ScoreBatch row, const Call& call) {
    const auto promise = std::make_shared<std::promise<Result<void>>>();
    auto durable = promise->get_future();
    parts.keep(std::move(whose), std::move(row),
               [promise](Result<void> result) { promise->set_value(std::move(result)); });
    if (durable.wait_until(call.cancel.deadline) != std::future_status::ready)
        return refuse(ErrorCode::request_timeout, "", "it is not on disk yet; send it again");
    OBS_ANSWER(durable.get());
    return {};
}

bool is_theirs(const ScoreBatch& score, const Principal& who) {
    const auto author = score.attributes.find(0, posted_by);
    return (author && author->value == who.subject) || who.may("manage:projects");
}

// The project in which it will lie. Who names one may score what has not arrived yet.
ApiResult<std::string> project_for(const Parts& parts, const PostedScore& posted, const Call& call) {
    const Scope scope = OBS_ANSWER(scope_of(*call.principal, posted.project));
    if (!posted.project.empty()) return posted.project;
    auto project = OBS_ANSWER(query::project_of(parts.store, scope, posted.target, call.cancel));
    if (project) return *std::move(project);
    constexpr std::string_view hint = "what is still on its way can be scored when project_id is named";
    if (posted.target.trace.is_zero())
        return refuse(ErrorCode::resource_not_found, "session_id", "there is no such session; {}", hint);
    const bool whole = posted.target.span.is_zero();
    return refuse(ErrorCode::trace_not_found, whole ? "trace_id" : "span_id", "there is no {} {}; {}",
                  whole ? "trace" : "such span in trace", posted.target.trace.hex(), hint);
}

ApiResult<Reply> post(const Parts& parts, ScoreKind kind, std::string_view trace, const Call& call) {
    PostedScore posted = OBS_ANSWER(read_score(kind, trace, call));
    const Principal& who = *call.principal;
    const std::string project = OBS_ANSWER(project_for(parts, posted, call));
    const std::string id(posted.row.score_id[0]);
    const ScoreBatch before =
        OBS_ANSWER(query::score_with_id(parts.store, Scope(who.org, {project}), id, call.cancel));
    if (!before.empty() && !is_theirs(before, who))
        return refuse(ErrorCode::duplicate_key, "id", "somebody else gave a score this id");
    posted.row.org_id.put(0, who.org);
    posted.row.project_id.put(0, project);
    OBS_ANSWER(kept(parts, {.org = who.org, .project = project}, posted.row, call));
    return answer_with(posted.row, 201, call);
}

ApiResult<ScoreBatch> named_score(const Parts& parts, const Call& call) {
    const auto parameters = OBS_ANSWER(Parameters::read(score_parameters, call.request.head.query, call.now));
    const Scope scope = OBS_ANSWER(scope_of(*call.principal, parameters.text("project_id")));
    ScoreBatch score =
        OBS_ANSWER(query::score_with_id(parts.store, scope, call.parameter("score_id"), call.cancel));
    if (score.empty()) return refuse(ErrorCode::resource_not_found, "score_id", "there is no such score");
    return score;
}

// A version without a name, on the day of the one that it ends.
ApiResult<Reply> take_back(const Parts& parts, const Call& call) {
    const ScoreBatch score = OBS_ANSWER(named_score(parts, call));
    const Principal& who = *call.principal;
    if (!query::is_feedback(score.name[0], score.source[0]) && !who.may("write:evaluations"))
        return refuse(ErrorCode::insufficient_permissions, "", "this takes the permission write:evaluations");
    if (!is_theirs(score, who))
        return refuse(ErrorCode::resource_access_denied, "score_id", "somebody else gave this score");
    ScoreBatch end;
    end.org_id.put(0, score.org_id[0]);
    end.project_id.put(0, score.project_id[0]);
    end.ts.put(0, score.ts[0]);
    end.score_id.put(0, score.score_id[0]);
    OBS_ANSWER(kept(parts, {.org = std::string(score.org_id[0]), .project = std::string(score.project_id[0])},
                    std::move(end), call));
    return Reply{.status = 204};
}

struct Posting {
    ScoreKind kind;
    std::string_view permission, of_trace, of_any, body;
};
constexpr Posting postings[] = {
    {ScoreKind::feedback, "write:feedback", "/api/v1/traces/:trace_id/feedback", "/api/v1/feedback",
     "FeedbackBody"},
    {ScoreKind::evaluation, "write:evaluations", "/api/v1/traces/:trace_id/evaluations",
     "/api/v1/evaluations", "EvaluationBody"},
};

RouteDocs docs_of(std::string_view summary, const Posting& posting,
                  std::span<const ParameterInfo> parameters) {
    return {.summary = summary,
            .tag = "scores",
            .parameters = parameters,
            .body = posting.body,
            .answer = "ScoreAnswer",
            .status = 201,
            .refusals = {404, 409},
            .description =
                "It is on disk when this is answered, and seen within 250 ms. Posted again with "
                "the same `id`, it replaces what was there; without an id it replaces what the "
                "same caller said by the same name about the same thing."};
}

}  // namespace

std::vector<Route> score_routes(SpanStore& store, ScoreSink keep) {
    const SharedParts parts = std::make_shared<const Parts>(Parts{store, std::move(keep)});
    std::vector<Route> routes;
    for (const Posting& posting : postings) {
        const bool feedback = posting.kind == ScoreKind::feedback;
        routes.push_back({"POST", posting.of_trace, Access::token, posting.permission,
                          [parts, kind = posting.kind](const Call& call) {
                              return post(*parts, kind, call.parameter("trace_id"), call);
                          },
                          docs_of(feedback ? "What a person thinks of a trace, or of a span of it"
                                           : "What an evaluator found in a trace, or in a span of it",
                                  posting, post_parameters)});
        routes.push_back(
            {"POST", posting.of_any, Access::token, posting.permission,
             [parts, kind = posting.kind](const Call& call) { return post(*parts, kind, {}, call); },
             docs_of(feedback ? "What a person thinks of a session, a trace or a span"
                              : "What an evaluator found in a session, a trace or a span",
                     posting, {})});
    }
    routes.push_back({"GET",
                      "/api/v1/scores/:score_id",
                      Access::token,
                      "read:traces",
                      [parts](const Call& call) -> ApiResult<Reply> {
                          return answer_with(OBS_ANSWER(named_score(*parts, call)), 200, call);
                      },
                      {.summary = "One feedback or evaluation",
                       .tag = "scores",
                       .parameters = score_parameters,
                       .answer = "ScoreAnswer"}});
    routes.push_back({"DELETE",
                      "/api/v1/scores/:score_id",
                      Access::token,
                      "write:feedback",
                      [parts](const Call& call) { return take_back(*parts, call); },
                      {.summary = "Take back a score that the caller posted",
                       .tag = "scores",
                       .parameters = score_parameters,
                       .status = 204,
                       .description = "Those of others take `manage:projects`; evaluations take "
                                      "`write:evaluations` too."}});
    return routes;
}

}  // namespace obs::serve
