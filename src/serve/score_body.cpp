#include "serve/score_body.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/hash.h"
#include "base/json_writer.h"
#include "query/time_expression.h"
#include "query/traces.h"
#include "serve/json_body.h"

namespace obs::serve {

namespace {

using query::Value;

constexpr std::size_t longest_id = 128, longest_name = 128, longest_word = 128, longest_comment = 16 << 10;
constexpr std::size_t most_details = 32, longest_detail = 4 << 10;
constexpr Nanos oldest = Nanos::days(365), furthest = Nanos::days(1);

constexpr std::string_view feedback_members =
    "id rating comment user_id trace_id span_id session_id project_id timestamp details";
constexpr std::string_view evaluation_members =
    "id evaluator_name name score passed label comment explanation source user_id trace_id span_id "
    "session_id project_id timestamp details";

// Safe in a path, and in the logs of whoever stands between.
ApiResult<std::string> id_in(const JsonBody& body) {
    std::string id = OBS_ANSWER(body.optional_text("id", longest_id)).value_or("");
    const auto plain = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("-_.:").contains(c);
    };
    if (!std::ranges::all_of(id, plain))
        return refuse(ErrorCode::invalid_field_format, "id", "an id is made of letters, digits and -_.:");
    return id;
}

template <class Id>
ApiResult<Id> id_from(std::string_view text, std::string_view field) {
    const std::string padded = std::string(std::max(2 * sizeof(Id{}.bytes), text.size()) - text.size(), '0');
    const auto id = Id::from_hex(padded + std::string(text));
    if (!id || id->is_zero())
        return refuse(ErrorCode::invalid_field_format, std::string(field), "{} is 1 to {} hex digits", field,
                      2 * sizeof(Id{}.bytes));
    return *id;
}

ApiResult<query::ScoreTarget> target_in(const JsonBody& body, std::string_view path) {
    query::ScoreTarget target;
    const auto trace = OBS_ANSWER(body.optional_text("trace_id", 32));
    const auto span = OBS_ANSWER(body.optional_text("span_id", 16));
    const auto session = OBS_ANSWER(body.optional_text("session_id", 1024));
    if (!path.empty() && (trace || session))
        return refuse(ErrorCode::invalid_request, trace ? "trace_id" : "session_id",
                      "the path says what is scored");
    if (path.empty() && trace.has_value() == session.has_value())
        return refuse(ErrorCode::missing_required_field, "trace_id",
                      "say what is scored: a trace_id, with a span_id for one span of it, or a session_id");
    if (span && session)
        return refuse(ErrorCode::invalid_request, "span_id", "a span stands beside its trace_id");
    if (!path.empty() || trace)
        target.trace = OBS_ANSWER(id_from<TraceId>(path.empty() ? *trace : path, "trace_id"));
    if (span) target.span = OBS_ANSWER(id_from<SpanId>(*span, "span_id"));
    if (session) target.session = *session;
    return target;
}

ApiResult<UnixNanos> time_in(const JsonBody& body, UnixNanos now) {
    const auto said = OBS_ANSWER(body.optional_scalar("timestamp"));
    if (!said) return now;
    Result<UnixNanos> at = fail(ErrorKind::invalid_input, "timestamp is RFC 3339, or seconds since 1970");
    if (const auto* text = std::get_if<std::string>(&*said)) at = query::parse_time(*text, now);
    if (const auto* whole = std::get_if<std::int64_t>(&*said))
        at = query::time_of_number(static_cast<double>(*whole));
    if (const auto* real = std::get_if<double>(&*said)) at = query::time_of_number(*real);
    if (!at) return refuse(ErrorCode::invalid_field_format, "timestamp", "{}", at.error().message);
    if (*at < now - oldest || *at > now + furthest)
        return refuse(ErrorCode::invalid_field_value, "timestamp",
                      "timestamp lies between a year ago and tomorrow");
    return *at;
}

std::optional<double> number_in(const Value& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&value)) return *real;
    return std::nullopt;
}

// A thumb is 1 or 0; what other scales mean is the application's business.
ApiResult<void> put_rating(ScoreBatch& row, const JsonBody& body) {
    const auto said = OBS_ANSWER(body.optional_scalar("rating"));
    if (!said) return {};
    std::optional<double> rating = number_in(*said);
    if (const auto* thumb = std::get_if<bool>(&*said)) rating = *thumb ? 1 : 0;
    if (const auto* word = std::get_if<std::string>(&*said)) {
        const bool up = *word == "up" || *word == "positive";
        if (up || *word == "down" || *word == "negative") {
            rating = up ? 1 : 0;
            row.label.put(0, *word);
        }
    }
    if (!rating)
        return refuse(ErrorCode::invalid_field_value, "rating",
                      "a rating is a number, true or false, up or down, positive or negative");
    row.value.put(0, rating);
    return {};
}

ApiResult<void> put_feedback(ScoreBatch& row, const JsonBody& body) {
    row.name.put(0, "feedback");
    row.source.put(0, "HUMAN");
    OBS_ANSWER(put_rating(row, body));
    const auto comment = OBS_ANSWER(body.optional_prose("comment", longest_comment));
    if (comment) row.comment.put(0, *comment);
    if (!row.value[0] && !comment)
        return refuse(ErrorCode::missing_required_field, "rating", "a feedback has a rating or a comment");
    return {};
}

ApiResult<void> put_verdict(ScoreBatch& row, const JsonBody& body) {
    const auto score = OBS_ANSWER(body.optional_scalar("score"));
    if (score) {
        const auto number = number_in(*score);
        if (!number) return refuse(ErrorCode::invalid_field_value, "score", "a score is a number");
        row.value.put(0, number);
    }
    const auto label = OBS_ANSWER(body.optional_text("label", longest_word));
    const auto good = OBS_ANSWER(body.optional_flag("passed"));
    if (label && good && query::passed(*label).value_or(*good) != *good)
        return refuse(ErrorCode::invalid_field_value, "passed", "label and passed contradict each other");
    if (label)
        row.label.put(0, *label);
    else if (good)
        row.label.put(0, *good ? "pass" : "fail");
    return {};
}

ApiResult<void> put_evaluation(ScoreBatch& row, const JsonBody& body) {
    if (body.has("name") && body.has("evaluator_name"))
        return refuse(ErrorCode::invalid_request, "name", "name is another word for evaluator_name");
    row.name.put(0, OBS_ANSWER(body.text(body.has("name") ? "name" : "evaluator_name", longest_name)));
    const std::string source = OBS_ANSWER(body.optional_text("source", longest_word)).value_or("API");
    constexpr std::string_view sources[] = {"API", "CODE", "LLM", "HUMAN"};
    if (std::ranges::find(sources, source) == std::end(sources))
        return refuse(ErrorCode::invalid_field_value, "source", "a source is API, CODE, LLM or HUMAN");
    row.source.put(0, source);
    OBS_ANSWER(put_verdict(row, body));
    const bool explained = body.has("explanation");
    const auto comment =
        OBS_ANSWER(body.optional_prose(explained ? "explanation" : "comment", longest_comment));
    if (comment) row.comment.put(0, *comment);
    if (!row.value[0] && row.label[0].empty() && !comment)
        return refuse(ErrorCode::missing_required_field, "score",
                      "an evaluation has a score, passed, a label or a comment");
    return {};
}

void put_detail(ScoreBatch& row, std::string_view name, const Value& value) {
    std::string json;
    JsonWriter writer(json);
    if (const auto* text = std::get_if<std::string>(&value))
        return row.attributes.put(0, name, *text, AttributeType::text);
    if (const auto* flag = std::get_if<bool>(&value)) {
        writer.value(*flag);
        return row.attributes.put(0, name, json, AttributeType::boolean);
    }
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
        writer.value(*whole);
        return row.attributes.put(0, name, json, AttributeType::integer);
    }
    writer.value(number_in(value).value_or(0));
    row.attributes.put(0, name, json, AttributeType::number);
}

ApiResult<void> put_details(ScoreBatch& row, const JsonBody& body, const Principal& who) {
    row.attributes.put(0, posted_by, who.subject, AttributeType::text);
    const auto details = OBS_ANSWER(body.scalars("details", most_details, longest_detail));
    for (std::size_t at = 0; at < details.size(); ++at) {
        const auto& [name, value] = details[at];
        const auto same = [&](const auto& other) { return other.first == name; };
        if (name == posted_by || std::any_of(details.begin(), details.begin() + std::ptrdiff_t(at), same))
            return refuse(ErrorCode::invalid_field_value, "details", "{} is taken", name);
        put_detail(row, name, value);
    }
    return {};
}

// One opinion of one author about one thing.
std::string natural_id(const query::ScoreTarget& target, const ScoreBatch& row, const Principal& who) {
    const Fingerprint hash = fingerprint(
        "score", fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", target.trace.hex(), target.span.hex(), row.name[0],
                             row.source[0], who.subject, row.user_id[0], target.session));
    return fmt::format("{:016x}{:016x}", hash.high, hash.low);
}

}  // namespace

ApiResult<PostedScore> read_score(ScoreKind kind, std::string_view trace, const Call& call) {
    const bool feedback = kind == ScoreKind::feedback;
    const JsonBody body = OBS_ANSWER(
        JsonBody::read(call.request.body.view(), feedback ? feedback_members : evaluation_members));
    PostedScore posted;
    ScoreBatch& row = posted.row;
    posted.target = OBS_ANSWER(target_in(body, trace));
    posted.project = OBS_ANSWER(body.optional_text("project_id", 200)).value_or("");
    row.ts.put(0, OBS_ANSWER(time_in(body, call.now)));
    OBS_ANSWER(feedback ? put_feedback(row, body) : put_evaluation(row, body));
    // The one who posts, unless the application speaks for somebody else.
    const auto user = OBS_ANSWER(body.optional_text("user_id", 1024));
    row.user_id.put(0, user ? *user : feedback ? call.principal->subject : std::string());
    OBS_ANSWER(put_details(row, body, *call.principal));
    row.trace_id.put(0, posted.target.trace);
    row.span_id.put(0, posted.target.span);
    row.session_id.put(0, posted.target.session);
    const std::string id = OBS_ANSWER(id_in(body));
    row.score_id.put(0, id.empty() ? natural_id(posted.target, row, *call.principal) : id);
    return posted;
}

}  // namespace obs::serve
