#include "query/sessions.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/utf8.h"
#include "query/asked.h"
#include "query/condition.h"
#include "query/fields.h"

namespace obs::query {

namespace {

using Function = Aggregate::Function;

constexpr ScanBudget whole_window{.time = Nanos::seconds(25), .rows = UINT64_MAX};
// Spans that previews are made of, of all traces of a page.
constexpr std::size_t most_preview_spans = 5'000;

FieldRef field(std::string_view name) {
    return {find_column(TableId::spans, name)};
}
Filter is_one(std::string_view name) {
    return Filter::where({field(name), Operator::eq, {std::int64_t{1}}});
}
FieldRef field_of(Party by) {
    return field(by == Party::session ? "session_id" : "user_id");
}

struct Figure {
    std::string_view name;
    Aggregate aggregate;
    bool may_change = false;  // when its trace settles
    bool of_calls = false;    // those without calls have none
};
const std::array<Figure, 6>& figures() {
    static const std::array<Figure, 6> all{
        Figure{"first_seen", {.function = Function::min, .field = field("ts"), .name = "first_seen"}},
        Figure{"last_seen", {.function = Function::max, .field = field("ts"), .name = "last_seen"}},
        Figure{
            "calls", {.function = Function::count, .only = is_one("is_call"), .name = "calls"}, true, true},
        Figure{"errors",
               {.function = Function::count,
                .only = Filter::where({field("status_code"), Operator::eq, {std::int64_t{2}}}),
                .name = "errors"}},
        Figure{"tokens",
               {.function = Function::sum, .field = field("total_tokens"), .name = "tokens"},
               true,
               true},
        Figure{
            "cost", {.function = Function::sum, .field = field("total_cost"), .name = "cost"}, true, true}};
    return all;
}

const Figure& figure_named(std::string_view name) {
    return *std::ranges::find(figures(), name, &Figure::name);
}

std::int64_t integer_in(const Cell& cell) {
    const auto* value = std::get_if<std::int64_t>(&cell);
    return value == nullptr ? 0 : *value;
}
std::string text_in(const Cell& cell) {
    const auto* text = std::get_if<std::string>(&cell);
    return text == nullptr ? std::string() : *text;
}
std::vector<std::string> texts_in(const Cell& cell) {
    const auto* texts = std::get_if<std::vector<std::string>>(&cell);
    return texts == nullptr ? std::vector<std::string>() : *texts;
}

// What all statements of one walk have in common.
template <class Question>
GroupQuestion spans_of(const Question& question, Filter filter, std::uint64_t seq) {
    GroupQuestion spans(question.scope);
    spans.filter = std::move(filter);
    spans.window = question.window;
    spans.up_to_seq = seq;
    spans.budget = whole_window;
    return spans;
}

template <class Question>
Result<std::size_t> offset_of(const Question& question) {
    const std::uint64_t offset = question.cursor ? question.cursor->offset.value_or(0) : 0;
    if (offset + question.limit <= Sessions::most_walked) return static_cast<std::size_t>(offset);
    return std::unexpected(
        Error{ErrorKind::invalid_input,
              fmt::format("a walk shows at most {} of them; narrow the question", Sessions::most_walked),
              "cursor"});
}

template <class Question>
std::string cursor_behind(const Question& question, std::uint64_t seq, std::size_t shown) {
    return to_text({.question = question.fingerprint, .seq = seq, .now = question.now, .offset = shown}, {});
}

Filter filter_of(const PartyQuestion& question) {
    Filter filter;
    filter.also(Filter::where({field_of(question.by), Operator::present, {}}));
    if (!question.filter.always()) filter.also(question.filter);
    return filter;
}

// Whether it leaves few spans, which the store finds wherever they are.
bool names_one(const Filter& filter) {
    if (filter.kind == Filter::Kind::all) return std::ranges::any_of(filter.children, names_one);
    if (filter.kind != Filter::Kind::condition || filter.condition.field.column == nullptr) return false;
    constexpr std::string_view indexed[] = {"user_id", "session_id", "trace_id"};
    const bool equals = filter.condition.op == Operator::eq || filter.condition.op == Operator::in;
    return equals && std::ranges::count(indexed, filter.condition.field.column->name) != 0;
}

// Which ones stand on the page; one more when there is a next one.
GroupQuestion rank_question(const PartyQuestion& question, std::uint64_t seq, std::size_t offset) {
    GroupQuestion rank = spans_of(question, filter_of(question), seq);
    rank.group_by = {field("project_id"), field_of(question.by)};
    rank.aggregates = {figure_named(question.sort).aggregate};
    rank.order_by = question.sort;
    rank.descending = question.descending;
    rank.limit = offset + question.limit + 1;
    return rank;
}

GroupQuestion totals_question(const PartyQuestion& question, std::uint64_t seq,
                              const std::vector<PartyTotals>& rows) {
    Filter filter = filter_of(question);
    Condition projects{field("project_id"), Operator::in, {}}, ids{field_of(question.by), Operator::in, {}};
    for (const PartyTotals& row : rows) {
        projects.values.emplace_back(row.project);
        ids.values.emplace_back(row.id);
    }
    filter.also(Filter::where(std::move(projects))).also(Filter::where(std::move(ids)));
    GroupQuestion totals = spans_of(question, std::move(filter), seq);
    totals.group_by = {field("project_id"), field_of(question.by)};
    for (const Figure& figure : figures()) totals.aggregates.push_back(figure.aggregate);
    totals.aggregates.push_back({.function = Function::count, .name = "spans"});
    totals.aggregates.push_back({.function = Function::values,
                                 .field = field("model"),
                                 .only = Filter::where({field("model"), Operator::present, {}}),
                                 .name = "models"});
    const std::string_view other = question.by == Party::session ? "user_id" : "session_id";
    totals.aggregates.push_back(
        {.function = question.by == Party::session ? Function::values : Function::distinct,
         .field = field(other),
         .only = Filter::where({field(other), Operator::present, {}}),
         .name = "others"});
    // Of a user they would say little, and cost a third of the question.
    if (question.by == Party::session) {
        totals.aggregates.push_back(
            {.function = Function::max, .field = {nullptr, {}, Derived::end}, .name = "end"});
        totals.aggregates.push_back(
            {.function = Function::distinct, .field = field("trace_id"), .name = "traces"});
    }
    totals.limit = rows.size() * rows.size();
    return totals;
}

void fill(PartyTotals& row, const std::vector<Cell>& cells, Party by) {
    row.first_seen = {integer_in(cells[2])};
    row.last_seen = {integer_in(cells[3])};
    row.calls = integer_in(cells[4]);
    row.errors = integer_in(cells[5]);
    if (const auto* tokens = std::get_if<std::int64_t>(&cells[6])) row.tokens = Tokens{*tokens};
    if (const auto* cost = std::get_if<std::int64_t>(&cells[7])) row.cost = Usd{*cost};
    row.spans = integer_in(cells[8]);
    row.models = texts_in(cells[9]);
    if (by == Party::user) {
        row.sessions = integer_in(cells[10]);
        return;
    }
    row.users = texts_in(cells[10]);
    // Of the last span nobody may know the end.
    row.duration = std::max(row.last_seen, UnixNanos{integer_in(cells[11])}) - row.first_seen;
    row.traces = integer_in(cells[12]);
}

// ----- turns

TraceId trace_in(const Cell& cell) {
    TraceId id{};
    const std::string bytes = text_in(cell);
    std::memcpy(id.bytes.data(), bytes.data(), std::min(bytes.size(), id.bytes.size()));
    return id;
}

Scalar raw(TraceId id) {
    std::string bytes(sizeof id.bytes, '\0');
    std::memcpy(bytes.data(), id.bytes.data(), bytes.size());
    return bytes;
}

// What was asked: by the root, else by the first call. What was answered: by the root, else by the last call.
class Preview {
public:
    explicit Preview(Turn& turn) : turn_(turn) {}

    void add(const SpanBatch& spans, std::size_t row) {
        if (spans.is_root[row] != 0 && !turn_.root) {
            turn_.root = spans.span_id[row];
            turn_.name = spans.span_name[row];
            turn_.status = status_word(spans.status_code[row]);
            if (turn_.user.empty()) turn_.user = spans.user_id[row];
        }
        if (turn_.user.empty()) turn_.user = spans.user_id[row];
        take(turn_.input, input_rank_, spans.input_text[row],
             {spans.is_root[row] == 0, spans.ts[row].since_epoch});
        take(turn_.output, output_rank_, spans.output_text[row],
             {spans.is_root[row] == 0, -(spans.ts[row] + spans.duration[row]).since_epoch});
    }

private:
    using Rank = std::pair<bool, std::int64_t>;

    void take(std::string& text, std::optional<Rank>& best, std::string_view candidate, Rank rank) {
        if (candidate.empty() || (best && *best <= rank)) return;
        best = rank;
        text = utf8_prefix(candidate, Sessions::preview_bytes);
        turn_.cut = turn_.cut || text.size() < candidate.size();
    }

    Turn& turn_;
    std::optional<Rank> input_rank_, output_rank_;
};

}  // namespace

// Those that were seen last are in the newest spans: looks at more and more of the window until there are
// enough of them.
Result<Table> Sessions::newest(GroupQuestion rank, const Cancel& cancel) const {
    constexpr Nanos first_look = Nanos::seconds(2), longest_look = Nanos::days(400);
    constexpr int times_more = 10;
    RowQuestion last(rank.scope);
    last.filter = rank.filter;
    last.window = rank.window;
    last.up_to_seq = rank.up_to_seq;
    last.columns = {find_column(TableId::spans, "ts")};
    last.limit = 1;
    const Rows found = OBS_TRY(asked(figures_.store().rows(last, cancel)));
    const SpanBatch& spans = std::get<SpanBatch>(found.batch);
    if (spans.empty() && !found.scanned_to) return Table{};
    const UnixNanos end = spans.empty() ? *found.scanned_to : spans.ts[0];
    const std::optional<UnixNanos> from = rank.window.from;
    for (Nanos look = first_look; look < longest_look; look = {look.count * times_more}) {
        rank.window.from = end - look;
        if (*rank.window.from <= from.value_or(UnixNanos{0})) break;
        Table table = OBS_TRY(asked(figures_.store().groups(rank, cancel)));
        if (table.rows.size() == rank.limit) return table;
    }
    rank.window.from = from;
    return asked(figures_.store().groups(rank, cancel));
}

// As the figures of costs have it, from rollups where they can answer. Nothing if too few of them have calls.
Result<Table> Sessions::by_figure(const PartyQuestion& question, const GroupQuestion& rank,
                                  const Cancel& cancel) const {
    FigureQuestion figure(question.scope);
    figure.filter = rank.filter;
    figure.group_by = rank.group_by;
    figure.aggregates = {question.sort == "calls" ? count_of_calls("calls") : rank.aggregates.front()};
    figure.sets = {{.by_time = false, .groups = {0, 1}}};
    figure.order_by = rank.order_by;
    figure.limit = rank.limit;
    figure.up_to_seq = rank.up_to_seq;
    const Window window = figures_.closed(question.window, question.now);
    FigureAnswer answer = OBS_TRY(figures_.answer(std::move(figure), window, question.now, cancel));
    Table& table = answer.sets.front();
    const bool enough =
        table.rows.size() == rank.limit && !std::holds_alternative<std::monostate>(table.rows.back()[2]);
    return enough ? std::move(table) : Table{};
}

Result<Table> Sessions::ranked(const PartyQuestion& question, std::uint64_t seq, std::size_t offset,
                               const Cancel& cancel) const {
    const GroupQuestion rank = rank_question(question, seq, offset);
    if (question.sort == "last_seen" && question.descending && !names_one(rank.filter))
        return newest(rank, cancel);
    // What came since the first page would be in the rollups.
    if (!question.cursor && question.descending && figure_named(question.sort).of_calls) {
        Table table = OBS_TRY(by_figure(question, rank, cancel));
        if (!table.rows.empty()) return table;
    }
    return asked(figures_.store().groups(rank, cancel));
}

Result<PartyPage> Sessions::list(const PartyQuestion& question, const Cancel& cancel) const {
    const std::uint64_t seq = question.cursor ? question.cursor->seq : figures_.visible_seq();
    const std::size_t offset = OBS_TRY(offset_of(question));
    const Table ranks = OBS_TRY(ranked(question, seq, offset, cancel));
    if (question.cursor && figure_named(question.sort).may_change) {
        RowQuestion looked_at(question.scope);
        looked_at.filter = filter_of(question);
        looked_at.window = question.window;
        looked_at.up_to_seq = seq;
        OBS_TRY_VOID(refuse_if_amended(figures_.store(), looked_at, cancel));
    }
    PartyPage page;
    const std::size_t end = std::min(ranks.rows.size(), offset + question.limit);
    for (std::size_t at = offset; at < end; ++at) {
        PartyTotals& row = page.rows.emplace_back();
        row.project = text_in(ranks.rows[at][0]);
        row.id = text_in(ranks.rows[at][1]);
    }
    if (page.rows.empty()) return page;
    if (ranks.rows.size() > end) page.cursor = cursor_behind(question, seq, end);
    const Table totals =
        OBS_TRY(asked(figures_.store().groups(totals_question(question, seq, page.rows), cancel)));
    for (const std::vector<Cell>& cells : totals.rows)
        for (PartyTotals& row : page.rows)
            if (row.project == text_in(cells[0]) && row.id == text_in(cells[1]))
                fill(row, cells, question.by);
    // Rollups outlive their spans.
    std::erase_if(page.rows, [](const PartyTotals& row) { return row.spans == 0; });
    return page;
}

Result<TurnPage> Sessions::turns(const TurnQuestion& question, const Cancel& cancel) const {
    const std::uint64_t seq = question.cursor ? question.cursor->seq : figures_.visible_seq();
    const std::size_t offset = OBS_TRY(offset_of(question));
    GroupQuestion rank = spans_of(
        question, Filter::where({field("session_id"), Operator::eq, {Scalar(question.session)}}), seq);
    rank.group_by = {field("trace_id")};
    rank.aggregates = {{.function = Function::min, .field = field("ts"), .name = "start"}};
    rank.order_by = "start";
    rank.descending = question.descending;
    rank.limit = offset + question.limit + 1;
    const Table ranks = OBS_TRY(asked(figures_.store().groups(rank, cancel)));
    TurnPage page;
    const std::size_t end = std::min(ranks.rows.size(), offset + question.limit);
    std::vector<TraceId> traces;
    for (std::size_t at = offset; at < end; ++at) {
        Turn& turn = page.turns.emplace_back();
        turn.trace = trace_in(ranks.rows[at][0]);
        turn.start = {integer_in(ranks.rows[at][1])};
        traces.push_back(turn.trace);
    }
    if (page.turns.empty()) return page;
    if (ranks.rows.size() > end) page.cursor = cursor_behind(question, seq, end);
    std::vector<TraceTotals> totals = OBS_TRY(totals_of(figures_.store(), question.scope, traces, cancel));
    for (std::size_t at = 0; at < totals.size(); ++at) page.turns[at].totals = std::move(totals[at]);
    OBS_TRY_VOID(add_previews(page, question, cancel));
    return page;
}

Result<void> Sessions::add_previews(TurnPage& page, const TurnQuestion& question,
                                    const Cancel& cancel) const {
    RowQuestion rows(question.scope);
    Condition traces{field("trace_id"), Operator::in, {}};
    std::unordered_map<TraceId, Preview> previews;
    for (Turn& turn : page.turns) {
        traces.values.push_back(raw(turn.trace));
        previews.try_emplace(turn.trace, turn);
    }
    rows.filter.also(Filter::where(std::move(traces)));
    rows.filter.also({Filter::Kind::any, {is_one("is_root"), is_one("is_call")}, {}});
    for (const char* name : {"duration", "span_name", "is_root", "status_code", "user_id"})
        rows.columns.push_back(find_column(TableId::spans, name));
    if (question.content == Content::shown)
        for (const char* name : {"input_text", "output_text"})
            rows.columns.push_back(find_column(TableId::spans, name));
    rows.content_bytes = preview_bytes + 4;
    rows.limit = most_preview_spans;
    const Rows found = OBS_TRY(asked(figures_.store().rows(rows, cancel)));
    const SpanBatch& spans = std::get<SpanBatch>(found.batch);
    for (std::size_t row = 0; row < spans.size(); ++row)
        if (const auto preview = previews.find(spans.trace_id[row]); preview != previews.end())
            preview->second.add(spans, row);
    return {};
}

}  // namespace obs::query
