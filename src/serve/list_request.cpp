#include "serve/list_request.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include <simdjson.h>

#include "base/hash.h"
#include "query/condition.h"
#include "query/cursor.h"
#include "query/fields.h"
#include "query/filter_grammar.h"
#include "query/time_expression.h"
#include "serve/query_string.h"

namespace obs::serve {

namespace {

using query::Value;

constexpr std::int64_t most_rows = 1000;
constexpr std::size_t most_sorts = 3;
constexpr TableId spans = TableId::spans;

struct Sort {
    std::string field;
    bool descending;
};

// What both forms say, before its words are understood. Names are those that the client used, for refusals.
struct Asked {
    struct Text {
        std::string name, text;
    };
    TableId table = TableId::spans;
    std::optional<Text> from, to, view, cursor, limit, include, project;
    std::vector<Sort> sorts;
    std::string sort_name = "sort";
    std::optional<std::vector<std::string>> fields;
    // The part of the question that a cursor must fit, as text: what is relative stays so.
    std::string question;
};

// ---- the parts that both forms share ----

ApiResult<std::size_t> limit_of(const std::optional<Asked::Text>& asked) {
    if (!asked) return 50;
    std::int64_t limit = 0;
    const char* const end = asked->text.data() + asked->text.size();
    const auto [stop, fault] = std::from_chars(asked->text.data(), end, limit);
    if (fault != std::errc{} || stop != end)
        return refuse(ErrorCode::invalid_field_format, asked->name, "limit is a whole number from 1 to {}",
                      most_rows);
    if (limit < 1 || limit > most_rows)
        return refuse(ErrorCode::limit_exceeded, asked->name, "limit is {}; it may be from 1 to {}", limit,
                      most_rows);
    return static_cast<std::size_t>(limit);
}

ApiResult<std::optional<UnixNanos>> time_of(const std::optional<Asked::Text>& asked, UnixNanos now) {
    if (!asked) return std::nullopt;
    const auto at = query::parse_time(asked->text, now);
    if (!at) return refuse(ErrorCode::invalid_field_format, asked->name, "{}", at.error().message);
    return std::optional(*at);
}

ApiResult<Window> window_of(const Asked& asked, UnixNanos now) {
    const Window window{OBS_ANSWER(time_of(asked.from, now)), OBS_ANSWER(time_of(asked.to, now))};
    if (window.from && window.to && *window.from > *window.to)
        return refuse(ErrorCode::invalid_date_range, asked.from->name, "from ({}) is after to ({})",
                      rfc3339(*window.from), rfc3339(*window.to));
    if (window.from && !window.to && *window.from > now + Nanos::days(1))
        return refuse(ErrorCode::invalid_date_range, asked.from->name, "from ({}) lies in the future",
                      rfc3339(*window.from));
    return window;
}

ApiResult<query::View> view_of(const std::optional<Asked::Text>& asked) {
    if (!asked) return query::View::calls;
    const auto view = query::view_from(asked->text);
    if (!view) return refuse(ErrorCode::invalid_field_value, asked->name, "a view is calls, roots or spans");
    return *view;
}

ApiResult<std::vector<Order>> order_of(const Asked& asked) {
    std::vector<Order> order;
    if (asked.sorts.size() > most_sorts)
        return refuse(ErrorCode::limit_exceeded, asked.sort_name, "rows can be sorted by {} fields",
                      most_sorts);
    for (const Sort& sort : asked.sorts) {
        const auto field = query::find_field(asked.table, sort.field);
        if (!field || !field->field->sortable)
            return refuse(ErrorCode::invalid_field_value, asked.sort_name, "rows cannot be sorted by \"{}\"",
                          std::string_view(sort.field).substr(0, 100));
        order.push_back({field->ref(), sort.descending});
    }
    return order;
}

// Of a ListQuestion or a RecordQuestion.
template <class Question>
ApiResult<void> check_filter(const Question& question, query::Content content) {
    const ColumnInfo* read = query::content_read_by(question.filter);
    if (read != nullptr && content == query::Content::hidden)
        return refuse(ErrorCode::resource_access_denied, read->api_name(),
                      "to filter by prompt or answer text takes the permission read:content");
    const std::string slow = query::slow_attribute_of(question.filter);
    const Window window = query::narrowed(question.window, question.filter);
    if (!slow.empty() && !window.from && !query::names_traces(question.filter))
        return refuse(ErrorCode::invalid_request, slow,
                      "only eq and in find attributes without a time window; add `from`");
    return {};
}

std::uint64_t fingerprint_of(const Asked& asked, const Scope& scope) {
    std::string text = scope.org();
    for (const std::string& project : scope.projects()) text += '\n' + project;
    return hash64(text + '\0' + asked.question);
}

// What lists of spans and of records have in common. `filter` reads the form's own conditions, relative to
// the time it is given.
template <class Question, class ReadFilter>
ApiResult<void> understand(Question& question, const Asked& asked, UnixNanos now, ReadFilter&& filter) {
    question.now = now;
    question.order = OBS_ANSWER(order_of(asked));
    question.limit = OBS_ANSWER(limit_of(asked.limit));
    question.fingerprint = fingerprint_of(asked, question.scope);
    if (asked.cursor) {
        question.cursor =
            OBS_ANSWER(query::parse_cursor(asked.cursor->text, question.fingerprint, question.order));
        question.now = question.cursor->now;
    }
    question.window = OBS_ANSWER(window_of(asked, question.now));
    question.filter = OBS_ANSWER(filter(question.now));
    return {};
}

Selection selection_of(const Asked& asked, query::Content content) {
    return asked.fields ? Selection::named(asked.table, *asked.fields, content)
                        : Selection::all(asked.table, content);
}

void need(std::vector<const ColumnInfo*>& columns, const ColumnInfo* column) {
    if (std::ranges::count(columns, column) == 0) columns.push_back(column);
}

template <class ReadFilter>
ApiResult<ListRequest> understood(const Asked& asked, const Principal& principal, UnixNanos now,
                                  ReadFilter&& filter) {
    query::ListQuestion question(OBS_ANSWER(scope_of(principal, asked.project ? asked.project->text : "")));
    question.view = OBS_ANSWER(view_of(asked.view));
    OBS_ANSWER(understand(question, asked, now, filter));
    if (asked.include) question.include = OBS_ANSWER(include_from(asked.include->text));
    const query::Content content = content_for(principal);
    OBS_ANSWER(check_filter(question, content));
    Selection selection = selection_of(asked, content);
    question.columns = selection.columns();
    // Also what cursors are made of, and what says where evaluations of a trace belong.
    need(question.columns, find_column(spans, "is_root"));
    for (const Order& by : question.order) need(question.columns, by.field.column);
    return ListRequest{std::move(question), std::move(selection)};
}

template <class ReadFilter>
ApiResult<RecordRequest> understood_records(const Asked& asked, const Principal& principal, UnixNanos now,
                                            ReadFilter&& filter) {
    query::RecordQuestion question(asked.table,
                                   OBS_ANSWER(scope_of(principal, asked.project ? asked.project->text : "")));
    OBS_ANSWER(understand(question, asked, now, filter));
    const query::Content content = content_for(principal);
    OBS_ANSWER(check_filter(question, content));
    Selection selection = selection_of(asked, content);
    question.columns = selection.columns();
    for (const Order& by : question.order) need(question.columns, by.field.column);
    return RecordRequest{std::move(question), std::move(selection)};
}

// ---- the list ----

// They say how much is shown, not which rows: a cursor may be used with others.
constexpr std::string_view shape_parameters[] = {"cursor", "limit", "fields", "include"};

bool among(std::span<const std::string_view> names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

std::optional<Asked::Text> found(const Parameters& parameters, std::string_view name) {
    const std::string_view text = parameters.text(name);
    if (text.empty()) return std::nullopt;
    return Asked::Text{std::string(parameters.spelled(name)), std::string(text)};
}

ApiResult<Filter> named(const Asked::Text& parameter, Result<Filter> filter) {
    if (filter) return std::move(*filter);
    return refuse(ErrorCode::invalid_field_value, parameter.name, "{}: {}", parameter.name,
                  filter.error().message);
}

ApiResult<Filter> equal_to(const Asked::Text& parameter, std::string_view field,
                           std::vector<std::string> texts, UnixNanos now, TableId table = spans) {
    std::vector<Value> values;
    for (std::string& text : texts) values.emplace_back(std::move(text));
    const Operator op = values.size() == 1 ? Operator::eq : Operator::in;
    return named(parameter, query::where(table, *query::find_field(table, field), op, values, now));
}

ApiResult<Filter> tagged(const Asked::Text& parameter, std::vector<std::string> tags, UnixNanos now) {
    Filter all;
    for (std::string& tag : tags)
        all.also(OBS_ANSWER(
            named(parameter, query::where(spans, *query::find_field(spans, "tags"), Operator::contains,
                                          std::vector<Value>{std::move(tag)}, now))));
    return all;
}

// Who asks for gpt-4o means also the calls that gpt-4o-2024-08-06 answered.
ApiResult<Filter> called_model(const Asked::Text& parameter, std::vector<std::string> names, UnixNanos now) {
    Filter either{Filter::Kind::any, {}, {}};
    either.children.push_back(OBS_ANSWER(equal_to(parameter, "model", names, now)));
    either.children.push_back(OBS_ANSWER(equal_to(parameter, "request_model", std::move(names), now)));
    return either;
}

// Parameters that bound a field.
struct Bound {
    std::string_view name, field;
    Operator op;
};
constexpr Bound bounds[] = {
    {"min_duration", "duration_ms", Operator::gte}, {"max_duration", "duration_ms", Operator::lte},
    {"min_cost", "total_cost_usd", Operator::gte},  {"max_cost", "total_cost_usd", Operator::lte},
    {"min_tokens", "total_tokens", Operator::gte},  {"max_tokens", "total_tokens", Operator::lte}};

ApiResult<Filter> condition_of(std::string_view name, const Parameters& parameters, UnixNanos now) {
    const Asked::Text parameter = *found(parameters, name);
    if (const auto* bound = std::ranges::find(bounds, name, &Bound::name); bound != std::end(bounds))
        return named(parameter, query::where(spans, *query::find_field(spans, bound->field), bound->op,
                                             std::vector<Value>{*parameters.number(name)}, now));
    if (name == "model") return called_model(parameter, parameters.list(name), now);
    if (name == "tags") return tagged(parameter, parameters.list(name), now);
    if (name == "search") return named(parameter, query::where_found(spans, parameter.text));
    if (name == "provider" || name == "environment" || name == "status")
        return equal_to(parameter, name, parameters.list(name), now);
    return equal_to(parameter, name, {parameter.text}, now);
}

// The frame of a list: what is neither filter nor, for spans, view and include.
Asked asked_by(const Parameters& parameters, std::span<const ParameterInfo> table, TableId of) {
    Asked asked{.table = of,
                .from = found(parameters, "from"),
                .to = found(parameters, "to"),
                .view = {},
                .cursor = found(parameters, "cursor"),
                .limit = found(parameters, "limit"),
                .include = {},
                .project = found(parameters, "project_id"),
                .sorts = {{std::string(parameters.text("sort_by")), parameters.text("sort_order") == "desc"}},
                .sort_name = "sort_by",
                .fields = {},
                .question = std::string(table_name(of))};
    if (parameters.has("fields")) asked.fields = parameters.list("fields");
    for (const ParameterInfo& info : table)
        if (parameters.has(info.name) && !among(shape_parameters, info.name))
            asked.question += fmt::format("\n{}={}", info.name, parameters.text(info.name));
    return asked;
}

constexpr std::string_view frame_parameters[] = {"from",    "to",         "project_id", "cursor", "limit",
                                                 "sort_by", "sort_order", "fields",     "offset", "format"};

// Records: what is no part of the frame is the name of a field.
ApiResult<Filter> record_condition(TableId table, const ParameterInfo& info, const Parameters& parameters,
                                   UnixNanos now) {
    const Asked::Text parameter = *found(parameters, info.name);
    if (info.name == "search") return named(parameter, query::where_found(table, parameter.text));
    if (info.name == "min_severity")
        return named(parameter,
                     query::where(table, *query::find_field(table, "severity_number"), Operator::gte,
                                  std::vector<Value>{*parameters.integer(info.name)}, now));
    const auto is = [&](Value value) {
        return named(parameter, query::where(table, *query::find_field(table, info.name), Operator::eq,
                                             std::vector<Value>{std::move(value)}, now));
    };
    if (info.type == ParameterType::integer) return is(*parameters.integer(info.name));
    if (info.type == ParameterType::flag) return is(std::int64_t{*parameters.flag(info.name)});
    if (info.type == ParameterType::list)
        return equal_to(parameter, info.name, parameters.list(info.name), now, table);
    return equal_to(parameter, info.name, {parameter.text}, now, table);
}

ApiResult<Filter> record_filter(TableId table, std::span<const ParameterInfo> infos,
                                const Parameters& parameters, UnixNanos now) {
    Filter all;
    for (const ParameterInfo& info : infos)
        if (parameters.has(info.name) && !among(frame_parameters, info.name))
            all.also(OBS_ANSWER(record_condition(table, info, parameters, now)));
    return all;
}

constexpr std::string_view filter_parameters[] = {
    "trace_id",     "session_id", "user_id",        "provider",     "model",        "environment",
    "service_name", "span_name",  "operation_type", "min_duration", "max_duration", "min_cost",
    "max_cost",     "min_tokens", "max_tokens",     "status",       "tags",         "search"};

ApiResult<Filter> filter_of(const Parameters& parameters, UnixNanos now) {
    Filter all;
    for (const std::string_view name : filter_parameters)
        if (parameters.has(name)) all.also(OBS_ANSWER(condition_of(name, parameters, now)));
    return all;
}

// ---- the search ----

using simdjson::dom::element;

class SearchBody {
public:
    explicit SearchBody(const element& root, TableId table = spans) : root_(root), table_(table) {}

    ApiResult<Asked> asked() {
        if (has("filters") && has("filter")) return twice("filter", "filters");
        Asked asked;
        asked.table = table_;
        asked.from = OBS_ANSWER(text_or_number("from", "start_time"));
        asked.to = OBS_ANSWER(text_or_number("to", "end_time"));
        asked.view = OBS_ANSWER(text_at("view"));
        asked.project = OBS_ANSWER(text_at("project_id"));
        asked.include = OBS_ANSWER(list_at("include"));
        OBS_ANSWER(read_page(asked));
        OBS_ANSWER(read_sorts(asked));
        if (auto fields = OBS_ANSWER(list_at("fields"))) asked.fields = split_list(fields->text);
        asked.question = fingerprint_text(asked);
        return asked;
    }

    ApiResult<Filter> filter(UnixNanos now) const {
        for (const std::string_view key : {"filters", "filter"}) {
            element json;
            if (root_[key].get(json) != simdjson::SUCCESS || json.is_null()) continue;
            return OBS_ANSWER(query::parse_filter(table_, json, now));
        }
        return Filter{};
    }

private:
    struct Done {};

    // A member that is there and not null.
    static std::optional<element> member(const element& of, std::string_view key) {
        element json;
        if (of[key].get(json) != simdjson::SUCCESS || json.is_null()) return std::nullopt;
        return json;
    }
    bool has(std::string_view key) const { return member(root_, key).has_value(); }

    static std::unexpected<ApiError> twice(std::string_view a, std::string_view b) {
        return refuse(ErrorCode::invalid_request, std::string(a), "give either {} or {}, not both", a, b);
    }
    static std::unexpected<ApiError> wrong_type(std::string_view key, std::string_view type) {
        return refuse(ErrorCode::invalid_field_format, std::string(key), "{} is {}", key, type);
    }

    ApiResult<std::optional<Asked::Text>> text_at(std::string_view key) const {
        const auto json = member(root_, key);
        if (!json) return std::nullopt;
        std::string_view text;
        if (json->get(text) != simdjson::SUCCESS) return wrong_type(key, "text");
        return Asked::Text{std::string(key), std::string(text)};
    }

    ApiResult<std::optional<Asked::Text>> text_or_number(std::string_view key, std::string_view alias) const {
        if (has(key) && has(alias)) return twice(key, alias);
        const std::string_view used = has(alias) ? alias : key;
        const auto json = member(root_, used);
        if (json && json->is_number()) return Asked::Text{std::string(used), simdjson::minify(*json)};
        return text_at(used);
    }

    // A list of texts, or one text with commas.
    ApiResult<std::optional<Asked::Text>> list_at(std::string_view key) const {
        const auto json = member(root_, key);
        simdjson::dom::array items;
        if (!json || json->get(items) != simdjson::SUCCESS) return text_at(key);
        Asked::Text list{std::string(key), {}};
        for (const element& item : items) {
            std::string_view text;
            if (item.get(text) != simdjson::SUCCESS) return wrong_type(key, "a list of texts");
            list.text += std::string(text) + ',';
        }
        return list;
    }

    ApiResult<Done> read_page(Asked& asked) const {
        const auto page = member(root_, "pagination");
        if (page && !page->is_object()) return wrong_type("pagination", "an object {limit, cursor}");
        for (const std::string_view key : {"limit", "cursor"}) {
            const auto nested = page ? member(*page, key) : std::nullopt, plain = member(root_, key);
            if (nested && plain) return twice(key, fmt::format("pagination.{}", key));
            const auto& json = nested ? nested : plain;
            if (!json) continue;
            std::string_view text;
            const bool is_text = json->get(text) == simdjson::SUCCESS;
            if (key == "cursor" && !is_text) return wrong_type("cursor", "text");
            if (key == "limit" && !json->is_int64()) return wrong_type("limit", "a whole number");
            auto& slot = key == "cursor" ? asked.cursor : asked.limit;
            slot = Asked::Text{std::string(key), is_text ? std::string(text) : simdjson::minify(*json)};
        }
        return Done{};
    }

    ApiResult<Done> read_sorts(Asked& asked) const {
        if (has("sort") && has("sort_by")) return twice("sort", "sort_by");
        if (has("sort")) return read_sort_list(asked);
        const auto by = OBS_ANSWER(text_at("sort_by"));
        if (!by) return Done{};
        bool descending = false;
        if (const auto json = member(root_, "sort_desc"); json && json->get(descending) != simdjson::SUCCESS)
            return wrong_type("sort_desc", "true or false");
        asked.sort_name = "sort_by";
        asked.sorts.push_back({by->text, descending});
        return Done{};
    }

    ApiResult<Done> read_sort_list(Asked& asked) const {
        simdjson::dom::array list;
        if (member(root_, "sort")->get(list) != simdjson::SUCCESS)
            return wrong_type("sort", "a list of {field, direction}");
        for (const element& item : list) {
            std::string_view field, direction = "asc";
            if (!item.is_object() || item["field"].get(field) != simdjson::SUCCESS)
                return wrong_type("sort", "a list of {field, direction}");
            if (const auto json = member(item, "direction");
                json && json->get(direction) != simdjson::SUCCESS)
                return wrong_type("sort", "a list whose directions are asc or desc");
            if (direction != "asc" && direction != "desc")
                return refuse(ErrorCode::invalid_field_value, "sort", "a direction is asc or desc");
            asked.sorts.push_back({std::string(field), direction == "desc"});
        }
        return Done{};
    }

    std::string fingerprint_text(const Asked& asked) const {
        std::string text = fmt::format("search {}", table_name(table_));
        const auto part = [&](const std::optional<Asked::Text>& given) {
            text += '\n' + (given ? given->text : std::string());
        };
        part(asked.from);
        part(asked.to);
        part(asked.view);
        for (const Sort& sort : asked.sorts) text += '\n' + sort.field + (sort.descending ? " desc" : " asc");
        for (const std::string_view key : {"filters", "filter"})
            if (const auto json = member(root_, key)) text += '\n' + std::string(simdjson::minify(*json));
        return text;
    }

    element root_;
    TableId table_;
};

// The body as an object; `parser` keeps it.
ApiResult<element> body_of(simdjson::dom::parser& parser, std::string_view body) {
    if (body.empty()) return refuse(ErrorCode::invalid_request, "", "the body is empty; send a JSON object");
    // Deeper than filters may be, so that those are refused by name.
    constexpr std::size_t depth = 256;
    element root;
    simdjson::error_code fault = parser.allocate(std::max<std::size_t>(body.size(), 64), depth);
    if (fault == simdjson::SUCCESS) fault = parser.parse(body.data(), body.size()).get(root);
    if (fault != simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_request, "", "the body is no JSON: {}",
                      simdjson::error_message(fault));
    if (!root.is_object()) return refuse(ErrorCode::invalid_request, "", "the body is a JSON object");
    return root;
}

// The rows' own order needs no cursor value of its own.
void forget_default_order(Asked& asked) {
    if (asked.sorts.size() != 1 || !asked.sorts.front().descending) return;
    if (asked.sorts.front().field == "ts" || asked.sorts.front().field == "timestamp") asked.sorts.clear();
}

}  // namespace

ApiResult<Scope> scope_of(const Principal& principal, std::string_view project) {
    const bool all = principal.sees_all_projects();
    if (!all && principal.projects.empty())
        return refuse(ErrorCode::project_required, "", "the token names no project");
    if (project.empty()) return Scope(principal.org, all ? std::vector<std::string>{} : principal.projects);
    if (!all && std::ranges::count(principal.projects, project) == 0)
        return refuse(ErrorCode::project_access_denied, "project_id",
                      "the token does not include this project");
    return Scope(principal.org, {std::string(project)});
}

ApiResult<Filter> flat_filter(const Parameters& parameters, UnixNanos now) {
    return filter_of(parameters, now);
}

query::Content content_for(const Principal& principal) {
    return principal.may("read:content") ? query::Content::shown : query::Content::hidden;
}

ApiResult<query::Include> include_from(std::string_view list) {
    query::Include include;
    for (const std::string& word : split_list(list)) {
        if (word == "children")
            include.children = true;
        else if (word == "evaluations")
            include.evaluations = true;
        else if (word == "feedback")
            include.feedback = true;
        else
            return refuse(ErrorCode::invalid_field_value, "include",
                          "include knows children, evaluations and feedback, not \"{}\"",
                          std::string_view(word).substr(0, 100));
    }
    return include;
}

ApiResult<ListRequest> list_request(std::string_view query, const Principal& principal, UnixNanos now) {
    const Parameters parameters = OBS_ANSWER(Parameters::read(trace_list_parameters, query, now));
    if (parameters.integer("offset").value_or(0) != 0)
        return refuse(ErrorCode::invalid_request, "offset", "pages are walked by cursor, not by offset");
    Asked asked = asked_by(parameters, trace_list_parameters, spans);
    asked.view = found(parameters, "view");
    asked.include = found(parameters, "include");
    forget_default_order(asked);
    return understood(asked, principal, now, [&](UnixNanos then) { return filter_of(parameters, then); });
}

ApiResult<ListRequest> search_request(std::string_view body, const Principal& principal, UnixNanos now) {
    simdjson::dom::parser parser;
    const element root = OBS_ANSWER(body_of(parser, body));
    SearchBody search(root);
    Asked asked = OBS_ANSWER(search.asked());
    forget_default_order(asked);
    return understood(asked, principal, now, [&](UnixNanos then) { return search.filter(then); });
}

ApiResult<RecordRequest> record_list_request(TableId table, std::span<const ParameterInfo> infos,
                                             std::string_view query, const Principal& principal,
                                             UnixNanos now) {
    const Parameters parameters = OBS_ANSWER(Parameters::read(infos, query, now));
    Asked asked = asked_by(parameters, infos, table);
    forget_default_order(asked);
    return understood_records(asked, principal, now,
                              [&](UnixNanos then) { return record_filter(table, infos, parameters, then); });
}

ApiResult<RecordRequest> record_search_request(TableId table, std::string_view body,
                                               const Principal& principal, UnixNanos now) {
    simdjson::dom::parser parser;
    const element root = OBS_ANSWER(body_of(parser, body));
    SearchBody search(root, table);
    Asked asked = OBS_ANSWER(search.asked());
    forget_default_order(asked);
    return understood_records(asked, principal, now, [&](UnixNanos then) { return search.filter(then); });
}

}  // namespace obs::serve
