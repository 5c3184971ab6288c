// A store that counts what it is asked: db_queries_total, db_errors_total, db_query_duration_seconds.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "serve/metrics.h"
#include "store/span_store.h"

namespace obs::serve {

class MeasuredStore : public SpanStore {
public:
    // The store outlives this.
    explicit MeasuredStore(SpanStore& store) : store_(store) {}

    Result<void> migrate() override { return store_.migrate(); }
    Result<void> write(const AnyBatch& rows, std::string_view id) override { return store_.write(rows, id); }
    Result<void> amend(const Amendments& amendments) override { return store_.amend(amendments); }
    Result<Rows> rows(const RowQuestion& question, const Cancel& cancel) override;
    Result<Table> groups(const GroupQuestion& question, const Cancel& cancel) override;
    Result<FigureTables> figures(const FigureQuestion& question, const Cancel& cancel) override;
    Result<void> stream(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                        const Cancel& cancel) override;
    Result<void> export_rows(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                             const Cancel& cancel) override {
        return store_.export_rows(question, sink, cancel);
    }
    Result<void> write_parquet(const RowQuestion& question, const ParquetFile& file,
                               const std::function<bool(std::uint64_t)>& going_on,
                               const Cancel& cancel) override {
        return store_.write_parquet(question, file, going_on, cancel);
    }
    Result<void> forget(const Forget& what) override { return store_.forget(what); }
    StoreHealth health() override { return store_.health(); }

    void write_metrics(MetricsText& out) const;

private:
    template <class Ask>
    auto measured(std::string_view query, Ask&& ask);

    SpanStore& store_;
    mutable std::mutex mutex_;
    std::map<std::string, Buckets, std::less<>> durations_;                // by query
    std::map<std::pair<std::string, std::string>, std::uint64_t> errors_;  // by query and error type
};

}  // namespace obs::serve
