#include "store/clickhouse/rollups.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/failpoint.h"
#include "model/native.h"
#include "store/clickhouse/amend_sql.h"
#include "store/clickhouse/rollup_sql.h"

namespace obs {

namespace {

constexpr std::int64_t second = Nanos::seconds(1).count;
// Beside the levels in rollup_buckets: spans from this second on are all there.
constexpr int level_of_rows = 3;
// Buckets taken back that are remembered; who read before them asks again.
constexpr std::size_t most_taken_back = 4096;

std::int64_t cell(const std::vector<Cell>& row, std::size_t column) {
    return std::get<std::int64_t>(row.at(column));
}
std::int64_t seconds(UnixNanos at) {
    return at.since_epoch / second;
}

// Some rows are erased, not merely old: rollups must not go on counting them.
bool erases(const Forget& what) {
    return what.user_id || (!what.before && what.what == Forget::What::rows);
}
bool ages(const Forget& what) {
    return what.before && !what.user_id && what.org.empty() && what.project.empty();
}

std::vector<RollupBucket> buckets_around(const std::vector<std::vector<Cell>>& minutes) {
    std::set<RollupBucket> buckets;
    for (const auto& row : minutes)
        for (const RollupLevel level : all_rollup_levels)
            buckets.insert(bucket_of(level, {cell(row, 0) * second}));
    return {buckets.begin(), buckets.end()};
}

}  // namespace

Result<void> ClickHouseRollups::roll_up(const RollUp& asked, const Cancel& cancel) {
    const std::lock_guard lock(changing_);
    RollUp work = asked;
    work.buckets = OBS_TRY(with_all_rows(std::move(work.buckets)));
    if (work.buckets.empty()) return {};
    if (work.from == RollUp::From::finer && !OBS_TRY(finer_are_finished(work)))
        work.from = RollUp::From::rows;
    OBS_TRY_VOID(take_back(work.buckets), "cannot take back rollups");
    failpoint("rollup.taken_back");
    const std::uint64_t version = OBS_TRY(next_version());
    for (const Statement& statement : roll_up_statements(work, version))
        OBS_TRY_VOID(transport_.rewrite(statement, cancel), "cannot roll up");
    failpoint("rollup.computed");
    OBS_TRY_VOID(set_through(work.buckets, version, std::max<std::uint64_t>(work.through, 1)),
                 "cannot finish rollups");
    const std::lock_guard finished(unfinished_mutex_);
    for (const RollupBucket& bucket : work.buckets) unfinished_.erase(bucket);
    return {};
}

Result<std::vector<RollupBucket>> ClickHouseRollups::stale(const Cancel& cancel) {
    const std::int64_t from = OBS_TRY(rows_begin(cancel));
    const Table kept = OBS_TRY(
        figures({"SELECT toInt64(level), toInt64(toUnixTimestamp(bucket)), toInt64(argMax(through, version)) "
                 "FROM rollup_buckets WHERE level != 3 GROUP BY level, bucket"},
                cancel));
    const Table minutes =
        OBS_TRY(figures({"SELECT toInt64(toUnixTimestamp(toStartOfMinute(ts))) AS minute, toInt64(max(seq)), "
                         "toInt64(max(amended_seq)) FROM spans WHERE ts >= "
                         "fromUnixTimestamp64Nano({p0:Int64}, 'UTC') GROUP BY minute",
                         {from * second}},
                        cancel));
    struct Newest {
        std::int64_t seq = 0, amended_seq = 0;
    };
    std::map<RollupBucket, Newest> stored;
    for (const auto& row : minutes.rows)
        for (const RollupLevel level : all_rollup_levels) {
            Newest& newest = stored[bucket_of(level, {cell(row, 0) * second})];
            newest = {std::max(newest.seq, cell(row, 1)), std::max(newest.amended_seq, cell(row, 2))};
        }
    std::set<RollupBucket> stale;
    for (const auto& [bucket, newest] : stored) stale.insert(bucket);
    for (const auto& row : kept.rows) {
        const RollupBucket bucket{static_cast<RollupLevel>(cell(row, 0)), {cell(row, 1) * second}};
        const std::int64_t through = cell(row, 2);
        const auto rows = stored.find(bucket);
        // An amendment bears the sequence of the newest row then, which the bucket may know already.
        const bool news =
            through == 0 ||
            (rows != stored.end() && (rows->second.seq > through || rows->second.amended_seq >= through));
        if (news)
            stale.insert(bucket);
        else
            stale.erase(bucket);
    }
    std::erase_if(stale, [&](const RollupBucket& bucket) { return seconds(bucket.start) < from; });
    return std::vector(stale.begin(), stale.end());
}

Result<void> ClickHouseRollups::forget(RollupLevel level, UnixNanos before) {
    const std::lock_guard lock(changing_);
    std::optional<std::int64_t> ended;
    for (const RollupTable table : all_rollup_tables)
        if (level_of(table) == level) ended = std::max(ended, OBS_TRY(forget_parts(table, before)));
    if (!ended) return {};
    return transport_.rewrite({"ALTER TABLE rollup_buckets DELETE WHERE level = {p0:Int64} AND "
                               "toUnixTimestamp(bucket) < {p1:Int64}",
                               {static_cast<std::int64_t>(level), *ended}},
                              {});
}

// When the last of the dropped ones ended.
Result<std::optional<std::int64_t>> ClickHouseRollups::forget_parts(RollupTable table, UnixNanos before) {
    const int days = table == RollupTable::minutes ? 1 : 7;
    const Table partitions = OBS_TRY(
        figures({"SELECT DISTINCT partition, toInt64(toUnixTimestamp(toDateTime(toDate(partition) + "
                 "toIntervalDay({p1:Int64}), 'UTC'))) AS ends FROM system.parts WHERE active AND database = "
                 "currentDatabase() AND table = {p0:String} AND ends <= {p2:Int64} ORDER BY ends",
                 {std::string(name_of(table)), std::int64_t{days}, seconds(before)}},
                {}));
    std::optional<std::int64_t> ended;
    for (const auto& row : partitions.rows) {
        OBS_TRY_VOID(transport_.rewrite({fmt::format("ALTER TABLE {} DROP PARTITION '{}'", name_of(table),
                                                     std::get<std::string>(row.at(0)))},
                                        {}));
        ended = cell(row, 1);
    }
    return ended;
}

Result<std::unique_lock<std::mutex>> ClickHouseRollups::before_forgetting(const Forget& spans) {
    if (spans.table != TableId::spans || spans.what != Forget::What::rows)
        return std::unique_lock<std::mutex>();
    std::unique_lock lock(changing_);
    if (ages(spans)) {
        const std::int64_t first = seconds(*spans.before + Nanos{second - 1});
        const std::uint64_t version = OBS_TRY(next_version());
        OBS_TRY_VOID(transport_.rewrite(
                         {"INSERT INTO rollup_buckets SELECT {p0:Int64}, toDateTime({p1:Int64}, 'UTC'), "
                          "{p2:UInt64}, 1",
                          {std::int64_t{level_of_rows}, first, version}},
                         {}),
                     "cannot say where rows begin");
    } else if (erases(spans)) {
        OBS_TRY_VOID(erase(spans), "cannot erase from rollups");
    }
    return lock;
}

Result<void> ClickHouseRollups::erase(const Forget& spans) {
    Statement affected = rows_to_forget(spans);
    const std::string rows = affected.sql;
    affected.sql = fmt::format(
        "SELECT DISTINCT toInt64(toUnixTimestamp(toStartOfMinute(ts))) FROM spans WHERE {}", rows);
    const Table minutes = OBS_TRY(figures(affected, {}));
    const auto buckets = OBS_TRY(with_all_rows(buckets_around(minutes.rows)));
    OBS_TRY_VOID(take_back(buckets));

    // Users and sessions, or all there is of a project, go for good, also where no row is left.
    const Statement owned = rows_to_forget({.org = spans.org, .project = spans.project});
    if (spans.user_id) return erase_user(spans, owned.sql, rows);
    for (const RollupTable table : all_rollup_tables)
        OBS_TRY_VOID(transport_.rewrite(
            {fmt::format("ALTER TABLE {} DELETE WHERE {}", name_of(table), owned.sql), owned.values}, {}));
    return {};
}

// `owned` and `rows` are conditions on rollups and on spans; both speak of the values of rows_to_forget.
Result<void> ClickHouseRollups::erase_user(const Forget& spans, std::string_view owned,
                                           std::string_view rows) {
    Statement erase = rows_to_forget(spans);
    const std::size_t user = erase.values.size();
    const std::string condition = fmt::format(
        "{0} AND toUnixTimestamp(bucket) <= {{p{2}:Int64}} AND ((dimension = 'user' AND key = "
        "{{p{1}:String}}) OR "
        "(dimension = 'session' AND key != '' AND (org_id, project_id, key) IN (SELECT org_id, project_id, "
        "session_id FROM spans WHERE {3})))",
        owned, user, user + 1, rows);
    erase.values.emplace_back(*spans.user_id);
    erase.values.emplace_back(spans.before ? seconds(*spans.before)
                                           : std::numeric_limits<std::int64_t>::max());
    for (const RollupTable table : all_rollup_tables) {
        if (!has_keys(table)) continue;
        erase.sql = fmt::format("ALTER TABLE {} DELETE WHERE {}", name_of(table), condition);
        OBS_TRY_VOID(transport_.rewrite(erase, {}));
    }
    return {};
}

// Those of which no row has aged out.
Result<std::vector<RollupBucket>> ClickHouseRollups::with_all_rows(std::vector<RollupBucket> buckets) {
    const std::int64_t from = OBS_TRY(rows_begin({}));
    std::erase_if(buckets, [&](const RollupBucket& bucket) { return seconds(bucket.start) < from; });
    return buckets;
}

Result<std::int64_t> ClickHouseRollups::rows_begin(const Cancel& cancel) {
    const Table begin = OBS_TRY(figures(
        {"SELECT toInt64(max(toUnixTimestamp(bucket))) FROM rollup_buckets WHERE level = 3"}, cancel));
    return cell(begin.rows.at(0), 0);
}

Result<bool> ClickHouseRollups::finer_are_finished(const RollUp& work) {
    const std::int64_t finer = static_cast<std::int64_t>(work.buckets.front().level) - 1;
    const Table unfinished = OBS_TRY(figures(
        {"SELECT toInt64(count()) FROM (SELECT argMax(through, version) AS last FROM rollup_buckets WHERE "
         "level = {p2:Int64} AND toUnixTimestamp(bucket) >= {p0:Int64} AND toUnixTimestamp(bucket) < "
         "{p1:Int64} "
         "GROUP BY bucket) WHERE last = 0",
         {seconds(work.buckets.front().start), seconds(work.buckets.back().end()), finer}},
        {}));
    return cell(unfinished.rows.at(0), 0) == 0;
}

Result<void> ClickHouseRollups::load() {
    const Table rows = OBS_TRY(figures(
        {"SELECT toInt64(level), toInt64(toUnixTimestamp(bucket)) FROM rollup_buckets WHERE level != 3 "
         "GROUP BY level, bucket HAVING argMax(through, version) = 0"},
        {}));
    const std::lock_guard lock(unfinished_mutex_);
    for (const auto& row : rows.rows)
        unfinished_.insert({static_cast<RollupLevel>(cell(row, 0)), {cell(row, 1) * second}});
    return {};
}

ClickHouseRollups::Unfinished ClickHouseRollups::unfinished() const {
    const std::lock_guard lock(unfinished_mutex_);
    return {unfinished_, moment_};
}

bool ClickHouseRollups::taken_back_since(std::uint64_t moment, std::span<const FigurePiece> pieces) const {
    const std::lock_guard lock(unfinished_mutex_);
    const std::uint64_t since = moment_ - moment;
    if (since > taken_back_.size()) return true;
    const auto lies_in = [](const RollupBucket& bucket, const FigurePiece& piece) {
        return piece.level == bucket.level && bucket.start >= piece.from && bucket.start < piece.to;
    };
    return std::any_of(taken_back_.end() - static_cast<std::ptrdiff_t>(since), taken_back_.end(),
                       [&](const RollupBucket& bucket) {
                           return std::ranges::any_of(
                               pieces, [&](const FigurePiece& piece) { return lies_in(bucket, piece); });
                       });
}

Result<void> ClickHouseRollups::take_back(const std::vector<RollupBucket>& buckets) {
    {
        const std::lock_guard lock(unfinished_mutex_);
        unfinished_.insert(buckets.begin(), buckets.end());
        taken_back_.insert(taken_back_.end(), buckets.begin(), buckets.end());
        moment_ += buckets.size();
        while (taken_back_.size() > most_taken_back) taken_back_.pop_front();
    }
    const std::uint64_t version = OBS_TRY(next_version());
    return set_through(buckets, version, 0);
}

Result<void> ClickHouseRollups::set_through(const std::vector<RollupBucket>& buckets, std::uint64_t version,
                                            std::uint64_t through) {
    for (const RollupLevel level : all_rollup_levels) {
        std::vector<std::int64_t> starts;
        for (const RollupBucket& bucket : buckets)
            if (bucket.level == level) starts.push_back(seconds(bucket.start));
        if (starts.empty()) continue;
        OBS_TRY_VOID(transport_.rewrite(
            {"INSERT INTO rollup_buckets SELECT {p0:Int64}, toDateTime(arrayJoin({p1:Array(Int64)}), 'UTC'), "
             "{p2:UInt64}, {p3:UInt64}",
             {static_cast<std::int64_t>(level), std::move(starts), version, through}},
            {}));
    }
    return {};
}

Result<std::uint64_t> ClickHouseRollups::next_version() {
    if (version_ == 0) {
        // Rows of computations that were not finished count too: their versions must not be used again.
        std::string sql = "SELECT toInt64(max(v)) FROM (SELECT max(version) AS v FROM rollup_buckets";
        for (const RollupTable table : all_rollup_tables)
            sql += fmt::format(" UNION ALL SELECT max(version) AS v FROM {}", name_of(table));
        const Table newest = OBS_TRY(figures({sql + ")"}, {}));
        version_ = static_cast<std::uint64_t>(cell(newest.rows.at(0), 0));
    }
    return ++version_;
}

Result<Table> ClickHouseRollups::figures(const Statement& statement, const Cancel& cancel) {
    const Transport::Answer answer = OBS_TRY(transport_.ask(statement, cancel));
    Table table;
    OBS_TRY_VOID(read_native(answer.native, table));
    return table;
}

}  // namespace obs
