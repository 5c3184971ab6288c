#include "store/clickhouse/clickhouse_store.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "model/native.h"
#include "store/clickhouse/migrations.h"
#include "store/sql/render.h"

namespace obs {

namespace {

using std::chrono::steady_clock;

class ClickHouseStore final : public SpanStore {
public:
    ClickHouseStore(std::unique_ptr<Transport> transport, ClickHouseOptions options)
        : transport_(std::move(transport)), options_(std::move(options)) {}

    Result<void> migrate() override {
        OBS_TRY_VOID(
            transport_->execute({"CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32, name String) "
                                 "ENGINE = MergeTree ORDER BY number"}));
        const Table done =
            OBS_TRY(figures({"SELECT toInt64(max(number)) AS newest FROM schema_migrations"}, {}));
        const auto newest = std::get<std::int64_t>(done.rows.at(0).at(0));
        const auto known = clickhouse_migrations();
        if (newest > known.back().number)
            return fail(ErrorKind::unavailable, "the schema has version {}, this program knows {}", newest,
                        known.back().number);
        for (const Migration& migration : known)
            if (migration.number > newest) OBS_TRY_VOID(apply(migration), "migration {}", migration.name);
        return {};
    }

    Result<void> write(const AnyBatch& rows, std::string_view id) override {
        if (size_of(rows) == 0) return {};
        Buffer block;
        block.reserve(bytes_of(rows) * 2);
        append_native(rows, block);
        return within_result(transport_->insert(table_name(table_of(rows)), id, block.view()), id);
    }

    Result<void> amend(const Amendments&) override { return {}; }

    Result<Rows> rows(const RowQuestion& question, const Cancel& cancel) override {
        OBS_TRY_VOID(check(question));
        const std::string answer = OBS_TRY(transport_->ask(render(question, clickhouse_dialect), cancel));
        Rows rows{.batch = empty_batch(question.table)};
        OBS_TRY_VOID(read_native(answer, rows.batch));
        if (question.content_bytes) cut_content(rows.batch, *question.content_bytes);
        return rows;
    }

    Result<Table> groups(const GroupQuestion& question, const Cancel& cancel) override {
        OBS_TRY_VOID(check(question));
        Table table = OBS_TRY(figures(render(question, clickhouse_dialect), cancel));
        table.columns = figure_names(question);
        return table;
    }

    Result<void> stream(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                        const Cancel& cancel) override {
        OBS_TRY_VOID(check(question));
        return transport_->stream(
            render(question, clickhouse_dialect),
            [&](std::string_view native) -> Result<bool> {
                AnyBatch batch = empty_batch(question.table);
                OBS_TRY_VOID(read_native(native, batch));
                if (size_of(batch) == 0) return true;
                if (question.content_bytes) cut_content(batch, *question.content_bytes);
                return sink(std::move(batch));
            },
            cancel);
    }

    Result<void> forget(const Forget&) override { return {}; }
    StoreHealth health() override { return {}; }

private:
    static AnyBatch empty_batch(TableId table) {
        switch (table) {
            case TableId::spans: return SpanBatch();
            case TableId::logs: return LogBatch();
            case TableId::metric_points: return MetricBatch();
            case TableId::scores: return ScoreBatch();
        }
        return SpanBatch();
    }

    static Result<void> within_result(Result<void> result, std::string_view id) {
        OBS_TRY_VOID(std::move(result), "cannot store {}", id);
        return {};
    }

    Result<void> apply(const Migration& migration) {
        for (const std::string_view statement : statements_of(migration.sql))
            OBS_TRY_VOID(transport_->execute({std::string(statement)}));
        return transport_->execute({fmt::format("INSERT INTO schema_migrations VALUES ({}, '{}')",
                                                migration.number, migration.name)});
    }

    Result<Table> figures(const Statement& statement, const Cancel& cancel) {
        const std::string answer = OBS_TRY(transport_->ask(statement, cancel));
        Table table;
        OBS_TRY_VOID(read_native(answer, table));
        return table;
    }

    std::unique_ptr<Transport> transport_;
    ClickHouseOptions options_;
};

}  // namespace

std::unique_ptr<SpanStore> clickhouse_store(std::unique_ptr<Transport> transport, ClickHouseOptions options) {
    return std::make_unique<ClickHouseStore>(std::move(transport), std::move(options));
}

}  // namespace obs
