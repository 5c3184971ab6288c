#include "ingest/ingest.h"

#include <memory>

#include "base/log.h"

namespace obs {

namespace {
// Spans that have no end yet are running and no spans (decision 10); they are stored when they come with one.
// In one request; each costs a parse.
constexpr std::size_t most_spans_in_logs = 1'000;

void move_unfinished(SpanBatch& spans, SpanBatch& running) {
    bool any = false;
    for (std::size_t row = 0; row < spans.flags.stored(); ++row)
        any = any || (spans.flags[row] & flag_unfinished) != 0;
    if (!any) return;
    SpanBatch finished;
    for (std::size_t row = 0; row < spans.size(); ++row)
        append_row((spans.flags[row] & flag_unfinished) != 0 ? running : finished, spans, row);
    spans = std::move(finished);
}

// `rows` are ascending.
SpanBatch without_rows(const SpanBatch& spans, const std::vector<std::size_t>& rows) {
    SpanBatch left;
    auto next = rows.begin();
    for (std::size_t row = 0; row < spans.size(); ++row) {
        if (next != rows.end() && *next == row)
            ++next;
        else
            append_row(left, spans, row);
    }
    return left;
}
}  // namespace

Ingest::Ingest(Options options, const Enricher& enricher, Journal& journal, StoreWriter& writer,
               Resends& resends, ByteBudget& budget)
    : options_(std::move(options)),
      enricher_(enricher),
      journal_(journal),
      writer_(writer),
      resends_(resends),
      budget_(budget) {}

void Ingest::accept(IntakeRequest request, Done done) {
    const UnixNanos now = options_.clock();
    auto understood = understand(request, now);
    if (!understood) {
        ++counters_.unreadable;
        done(std::unexpected(std::move(understood).error()));
        return;
    }
    understood->counts.rejected =
        static_cast<std::uint64_t>(understood->accepted.rejected) - understood->counts.refused_by_budget;
    Payload& payload = understood->payload;
    if (payload.rows() == 0 && payload.running.empty() && payload.content.empty()) {
        count(understood->counts);
        done(std::move(understood->accepted));
        return;
    }
    payload.tenant = request.tenant;
    payload.request = fingerprint(
        fmt::format("{}/{}/{}", request.tenant.org, request.tenant.project, static_cast<int>(request.signal)),
        request.body.view());
    switch (resends_.begin(payload.request, now, done)) {
        case Resends::Seen::never: keep(std::move(*understood), std::move(done)); break;
        case Resends::Seen::in_flight: ++counters_.repeated_requests; break;
        case Resends::Seen::durable:
            ++counters_.repeated_requests;
            done(std::move(understood->accepted));
            break;
    }
}

// Processors of partial spans send a log record with the span as OTLP/JSON in its body, when it starts and
// while it runs. What does not read as that is a log record like any other.
SpanBatch Ingest::running_in(const LogBatch& logs, const Tenant& tenant, UnixNanos now) {
    SpanBatch running;
    std::size_t read = 0;
    for (std::size_t row = 0; row < logs.size() && read < most_spans_in_logs; ++row) {
        const std::string_view body = logs.body[row];
        if (!body.starts_with(R"({"resourceSpans")")) continue;
        ++read;
        auto decoded = decode_traces(Encoding::json, body, limits_for(options_.keep_spans), now);
        if (!decoded) continue;
        EnrichedSpans spans = enricher_.spans(std::move(decoded->rows), tenant);
        move_unfinished(spans.spans, running);
    }
    return running;
}

void Ingest::keep_rows(Tenant tenant, AnyBatch rows, Done done) {
    const UnixNanos now = options_.clock();
    Understood understood{};
    understood.payload.tenant = std::move(tenant);
    understood.payload.request = fingerprint("own", fmt::format("{} {}", now.since_epoch, ++own_rows_));
    understood.payload.others.push_back(std::move(rows));
    resends_.begin(understood.payload.request, now, done);
    keep(std::move(understood), std::move(done));
}

DecodeLimits Ingest::limits_for(Nanos keep) const {
    DecodeLimits limits = options_.limits;
    limits.oldest = keep;
    return limits;
}

Result<Ingest::Understood> Ingest::understand(const IntakeRequest& request, UnixNanos now) {
    switch (request.signal) {
        case Signal::traces: return understand_traces(request, now);
        case Signal::logs: return understand_logs(request, now);
        case Signal::metrics: return understand_metrics(request, now);
    }
    return fail(ErrorKind::internal, "unknown signal");
}

Result<Ingest::Understood> Ingest::understand_traces(const IntakeRequest& request, UnixNanos now) {
    auto decoded =
        OBS_TRY(decode_traces(request.encoding, request.body.view(), limits_for(options_.keep_spans), now));
    EnrichedSpans enriched = enricher_.spans(std::move(decoded.rows), request.tenant);
    Understood understood{{}, {decoded.rejected, std::move(decoded.message)}, {}};
    for (const UnknownModels::Model& model : enriched.unknown.models)
        understood.counts.unpriced_spans += model.spans;
    keep_to_limits(request.tenant, enriched.spans, understood);
    understood.counts.spans = enriched.spans.size();
    understood.counts.scores = enriched.scores.size();
    understood.counts.cost_disagreements = enriched.cost_disagreements;
    understood.counts.sampled_out = enriched.sampled_out;
    understood.payload.spans = std::move(enriched.spans);
    understood.payload.running = std::move(enriched.pending);
    move_unfinished(understood.payload.spans, understood.payload.running);
    if (!enriched.scores.empty()) understood.payload.others.emplace_back(std::move(enriched.scores));
    return understood;
}

void Ingest::keep_to_limits(const Tenant& tenant, SpanBatch& spans, Understood& understood) const {
    if (options_.spend_limits == nullptr) return;
    const OverLimit over = options_.spend_limits->over(tenant, spans);
    if (over.flagged.empty() && over.refused.empty()) return;
    for (const std::size_t row : over.flagged) spans.flags.set(row, spans.flags[row] | flag_over_budget);
    if (!over.refused.empty()) spans = without_rows(spans, over.refused);
    understood.counts.over_budget = over.flagged.size();
    understood.counts.refused_by_budget = over.refused.size();
    Accepted& accepted = understood.accepted;
    accepted.rejected += static_cast<std::int64_t>(over.refused.size());
    if (!accepted.message.empty()) accepted.message += "; ";
    accepted.message += fmt::format(
        "QUOTA_EXCEEDED: budget {} is over its hard limit: {} spans refused, {} kept "
        "and marked",
        over.budget, over.refused.size(), over.flagged.size());
}

Result<Ingest::Understood> Ingest::understand_logs(const IntakeRequest& request, UnixNanos now) {
    auto decoded =
        OBS_TRY(decode_logs(request.encoding, request.body.view(), limits_for(options_.keep_logs), now));
    EnrichedLogs enriched = enricher_.logs(std::move(decoded.rows), request.tenant);
    Understood understood{{}, {decoded.rejected, std::move(decoded.message)}, {}};
    understood.counts.logs = enriched.logs.size();
    understood.counts.scores = enriched.scores.size();
    understood.payload.content = std::move(enriched.content);
    understood.payload.running = running_in(enriched.logs, request.tenant, now);
    if (!enriched.logs.empty()) understood.payload.others.emplace_back(std::move(enriched.logs));
    if (!enriched.scores.empty()) understood.payload.others.emplace_back(std::move(enriched.scores));
    return understood;
}

Result<Ingest::Understood> Ingest::understand_metrics(const IntakeRequest& request, UnixNanos now) {
    auto decoded = OBS_TRY(
        decode_metrics(request.encoding, request.body.view(), limits_for(options_.keep_metrics), now));
    MetricBatch points = enricher_.metrics(std::move(decoded.rows), request.tenant);
    Understood understood{{}, {decoded.rejected, std::move(decoded.message)}, {}};
    understood.counts.metric_points = points.size();
    if (!points.empty()) understood.payload.others.emplace_back(std::move(points));
    return understood;
}

void Ingest::keep(Understood understood, Done done) {
    const Fingerprint request = understood.payload.request;
    const auto refuse = [this, request](const Done& first, Error reason) {
        ++counters_.refused_requests;
        const Result<Accepted> result = std::unexpected(std::move(reason));
        for (const Done& waiting : resends_.finish(request, false, options_.clock())) waiting(result);
        first(result);
    };
    auto token = budget_.acquire(understood.payload.bytes(), ByteBudget::Use::queue);
    if (!token) {
        refuse(done, {ErrorKind::overloaded, "there is no room for more data now", {}});
        return;
    }
    thread_local std::string record;
    record.clear();
    append_payload(record, understood.payload);
    // One allocation that travels with the request; std::function wants it copyable.
    struct Kept {
        Understood understood;
        Done done;
        ByteBudget::Token token;
        SpanBatch watched;  // a copy for who watches, made here and not on the journal's thread
    };
    auto kept =
        std::make_shared<Kept>(std::move(understood), std::move(done), std::move(*token), SpanBatch());
    if (options_.live != nullptr && options_.live->wanted()) kept->watched = kept->understood.payload.spans;
    journal_.submit(RecordKind::rows, record, [this, request, refuse, kept](Result<Sequence> sequence) {
        if (!sequence) {
            refuse(kept->done, std::move(sequence).error());
            return;
        }
        count(kept->understood.counts);
        // Known before the writer can confirm the record, which would be all that knows it.
        const std::vector<Done> others = resends_.finish(request, true, options_.clock());
        writer_.push(*sequence, std::move(kept->understood.payload), std::move(kept->token));
        const Result<Accepted> accepted = std::move(kept->understood.accepted);
        for (const Done& waiting : others) waiting(accepted);
        kept->done(accepted);
        if (!kept->watched.empty()) options_.live->kept(std::move(kept->watched));
    });
    // A huge request must not keep its memory for the life of the thread.
    if (record.capacity() > (std::size_t{8} << 20)) std::string().swap(record);
}

void Ingest::count(const Stats& accepted) {
    counters_.spans += accepted.spans;
    counters_.logs += accepted.logs;
    counters_.metric_points += accepted.metric_points;
    counters_.scores += accepted.scores;
    counters_.rejected += accepted.rejected;
    counters_.cost_disagreements += accepted.cost_disagreements;
    counters_.sampled_out += accepted.sampled_out;
    counters_.over_budget += accepted.over_budget;
    counters_.refused_by_budget += accepted.refused_by_budget;
    counters_.unpriced_spans += accepted.unpriced_spans;
}

Ingest::Stats Ingest::stats() const {
    return {.spans = counters_.spans,
            .logs = counters_.logs,
            .metric_points = counters_.metric_points,
            .scores = counters_.scores,
            .rejected = counters_.rejected,
            .unreadable = counters_.unreadable,
            .repeated_requests = counters_.repeated_requests,
            .refused_requests = counters_.refused_requests,
            .unpriced_spans = counters_.unpriced_spans,
            .cost_disagreements = counters_.cost_disagreements,
            .sampled_out = counters_.sampled_out,
            .over_budget = counters_.over_budget,
            .refused_by_budget = counters_.refused_by_budget};
}

}  // namespace obs
