#include "serve/trace_json.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <vector>

#include "query/scores.h"
#include "query/trace_tree.h"

namespace obs::serve {

namespace {

using query::Content;
using query::TraceTree;

// Spans whose parent is not there; nothing when spans were left out.
std::vector<bool> orphans_of(const query::OneTrace& trace) {
    std::vector<bool> orphaned(trace.spans.size());
    if (trace.spans_cut) return orphaned;
    const TraceTree tree(trace.spans);
    for (const std::uint32_t row : tree.top()) orphaned[row] = !trace.spans.parent_span_id[row].is_zero();
    return orphaned;
}

// Writes spans below each other without recursion: a chain may be 100,000 spans long.
class TreeWriter {
public:
    using WriteMembers = std::function<void(JsonWriter&, std::uint32_t row)>;
    TreeWriter(const TraceTree& tree, WriteMembers write) : tree_(tree), write_(std::move(write)) {}

    // One object for each of the rows, in an array that the caller began.
    void write(JsonWriter& json, std::span<const std::uint32_t> rows) const {
        struct Level {
            std::span<const std::uint32_t> rows;
            std::size_t next = 0;
        };
        std::vector<Level> levels{{rows}};
        while (true) {
            Level& level = levels.back();
            if (level.next == level.rows.size()) {
                levels.pop_back();
                if (levels.empty()) return;
                json.end_array().end_object();
                continue;
            }
            const std::uint32_t row = level.rows[level.next++];
            json.begin_object();
            write_(json, row);
            if (const auto children = tree_.children(row); !children.empty()) {
                json.key("children").begin_array();
                levels.push_back({children});
            } else {
                json.end_object();
            }
        }
    }

private:
    const TraceTree& tree_;
    WriteMembers write_;
};

// Rows of a batch by trace and span, for `children` in lists.
struct SpanPlace {
    TraceId trace;
    SpanId span;
    bool operator==(const SpanPlace&) const = default;
};
struct HashPlace {
    std::size_t operator()(const SpanPlace& place) const noexcept {
        return std::hash<TraceId>{}(place.trace) * 31 + std::hash<SpanId>{}(place.span);
    }
};
std::unordered_map<SpanPlace, std::uint32_t, HashPlace> places_of(const SpanBatch& spans) {
    std::unordered_map<SpanPlace, std::uint32_t, HashPlace> places;
    for (std::uint32_t row = 0; row < spans.size(); ++row)
        places.try_emplace({spans.trace_id[row], spans.span_id[row]}, row);
    return places;
}

}  // namespace

void write_totals(JsonWriter& json, const query::TraceTotals& totals) {
    json.field("span_count", totals.spans).field("error_count", totals.errors);
    json.field("trace_duration_ms", (totals.duration.count + 500'000) / 1'000'000);
    if (totals.tokens) json.field("trace_tokens", totals.tokens->count);
    if (totals.cost) json.field("trace_cost_usd", *totals.cost);
    json.key("models").begin_array();
    for (const std::string& model : totals.models) json.value(model);
    json.end_array();
}

void ScoreWriter::write_evaluation(JsonWriter& json, std::size_t score) const {
    json.field("evaluator_name", scores_.name[score]);
    if (const auto value = scores_.value[score]) json.field("score", *value);
    const std::string_view label = scores_.label[score], comment = scores_.comment[score];
    if (const auto good = query::passed(label)) json.field("passed", *good);
    json.key("details").begin_object();
    if (!label.empty()) json.field("label", label);
    if (!scores_.source[score].empty()) json.field("source", scores_.source[score]);
    if (!comment.empty() && content_ == Content::shown) json.field("comment", comment);
    if (scores_.attributes.begin(score) != scores_.attributes.end(score)) {
        json.key("attributes");
        write_attributes(json, scores_.attributes, score);
    }
    json.end_object();
}

void ScoreWriter::write_feedback(JsonWriter& json, std::size_t score) const {
    if (const auto value = scores_.value[score])
        json.field("rating", *value);
    else if (!scores_.label[score].empty())
        json.field("rating", scores_.label[score]);
    if (!scores_.comment[score].empty() && content_ == Content::shown)
        json.field("comment", scores_.comment[score]);
    if (!scores_.user_id[score].empty()) json.field("user_id", scores_.user_id[score]);
}

template <class Write>
void ScoreWriter::write_array(JsonWriter& json, std::string_view name, bool feedback, const SpanBatch& spans,
                              std::size_t row, bool stands_for_trace, Write&& write) const {
    json.key(name).begin_array();
    for (std::size_t score = 0; score < scores_.size(); ++score) {
        if (scores_.trace_id[score] != spans.trace_id[row] ||
            query::is_feedback(scores_.name[score], scores_.source[score]) != feedback)
            continue;
        const bool of_trace = scores_.span_id[score].is_zero();
        if (of_trace ? !stands_for_trace : scores_.span_id[score] != spans.span_id[row]) continue;
        json.begin_object();
        write(score);
        json.field("timestamp", rfc3339(scores_.ts[score])).end_object();
    }
    json.end_array();
}

void ScoreWriter::write_members(JsonWriter& json, const SpanBatch& spans, std::size_t row,
                                bool stands_for_trace) const {
    if (include_.evaluations)
        write_array(json, "evaluations", false, spans, row, stands_for_trace,
                    [&](std::size_t score) { write_evaluation(json, score); });
    if (include_.feedback)
        write_array(json, "feedback", true, spans, row, stands_for_trace,
                    [&](std::size_t score) { write_feedback(json, score); });
}

void write_page(JsonWriter& json, const query::ListPage& page, const query::ListQuestion& question,
                const Selection& selection, Content content) {
    const RowWriter<SpanBatch> rows(page.rows, selection), family(page.family, selection);
    const ScoreWriter scores(page.scores, question.include, content);
    const TraceTree tree(page.family);
    const TreeWriter children(tree,
                              [&](JsonWriter& out, std::uint32_t row) { family.write_members(out, row); });
    const auto places = places_of(page.family);
    json.begin_array();
    for (std::size_t row = 0; row < page.count; ++row) {
        json.begin_object();
        rows.write_members(json, row);
        if (!page.totals.empty()) write_totals(json, page.totals[row]);
        scores.write_members(json, page.rows, row,
                             question.view == query::View::roots || page.rows.is_root[row] != 0);
        if (question.include.children) {
            json.key("children").begin_array();
            if (const auto place = places.find({page.rows.trace_id[row], page.rows.span_id[row]});
                place != places.end())
                children.write(json, tree.children(place->second));
            json.end_array();
        }
        json.end_object();
    }
    json.end_array();
}

void write_trace(JsonWriter& json, const query::OneTrace& trace, const Selection& selection,
                 query::Include include, Content content, bool stuck, const std::function<void()>& more) {
    const RowWriter<SpanBatch> rows(trace.spans, selection);
    const ScoreWriter scores(trace.scores, include, content);
    const std::vector<bool> orphaned = include.children ? orphans_of(trace) : std::vector<bool>();
    const auto write_span = [&](JsonWriter& out, std::uint32_t row) {
        rows.write_members(out, row);
        if (trace.running[row]) out.field("running", true);
        if (trace.running[row] && stuck) out.field("stuck", true);
        if (row < orphaned.size() && orphaned[row]) out.field("orphaned", true);
        scores.write_members(out, trace.spans, row, row == trace.shown);
    };
    json.begin_object();
    write_span(json, static_cast<std::uint32_t>(trace.shown));
    if (trace.totals) write_totals(json, *trace.totals);
    if (std::ranges::find(trace.running, true) != trace.running.end())
        json.field("state", stuck ? "stuck" : "running").field("last_news", rfc3339(trace.news));
    if (include.children) {
        const TraceTree tree(trace.spans);
        json.key("spans").begin_array();
        TreeWriter(tree, write_span).write(json, tree.top());
        json.end_array();
    }
    more();
    json.end_object();
}

}  // namespace obs::serve
