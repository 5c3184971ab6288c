#include "cli/serve_metrics.h"

#include <algorithm>
#include <string>

namespace obs::cli {

namespace {

using serve::MetricsText;

double number(std::uint64_t count) {
    return static_cast<double>(count);
}

void write_receive(MetricsText& out, const receive::ReceiveMetrics& receive) {
    receive.each_request_count(
        [&](auto signal, auto transport, auto encoding, auto outcome, std::uint64_t count) {
            out.counter("otlp_requests_total", "Export requests by what became of them",
                        {{"signal", std::string(signal)},
                         {"transport", std::string(transport)},
                         {"encoding", std::string(encoding)},
                         {"refused", std::string(outcome)}},
                        number(count));
        });
    out.counter("otlp_unrouted_requests_total", "Requests for an unknown path or method", {},
                number(receive.unrouted));
    out.counter("otlp_received_bytes_total", "Bodies as they came", {}, number(receive.received_bytes));
    out.counter("otlp_decompressed_bytes_total", "The same bodies, decompressed", {},
                number(receive.decompressed_bytes));
}

void write_ingest(MetricsText& out, const Ingest& ingest) {
    const Ingest::Stats stats = ingest.stats();
    out.counter("collector_spans_received_total", "Spans accepted", {}, number(stats.spans));
    const auto dropped = [&](std::string reason, std::uint64_t count) {
        out.counter("collector_spans_dropped_total", "Items that are not kept, by reason",
                    {{"reason", std::move(reason)}}, number(count));
    };
    dropped("rejected", stats.rejected);
    dropped("head_sampling", stats.sampled_out);
    dropped("quota_exceeded", stats.refused_by_budget);
    out.counter("collector_spans_over_budget_total", "Spans over a hard limit that are kept and marked", {},
                number(stats.over_budget));
    out.counter("collector_logs_received_total", "Log records accepted", {}, number(stats.logs));
    out.counter("collector_metric_points_received_total", "Metric points accepted", {},
                number(stats.metric_points));
    out.counter("collector_scores_received_total", "Scores accepted", {}, number(stats.scores));
    out.counter("collector_unreadable_requests_total", "Requests that could not be decoded", {},
                number(stats.unreadable));
    out.counter("collector_repeated_requests_total", "Requests sent again, acknowledged and not stored again",
                {}, number(stats.repeated_requests));
    out.counter("collector_refused_requests_total", "Requests refused for now, to be sent again", {},
                number(stats.refused_requests));
    out.counter("llm_unpriced_spans_total", "Model calls for which no price is known", {},
                number(stats.unpriced_spans));
    out.counter("llm_cost_disagreements_total",
                "Model calls whose client claims another cost than our catalogue", {},
                number(stats.cost_disagreements));
}

void write_journal(MetricsText& out, const Journal& journal) {
    const Journal::Stats stats = journal.stats();
    out.gauge("journal_disk_bytes", "Disk that the journal has taken", {}, number(stats.disk_bytes));
    out.gauge("journal_disk_budget_bytes", "Disk that the journal may take", {}, number(stats.disk_budget));
    out.gauge("journal_queued_bytes", "Waiting to be written", {}, number(stats.queued_bytes));
    out.gauge("journal_unconfirmed_records", "Records that the store may still need", {},
              number(stats.last_durable - std::min(stats.last_durable, stats.confirmed)));
    out.counter("journal_commits_total", "Groups written and synced", {}, number(stats.commits));
    out.counter("journal_records_total", "Records written", {}, number(stats.records));
    out.counter("journal_written_bytes_total", "Bytes written", {}, number(stats.bytes));
    out.counter("journal_sync_seconds_total", "Spent waiting for the disk", {},
                number(stats.sync_nanos) / 1e9);
    out.counter("journal_refused_records_total", "Records refused", {}, number(stats.refused));
}

void write_writer(MetricsText& out, const StoreWriter& writer) {
    const StoreWriter::Stats stats = writer.stats();
    out.counter("storage_items_written_total", "Rows written to the store", {}, number(stats.rows_written));
    out.counter("storage_writes_total", "Writes to the store", {}, number(stats.writes));
    out.counter("storage_retries_total", "Tries that were repeated", {}, number(stats.retries));
    out.counter("storage_quarantined_rows_total", "Rows that the store can never take", {},
                number(stats.quarantined));
    out.counter("storage_amended_rows_total", "Rows changed when their trace settled", {},
                number(stats.amended));
    out.counter("storage_lost_amendments_total", "Rows that could not be changed", {},
                number(stats.amendments_lost));
    out.counter("storage_spilled_requests_total", "Requests read back from the journal for lack of memory",
                {}, number(stats.spilled));
    out.gauge("storage_buffer_rows", "Rows waiting to be written", {}, number(stats.queued_rows));
    out.gauge("storage_buffer_size", "Bytes waiting to be written", {}, number(stats.queued_bytes));
    out.gauge("storage_answers", "1 while the store takes rows", {}, stats.store_error.empty() ? 1 : 0);
}

void write_open_traces(MetricsText& out, const OpenTraces& open) {
    const OpenTraces::Stats stats = open.stats();
    out.gauge("open_traces", "Traces that are still arriving", {}, number(stats.open_traces));
    out.gauge("open_traces_spans", "Spans of them", {}, number(stats.open_spans));
    out.gauge("open_traces_bytes", "Memory they take", {}, number(stats.bytes));
    const RunningSpans::Stats running = open.running_spans().stats();
    out.gauge("open_traces_running_spans", "Spans that have begun and not ended", {},
              number(running.running));
    out.counter("open_traces_settled_total", "Traces that are complete", {}, number(stats.settled_traces));
    out.counter("open_traces_settled_early_total", "Traces settled early for lack of memory", {},
                number(stats.settled_early));
    out.counter("collector_spans_dropped_total", "Items that are not kept, by reason",
                {{"reason", "never_ended"}}, number(running.given_up));
    out.counter("repeated_spans_total", "Spans sent twice and stored once", {}, number(stats.repeated_spans));
    out.counter("content_events_joined_total", "Log events joined to their span", {},
                number(stats.joined_events));
    out.counter("content_events_unmatched_total", "Log events whose span never came", {},
                number(stats.unmatched_events));
}

void write_rollups(MetricsText& out, const Rollups& rollups, const RollupSchedule& schedule) {
    const Rollups::Stats stats = rollups.stats();
    out.counter("rollups_computed_total", "Minutes, hours and days computed from spans", {},
                number(stats.computed));
    out.counter("rollups_failures_total", "Computations that failed and are tried again", {},
                number(stats.failures));
    out.counter("rollups_seconds_total", "Spent computing", {}, number(stats.busy_nanos) / 1e9);
    for (const auto& [level, name] :
         {std::pair{RollupLevel::minute, "minute"}, {RollupLevel::hour, "hour"}, {RollupLevel::day, "day"}})
        out.gauge("rollups_waiting", "Changed since they were computed, the current ones included",
                  {{"level", name}}, number(schedule.waiting(level)));
}

void write_budgets(MetricsText& out, const alert::BudgetWatch& watch, const alert::SpendBoard& spend) {
    const alert::BudgetWatch::Stats stats = watch.stats();
    out.gauge("budgets", "Active budgets", {}, number(stats.budgets));
    const auto board = spend.now();
    out.gauge("budgets_over_hard_limit", "Budgets over their hard limit", {},
              static_cast<double>(std::ranges::count_if(board->states(), [](const alert::BudgetState& state) {
                  return state.over_limit(state.spent);
              })));
    out.counter("budget_looks_total", "How often budgets were looked at", {}, number(stats.looks));
    out.counter("budget_look_failures_total", "Looks that failed and are tried again", {},
                number(stats.failures));
    out.gauge("budget_look_seconds", "What the last look took", {}, number(stats.last_nanos) / 1e9);
    out.counter("budget_alerts_total", "Alerts raised here", {}, number(stats.raised));
    out.counter("budget_alerts_resolved_total", "Alerts resolved here", {}, number(stats.resolved));
}

void write_webhooks(MetricsText& out, const alert::Webhooks& webhooks) {
    const alert::Webhooks::Stats stats = webhooks.stats();
    for (const auto& [outcome, count] :
         {std::pair{"delivered", stats.delivered}, {"retried", stats.retried}, {"failed", stats.failed}})
        out.counter("webhook_attempts_total", "Attempts to tell a webhook, by what became of them",
                    {{"outcome", outcome}}, number(count));
}

void write_anomalies(MetricsText& out, const alert::Anomalies& anomalies) {
    const alert::Anomalies::Stats stats = anomalies.stats();
    out.counter("anomaly_looks_total", "Times that recent figures were compared with the usual ones", {},
                number(stats.looks));
    out.counter("anomaly_failures_total", "Looks that failed", {}, number(stats.failures));
    out.counter("anomaly_look_seconds_total", "Spent looking, history included", {},
                number(stats.busy_nanos) / 1e9);
    out.counter("anomaly_history_seconds_total", "Spent reading history", {},
                number(stats.reading_nanos) / 1e9);
    out.gauge("anomaly_series", "Projects, models and services that are watched", {}, number(stats.series));
    out.gauge("anomalies_open", "Figures that are out of the ordinary", {}, number(stats.lasting));
}

void write_live(MetricsText& out, const live::Hub& hub) {
    const live::Hub::Stats stats = hub.stats();
    out.gauge("live_listeners", "Clients that events go to", {}, number(stats.listeners));
    out.gauge("live_filters", "Different filters of them", {}, number(stats.filters));
    out.gauge("live_traces", "Traces that are being watched", {}, number(stats.traces));
    out.gauge("live_queue_bytes", "Waiting to become events", {}, number(stats.queued_bytes));
    for (const LiveEventType type : live::all_event_types)
        out.counter("live_events_total", "Events, whoever heard of them",
                    {{"event", std::string(live::name_of(type))}},
                    number(stats.events[live::index_of(type)]));
    out.counter("live_delivered_total", "Events given to clients", {}, number(stats.delivered));
    out.counter("live_delivered_bytes_total", "Their bytes", {}, number(stats.delivered_bytes));
    out.counter("live_cut_off_total", "Clients who read too slowly", {}, number(stats.cut_off));
    const auto dropped = [&](std::string what, std::uint64_t count) {
        out.counter("live_dropped_total", "Not watched, for lack of room", {{"what", std::move(what)}},
                    number(count));
    };
    dropped("spans", stats.dropped_spans);
    dropped("events", stats.dropped_events);
    out.counter("live_unreadable_total", "Messages of other instances that made no sense", {},
                number(stats.unreadable));
}

}  // namespace

void add_metric_sources(serve::Metrics& metrics, const MetricParts& parts) {
    metrics.add([&receive = parts.receive](MetricsText& out) { write_receive(out, receive); });
    metrics.add([&ingest = parts.ingest](MetricsText& out) { write_ingest(out, ingest); });
    metrics.add([&journal = parts.journal](MetricsText& out) { write_journal(out, journal); });
    metrics.add([&writer = parts.writer](MetricsText& out) { write_writer(out, writer); });
    metrics.add([&open = parts.open](MetricsText& out) { write_open_traces(out, open); });
    metrics.add([&rollups = parts.rollups, &schedule = parts.rollup_schedule](MetricsText& out) {
        write_rollups(out, rollups, schedule);
    });
    metrics.add([&watch = parts.budgets, &spend = parts.spend](MetricsText& out) {
        write_budgets(out, watch, spend);
    });
    metrics.add([&webhooks = parts.webhooks](MetricsText& out) { write_webhooks(out, webhooks); });
    metrics.add([&anomalies = parts.anomalies](MetricsText& out) { write_anomalies(out, anomalies); });
    metrics.add([&hub = parts.hub](MetricsText& out) { write_live(out, hub); });
    metrics.add([&budget = parts.budget](MetricsText& out) {
        out.gauge("intake_budget_used_bytes", "Bytes on their way through the program", {},
                  number(budget.used()));
        out.gauge("intake_budget_bytes", "Bytes that may be on their way at once", {},
                  number(budget.limit()));
    });
    metrics.add([&store = parts.store](MetricsText& out) {
        const StoreHealth health = store.health();
        out.gauge("storage_healthy", "1 when the store is well", {}, health.ok ? 1 : 0);
        out.gauge("storage_rows", "Rows in the store", {}, number(health.rows));
        out.gauge("storage_disk_bytes", "Disk that the store takes", {}, number(health.bytes_on_disk));
        out.gauge("storage_parts", "Parts of its tables", {}, number(health.parts));
        out.gauge("storage_free_bytes", "Free space on its disk", {}, number(health.free_bytes));
    });
}

}  // namespace obs::cli
