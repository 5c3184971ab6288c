#include "store/clickhouse/clickhouse_store.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/log.h"
#include "model/native.h"
#include "store/clickhouse/amend_sql.h"
#include "store/clickhouse/keys_first.h"
#include "store/clickhouse/known_projects.h"
#include "store/clickhouse/migrations.h"
#include "store/clickhouse/newest_first.h"
#include "store/clickhouse/parquet_sql.h"
#include "store/clickhouse/rollup_figures.h"
#include "store/clickhouse/rollups.h"
#include "store/clickhouse/score_versions_sql.h"
#include "store/order.h"
#include "store/sql/render.h"

namespace obs {

namespace {

using std::chrono::steady_clock;

constexpr auto health_patience = std::chrono::seconds(2);

class ClickHouseStore final : public SpanStore {
public:
    ClickHouseStore(std::unique_ptr<Transport> transport)
        : transport_(std::move(transport)), rollups_(*transport_) {}

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
        return rollups_.load();
    }

    Result<void> write(const AnyBatch& rows, std::string_view id) override {
        if (size_of(rows) == 0) return {};
        projects_.note(rows);
        if (const auto* scores = std::get_if<ScoreBatch>(&rows))
            return write_scores(versions_of(*scores), id);
        return insert(rows, id);
    }

    Result<void> amend(const Amendments& amendments) override {
        const std::pair<Amendment, const std::vector<SpanKey>&> kinds[] = {
            {Amendment::to_rollup, amendments.to_rollup},
            {Amendment::to_own, amendments.to_own},
            {Amendment::to_root, amendments.to_root},
            {Amendment::not_root, amendments.not_root},
        };
        // New content first, as the other changes do not touch it.
        if (!amendments.content.empty()) OBS_TRY_VOID(amend_content(amendments), "cannot amend content");
        // Before a call becomes a wrapper: then what it costs moves with it.
        if (!amendments.costs.empty()) OBS_TRY_VOID(amend_costs(amendments), "cannot amend costs");
        for (const auto& [kind, keys] : kinds)
            if (!keys.empty()) OBS_TRY_VOID(amend_keys(kind, keys, amendments), "cannot amend");
        if (!amendments.repeated.empty())
            OBS_TRY_VOID(remove_repeated(amendments), "cannot remove what came again");
        return {};
    }

    Result<Rows> rows(const RowQuestion& question, const Cancel& cancel) override {
        OBS_TRY_VOID(check(question));
        if (question.limit == 0) return Rows{.batch = empty_batch(question.table)};
        const auto asked = OBS_TRY(with_projects(question, cancel));
        if (!asked) return Rows{.batch = empty_batch(question.table)};
        return ask_newest_first(
            *asked, cancel,
            [this](const RowQuestion& piece, const Cancel& within) { return ask_window(piece, within); },
            [&](const Cancel& within) { return extent(question.table, within); });
    }

    Result<Table> groups(const GroupQuestion& question, const Cancel& cancel) override {
        OBS_TRY_VOID(check(question));
        const auto asked = OBS_TRY(with_projects(question, cancel));
        Table table = OBS_TRY(figures(render(asked.value_or(question), clickhouse_dialect), cancel));
        table.columns = figure_names(question);
        return table;
    }

    Result<FigureTables> figures(const FigureQuestion& question, const Cancel& cancel) override {
        OBS_TRY_VOID(check(question));
        return answer_figures(question, *transport_, rollups_, cancel);
    }

    Result<void> stream(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                        const Cancel& cancel) override {
        OBS_TRY_VOID(check(question));
        auto asked = OBS_TRY(with_projects(question, cancel));
        if (!asked) return {};
        if (const auto keys = question_for_keys(*asked)) {
            const Piece found = OBS_TRY(ask_at_once(*keys, cancel));
            if (size_of(found.rows) == 0) return {};
            if (auto rows = question_for_rows(*asked, found.rows)) asked = std::move(rows);
        }
        return transport_->stream(render(*asked, clickhouse_dialect), as_batches(question, sink), cancel);
    }

    Result<void> export_rows(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                             const Cancel& cancel) override {
        OBS_TRY_VOID(check(question));
        return transport_->stream_slowly(render(question, clickhouse_dialect), as_batches(question, sink),
                                         cancel);
    }

    Result<void> write_parquet(const RowQuestion& question, const ParquetFile& file,
                               const std::function<bool(std::uint64_t)>& going_on,
                               const Cancel& cancel) override {
        OBS_TRY_VOID(check(question));
        return transport_->write_file(parquet_statement(question, file), going_on, cancel);
    }

    Result<void> forget(const Forget& what) override {
        const auto no_rollups = OBS_TRY(rollups_.before_forgetting(what));
        const bool whole_days = what.what == Forget::What::rows && what.before && what.org.empty() &&
                                what.project.empty() && !what.user_id;
        if (whole_days) OBS_TRY_VOID(drop_days(what.table, *what.before), "cannot drop days");
        const Statement statement = forget_statement(what);
        if (statement.sql.empty()) return {};
        OBS_TRY_VOID(transport_->rewrite(statement, {}), "cannot forget");
        OBS_TRY_VOID(drop_patches(what), "cannot forget amended columns");
        return {};
    }

    Result<void> roll_up(const RollUp& work, const Cancel& cancel) override {
        return rollups_.roll_up(work, cancel);
    }
    Result<std::vector<RollupBucket>> stale_rollups(const Cancel& cancel) override {
        return rollups_.stale(cancel);
    }
    Result<void> forget_rollups(RollupLevel level, UnixNanos before) override {
        return rollups_.forget(level, before);
    }

    StoreHealth health() override {
        const auto table =
            // Amended columns that wait for a merge are no rows.
            figures({"SELECT toInt64(sumIf(rows, NOT startsWith(partition_id, 'patch-'))), "
                     "toInt64(sum(bytes_on_disk)), toInt64(count()), "
                     "(SELECT toInt64(min(unreserved_space)) FROM system.disks) "
                     "FROM system.parts WHERE active AND database = currentDatabase()"},
                    {.stop = {}, .deadline = steady_clock::now() + health_patience});
        if (!table) return {.ok = false, .reason = table.error().message};
        const auto figure = [&](std::size_t at) {
            const auto* number = std::get_if<std::int64_t>(&table->rows.at(0).at(at));
            return number == nullptr ? 0 : static_cast<std::uint64_t>(*number);
        };
        return {.ok = true,
                .reason = {},
                .rows = figure(0),
                .bytes_on_disk = figure(1),
                .parts = figure(2),
                .free_bytes = figure(3)};
    }

private:
    using NativeSink = std::function<Result<bool>(std::string_view native)>;
    static NativeSink as_batches(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink) {
        return [table = question.table, cut = question.content_bytes,
                &sink](std::string_view native) -> Result<bool> {
            AnyBatch batch = empty_batch(table);
            OBS_TRY_VOID(read_native(native, batch));
            if (size_of(batch) == 0) return true;
            if (cut) cut_content(batch, *cut);
            return sink(std::move(batch));
        };
    }

    Result<void> insert(const AnyBatch& rows, std::string_view id) {
        Buffer block;
        block.reserve(bytes_of(rows) * 2);
        append_native(rows, block);
        return within_result(transport_->insert(table_name(table_of(rows)), id, block.view()), id);
    }

    // After the new versions the old ones go: a write that ends in between is made again.
    Result<void> write_scores(ScoreVersions versions, std::string_view id) {
        if (!versions.rows.empty()) OBS_TRY_VOID(insert(AnyBatch(std::move(versions.rows)), id));
        for (const WrittenScores& written : by_project(versions)) {
            const Table old =
                OBS_TRY(figures(old_versions_question(written), {}), "cannot find old versions of scores");
            if (const auto removal = old_versions_removal(written, old))
                OBS_TRY_VOID(transport_->execute(*removal), "cannot remove old versions of scores");
        }
        return {};
    }

    static Result<void> within_result(Result<void> result, std::string_view id) {
        OBS_TRY_VOID(std::move(result), "cannot store {}", id);
        return {};
    }

    // The question of the projects that there are, when it is of all of them. Nothing when there are none.
    template <class Question>
    Result<std::optional<Question>> with_projects(const Question& question, const Cancel& cancel) {
        if (!question.scope.projects().empty()) return std::optional(question);
        std::vector<std::string> projects =
            OBS_TRY(projects_.of(question.table, question.scope.org(),
                                 [&] { return figures(projects_statement(), cancel); }),
                    "cannot tell the projects");
        if (projects.empty()) return std::optional<Question>();
        std::optional<Question> asked = question;
        if (projects.size() <= most_merged_projects)
            asked->scope = Scope(question.scope.org(), std::move(projects));
        return asked;
    }
    static Statement projects_statement() {
        std::vector<std::string> tables;
        for (const TableId table : all_tables)
            tables.push_back(
                fmt::format("SELECT DISTINCT org_id, project_id, toInt64({}) AS of_table FROM {}",
                            static_cast<int>(table), table_name(table)));
        return {fmt::format("SELECT CAST(org_id, 'String'), CAST(project_id, 'String'), of_table FROM ({})",
                            fmt::join(tables, " UNION ALL "))};
    }

    Result<Piece> ask_window(const RowQuestion& question, const Cancel& cancel) {
        const auto keys = question_for_keys(question);
        if (!keys) return ask_at_once(question, cancel);
        Piece found = OBS_TRY(ask_at_once(*keys, cancel));
        if (size_of(found.rows) == 0) return Piece{empty_batch(question.table), found.rows_read};
        const auto rows = question_for_rows(question, found.rows);
        Piece piece = OBS_TRY(rows ? ask_rows(*rows, cancel) : ask_at_once(question, cancel));
        // Some were amended or erased in between: the page has to be filled up.
        if (rows && size_of(piece.rows) < size_of(found.rows)) piece = OBS_TRY(ask_at_once(question, cancel));
        piece.rows_read += found.rows_read;
        return piece;
    }

    Result<Piece> ask_at_once(const RowQuestion& question, const Cancel& cancel) {
        // Rows that lie in the order that is asked for: a second thread would cost more than it brings.
        const bool in_order = question.limit != 0 && RowOrder(question).by_time();
        return ask(question, cancel,
                   in_order ? std::vector<std::string>{"max_threads = 1"} : std::vector<std::string>());
    }

    // All columns of a few rows. Most of it is planning, for which the old analyser takes a sixth less.
    Result<Piece> ask_rows(const RowQuestion& question, const Cancel& cancel) {
        return ask(question, cancel, {"max_threads = 1", "enable_analyzer = 0"});
    }

    Result<Piece> ask(const RowQuestion& question, const Cancel& cancel, std::vector<std::string> settings) {
        Statement statement = render(question, clickhouse_dialect);
        statement.settings = std::move(settings);
        statement.settings.push_back(fmt::format("max_rows_to_read = {}", question.budget.rows));
        const Transport::Answer answer = OBS_TRY(transport_->ask(statement, cancel));
        Piece piece{empty_batch(question.table), answer.rows_read};
        OBS_TRY_VOID(read_native(answer.native, piece.rows));
        if (question.content_bytes) cut_content(piece.rows, *question.content_bytes);
        return piece;
    }

    Result<Window> extent(TableId table, const Cancel& cancel) {
        const Table ends = OBS_TRY(figures(
            {fmt::format("SELECT toUnixTimestamp64Nano(min(ts)), toUnixTimestamp64Nano(max(ts)) FROM {}",
                         table_name(table))},
            cancel));
        return Window{UnixNanos{std::get<std::int64_t>(ends.rows.at(0).at(0))},
                      UnixNanos{std::get<std::int64_t>(ends.rows.at(0).at(1))}};
    }

    // The keys wait in a table of their own: thousands of them as values of a statement take seconds.
    Result<void> put_keys(SpanBatch keys) {
        OBS_TRY_VOID(transport_->execute({"TRUNCATE TABLE amended_keys"}));
        Buffer block;
        append_native(AnyBatch(std::move(keys)), block);
        return transport_->insert("amended_keys", {}, block.view());
    }

    static void put_key(SpanBatch& keys, const SpanKey& key) {
        const std::size_t row = keys.size();
        keys.ts.put(row, key.ts);
        keys.trace_id.put(row, key.trace_id);
        keys.span_id.put(row, key.span_id);
    }

    Result<void> amend_keys(Amendment kind, const std::vector<SpanKey>& keys, const Amendments& amendments) {
        SpanBatch batch;
        for (const SpanKey& key : keys) put_key(batch, key);
        OBS_TRY_VOID(put_keys(std::move(batch)));
        return transport_->execute(amend_statement(kind, amendments));
    }

    Result<void> remove_repeated(const Amendments& amendments) {
        SpanBatch batch;
        for (const auto& [key, seq] : amendments.repeated) {
            batch.seq.put(batch.size(), seq);
            put_key(batch, key);
        }
        OBS_TRY_VOID(put_keys(std::move(batch)));
        return transport_->execute(remove_repeated_statement(amendments));
    }

    Result<void> amend_content(const Amendments& amendments) {
        const SpanBatch& rows = amendments.content;
        SpanBatch keys;
        for (std::size_t row = 0; row < rows.size(); ++row)
            put_key(keys, {rows.ts[row], rows.trace_id[row], rows.span_id[row]});
        OBS_TRY_VOID(put_keys(std::move(keys)));
        OBS_TRY_VOID(transport_->execute({"TRUNCATE TABLE amended_content"}));
        Buffer block;
        append_native(AnyBatch(rows), block);
        OBS_TRY_VOID(transport_->insert("amended_content", {}, block.view()));
        OBS_TRY_VOID(transport_->execute(amend_statement(Amendment::content, amendments)));
        // Text of prompts does not stay in memory for longer than it is needed.
        return transport_->execute({"TRUNCATE TABLE amended_content"});
    }

    Result<void> amend_costs(const Amendments& amendments) {
        const SpanBatch& rows = amendments.costs;
        SpanBatch keys;
        for (std::size_t row = 0; row < rows.size(); ++row) {
            keys.seq.put(row, rows.seq[row]);
            put_key(keys, {rows.ts[row], rows.trace_id[row], rows.span_id[row]});
        }
        OBS_TRY_VOID(put_keys(std::move(keys)));
        OBS_TRY_VOID(transport_->execute({"TRUNCATE TABLE amended_costs"}));
        Buffer block;
        append_native(AnyBatch(rows), block);
        OBS_TRY_VOID(transport_->insert("amended_costs", {}, block.view()));
        return transport_->execute(amend_statement(Amendment::costs, amendments));
    }

    // The amended columns of a day wait in a partition of their own, `patch-<hash>-<day>`; they go after its
    // rows.
    Result<void> drop_days(TableId table, UnixNanos before) {
        const Table days = OBS_TRY(figures({"SELECT DISTINCT partition_id FROM system.parts WHERE active AND "
                                            "database = currentDatabase() AND "
                                            "table = {p0:String} AND toDateOrZero(right(partition_id, 8)) < "
                                            "toDate(fromUnixTimestamp64Nano({p1:Int64}, 'UTC'), 'UTC') "
                                            "ORDER BY startsWith(partition_id, 'patch-')",
                                            {std::string(table_name(table)), before.since_epoch}},
                                           {}));
        for (const auto& day : days.rows)
            OBS_TRY_VOID(
                transport_->rewrite({fmt::format("ALTER TABLE {} DROP PARTITION ID '{}'", table_name(table),
                                                 std::get<std::string>(day.at(0)))},
                                    {}));
        return {};
    }

    // What waits in patch parts outlives the rows it was for, texts of prompts among it: it is put into the
    // rows that are left, and goes.
    Result<void> drop_patches(const Forget& what) {
        // Patches that are merged meanwhile have another name then, and are looked for again.
        for (int tries = 0; tries < 5; ++tries) {
            const Table patches = OBS_TRY(patches_of(what));
            if (patches.rows.empty()) return {};
            std::set<std::string> days;
            for (const auto& part : patches.rows) days.insert(std::get<std::string>(part.at(1)));
            for (const std::string& day : days)
                OBS_TRY_VOID(rewrite(what.table, fmt::format("APPLY PATCHES IN PARTITION ID '{}'", day)));
            bool all = true;
            for (const auto& part : patches.rows) {
                const std::string drop = fmt::format("DROP PART '{}'", std::get<std::string>(part.at(0)));
                if (const auto dropped = rewrite(what.table, drop); !dropped) {
                    log::debug("store: {}", dropped.error().message);
                    all = false;
                }
            }
            if (all) return {};
        }
        return fail(ErrorKind::unavailable, "its patches are merged all the time");
    }

    Result<void> rewrite(TableId table, std::string_view change) {
        return transport_->rewrite({fmt::format("ALTER TABLE {} {}", table_name(table), change)}, {});
    }

    // Name and day of the patch parts of days that are spoken of.
    Result<Table> patches_of(const Forget& what) {
        const UnixNanos before = what.before.value_or(UnixNanos{std::numeric_limits<std::int64_t>::max()});
        return figures({"SELECT name, right(partition_id, 8) FROM system.parts WHERE active AND rows > 0 AND "
                        "database = currentDatabase() AND table = {p0:String} AND "
                        "startsWith(partition_id, 'patch-') AND toDateOrZero(right(partition_id, 8)) <= "
                        "toDate(fromUnixTimestamp64Nano({p1:Int64}, 'UTC'), 'UTC')",
                        {std::string(table_name(what.table)), before.since_epoch - 1}},
                       {});
    }

    Result<void> apply(const Migration& migration) {
        for (const std::string_view statement : statements_of(migration.sql))
            OBS_TRY_VOID(transport_->execute({std::string(statement)}));
        return transport_->execute({fmt::format("INSERT INTO schema_migrations VALUES ({}, '{}')",
                                                migration.number, migration.name)});
    }

    Result<Table> figures(const Statement& statement, const Cancel& cancel) {
        const Transport::Answer answer = OBS_TRY(transport_->ask(statement, cancel));
        Table table;
        OBS_TRY_VOID(read_native(answer.native, table));
        return table;
    }

    std::unique_ptr<Transport> transport_;
    ClickHouseRollups rollups_;
    KnownProjects projects_;
};

}  // namespace

std::unique_ptr<SpanStore> clickhouse_store(std::unique_ptr<Transport> transport) {
    return std::make_unique<ClickHouseStore>(std::move(transport));
}

}  // namespace obs
