#include "store/memory/memory_store.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "store/field.h"
#include "store/memory/amend.h"
#include "store/memory/answers.h"
#include "store/memory/segment.h"
#include "store/score_versions.h"

namespace obs {

namespace {

using memory::Change;
using memory::Days;
using memory::RowRef;
using memory::Segment;
using memory::SharedSegment;
using memory::Snapshot;
using Segments = std::vector<SharedSegment>;
using Key = std::tuple<UnixNanos, TraceId, SpanId>;

// Segments of level n hold about 8^n rows; eight of a level become one of the next.
constexpr int merge_at = 8;
constexpr int top_level = 5;
constexpr std::size_t most_merged_bytes = std::size_t{64} << 20;

int level_of(const Segment& segment) {
    int level = 0;
    for (std::size_t rows = segment.size(); rows >= merge_at; rows /= merge_at) ++level;
    return level;
}

std::size_t bytes_of(std::span<const SharedSegment> segments) {
    std::size_t sum = 0;
    for (const SharedSegment& segment : segments) sum += segment->bytes;
    return sum;
}

// Merges the newest segments when enough small ones have gathered, so that a scan meets few.
void compact(Segments& segments) {
    for (int level = 0; level < top_level; ++level) {
        auto run = segments.end();
        while (run != segments.begin() && level_of(**std::prev(run)) <= level) --run;
        const std::span<const SharedSegment> small(run, segments.end());
        if (std::ssize(small) < merge_at || bytes_of(small) > most_merged_bytes) continue;
        SharedSegment one = memory::merged(small);
        segments.erase(run, segments.end());
        segments.push_back(std::move(one));
    }
}

void add_rows(Days& days, AnyBatch rows) {
    if (size_of(rows) == 0) return;
    SharedSegment segment = memory::make_segment(std::move(rows));
    Segments& segments = days[day_of(segment->times().front())];
    segments.push_back(std::move(segment));
    compact(segments);
}

template <class F>
void for_each_segment(const Snapshot& snapshot, F&& f) {
    for (const Days& days : snapshot.tables)
        for (const auto& [day, segments] : days)
            for (const SharedSegment& segment : segments) f(*segment);
}

std::size_t bytes_of(const Snapshot& snapshot) {
    std::size_t sum = 0;
    for_each_segment(snapshot, [&](const Segment& segment) { sum += segment.bytes; });
    return sum;
}

// Takes the segment that starts first away; how many rows it had.
std::size_t drop_oldest(Snapshot& snapshot) {
    Days* oldest_days = nullptr;
    for (Days& days : snapshot.tables)
        if (!days.empty() && (oldest_days == nullptr || days.begin()->first < oldest_days->begin()->first))
            oldest_days = &days;
    const auto day = oldest_days->begin();
    const auto oldest = std::ranges::min_element(
        day->second, {}, [](const SharedSegment& segment) { return segment->times().front(); });
    const std::size_t rows = (*oldest)->alive();
    day->second.erase(oldest);
    if (day->second.empty()) oldest_days->erase(day);
    return rows;
}

// Takes rows away from a segment; rewrites it when little of it is left.
void replace_without(SharedSegment& segment, std::span<const std::uint32_t> rows) {
    segment = memory::without(segment, rows);
    if (segment != nullptr && segment->alive() * 2 < segment->size()) segment = memory::merged({&segment, 1});
}

void remove_empty(Days& days) {
    for (auto& [day, segments] : days)
        std::erase_if(segments, [](const SharedSegment& segment) { return segment == nullptr; });
    std::erase_if(days, [](const auto& day) { return day.second.empty(); });
}

std::map<Key, Change> changes_by_key(const Amendments& amendments) {
    std::map<Key, Change> changes;
    const auto of = [&](const SpanKey& key) -> Change& {
        return changes[Key{key.ts, key.trace_id, key.span_id}];
    };
    for (const SpanKey& key : amendments.to_rollup) of(key).to_rollup = true;
    for (const SpanKey& key : amendments.to_own) of(key).to_own = true;
    for (const SpanKey& key : amendments.to_root) of(key).to_root = true;
    for (const SpanKey& key : amendments.not_root) of(key).not_root = true;
    for (const auto& [key, seq] : amendments.repeated) of(key).repeated.push_back(seq);
    const SpanBatch& content = amendments.content;
    for (std::uint32_t row = 0; row < content.size(); ++row)
        of({content.ts[row], content.trace_id[row], content.span_id[row]}).content = row;
    const SpanBatch& costs = amendments.costs;
    for (std::uint32_t row = 0; row < costs.size(); ++row)
        of({costs.ts[row], costs.trace_id[row], costs.span_id[row]}).costs.push_back(row);
    return changes;
}

// Living rows of the segment with this key, of the amendments' project.
std::vector<std::uint32_t> find_rows(const Segment& segment, const Key& key, const Amendments& amendments) {
    std::vector<std::uint32_t> found;
    const SpanBatch& spans = std::get<SpanBatch>(*segment.rows);
    const auto same_time = std::ranges::equal_range(segment.times(), std::get<UnixNanos>(key));
    for (auto at = same_time.begin(); at != same_time.end(); ++at) {
        const auto row = static_cast<std::uint32_t>(at - segment.times().begin());
        if (segment.lives(row) && Key(*at, spans.trace_id[row], spans.span_id[row]) == key &&
            spans.org_id[row] == amendments.org && spans.project_id[row] == amendments.project)
            found.push_back(row);
    }
    return found;
}

// Takes the versions away that count no more, stored ones and those of the batch.
ScoreBatch replace_versions(Days& days, ScoreVersions versions) {
    for (auto& [day, segments] : days)
        for (SharedSegment& segment : segments) {
            const ScoreBatch& stored = std::get<ScoreBatch>(*segment->rows);
            std::vector<std::uint32_t> gone;
            for (std::uint32_t row = 0; row < stored.size(); ++row) {
                if (!segment->lives(row) || stored.score_id[row].empty()) continue;
                const auto written = versions.newest.find({std::string(stored.org_id[row]),
                                                           std::string(stored.project_id[row]),
                                                           std::string(stored.score_id[row])});
                if (written == versions.newest.end()) continue;
                const ScoreVersion there{stored.seq[row], stored.ts[row]};
                if (written->second.before(there))
                    written->second = {there.seq, there.ts, true};
                else
                    gone.push_back(row);
            }
            if (!gone.empty()) replace_without(segment, gone);
        }
    remove_empty(days);
    ScoreBatch rows;
    for (std::size_t row = 0; row < versions.rows.size(); ++row) {
        const ScoreBatch& all = versions.rows;
        const auto newest = versions.newest.find(
            {std::string(all.org_id[row]), std::string(all.project_id[row]), std::string(all.score_id[row])});
        if (newest == versions.newest.end() || !newest->second.withdrawn) append_row(rows, all, row);
    }
    return rows;
}

// Changes the rows of one day; their segments lose them, and the changed ones come as a new segment.
void amend_day(Days& days, std::int32_t day, std::span<const std::pair<Key, Change>> wanted,
               const Amendments& amendments) {
    const auto found = days.find(day);
    if (found == days.end()) return;
    const Segments before = found->second;  // keeps the rows alive that `rows` refers to
    std::vector<RowRef> rows;
    std::vector<Change> changes;
    for (SharedSegment& segment : found->second) {
        std::vector<std::uint32_t> gone;
        for (const auto& [key, change] : wanted) {
            for (const std::uint32_t row : find_rows(*segment, key, amendments)) {
                const std::uint64_t seq = std::get<SpanBatch>(*segment->rows).seq[row];
                const bool repeated = std::ranges::find(change.repeated, seq) != change.repeated.end();
                if (!repeated && change.only_removes()) continue;
                gone.push_back(row);
                if (repeated) continue;
                rows.push_back({segment->rows.get(), row});
                changes.push_back(change);
            }
        }
        if (!gone.empty()) replace_without(segment, gone);
    }
    remove_empty(days);
    add_rows(days, memory::changed(rows, changes, amendments));
}

// The living rows of a segment that are to be forgotten, ascending.
std::vector<std::uint32_t> rows_to_forget(const Segment& segment, const Forget& what) {
    std::vector<std::uint32_t> rows;
    const AnyBatch& batch = *segment.rows;
    const Dict& org = *find_column_of<Dict>(batch, "org_id");
    const Dict& project = *find_column_of<Dict>(batch, "project_id");
    const Text* user = find_column_of<Text>(batch, "user_id");
    if (what.user_id && user == nullptr) return rows;
    for (std::uint32_t row = 0; row < segment.size(); ++row) {
        if (segment.lives(row) && (what.org.empty() || org[row] == what.org) &&
            (what.project.empty() || project[row] == what.project) &&
            (!what.before || segment.times()[row] < *what.before) &&
            (!what.user_id || (*user)[row] == *what.user_id))
            rows.push_back(row);
    }
    return rows;
}

// Nothing of what is forgotten stays anywhere: the segment is written anew.
SharedSegment forget_in(const SharedSegment& segment, const Forget& what) {
    const std::vector<std::uint32_t> rows = rows_to_forget(*segment, what);
    if (rows.empty()) return segment;
    Segments left;
    if (SharedSegment others = memory::without(segment, rows); others != nullptr) left.push_back(others);
    if (what.what == Forget::What::content) {
        std::vector<RowRef> stripped;
        for (const std::uint32_t row : rows) stripped.push_back({segment->rows.get(), row});
        left.push_back(memory::make_segment(memory::without_content(what.table, stripped)));
    }
    return left.empty() ? nullptr : memory::merged(left);
}

}  // namespace

class MemoryStore::State {
public:
    explicit State(MemoryStoreOptions options) : options_(options) {}

    std::shared_ptr<const Snapshot> current() const {
        const std::scoped_lock lock(current_mutex_);
        return current_;
    }

    Result<void> write(const AnyBatch& rows, std::string_view id) {
        const std::scoped_lock lock(changing_);
        if (ids_.contains(std::string(id))) return {};
        OBS_TRY_VOID(check(rows));
        Snapshot next = *current();
        Days& days = next.of(table_of(rows));
        if (const auto* scores = std::get_if<ScoreBatch>(&rows))
            add_rows(days, memory::sorted(AnyBatch(replace_versions(days, versions_of(*scores)))));
        else
            add_rows(days, memory::sorted(rows));
        while (bytes_of(next) > options_.most_bytes) dropped_rows_ += drop_oldest(next);
        publish(std::move(next));
        remember(id);
        return {};
    }

    void amend(const Amendments& amendments) {
        const std::scoped_lock lock(changing_);
        Snapshot next = *current();
        const auto changes = changes_by_key(amendments);
        const std::vector<std::pair<Key, Change>> wanted(changes.begin(), changes.end());
        const auto day_at = [](const auto& change) { return day_of(std::get<UnixNanos>(change.first)); };
        for (auto begin = wanted.begin(); begin != wanted.end();) {
            const auto end = std::find_if(
                begin, wanted.end(), [&](const auto& change) { return day_at(change) != day_at(*begin); });
            amend_day(next.of(TableId::spans), day_at(*begin), {begin, end}, amendments);
            begin = end;
        }
        publish(std::move(next));
    }

    void forget(const Forget& what) {
        const std::scoped_lock lock(changing_);
        Snapshot next = *current();
        Days& days = next.of(what.table);
        for (auto& [day, segments] : days)
            for (SharedSegment& segment : segments) segment = forget_in(segment, what);
        remove_empty(days);
        publish(std::move(next));
    }

    std::uint64_t dropped_rows() const { return dropped_rows_; }

private:
    Result<void> check(const AnyBatch& rows) const {
        const auto& times = *std::visit([](const auto& batch) { return &batch.ts.values_; }, rows);
        const auto other_day = [&](UnixNanos at) { return day_of(at) != day_of(times.front()); };
        if (std::ranges::any_of(times, other_day))
            return fail(ErrorKind::invalid_input, "the rows of one write must be of one day");
        if (obs::bytes_of(rows) > options_.most_bytes)
            return fail(ErrorKind::invalid_input, "a write of {} bytes does not fit into {} bytes",
                        obs::bytes_of(rows), options_.most_bytes);
        return {};
    }

    void publish(Snapshot next) {
        auto shared = std::make_shared<const Snapshot>(std::move(next));
        const std::scoped_lock lock(current_mutex_);
        current_.swap(shared);
    }

    void remember(std::string_view id) {
        ids_.emplace(id);
        ids_in_order_.emplace_back(id);
        if (ids_in_order_.size() <= options_.most_ids) return;
        ids_.erase(ids_in_order_.front());
        ids_in_order_.pop_front();
    }

    const MemoryStoreOptions options_;
    std::mutex changing_;  // held while the next snapshot is made
    std::unordered_set<std::string> ids_;
    std::deque<std::string> ids_in_order_;
    std::atomic<std::uint64_t> dropped_rows_ = 0;

    mutable std::mutex current_mutex_;  // held for the time of a pointer's copy
    std::shared_ptr<const Snapshot> current_ = std::make_shared<const Snapshot>();
};

MemoryStore::MemoryStore(MemoryStoreOptions options) : state_(std::make_unique<State>(options)) {}
MemoryStore::~MemoryStore() = default;

Result<void> MemoryStore::migrate() {
    return {};
}

Result<void> MemoryStore::write(const AnyBatch& rows, std::string_view id) {
    return state_->write(rows, id);
}

Result<void> MemoryStore::amend(const Amendments& amendments) {
    state_->amend(amendments);
    return {};
}

Result<Rows> MemoryStore::rows(const RowQuestion& question, const Cancel& cancel) {
    const auto snapshot = state_->current();
    return memory::answer_rows(*snapshot, question, cancel);
}

Result<Table> MemoryStore::groups(const GroupQuestion& question, const Cancel& cancel) {
    const auto snapshot = state_->current();
    return memory::answer_groups(*snapshot, question, cancel);
}

Result<void> MemoryStore::stream(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                                 const Cancel& cancel) {
    const auto snapshot = state_->current();
    return memory::stream_rows(*snapshot, question, sink, cancel);
}

Result<void> MemoryStore::forget(const Forget& what) {
    state_->forget(what);
    return {};
}

StoreHealth MemoryStore::health() {
    StoreHealth health;
    const auto snapshot = state_->current();
    for_each_segment(*snapshot, [&](const Segment& segment) {
        health.rows += segment.alive();
        ++health.parts;
    });
    return health;
}

std::uint64_t MemoryStore::dropped_rows() const {
    return state_->dropped_rows();
}

}  // namespace obs
