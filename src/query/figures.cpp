#include "query/figures.h"

#include <algorithm>
#include <utility>

#include "query/asked.h"
#include "query/fields.h"

namespace obs::query {

namespace {

using Function = Aggregate::Function;

const ColumnInfo* column_named(std::string_view name) {
    return find_column(TableId::spans, name);
}

// A stretch of time that no piece covers yet.
struct Gap {
    UnixNanos from, to;
};

UnixNanos whole_from(RollupLevel level, UnixNanos at) {
    const UnixNanos start = bucket_of(level, at).start;
    return start == at ? at : start + length_of(level);
}

// Gaps, cut at the edges that lie within a bucket of the level.
std::vector<Gap> cut_at(std::span<const UnixNanos> edges, RollupLevel level, const std::vector<Gap>& gaps) {
    std::vector<Gap> cut;
    for (Gap gap : gaps) {
        for (auto edge = std::ranges::upper_bound(edges, gap.from); edge != edges.end() && *edge < gap.to;
             ++edge) {
            if (bucket_of(level, *edge).start == *edge) continue;
            cut.push_back({gap.from, *edge});
            gap.from = *edge;
        }
        cut.push_back(gap);
    }
    return cut;
}

// Covers what it can with rollups of the level; what is left.
std::vector<Gap> cover(const std::vector<Gap>& gaps, RollupLevel level, UnixNanos kept_from,
                       const std::vector<UnixNanos>& outdated, std::vector<FigurePiece>& pieces) {
    std::vector<Gap> left;
    const auto leave = [&](UnixNanos from, UnixNanos to) {
        if (from < to) left.push_back({from, to});
    };
    for (const Gap& gap : gaps) {
        const UnixNanos first = whole_from(level, std::max(gap.from, kept_from));
        const UnixNanos last = bucket_of(level, gap.to).start;
        if (first >= last) {
            left.push_back(gap);
            continue;
        }
        leave(gap.from, first);
        UnixNanos from = first;
        for (auto bad = std::ranges::lower_bound(outdated, first); bad != outdated.end() && *bad < last;
             ++bad) {
            if (from < *bad) pieces.push_back({from, *bad, level});
            leave(*bad, *bad + length_of(level));
            from = *bad + length_of(level);
        }
        if (from < last) pieces.push_back({from, last, level});
        leave(last, gap.to);
    }
    return left;
}

std::vector<FigurePiece> joined(std::vector<FigurePiece> pieces) {
    std::ranges::sort(pieces);
    std::vector<FigurePiece> all;
    for (const FigurePiece& piece : pieces) {
        if (!all.empty() && all.back().level == piece.level)
            all.back().to = piece.to;
        else
            all.push_back(piece);
    }
    return all;
}

// A statement of thousands of stretches is slower than a few spans more.
std::vector<FigurePiece> with_few(std::vector<FigurePiece> pieces) {
    constexpr std::ptrdiff_t most = 64;
    const auto of_rows = [&] {
        return std::ranges::count_if(pieces, [](const FigurePiece& piece) { return !piece.level; });
    };
    for (Nanos shortest = Nanos::seconds(600); of_rows() > most; shortest = shortest + shortest) {
        for (FigurePiece& piece : pieces)
            if (piece.to - piece.from <= shortest) piece.level.reset();
        pieces = joined(std::move(pieces));
    }
    return pieces;
}

DataSource source_of(const std::vector<FigurePiece>& pieces) {
    const auto rolled_up = [](const FigurePiece& piece) { return piece.level.has_value(); };
    if (std::ranges::none_of(pieces, rolled_up)) return DataSource::raw;
    return std::ranges::all_of(pieces, rolled_up) ? DataSource::aggregate : DataSource::mixed;
}

}  // namespace

std::uint64_t Figures::visible_seq() const {
    return live_.visible_seq();
}

std::string_view name_of(DataSource source) {
    switch (source) {
        case DataSource::aggregate: return "aggregate";
        case DataSource::raw: return "raw";
        case DataSource::mixed: return "mixed";
    }
    return {};
}

DataSource together(DataSource a, DataSource b) {
    return a == b ? a : DataSource::mixed;
}

std::vector<FigurePiece> plan_pieces(UnixNanos from, UnixNanos to, std::span<const UnixNanos> edges,
                                     std::span<const RollupLevel> levels, const RollupCurrency& currency,
                                     UnixNanos now) {
    std::vector<FigurePiece> pieces;
    std::vector<Gap> gaps{{from, to}};
    for (const RollupLevel level : levels) {
        const auto outdated = currency.outdated(level, from, to);
        if (!outdated) continue;
        gaps = cover(cut_at(edges, level, gaps), level, currency.kept_from(level, now), *outdated, pieces);
    }
    for (const Gap& gap : gaps) pieces.push_back({gap.from, gap.to, {}});
    return with_few(joined(std::move(pieces)));
}

std::vector<FigurePiece> Figures::pieces(const FigureQuestion& question, Window window, UnixNanos now) const {
    std::vector<RollupLevel> levels;
    for (const RollupLevel level : {RollupLevel::day, RollupLevel::hour, RollupLevel::minute})
        if (currency_ != nullptr && rollups_answer(level, question)) levels.push_back(level);
    if (levels.empty()) return {{*window.from, *window.to, {}}};
    return plan_pieces(*window.from, *window.to, question.edges, levels, *currency_, now);
}

Window Figures::closed(Window window, UnixNanos now) const {
    if (!window.from) {
        window.from = UnixNanos{0};
        if (currency_ != nullptr)
            window.from = std::max(*window.from, currency_->kept_from(RollupLevel::hour, now));
        window.from = bucket_of(RollupLevel::day, *window.from).end();
    }
    window.from = std::max(*window.from, UnixNanos{0});
    if (!window.to) window.to = now + Nanos::days(1);
    return window;
}

Result<FigureAnswer> Figures::answer(FigureQuestion question, Window window, UnixNanos now,
                                     const Cancel& cancel) const {
    question.pieces = pieces(question, window, now);
    FigureTables tables = OBS_TRY(asked(store_.figures(question, cancel)));
    return FigureAnswer{std::move(tables.sets), source_of(question.pieces), tables.exact};
}

Result<Table> Figures::of_calls(GroupQuestion question, const Cancel& cancel) const {
    if (question.table == TableId::spans) {
        Filter calls;
        calls.also(Filter::where({{column_named("is_call")}, Operator::eq, {std::int64_t{1}}}));
        if (!question.filter.always()) calls.also(std::move(question.filter));
        question.filter = std::move(calls);
    }
    question.budget = {.time = Nanos::seconds(25), .rows = UINT64_MAX};
    return asked(store_.groups(question, cancel));
}

std::optional<Dimension> dimension_from(std::string_view name) {
    constexpr std::pair<std::string_view, std::string_view> words[] = {
        {"user", "user_id"},       {"service", "service_name"},
        {"session", "session_id"}, {"project", "project_id"},
        {"tag", "tags"},           {"team", "attributes.team.id"},
        {"status", "status_code"}, {"operation", "operation_type"}};
    const auto* word = std::ranges::find(words, name, &std::pair<std::string_view, std::string_view>::first);
    const auto field = find_field(TableId::spans, word == std::end(words) ? name : word->second);
    if (!field || !field->field->groupable || field->field->column == nullptr) return std::nullopt;
    if (field->field->column->type == ColumnType::map && field->key.empty()) return std::nullopt;
    return Dimension{std::string(name), field->ref()};
}

std::string group_text(const FieldRef& field, const Cell& cell) {
    if (const auto* text = std::get_if<std::string>(&cell)) return *text;
    if (const auto* number = std::get_if<std::int64_t>(&cell)) {
        if (field.column != nullptr && field.column->name == "status_code")
            return std::string(status_word(static_cast<std::uint8_t>(*number)));
        if (field.column != nullptr && field.column->name == "span_kind")
            return std::string(span_kind_word(static_cast<std::uint8_t>(*number)));
        return fmt::format("{}", *number);
    }
    if (const auto* number = std::get_if<double>(&cell)) return fmt::format("{}", *number);
    return {};
}

Aggregate count_of_calls(std::string name) {
    return {.function = Function::count, .name = std::move(name)};
}

Aggregate count_of_errors(std::string name) {
    return {.function = Function::count,
            .only = Filter::where({{column_named("status_code")}, Operator::eq, {std::int64_t{2}}}),
            .name = std::move(name)};
}

Aggregate count_with(std::string_view column, std::string name) {
    const ColumnInfo* info = column_named(column);
    Condition known{{info}, Operator::present, {}};
    if (info->type == ColumnType::duration) known = {{info}, Operator::gte, {std::int64_t{0}}};
    return {.function = Function::count, .only = Filter::where(std::move(known)), .name = std::move(name)};
}

Aggregate sum_of(std::string_view column, std::string name) {
    return aggregate_of(Function::sum, column, std::move(name));
}

Aggregate aggregate_of(Aggregate::Function function, std::string_view column, std::string name) {
    return {.function = function, .field = {column_named(column)}, .name = std::move(name)};
}

Aggregate quantile_of(std::string_view column, double level, std::string name) {
    return {.function = Function::quantile,
            .field = {column_named(column)},
            .level = level,
            .name = std::move(name)};
}

std::size_t FigureTable::column(std::string_view name) const {
    const auto found = std::ranges::find(table_.columns, name);
    assert(found != table_.columns.end());
    return static_cast<std::size_t>(found - table_.columns.begin());
}

std::optional<std::int64_t> FigureTable::integer(std::size_t row, std::string_view name) const {
    const auto* value = std::get_if<std::int64_t>(&table_.rows[row][column(name)]);
    return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<double> FigureTable::number(std::size_t row, std::string_view name) const {
    const Cell& cell = table_.rows[row][column(name)];
    if (const auto* real = std::get_if<double>(&cell)) return *real;
    if (const auto* whole = std::get_if<std::int64_t>(&cell)) return static_cast<double>(*whole);
    return std::nullopt;
}

std::optional<Usd> FigureTable::money(std::size_t row, std::string_view name) const {
    const auto value = integer(row, name);
    return value ? std::optional(Usd{*value}) : std::nullopt;
}

}  // namespace obs::query
