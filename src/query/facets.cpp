#include "query/facets.h"

#include <algorithm>
#include <functional>
#include <future>
#include <span>
#include <unordered_map>
#include <utility>

#include "query/asked.h"
#include "query/condition.h"
#include "query/row_value.h"
#include "store/fold.h"

namespace obs::query {

namespace {

// The step of zones of time: days begin at one of its multiples.
constexpr Nanos quarter_hour = Nanos::seconds(900);
// Questions of one call to the store.
constexpr std::size_t most_at_once = 3;

bool is_map_itself(const NamedField& field) {
    return field.field->kind == FieldKind::map && field.key.empty();
}

// A model is asked for by either name.
std::string_view family_of(const ColumnInfo& column) {
    return column.name == "request_model" ? "model" : column.name;
}

bool speaks_of(const Filter& filter, const FieldRef& field) {
    if (filter.kind != Filter::Kind::condition)
        return !filter.children.empty() && std::ranges::all_of(filter.children, [&](const Filter& child) {
            return speaks_of(child, field);
        });
    const FieldRef& read = filter.condition.field;
    return filter.condition.op != Operator::search && read.column != nullptr && field.column != nullptr &&
           family_of(*read.column) == family_of(*field.column) && read.key == field.key;
}

// Numbers and times have ends, texts, words and ids have none that mean anything.
bool has_ends(const Field& field) {
    switch (field.kind) {
        case FieldKind::integer:
        case FieldKind::number:
        case FieldKind::time:
        case FieldKind::milliseconds:
        case FieldKind::whole_milliseconds:
        case FieldKind::dollars: return true;
        default: return false;
    }
}

bool is_text(const Field& field) {
    return field.kind == FieldKind::text || field.kind == FieldKind::list || field.kind == FieldKind::map;
}

std::optional<Scalar> scalar_in(const Cell& cell) {
    if (const auto* text = std::get_if<std::string>(&cell)) return *text;
    if (const auto* whole = std::get_if<std::int64_t>(&cell)) return *whole;
    if (const auto* number = std::get_if<double>(&cell)) return *number;
    return std::nullopt;
}

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
};

// The values of one field over the rows of a sample.
class Tally {
public:
    Tally(const NamedField& field, std::string_view prefix, std::size_t most_bytes)
        : field_(field), most_bytes_(most_bytes) {
        if (is_text(*field.field)) fold_case(prefix, prefix_);
    }

    void count(const SpanBatch& rows) {
        facet_.rows = static_cast<std::int64_t>(rows.size());
        rows.for_each_column([&](const ColumnInfo& info, const auto& column) {
            if (&info == field_.field->column) add_all(column, rows.size());
        });
    }

    Facet finish(std::size_t limit) {
        facet_.field = field_;
        for (auto& [text, count] : texts_) facet_.values.push_back({Scalar(text), count});
        for (const auto& [number, count] : numbers_) facet_.values.push_back({number, count});
        const auto order = [](const FacetValue& a, const FacetValue& b) {
            return a.count != b.count ? a.count > b.count : a.value < b.value;
        };
        std::ranges::sort(facet_.values, order);
        if (facet_.values.size() > limit) {
            facet_.more = facet_.values.size() - limit;
            facet_.values.resize(limit);
        }
        if (!prefix_.empty()) facet_.rows -= std::exchange(facet_.missing, 0);
        return std::move(facet_);
    }

private:
    void add_all(const Dict& column, std::size_t rows) {
        std::vector<std::int64_t> counts(column.dictionary_.size(), 0);
        for (std::size_t row = 0; row < rows; ++row) ++counts[column.code(row)];
        for (std::uint32_t code = 0; code < counts.size(); ++code)
            if (counts[code] > 0) add(column.dictionary_[code], counts[code]);
    }
    void add_all(const TextList& column, std::size_t rows) {
        for (std::size_t row = 0; row < rows; ++row) {
            std::vector<std::string_view> items = column[row];
            std::ranges::sort(items);
            items.erase(std::ranges::unique(items).begin(), items.end());
            add_each(items);
        }
    }
    void add_all(const Map& column, std::size_t rows) {
        for (std::size_t row = 0; row < rows; ++row) {
            if (!field_.key.empty()) {
                const auto entry = column.find(row, field_.key);
                add(entry ? entry->value : std::string_view(), 1);
                continue;
            }
            std::vector<std::string_view> keys;
            for (std::size_t at = column.begin(row); at < column.end(row); ++at)
                keys.push_back(column.entry(at).key);
            add_each(keys);
        }
    }
    template <class Column>
    void add_all(const Column& column, std::size_t rows) {
        for (std::size_t row = 0; row < rows; ++row) {
            if constexpr (std::is_same_v<Column, Text>) {
                add(column[row], 1);
            } else {
                add(row_value_detail::cell(column, row));
            }
        }
    }

    void add_each(const std::vector<std::string_view>& items) {
        bool any = false;
        for (const std::string_view item : items) any = add(item, 1, Missing::is_not_counted) || any;
        if (!any) ++facet_.missing;
    }

    enum class Missing : bool { is_counted, is_not_counted };
    // False if it is no value, or none that is asked for.
    bool add(std::string_view text, std::int64_t count, Missing missing = Missing::is_counted) {
        const bool there = !text.empty() && begins_as_asked(text);
        if (!there && missing == Missing::is_counted) facet_.missing += count;
        if (!there) return false;
        if (text.size() > most_bytes_) return true;
        const auto found = texts_.find(text);
        if (found != texts_.end())
            found->second += count;
        else
            texts_.emplace(text, count);
        return true;
    }
    bool begins_as_asked(std::string_view text) {
        if (prefix_.empty()) return true;
        fold_case(text, folded_);
        return folded_.starts_with(prefix_);
    }
    void add(const std::optional<Scalar>& value) {
        if (!value || is_zero_id(*value)) {
            ++facet_.missing;
            return;
        }
        ++numbers_[*value];
        if (!has_ends(*field_.field)) return;
        if (!facet_.least || *value < *facet_.least) facet_.least = value;
        if (!facet_.most || *value > *facet_.most) facet_.most = value;
    }
    static bool is_zero_id(const Scalar& value) {
        const auto* id = std::get_if<std::string>(&value);
        return id != nullptr && id->find_first_not_of('\0') == std::string::npos;
    }

    NamedField field_;
    std::size_t most_bytes_;
    std::string prefix_{}, folded_{};
    Facet facet_;
    std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>> texts_;
    std::unordered_map<Scalar, std::int64_t> numbers_;
};

Facet facet_in(const Table& table, const NamedField& field, const FacetQuestion& question) {
    Facet facet;
    facet.field = field;
    for (const std::vector<Cell>& row : table.rows) {
        const std::int64_t count = std::get<std::int64_t>(row.at(1));
        facet.rows += count;
        const auto value = scalar_in(row.at(0));
        if (!value) {
            facet.missing = count;
            continue;
        }
        if (facet.values.size() == question.limit)
            ++facet.more;
        else
            facet.values.push_back({*value, count});
    }
    return facet;
}

FigureQuestion figure_of(const FacetQuestion& question, const Filter& filter,
                         const std::vector<NamedField>& fields) {
    FigureQuestion figure(question.scope);
    figure.filter = filter;
    figure.aggregates = {count_of_calls("count")};
    figure.order_by = "count";
    for (const NamedField& field : fields) {
        figure.sets.push_back({.by_time = false, .groups = {figure.group_by.size()}});
        figure.group_by.push_back(field.ref());
    }
    return figure;
}

// The rows that a facet is of.
Filter filter_for(const FacetQuestion& question, const NamedField& field) {
    Filter filter;
    if (Filter rest = without_conditions_on(question.filter, field.ref()); !rest.always())
        filter.also(std::move(rest));
    if (!question.prefix.empty() && takes(*field.field, Operator::starts_with) && !is_map_itself(field))
        filter.also(Filter::where({field.ref(), Operator::starts_with, {Scalar(question.prefix)}}));
    return filter;
}

bool is_changed_for(const FacetQuestion& question, const NamedField& field) {
    return !question.prefix.empty() ||
           std::ranges::any_of(question.filter.children,
                               [&](const Filter& child) { return speaks_of(child, field.ref()); }) ||
           speaks_of(question.filter, field.ref());
}

}  // namespace

bool has_facet(const NamedField& field) {
    const Field& of = *field.field;
    return of.column != nullptr && of.kind != FieldKind::json && of.kind != FieldKind::repairs &&
           (of.filterable || of.groupable);
}

Filter without_conditions_on(const Filter& filter, const FieldRef& field) {
    if (speaks_of(filter, field)) return {};
    if (filter.kind != Filter::Kind::all) return filter;
    Filter rest;
    for (const Filter& child : filter.children) {
        Filter left = without_conditions_on(child, field);
        if (!left.always()) rest.also(std::move(left));
    }
    return rest;
}

bool Facets::rolled_up(const FigureQuestion& figure, const Window& window, UnixNanos now) const {
    Nanos spans{};
    for (const FigurePiece& piece : figures_.pieces(figure, window, now))
        if (!piece.level) spans = spans + (piece.to - piece.from);
    return spans <= limits_.spans_beside_rollups;
}

Result<std::vector<Facet>> Facets::from_rollups(const FacetQuestion& question, const Filter& filter,
                                                const std::vector<NamedField>& fields,
                                                const Cancel& cancel) const {
    const Window window = figures_.closed(narrowed(question.window, filter), question.now);
    const FigureAnswer answer =
        OBS_TRY(figures_.answer(figure_of(question, filter, fields), window, question.now, cancel));
    std::vector<Facet> facets;
    for (std::size_t at = 0; at < fields.size(); ++at) {
        facets.push_back(facet_in(answer.sets[at], fields[at], question));
        facets.back().source = answer.source;
    }
    return facets;
}

Result<std::vector<Facet>> Facets::from_rows(const FacetQuestion& question, const Filter& filter,
                                             const std::vector<NamedField>& fields,
                                             const Cancel& cancel) const {
    RowQuestion rows(question.scope);
    if (Filter view = filter_of(question.view); !view.always()) rows.filter.also(std::move(view));
    if (!filter.always()) rows.filter.also(filter);
    rows.window = narrowed(question.window, filter);
    const bool reads_map = std::ranges::any_of(
        fields, [](const NamedField& field) { return field.field->kind == FieldKind::map; });
    rows.limit = reads_map ? limits_.map_rows : limits_.rows;
    rows.content_bytes = limits_.value_bytes + 4;
    rows.budget.time = limits_.patience;
    for (const NamedField& field : fields)
        if (std::ranges::find(rows.columns, field.field->column) == rows.columns.end())
            rows.columns.push_back(field.field->column);
    const Rows found = OBS_TRY(asked(figures_.store().rows(rows, cancel)));
    const SpanBatch& spans = std::get<SpanBatch>(found.batch);
    std::vector<Facet> facets;
    for (const NamedField& field : fields) {
        Tally tally(field, question.prefix, limits_.value_bytes);
        tally.count(spans);
        Facet& facet = facets.emplace_back(tally.finish(question.limit));
        facet.sampled = found.scanned_to || spans.size() == rows.limit;
        if (facet.sampled)
            facet.sampled_from = found.scanned_to ? *found.scanned_to : spans.ts[spans.size() - 1];
    }
    return facets;
}

Result<std::vector<Facet>> Facets::count(const FacetQuestion& question, const Cancel& cancel) const {
    // Fields that share their rows are counted together.
    struct Group {
        Filter filter;
        bool rolled_up = false, mixes = false, map = false;
        std::vector<NamedField> fields;
    };
    std::vector<Group> groups;
    for (const NamedField& field : question.fields) {
        Group one{.filter = filter_for(question, field), .fields = {field}};
        const FigureQuestion figure = figure_of(question, one.filter, one.fields);
        const Window window = figures_.closed(narrowed(question.window, one.filter), question.now);
        one.rolled_up = question.view == View::calls && *window.from < *window.to &&
                        (is_text(*field.field) || field.field->kind == FieldKind::status) &&
                        rolled_up(figure, window, question.now);
        // Days know one field at a time, minutes and hours several.
        one.mixes = !one.rolled_up || rollups_answer(RollupLevel::minute, figure);
        one.map = field.field->kind == FieldKind::map;
        const bool alone = is_changed_for(question, field) || !one.mixes;
        const auto same = std::ranges::find_if(groups, [&](const Group& group) {
            return !alone && group.mixes && group.rolled_up == one.rolled_up && group.map == one.map &&
                   !is_changed_for(question, group.fields.front());
        });
        if (same == groups.end())
            groups.push_back(std::move(one));
        else
            same->fields.push_back(field);
    }
    const auto ask = [&](const Group& group) {
        return group.rolled_up ? from_rollups(question, group.filter, group.fields, cancel)
                               : from_rows(question, group.filter, group.fields, cancel);
    };
    std::vector<Facet> facets;
    // The store takes longer to understand such a question than to answer it.
    for (std::size_t at = 0; at < groups.size(); at += most_at_once) {
        std::vector<std::future<Result<std::vector<Facet>>>> answers;
        for (const Group& group : std::span(groups).subspan(at, std::min(most_at_once, groups.size() - at)))
            answers.push_back(std::async(std::launch::async, ask, std::cref(group)));
        for (auto& answer : answers)
            for (Facet& facet : OBS_TRY(answer.get())) facets.push_back(std::move(facet));
    }
    const auto place = [&](const Facet& facet) {
        return std::ranges::find_if(question.fields, [&](const NamedField& field) {
            return field.field == facet.field.field && field.key == facet.field.key;
        });
    };
    std::ranges::sort(facets, {}, place);
    return facets;
}

Result<Histogram> Facets::histogram(const HistogramQuestion& question, const Cancel& cancel) const {
    Histogram histogram;
    for (std::size_t at = 0; at + 1 < question.edges.size(); ++at)
        histogram.bars.push_back({.at = question.edges[at]});
    const auto add = [&](const std::vector<Cell>& row) {
        const UnixNanos start = bucket_start(question.edges, UnixNanos{std::get<std::int64_t>(row.at(0))});
        const auto bar = std::ranges::lower_bound(histogram.bars, start, {}, &HistogramBar::at);
        bar->count += std::get<std::int64_t>(row.at(1));
        bar->errors += std::get<std::int64_t>(row.at(2));
    };
    if (question.view == View::calls) {
        FigureQuestion figure(question.scope);
        figure.filter = question.filter;
        figure.edges = question.edges;
        figure.aggregates = {count_of_calls("count"), count_of_errors("errors")};
        figure.sets = {{.by_time = true, .groups = {}}};
        figure.limit = question.edges.size();
        const FigureAnswer answer =
            OBS_TRY(figures_.answer(figure, {question.from, question.to}, question.now, cancel));
        std::ranges::for_each(answer.sets.front().rows, add);
        histogram.source = answer.source;
        return histogram;
    }
    GroupQuestion rows(question.scope);
    if (Filter view = filter_of(question.view); !view.always()) rows.filter.also(std::move(view));
    if (!question.filter.always()) rows.filter.also(question.filter);
    rows.window = {question.from, question.to};
    const Nanos step = question.edges[1] - question.edges[0];
    rows.interval = std::min(step, quarter_hour);
    rows.aggregates = {count_of_calls("count"), count_of_errors("errors")};
    rows.limit = static_cast<std::size_t>((question.to - question.from).count / rows.interval->count + 2);
    rows.budget = {.time = Nanos::seconds(25), .rows = UINT64_MAX};
    const Table table = OBS_TRY(asked(figures_.store().groups(rows, cancel)));
    std::ranges::for_each(table.rows, add);
    return histogram;
}

}  // namespace obs::query
