#include "serve/export_request.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include <simdjson.h>

#include "base/json_writer.h"
#include "jobs/parquet_columns.h"
#include "query/condition.h"
#include "serve/list_request.h"
#include "serve/query_string.h"

namespace obs::serve {

namespace {

using jobs::Compression;
using jobs::ExportFormat;
using query::Content;
using query::Selection;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::int64_t usual_rows = 100'000, most_rows = 1'000'000;
constexpr Nanos longest_window = Nanos::days(365);
constexpr std::size_t most_fields = 200;

// Members of the body that are no filter.
constexpr std::string_view own_members[] = {"format", "filters",     "filter", "fields",
                                            "limit",  "compression", "table"};
struct TableWord {
    std::string_view word;
    TableId table;
    std::vector<std::string_view> permissions;  // to read it
};
const std::vector<TableWord>& tables() {
    static const std::vector<TableWord> words = {
        {"traces", TableId::spans, {"read:traces"}},
        {"logs", TableId::logs, {"read:traces"}},
        {"metric-points", TableId::metric_points, {"read:metrics"}},
        {"scores", TableId::scores, {"read:traces"}},
        {"audit", TableId::audit, {"read:audit", "export:audit"}},
    };
    return words;
}

// What somebody gets who may export costs alone.
constexpr std::string_view cost_fields[] = {"ts",
                                            "timestamp",
                                            "trace_id",
                                            "span_id",
                                            "project_id",
                                            "service_name",
                                            "environment",
                                            "provider",
                                            "model",
                                            "user_id",
                                            "tags",
                                            "prompt_tokens",
                                            "status_code",
                                            "completion_tokens",
                                            "total_tokens",
                                            "cost_source",
                                            "price_rule",
                                            "client_cost_usd",
                                            "cached_input_tokens",
                                            "cache_write_tokens",
                                            "reasoning_tokens",
                                            "prompt_cost_usd",
                                            "completion_cost_usd",
                                            "total_cost_usd",
                                            "input_cost_usd",
                                            "output_cost_usd"};

bool among(std::span<const std::string_view> names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

template <class Word, std::size_t N>
ApiResult<Word> word_in(const element& body, std::string_view key, const std::string_view (&words)[N]) {
    element json;
    if (body[key].get(json) != simdjson::SUCCESS || json.is_null()) return Word{};
    std::string_view text;
    if (json.get(text) == simdjson::SUCCESS)
        for (std::size_t i = 0; i < N; ++i)
            if (words[i] == text) return static_cast<Word>(i);
    return refuse(ErrorCode::invalid_field_value, std::string(key), "{} is one of {}", key,
                  fmt::join(words, ", "));
}

// Of a member: a text, a number, or a list of texts, as a parameter of the list would say it.
ApiResult<std::string> parameter_text(std::string_view name, const element& json) {
    std::string_view text;
    if (json.get(text) == simdjson::SUCCESS) return std::string(text);
    if (json.is_number() || json.is_bool()) return std::string(simdjson::minify(json));
    simdjson::dom::array items;
    if (json.get(items) != simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_field_format, std::string(name),
                      "{} is a text, a number or a list of texts", name);
    std::string list;
    for (const element item : items) {
        if (item.get(text) != simdjson::SUCCESS)
            return refuse(ErrorCode::invalid_field_format, std::string(name), "{} is a list of texts", name);
        list += (list.empty() ? "" : ",") + std::string(text);
    }
    return list;
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const unsigned char c : text) out += fmt::format("%{:02X}", c);
    return out;
}

bool is_filter_parameter(std::string_view name) {
    return std::ranges::any_of(trace_filter_parameters, [&](const ParameterInfo& info) {
        if (info.name == name) return true;
        for (std::string_view rest = info.limits.aliases; !rest.empty();) {
            const std::size_t end = std::min(rest.find(' '), rest.size());
            if (rest.substr(0, end) == name) return true;
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        return false;
    });
}

class Body {
public:
    Body(element root, const Principal& principal, UnixNanos now)
        : root_(root), principal_(principal), now_(now) {}

    ApiResult<ExportRequest> read() {
        const TableWord table = OBS_ANSWER(table_word());
        Content content = content_for(principal_);
        Filter filter;
        Window window;
        std::optional<Scope> scope;
        if (table.table == TableId::spans) {
            const std::string query = OBS_ANSWER(flat_query());
            ListRequest list = OBS_ANSWER(list_request(query, principal_, now_));
            window = list.question.window;
            if (Filter view = query::filter_of(list.question.view); !view.always())
                filter.also(std::move(view));
            if (!list.question.filter.always()) filter.also(std::move(list.question.filter));
            ListRequest tree = OBS_ANSWER(search_request(tree_body(window.from), principal_, now_));
            if (!tree.question.filter.always()) filter.also(std::move(tree.question.filter));
            scope = std::move(list.question.scope);
        } else {
            const std::string search = OBS_ANSWER(record_body());
            RecordRequest records = OBS_ANSWER(record_search_request(table.table, search, principal_, now_));
            window = records.question.window;
            if (!records.question.filter.always()) filter.also(std::move(records.question.filter));
            scope = std::move(records.question.scope);
        }
        ExportRequest request{
            .words = {std::string(table.word),
                      OBS_ANSWER(word_in<ExportFormat>(root_, "format", jobs::format_words)),
                      OBS_ANSWER(word_in<Compression>(root_, "compression", jobs::compression_words))},
            .plan = {.question = RowQuestion(*scope),
                     .selection = OBS_ANSWER(selection(table.table, content))},
            .rights = OBS_ANSWER(rights_for(table))};
        RowQuestion& question = request.plan.question;
        question.table = table.table;
        question.filter = std::move(filter);
        question.window = query::narrowed(OBS_ANSWER(bounded(window)), question.filter);
        question.limit = OBS_ANSWER(limit());
        request.plan.format = request.words.format;
        request.plan.compression = request.words.compression;
        const bool shows = std::ranges::any_of(request.plan.selection.members(),
                                               [](const auto& member) { return member.field->is_content(); });
        if (shows || query::content_read_by(question.filter) != nullptr)
            request.rights.emplace_back("read:content");
        if (request.words.format == ExportFormat::parquet)
            if (const auto columns = jobs::parquet_columns(request.plan.selection); !columns)
                return refuse(ErrorCode::invalid_field_value, "fields", "{}", columns.error().message);
        return request;
    }

private:
    bool costs_alone() const { return !principal_.may("create:exports"); }

    std::optional<element> member(std::string_view key) const {
        element json;
        if (root_[key].get(json) != simdjson::SUCCESS || json.is_null()) return std::nullopt;
        return json;
    }

    ApiResult<TableWord> table_word() const {
        const auto json = member("table");
        if (!json) return tables().front();
        std::string_view text;
        if (json->get(text) == simdjson::SUCCESS)
            for (const TableWord& table : tables())
                if (table.word == text) return table;
        return refuse(ErrorCode::invalid_field_value, "table",
                      "table is one of traces, logs, metric-points, scores, audit");
    }

    ApiResult<std::vector<std::string>> rights_for(const TableWord& table) const {
        if (costs_alone()) {
            if (table.table == TableId::spans) return std::vector<std::string>{"read:costs"};
            return refuse(ErrorCode::insufficient_permissions, "table",
                          "this takes the permission create:exports; export:costs is for traces");
        }
        std::vector<std::string> rights;
        for (const std::string_view permission : table.permissions) {
            if (!principal_.may(permission))
                return refuse(ErrorCode::insufficient_permissions, "table", "this takes the permission {}",
                              permission);
            rights.emplace_back(permission);
        }
        return rights;
    }

    ApiResult<Selection> selection(TableId table, Content content) const {
        std::vector<std::string> names;
        if (const auto json = member("fields"))
            names = split_list(OBS_ANSWER(parameter_text("fields", *json)));
        if (names.size() > most_fields)
            return refuse(ErrorCode::limit_exceeded, "fields", "at most {} fields", most_fields);
        if (costs_alone()) {
            for (const std::string& name : names)
                if (!among(cost_fields, name))
                    return refuse(ErrorCode::resource_access_denied, "fields",
                                  "export:costs is for costs; \"{}\" takes the permission create:exports",
                                  std::string_view(name).substr(0, 100));
            if (names.empty())
                for (const std::string_view name : cost_fields)
                    if (const auto field = query::find_field(table, name);
                        field && field->field->name == name)
                        names.emplace_back(name);
        }
        auto selected = Selection::exactly(table, names, content);
        if (!selected)
            return refuse(ErrorCode::invalid_field_value, "fields", "{}", selected.error().message);
        if (selected->members().empty())
            return refuse(ErrorCode::resource_access_denied, "fields",
                          "prompt and answer text and attributes take the permission read:content");
        return *std::move(selected);
    }

    ApiResult<std::size_t> limit() const {
        const auto json = member("limit");
        if (!json) return usual_rows;
        std::int64_t rows = 0;
        if (json->get(rows) != simdjson::SUCCESS)
            return refuse(ErrorCode::invalid_field_format, "limit", "limit is a whole number from 1 to {}",
                          most_rows);
        if (rows < 1 || rows > most_rows)
            return refuse(ErrorCode::limit_exceeded, "limit", "limit is {}; it may be from 1 to {}", rows,
                          most_rows);
        return static_cast<std::size_t>(rows);
    }

    // The rows of a file are those of one moment: what is not said ends now.
    ApiResult<Window> bounded(Window window) const {
        window.to = std::min(window.to.value_or(now_), now_ + Nanos::days(1));
        if (window.from && *window.to - *window.from > longest_window)
            return refuse(ErrorCode::invalid_date_range, "from", "a window is at most 365 days long");
        if (!window.from) window.from = *window.to - longest_window;
        return window;
    }

    static bool is_tree(const element& json) {
        element ignored;
        return json.is_object() && json["operator"].get(ignored) == simdjson::SUCCESS;
    }
    std::optional<element> filters() const {
        const auto json = member("filters");
        return json ? json : member("filter");
    }

    // Members of the body and of flat `filters` as the query of a list.
    ApiResult<std::string> flat_query() const {
        std::string query;
        const auto add = [&](std::string_view name, const element& json) -> ApiResult<void> {
            if (json.is_null()) return {};
            if (!is_filter_parameter(name))
                return refuse(ErrorCode::invalid_request, std::string(name.substr(0, 100)),
                              "an export knows no \"{}\"", name.substr(0, 100));
            const std::string text = OBS_ANSWER(parameter_text(name, json));
            query += fmt::format("&{}={}", name, percent_encoded(text));
            return {};
        };
        for (const auto [name, json] : object(root_))
            if (!among(own_members, name)) OBS_ANSWER(add(name, json));
        const auto given = filters();
        if (!given || is_tree(*given)) return query;
        if (!given->is_object())
            return refuse(ErrorCode::invalid_field_format, "filters",
                          "filters is a tree {{operator, conditions}} or an object of parameters");
        for (const auto [name, json] : object(*given)) OBS_ANSWER(add(name, json));
        return query;
    }

    // A tree of conditions, as the body of a search; with the window's beginning, which slow conditions ask
    // for.
    std::string tree_body(std::optional<UnixNanos> from) const {
        std::string body;
        JsonWriter json(body);
        json.begin_object().field("from", rfc3339(from.value_or(now_ - longest_window)));
        if (const auto given = filters(); given && is_tree(*given))
            json.key("filters").raw(std::string(simdjson::minify(*given)));
        json.end_object();
        return body;
    }

    // Tables of records: the window, the project, and a tree.
    ApiResult<std::string> record_body() const {
        std::string body;
        JsonWriter json(body);
        json.begin_object();
        for (const auto [name, value] : object(root_)) {
            const bool known = name == "from" || name == "to" || name == "start_time" || name == "end_time" ||
                               name == "project_id";
            if (known && !value.is_null())
                json.key(name).raw(std::string(simdjson::minify(value)));
            else if (!known && !among(own_members, name))
                return refuse(ErrorCode::invalid_request, std::string(name.substr(0, 100)),
                              "an export of this table knows no \"{}\"; use filters", name.substr(0, 100));
        }
        if (const auto given = filters()) json.key("filters").raw(std::string(simdjson::minify(*given)));
        json.end_object();
        return body;
    }

    element root_;
    const Principal& principal_;
    UnixNanos now_;
};

}  // namespace

ApiResult<ExportRequest> export_request(std::string_view body, const Principal& principal, UnixNanos now) {
    simdjson::dom::parser parser;
    element root;
    const std::string_view text = body.empty() ? std::string_view("{}") : body;
    constexpr std::size_t depth = 256;  // filters that are too deep are refused by name
    simdjson::error_code fault = parser.allocate(std::max<std::size_t>(text.size(), 64), depth);
    if (fault == simdjson::SUCCESS) fault = parser.parse(text.data(), text.size()).get(root);
    if (fault != simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_request, "", "the body is no JSON: {}",
                      simdjson::error_message(fault));
    if (!root.is_object()) return refuse(ErrorCode::invalid_request, "", "the body is a JSON object");
    element ignored;
    if (root["filters"].get(ignored) == simdjson::SUCCESS && root["filter"].get(ignored) == simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_request, "filter", "give either filter or filters, not both");
    return Body(root, principal, now).read();
}

ExportWords export_words(std::string_view body) {
    simdjson::dom::parser parser;
    element root;
    ExportWords words;
    if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object())
        return words;
    words.format = word_in<ExportFormat>(root, "format", jobs::format_words).value_or(words.format);
    words.compression =
        word_in<Compression>(root, "compression", jobs::compression_words).value_or(words.compression);
    std::string_view table;
    if (root["table"].get(table) == simdjson::SUCCESS) words.table = table;
    return words;
}

Principal principal_of(const Job& job) {
    Principal principal;
    principal.subject = job.created_by;
    principal.org = job.org;
    principal.projects = job.projects;
    // A role of its own, with the rights of the job and no other; all projects are an admin's.
    principal.role = job.projects.empty() ? Role::admin : Role::custom;
    principal.permissions = job.rights;
    if (!job.has_right("read:costs") || job.has_right("read:traces"))
        principal.permissions.emplace_back("create:exports");
    return principal;
}

Result<jobs::ExportPlan> export_plan_of(const Job& job) {
    auto request = export_request(job.request, principal_of(job), job.created);
    if (!request) return fail(ErrorKind::invalid_input, "{}", request.error().message);
    request->plan.question.up_to_seq = job.up_to_seq;
    return std::move(request->plan);
}

}  // namespace obs::serve
