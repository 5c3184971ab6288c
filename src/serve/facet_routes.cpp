#include "serve/facet_routes.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "base/json_writer.h"
#include "query/facets.h"
#include "query/fields.h"
#include "serve/envelope.h"
#include "serve/search_routes.h"

namespace obs::serve {

namespace {

using namespace std::chrono_literals;
using query::Facet;
using query::Facets;
using query::FieldKind;
using query::NamedField;

constexpr CacheRule as_long_as_lists{.keep = 60s, .keep_past = 300s};
constexpr Nanos usual_span = Nanos::days(1);
constexpr std::size_t most_bars = 1000;

constexpr std::array facet_parameters{
    ParameterInfo{"facets",
                  ParameterType::list,
                  "fields that are filterable or groupable; attributes means the keys, attributes.<key> the "
                  "values of one; takes read:content for attributes and texts of prompts",
                  {.fallback = "provider,model,service_name,environment,status_code,user_id,tags",
                   .least = 1,
                   .most = 20}},
    ParameterInfo{"prefix",
                  ParameterType::text,
                  "only values that begin so, in any case; of texts, lists and attributes",
                  {.most = 256}},
    ParameterInfo{"limit",
                  ParameterType::integer,
                  "values of each field",
                  {.fallback = "20", .least = 1, .most = 200}}};

constexpr std::array histogram_parameters{
    ParameterInfo{
        "interval",
        ParameterType::interval,
        "length of one step; when not said a round one, so that there are at most `buckets` of them",
        {.aliases = "granularity"}},
    ParameterInfo{"buckets",
                  ParameterType::integer,
                  "steps at most",
                  {.fallback = "60", .least = 1, .most = most_bars}},
    ParameterInfo{"timezone",
                  ParameterType::text,
                  "time zone of days, of the IANA list; the project's when not said",
                  {.aliases = "time_zone", .most = 64}}};

constexpr auto facet_list_parameters = trace_filter_parameters + facet_parameters;
constexpr auto histogram_list_parameters = trace_filter_parameters + histogram_parameters;

struct Shared {
    std::shared_ptr<const AnalyticsShared> analytics;
    Facets facets;

    explicit Shared(const AnalyticsParts& parts) : analytics(share(parts)), facets(analytics->figures) {}
};

// ----- facets

ApiResult<std::vector<NamedField>> fields_named(const std::vector<std::string>& names,
                                                query::Content content) {
    std::vector<NamedField> fields;
    for (const std::string& name : names) {
        const auto field = query::find_field(TableId::spans, name);
        if (!field || !query::has_facet(*field))
            return refuse(ErrorCode::invalid_field_value, "facets", "the values of \"{}\" cannot be listed",
                          std::string_view(name).substr(0, 100));
        if (field->field->is_content() && content == query::Content::hidden)
            return refuse(ErrorCode::resource_access_denied, "facets",
                          "to list values of {} takes the permission read:content", field->field->name);
        const bool twice = std::ranges::any_of(fields, [&](const NamedField& other) {
            return other.field == field->field && other.key == field->key;
        });
        if (twice)
            return refuse(ErrorCode::invalid_field_value, "facets", "{} is there twice",
                          std::string_view(name).substr(0, 100));
        fields.push_back(*field);
    }
    return fields;
}

void write_number(JsonWriter& json, const query::Field& field, std::int64_t number) {
    switch (field.kind) {
        case FieldKind::status: json.value(query::status_word(static_cast<std::uint8_t>(number))); return;
        case FieldKind::span_kind:
            json.value(query::span_kind_word(static_cast<std::uint8_t>(number)));
            return;
        case FieldKind::flag: json.value(number != 0); return;
        case FieldKind::time: json.value(rfc3339(UnixNanos{number})); return;
        case FieldKind::milliseconds:
        case FieldKind::whole_milliseconds: json.value(static_cast<double>(number) / 1e6); return;
        case FieldKind::dollars: json.value(Usd{number}); return;
        default: json.value(number);
    }
}

void write_scalar(JsonWriter& json, const query::Field& field, const Scalar& value) {
    if (const auto* text = std::get_if<std::string>(&value)) {
        const bool id = field.kind == FieldKind::trace_id || field.kind == FieldKind::span_id;
        json.value(id ? to_hex(std::as_bytes(std::span(*text))) : *text);
    } else if (const auto* number = std::get_if<double>(&value)) {
        json.value(*number);
    } else {
        write_number(json, field, std::get<std::int64_t>(value));
    }
}

void write_end(JsonWriter& json, std::string_view name, const Facet& facet,
               const std::optional<Scalar>& value) {
    if (!value) return;
    json.key(name);
    write_scalar(json, *facet.field.field, *value);
}

void write_facet(JsonWriter& json, const Facet& facet) {
    const NamedField& named = facet.field;
    const std::string name =
        named.key.empty() ? named.field->name : fmt::format("{}.{}", named.field->name, named.key);
    const bool keys = named.field->kind == FieldKind::map;
    json.begin_object().field("field", name).field("type", keys ? "text" : named.field->type());
    json.key("values").begin_array();
    for (const query::FacetValue& value : facet.values) {
        json.begin_object().key("value");
        write_scalar(json, *named.field, value.value);
        json.field("count", value.count).end_object();
    }
    json.end_array();
    write_end(json, "min", facet, facet.least);
    write_end(json, "max", facet, facet.most);
    json.field("rows", facet.rows).field("missing", facet.missing);
    json.field("more", std::uint64_t{facet.more});
    json.field("source", query::name_of(facet.source)).field("sampled", facet.sampled);
    if (facet.sampled_from) json.field("sampled_from", rfc3339(*facet.sampled_from));
    json.end_object();
}

ApiResult<Reply> answer_facets(const Shared& shared, const Call& call) {
    const Parameters given =
        OBS_ANSWER(Parameters::read(facet_parameters, call.request.head.query, call.now));
    const ListRequest list = OBS_ANSWER(list_request(call));
    const query::Content content = content_for(*call.principal);
    query::FacetQuestion question(list.question.scope);
    question.view = list.question.view;
    question.filter = list.question.filter;
    question.window = list.question.window;
    question.now = call.now;
    question.fields = OBS_ANSWER(fields_named(given.list("facets"), content));
    question.prefix = given.text("prefix");
    question.limit = static_cast<std::size_t>(*given.integer("limit"));
    const std::vector<Facet> facets = OBS_ANSWER(shared.facets.count(question, call.cancel));
    Reply reply{.until = question.window.to};
    JsonWriter json(reply.body);
    begin_envelope(json);
    json.begin_array();
    for (const Facet& facet : facets) write_facet(json, facet);
    json.end_array();
    end_envelope(json, reply, call, content, [] {});
    return reply;
}

// ----- histogram

// The shortest round step with which the window has at most so many.
Nanos round_step(Nanos window, std::int64_t most) {
    constexpr std::int64_t seconds[] = {1,     2,     5,     10,    15,        30,         60,
                                        120,   300,   600,   900,   1800,      3600,       7200,
                                        10800, 21600, 43200, 86400, 7 * 86400, 28 * 86400, 365 * 86400};
    for (const std::int64_t step : seconds)
        if (window.count / most <= Nanos::seconds(step).count) return Nanos::seconds(step);
    return Nanos::seconds(seconds[std::size(seconds) - 1] * 10);
}

ApiResult<query::HistogramQuestion> histogram_question(const Shared& shared, const Parameters& given,
                                                       const Call& call) {
    const ListRequest list = OBS_ANSWER(list_request(call));
    query::HistogramQuestion question(list.question.scope);
    question.view = list.question.view;
    question.filter = list.question.filter;
    question.now = call.now;
    question.to = list.question.window.to.value_or(call.now);
    question.from = std::max(list.question.window.from.value_or(question.to - usual_span), UnixNanos{0});
    if (question.from >= question.to)
        return refuse(ErrorCode::invalid_date_range, "from", "the window from {} to {} is empty",
                      rfc3339(question.from), rfc3339(question.to));
    // One more begins before the window when it is not round.
    const Nanos step = given.interval("interval")
                           .value_or(round_step(question.to - question.from,
                                                std::max<std::int64_t>(*given.integer("buckets") - 1, 1)));
    const query::Calendar calendar =
        OBS_ANSWER(calendar_of(shared.analytics->parts, question.scope, given.text("timezone")));
    question.edges = OBS_ANSWER(query::bucket_edges(question.from, question.to, step, calendar, most_bars));
    return question;
}

ApiResult<Reply> answer_histogram(const Shared& shared, const Call& call) {
    const Parameters given =
        OBS_ANSWER(Parameters::read(histogram_parameters, call.request.head.query, call.now));
    const query::HistogramQuestion question = OBS_ANSWER(histogram_question(shared, given, call));
    const query::Histogram histogram = OBS_ANSWER(shared.facets.histogram(question, call.cancel));
    Reply reply{.until = question.to};
    JsonWriter json(reply.body);
    begin_envelope(json);
    json.begin_object().field("from", rfc3339(question.from)).field("to", rfc3339(question.to));
    json.field("interval_ms", (question.edges[1] - question.edges[0]).count / 1'000'000);
    json.field("source", query::name_of(histogram.source));
    json.key("buckets").begin_array();
    std::int64_t count = 0, errors = 0;
    for (const query::HistogramBar& bar : histogram.bars) {
        json.begin_object().field("timestamp", rfc3339(bar.at)).field("count", bar.count);
        json.field("errors", bar.errors).end_object();
        count += bar.count;
        errors += bar.errors;
    }
    json.end_array().field("count", count).field("errors", errors).end_object();
    end_envelope(json, reply, call, content_for(*call.principal), [] {});
    return reply;
}

}  // namespace

std::vector<Route> facet_routes(const AnalyticsParts& parts) {
    const auto shared = std::make_shared<const Shared>(parts);
    constexpr std::string_view with_tree =
        "The body is that of `POST /api/v1/traces/search`, of which filter, window, view and project count.";
    std::vector<Route> routes;
    const auto add = [&](TwoWays ways, ApiResult<Reply> (*answer)(const Shared&, const Call&)) {
        ways.search = ways.get;
        ways.permission = "read:traces";
        ways.docs.tag = "traces";
        ways.search_description = with_tree;
        ways.cache = as_long_as_lists;
        for (Route& route :
             two_ways(std::move(ways), [shared, answer](const Call& call) { return answer(*shared, call); }))
            routes.push_back(std::move(route));
    };
    add({.get = "/api/v1/traces/facets",
         .docs = {.summary = "Values of fields with counts, for the list's filter",
                  .parameters = facet_list_parameters,
                  .answer = "FacetAnswer",
                  .description = "A field is counted over the rows that match the filter without its "
                                 "conditions on that field."},
         .search_parameters = facet_parameters},
        answer_facets);
    add({.get = "/api/v1/traces/histogram",
         .docs = {.summary = "How many rows the list has over time, and how many of them failed",
                  .parameters = histogram_list_parameters,
                  .answer = "HistogramAnswer",
                  .description = "Of the last 24 hours when no `from` is given."},
         .search_parameters = histogram_parameters},
        answer_histogram);
    return routes;
}

}  // namespace obs::serve
