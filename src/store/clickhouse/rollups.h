// What ClickHouseStore keeps of closed minutes, hours and days; see SpanStore::roll_up.
//
// Each computation of a bucket has a version. `rollup_buckets` says which versions count: a bucket is taken
// back there before it is computed and comes back when all of it is written, so nothing unfinished is ever
// read. Groups that vanished stay behind under older versions, which count no more.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "store/clickhouse/rollup_sql.h"
#include "store/clickhouse/transport.h"
#include "store/figures.h"
#include "store/rollup.h"
#include "store/span_store.h"

namespace obs {

class ClickHouseRollups {
public:
    explicit ClickHouseRollups(Transport& transport) : transport_(transport) {}

    Result<void> roll_up(const RollUp& work, const Cancel& cancel);
    Result<std::vector<RollupBucket>> stale(const Cancel& cancel);
    Result<void> forget(RollupLevel level, UnixNanos before);

    // Learns which buckets are not finished. After the schema is there, before anything else.
    Result<void> load();
    // Buckets without figures at the moment; they are to be read from spans.
    struct Unfinished {
        std::set<RollupBucket> buckets;
        std::uint64_t moment = 0;
    };
    Unfinished unfinished() const;
    // Whether a bucket of these pieces lost its figures after that moment: what was read of it is incomplete.
    bool taken_back_since(std::uint64_t moment, std::span<const FigurePiece> pieces) const;

    // Around the erasure of spans: until the lock goes, no bucket is computed. What must happen to rollups
    // has happened before it returns.
    Result<std::unique_lock<std::mutex>> before_forgetting(const Forget& spans);

private:
    Result<std::optional<std::int64_t>> forget_parts(RollupTable table, UnixNanos before);
    Result<void> erase(const Forget& spans);
    Result<void> erase_user(const Forget& spans, std::string_view owned, std::string_view rows);
    // Until they are computed again, they have no figures and are stale.
    Result<void> take_back(const std::vector<RollupBucket>& buckets);
    Result<void> set_through(const std::vector<RollupBucket>& buckets, std::uint64_t version,
                             std::uint64_t through);
    Result<std::vector<RollupBucket>> with_all_rows(std::vector<RollupBucket> buckets);
    Result<bool> finer_are_finished(const RollUp& work);
    Result<std::int64_t> rows_begin(const Cancel& cancel);
    Result<std::uint64_t> next_version();
    Result<Table> figures(const Statement& statement, const Cancel& cancel);

    Transport& transport_;
    // Held while rows are erased or rolled up, which may take long: one must not see half of the other.
    std::mutex changing_;
    std::uint64_t version_ = 0;  // the last; under changing_; 0: not read yet

    // What rollup_buckets says of buckets without figures, kept here so that readers need not ask.
    mutable std::mutex unfinished_mutex_;
    std::set<RollupBucket> unfinished_;
    std::deque<RollupBucket> taken_back_;  // the last ones, oldest first
    std::uint64_t moment_ = 0;             // how many were ever taken back
};

}  // namespace obs
