// The way of a request from its bytes to "kept": decode, enrich, journal, then answer; the store follows
// behind. The only place that knows this order.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/byte_budget.h"
#include "base/time.h"
#include "decode/decode.h"
#include "enrich/enrich.h"
#include "ingest/payload.h"
#include "ingest/resends.h"
#include "ingest/store_writer.h"
#include "journal/journal.h"
#include "model/intake.h"
#include "model/live_spans.h"
#include "model/spend_limits.h"

namespace obs {

class Ingest final : public Intake {
public:
    struct Options {
        DecodeLimits limits{};
        // Items that began earlier are refused: their table would erase them at once. By signal.
        Nanos keep_spans = Nanos::days(90), keep_logs = Nanos::days(30), keep_metrics = Nanos::days(90);
        LiveSpans* live = nullptr;  // told of spans that are kept; outlives this
        Clock clock = system_now;
        const SpendLimits* spend_limits = nullptr;  // hard limits of budgets; null: there are none
    };
    // Everything outlives this object.
    Ingest(Options options, const Enricher& enricher, Journal& journal, StoreWriter& writer, Resends& resends,
           ByteBudget& budget);

    void accept(IntakeRequest request, Done done) override;
    // Rows that the program makes itself, like those of the audit: kept like those of others. They say
    // themselves whose they are.
    void keep_rows(Tenant tenant, AnyBatch rows, Done done);

    struct Stats {
        std::uint64_t spans = 0, logs = 0, metric_points = 0, scores = 0;  // accepted
        std::uint64_t rejected = 0;                                        // items refused one by one
        std::uint64_t unreadable = 0;         // requests that could not be decoded
        std::uint64_t repeated_requests = 0;  // acknowledged, not stored again
        std::uint64_t refused_requests = 0;   // to be sent again later
        std::uint64_t unpriced_spans = 0, cost_disagreements = 0, sampled_out = 0;
        // Spans that came over a hard limit: kept and marked, or refused one by one.
        std::uint64_t over_budget = 0, refused_by_budget = 0;
    };
    Stats stats() const;

private:
    struct Understood {
        Payload payload;
        Accepted accepted;
        Stats counts;
    };
    DecodeLimits limits_for(Nanos keep) const;
    Result<Understood> understand(const IntakeRequest& request, UnixNanos now);
    Result<Understood> understand_traces(const IntakeRequest& request, UnixNanos now);
    void keep_to_limits(const Tenant& tenant, SpanBatch& spans, Understood& understood) const;
    SpanBatch running_in(const LogBatch& logs, const Tenant& tenant, UnixNanos now);
    Result<Understood> understand_logs(const IntakeRequest& request, UnixNanos now);
    Result<Understood> understand_metrics(const IntakeRequest& request, UnixNanos now);
    void keep(Understood understood, Done done);
    // Of a request that was accepted; one that has to be sent again is not counted twice.
    void count(const Stats& accepted);

    const Options options_;
    const Enricher& enricher_;
    Journal& journal_;
    StoreWriter& writer_;
    Resends& resends_;
    ByteBudget& budget_;

    struct Counters {
        std::atomic<std::uint64_t> spans = 0, logs = 0, metric_points = 0, scores = 0, rejected = 0,
                                   unreadable = 0, repeated_requests = 0, refused_requests = 0,
                                   unpriced_spans = 0, cost_disagreements = 0, sampled_out = 0,
                                   over_budget = 0, refused_by_budget = 0;
    };
    Counters counters_;
    std::atomic<std::uint64_t> own_rows_ = 0;  // calls of keep_rows: no two are the same request
};

}  // namespace obs
