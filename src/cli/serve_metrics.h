// What /metrics says about the way of the data.
#pragma once

#include "alert/anomalies.h"
#include "alert/budget_watch.h"
#include "alert/spend_board.h"
#include "alert/webhooks.h"
#include "base/byte_budget.h"
#include "ingest/ingest.h"
#include "ingest/open_traces.h"
#include "ingest/rollups.h"
#include "ingest/store_writer.h"
#include "journal/journal.h"
#include "live/hub.h"
#include "receive/receive_metrics.h"
#include "serve/metrics.h"
#include "store/span_store.h"

namespace obs::cli {

// All outlive the metrics.
struct MetricParts {
    const Ingest& ingest;
    const StoreWriter& writer;
    const OpenTraces& open;
    const Rollups& rollups;
    const RollupSchedule& rollup_schedule;
    const Journal& journal;
    const receive::ReceiveMetrics& receive;
    const live::Hub& hub;
    const ByteBudget& budget;
    SpanStore& store;
    const alert::BudgetWatch& budgets;
    const alert::Webhooks& webhooks;
    const alert::SpendBoard& spend;
    const alert::Anomalies& anomalies;
};

void add_metric_sources(serve::Metrics& metrics, const MetricParts& parts);

}  // namespace obs::cli
