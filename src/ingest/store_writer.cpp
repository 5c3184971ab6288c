#include "ingest/store_writer.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <span>
#include <unordered_map>

#include "base/failpoint.h"
#include "base/log.h"
#include "enrich/enrich.h"
#include "model/record.h"

namespace obs {

namespace {

using std::chrono::steady_clock;

// Each round of amendments has a fixed cost in the store, and parts of its own that are merged later.
constexpr auto settle_every = std::chrono::milliseconds(1000);
constexpr auto forget_every = std::chrono::hours(1);
constexpr auto save_every = std::chrono::seconds(10);
// Spans that one question and one amendment speak of.
constexpr std::size_t join_at_once = 500;

// How far the spans of a trace may begin from each other, where they are looked for.
constexpr Nanos near_in_time = Nanos::days(1);
// Stored spans that are read at once to settle traces again; of a trace that has more, the newest.
constexpr std::size_t settled_at_once = 200'000;

// Nobody waits for the answer, and it must be whole.
constexpr ScanBudget background_budget{Nanos::seconds(60), std::numeric_limits<std::uint64_t>::max()};

// About the traces of these spans, in the time of these spans.
RowQuestion question_about(const std::string& org, const std::string& project,
                           std::span<const SpanKey> keys) {
    RowQuestion question(Scope(org, {project}));
    Condition traces{{find_column(TableId::spans, "trace_id")}, Operator::in, {}};
    for (const SpanKey& key : keys) {
        traces.values.emplace_back(std::string(key.trace_id.raw()));
        question.window.from = std::min(question.window.from.value_or(key.ts), key.ts);
        question.window.to = std::max(question.window.to.value_or(key.ts), key.ts + Nanos{1});
    }
    question.filter.also(Filter::where(std::move(traces)));
    question.limit = keys.size() * 2;  // a span may have been stored twice
    question.budget = background_budget;
    return question;
}

// The same rows without those that `take` leaves out.
template <class Batch, class Take>
Batch select(const Batch& rows, Take&& take) {
    Batch chosen;
    for (std::size_t row = 0; row < rows.size(); ++row)
        if (take(row)) append_row(chosen, rows, row);
    return chosen;
}

// Of spans whose figures change; content is none.
std::vector<UnixNanos> starts_of(const Amendments& amendments) {
    std::vector<UnixNanos> starts = amendments.costs.ts.values_;
    for (const auto* keys :
         {&amendments.to_rollup, &amendments.to_own, &amendments.to_root, &amendments.not_root})
        for (const SpanKey& key : *keys) starts.push_back(key.ts);
    for (const Amendments::Repeated& row : amendments.repeated) starts.push_back(row.key.ts);
    return starts;
}

std::pair<AnyBatch, AnyBatch> halves_of(const AnyBatch& rows) {
    return std::visit(
        [](const auto& batch) -> std::pair<AnyBatch, AnyBatch> {
            const std::size_t half = batch.size() / 2;
            return {select(batch, [&](std::size_t row) { return row < half; }),
                    select(batch, [&](std::size_t row) { return row >= half; })};
        },
        rows);
}

}  // namespace

StoreWriter::StoreWriter(Options options, SpanStore& store, Journal& journal, OpenTraces& open,
                         const Enricher& enricher)
    : options_(std::move(options)), store_(store), journal_(journal), open_(open), enricher_(enricher) {}

StoreWriter::~StoreWriter() {
    stop(steady_clock::now());
}

Result<void> StoreWriter::recover(Resends& resends) {
    resends_ = &resends;
    const Journal::Recovery& found = journal_.recovery();
    const Sequence confirmed = found.last == 0 ? journal_.stats().last_durable : found.first - 1;
    std::vector<Sequence> requests;
    const auto look = [&](Sequence sequence, RecordKind kind, std::string_view head) -> Result<void> {
        if (kind == RecordKind::rows) {
            resends.remember(OBS_TRY(read_request(head), "record {}", sequence), options_.clock());
            requests.push_back(sequence);
            return {};
        }
        const Boundary boundary = OBS_TRY(read_boundary(head), "record {}", sequence);
        if (kind == RecordKind::written) written_to_ = boundary.last;
        // Announced again after the journal had refused it.
        else if (begun_.empty() || boundary.last > begun_.back().last)
            begun_.push_back(boundary);
        return {};
    };
    OBS_TRY_VOID(journal_.replay_heads(confirmed + 1, payload_head, look), "cannot replay the journal");
    std::erase_if(begun_, [&](const Boundary& boundary) { return boundary.last <= confirmed; });
    taken_ = confirmed;
    visible_ = std::max(confirmed, written_to_);
    last_pushed_ = requests.empty() ? 0 : requests.back();
    spilling_ = last_pushed_ > taken_;
    std::erase_if(requests, [&](Sequence sequence) { return sequence <= written_to_; });
    if (requests.empty()) return {};
    recover_to_ = requests.back();
    log::info("journal: {} requests to recover, {} bytes of an unfinished write dropped", requests.size(),
              found.torn_bytes);
    return {};
}

void StoreWriter::start() {
    worker_ = std::jthread([this](std::stop_token stop) {
        run(stop);
        make_changes(true);
    });
}

Result<void> StoreWriter::change(Amendments amendments) {
    Change change{std::move(amendments)};
    auto done = change.done.get_future();
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return fail(ErrorKind::cancelled, "the writer has stopped");
        changes_.push_back(std::move(change));
    }
    filled_.notify_one();
    return done.get();
}

void StoreWriter::push(Sequence sequence, Payload payload, ByteBudget::Token token) {
    Item item{sequence, std::move(payload), std::move(token), 0};
    item.bytes = item.payload.bytes();
    {
        const std::lock_guard lock(mutex_);
        last_pushed_ = sequence;
        // While the store is away the journal keeps the rows, not the memory.
        if (spilling_ || queued_bytes_ + item.bytes > options_.queue_bytes) {
            spilling_ = true;
            ++stats_.spilled;
        } else {
            queued_bytes_ += item.bytes;
            stats_.queued_rows += item.payload.rows();
            queue_.push_back(std::move(item));
        }
    }
    filled_.notify_one();
}

bool StoreWriter::stop(steady_clock::time_point deadline) {
    if (!worker_.joinable()) return all_written_;
    {
        const std::lock_guard lock(mutex_);
        stop_at_ = deadline;
    }
    worker_.request_stop();
    filled_.notify_all();
    worker_.join();
    return all_written_;
}

StoreWriter::Stats StoreWriter::stats() const {
    const std::lock_guard lock(mutex_);
    Stats shown = stats_;
    shown.queued_bytes = queued_bytes_;
    return shown;
}

// -- the writer's thread
// -----------------------------------------------------------------------------------------------

void StoreWriter::run(const std::stop_token& stop) {
    if (!insist([&] { return replay_begun_writes(stop); })) return;
    if (nothing_is_missing(stop)) {
        all_written_ = true;
        return;
    }
    auto next_settle = steady_clock::now();
    while (!must_stop()) {
        gather(stop);
        if (due(stop) && !write_gathered(false)) return;
        if (stop.stop_requested() && gathered_.tokens.empty() && nothing_waits()) {
            confirm_now();
            all_written_ = true;
            return;
        }
        // Only when every row that the table has seen is written: what is settled is confirmed soon.
        if (gathered_.tokens.empty() && steady_clock::now() >= next_settle) {
            if (!settle()) return;
            next_settle = steady_clock::now() + settle_every;
            forget_old();
        }
        if (gathered_.tokens.empty()) make_changes(false);
        confirm();
    }
}

// Asked to stop while only open traces are read back: the next start does that as well.
bool StoreWriter::nothing_is_missing(const std::stop_token& stop) const {
    const std::lock_guard lock(mutex_);
    return stop.stop_requested() && recovered() && queue_.empty() && last_pushed_ <= written_to_;
}

bool StoreWriter::nothing_waits() const {
    const std::lock_guard lock(mutex_);
    return queue_.empty() && !spilling_;
}

bool StoreWriter::due(const std::stop_token& stop) const {
    if (gathered_.tokens.empty()) return false;
    return stop.stop_requested() || full() || gathered_.rows >= options_.gather_rows ||
           steady_clock::now() >= gathered_.due;
}

void StoreWriter::gather(const std::stop_token& stop) {
    gather_from_queue(stop);
    bool behind = false;
    {
        const std::lock_guard lock(mutex_);
        behind = queue_.empty() && spilling_;
    }
    if (behind && !full()) gather_from_journal();
}

void StoreWriter::gather_from_queue(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto until = gathered_.tokens.empty() ? steady_clock::now() + options_.gather : gathered_.due;
    const bool idle = gathered_.tokens.empty();
    filled_.wait_until(lock, stop, until,
                       [&] { return !queue_.empty() || spilling_ || (idle && !changes_.empty()); });
    while (!queue_.empty() && !full()) {
        Item item = std::move(queue_.front());
        queue_.pop_front();
        queued_bytes_ -= item.bytes;
        stats_.queued_rows -= item.payload.rows();
        // Read back from the journal before it was pushed.
        if (item.sequence <= taken_) continue;
        lock.unlock();
        take(std::move(item), false);
        lock.lock();
    }
}

// Rows for which there was no room in memory.
void StoreWriter::gather_from_journal() {
    Sequence seen = taken_;
    const auto deliver = [&](Sequence sequence, RecordKind kind, std::string_view payload) -> Result<void> {
        if (full()) return fail(ErrorKind::cancelled, "enough");
        if (kind == RecordKind::rows) {
            Payload read = OBS_TRY(read_payload(payload));
            if (sequence <= recover_to_) {
                const std::lock_guard lock(mutex_);
                stats_.recovered_rows += read.rows();
            }
            take({sequence, std::move(read), {}, 0}, false);
        }
        seen = sequence;
        return {};
    };
    // An error waits as long as one of the store would; what was read before it is written meanwhile.
    const auto read = journal_.replay(taken_ + 1, deliver);
    if (!read && read.error().kind != ErrorKind::cancelled) {
        note_error(&read.error());
        pause(options_.retry);
        return;
    }
    const std::lock_guard lock(mutex_);
    // Caught up: what is pushed from now on may wait in memory again.
    if (read && seen >= last_pushed_) spilling_ = false;
}

// `maybe_stored`: the record belongs to a write that was begun before the last stop. What lies behind the
// last boundary was never written.
void StoreWriter::take(Item item, bool maybe_stored) {
    if (gathered_.tokens.empty()) {
        gathered_.due = std::max(item.pushed + options_.gather, wrote_ + options_.gather_behind);
        gathered_.records.first = item.sequence;
    }
    gathered_.records.last = taken_ = item.sequence;
    Payload& payload = item.payload;
    const OpenTraces::Arrival arrival{payload.tenant, item.sequence, options_.clock(), maybe_stored};
    if (!payload.running.empty()) open_.running(arrival, payload.running);
    if (!payload.content.empty()) open_.content(arrival, payload.content);
    if (!payload.spans.empty()) add(open_.spans(arrival, std::move(payload.spans)), item.sequence);
    for (AnyBatch& batch : payload.others) add(std::move(batch), item.sequence);
    gathered_.tokens.push_back(std::move(item.token));
}

void StoreWriter::add(AnyBatch batch, Sequence sequence) {
    std::visit([&](auto& rows) { add_rows(std::move(rows), sequence); }, batch);
}

template <class Batch>
void StoreWriter::add_rows(Batch batch, Sequence sequence) {
    if (batch.empty()) return;
    gathered_.rows += batch.size();
    gathered_.bytes += bytes_of(batch);
    batch.seq.values_.assign(batch.size(), sequence);
    const auto day = [&](std::size_t row) { return day_of(batch.ts[row]); };
    const auto partition = [&](std::int32_t of) -> Batch& {
        AnyBatch& rows = gathered_.partitions.try_emplace({Batch::table, of}, Batch()).first->second;
        return std::get<Batch>(rows);
    };
    bool one_day = true;
    for (std::size_t row = 1; row < batch.size() && one_day; ++row) one_day = day(row) == day(0);
    if (one_day) {
        append_rows(partition(day(0)), batch);
        return;
    }
    for (std::size_t row = 0; row < batch.size(); ++row) append_row(partition(day(row)), batch, row);
}

// What was being written when the program ended: the same records, under the same ids. What had been written
// is read for the traces that are open alone.
Result<void> StoreWriter::replay_begun_writes(const std::stop_token& stop) {
    if (begun_.empty()) return {};
    const auto deliver = [&](Sequence sequence, RecordKind kind, std::string_view payload) -> Result<void> {
        if (begun_.empty() || must_stop() || nothing_is_missing(stop))
            return fail(ErrorKind::cancelled, "enough");
        if (kind != RecordKind::rows) return {};
        Payload read = OBS_TRY(read_payload(payload), "record {}", sequence);
        if (sequence > written_to_) {
            const std::lock_guard lock(mutex_);
            stats_.recovered_rows += read.rows();
        }
        take({sequence, std::move(read), {}, 0}, true);
        if (sequence == begun_.front().last && !finish_begun_write())
            return fail(ErrorKind::cancelled, "stopped");
        return {};
    };
    auto read = journal_.replay(taken_ + 1, deliver);
    if (read || begun_.empty() || nothing_is_missing(stop)) return {};
    return std::unexpected(within(std::move(read).error(), "cannot replay the journal"));
}

bool StoreWriter::finish_begun_write() {
    const Boundary records = begun_.front();
    begun_.pop_front();
    if (records.last <= written_to_) {
        gathered_ = {};
    } else {
        gathered_.records = records;
        if (!write_gathered(true)) return false;
    }
    return !open_.full() || settle();
}

bool StoreWriter::write_gathered(bool announced) {
    const Boundary records = gathered_.records;
    // Also when nothing is to be written: a row that was left out as a repetition must not come back.
    if (!announced && !announce(records)) return false;
    failpoint("writer.announced");
    for (const auto& [partition, rows] : gathered_.partitions) {
        const std::string id = fmt::format("{}-{}-{}-{}-{}", options_.directory_id, records.first,
                                           records.last, static_cast<int>(partition.table), partition.day);
        if (!write(rows, id)) return false;
        failpoint("writer.partition");
    }
    visible_.store(std::max(visible_.load(), records.last), std::memory_order_release);
    {
        const std::lock_guard lock(mutex_);
        stats_.rows_written += gathered_.rows;
        ++stats_.writes;
    }
    journal_.submit(RecordKind::written, encode_boundary(records), [](const Result<Sequence>&) {
        // Only a help: without it the write is tried again after a crash, and changes nothing.
    });
    gathered_ = {};
    wrote_ = steady_clock::now();
    return true;
}

bool StoreWriter::announce(const Boundary& records) {
    return insist([&]() -> Result<void> {
               std::promise<Result<Sequence>> durable;
               journal_.submit(RecordKind::boundary, encode_boundary(records),
                               [&](Result<Sequence> result) { durable.set_value(std::move(result)); });
               auto result = durable.get_future().get();
               if (!result) return std::unexpected(std::move(result).error());
               return {};
           })
        .has_value();
}

bool StoreWriter::write(const AnyBatch& rows, const std::string& id) {
    const auto written = insist([&] { return store_.write(rows, id); });
    if (const auto* spans = std::get_if<SpanBatch>(&rows); written && spans != nullptr)
        spans_changed(spans->ts.values_);
    if (written) return true;
    if (written.error().kind != ErrorKind::invalid_input) return false;
    if (size_of(rows) == 1)
        quarantine(rows, id, written.error());
    else
        bisect(rows, id);
    return !must_stop();
}

// Something in the rows can never be stored: find out what, and store the rest.
void StoreWriter::bisect(const AnyBatch& rows, const std::string& id) {
    const auto [first, second] = halves_of(rows);
    if (write(first, id + "-a")) write(second, id + "-b");
}

void StoreWriter::quarantine(const AnyBatch& row, const std::string& id, const Error& reason) {
    std::string record;
    append_record(record, row);
    if (quarantined_bytes_ + record.size() <= options_.quarantine_bytes) {
        std::ofstream file(options_.quarantine / (id + ".record"), std::ios::binary);
        file << record;
        quarantined_bytes_ += record.size();
    }
    const std::lock_guard lock(mutex_);
    ++stats_.quarantined;
    if (stats_.quarantined == 1)
        log::error("store: a row of {} can never be stored and went into quarantine: {}",
                   table_name(table_of(row)), reason.message);
}

void StoreWriter::spans_changed(std::span<const UnixNanos> starts) {
    if (options_.rollups != nullptr) options_.rollups->changed(starts);
}

// False when the time to stop has come before all of it was done; then a replay does it again.
bool StoreWriter::settle() {
    const bool watched = options_.live != nullptr && options_.live->wanted();
    OpenTraces::Due due =
        open_.due(options_.clock(), watched ? OpenTraces::Listing::settled : OpenTraces::Listing::nothing);
    for (Amendments& amendments : due.amendments)
        if (!amendments.empty() && !amend(std::move(amendments))) return false;
    for (OpenTraces::Again& again : due.again)
        if (!settle_again(std::move(again))) return false;
    for (const OpenTraces::Join& each : due.joins)
        if (!join(each)) return false;
    if (!due.settled.empty()) options_.live->settled(std::move(due.settled));
    return true;
}

// Traces that settled before, some at a time that lie together.
bool StoreWriter::settle_again(OpenTraces::Again again) {
    using Trace = OpenTraces::Again::Trace;
    std::ranges::sort(again.traces, {}, &Trace::first);
    for (std::span<const Trace> left = again.traces; !left.empty();) {
        std::size_t some = 1;
        while (some < std::min(left.size(), join_at_once) &&
               left[some].first - left.front().first < near_in_time)
            ++some;
        if (!settle_stored(again, left.first(some))) return false;
        left = left.subspan(some);
    }
    return true;
}

bool StoreWriter::settle_stored(const OpenTraces::Again& again,
                                std::span<const OpenTraces::Again::Trace> traces) {
    RowQuestion question(Scope(again.org, {again.project}));
    Condition ids{{find_column(TableId::spans, "trace_id")}, Operator::in, {}};
    UnixNanos first = traces.front().first, last = traces.front().last;
    for (const OpenTraces::Again::Trace& trace : traces) {
        ids.values.emplace_back(std::string(trace.id.raw()));
        first = std::min(first, trace.first);
        last = std::max(last, trace.last);
    }
    question.filter.also(Filter::where(std::move(ids)));
    question.window = {first - near_in_time, last + near_in_time};
    question.columns = OpenTraces::settling_columns();
    question.limit = settled_at_once;
    question.budget = background_budget;
    const auto rows = ask(question);
    if (!rows) return false;
    if (rows->size() >= settled_at_once && traces.size() > 1) {
        const std::size_t half = traces.size() / 2;
        return settle_stored(again, traces.first(half)) && settle_stored(again, traces.subspan(half));
    }
    Amendments amendments;
    amendments.org = again.org;
    amendments.project = again.project;
    OpenTraces::settle_stored(*rows, amendments);
    return amendments.empty() || amend(std::move(amendments));
}

// What others asked for. They decide what becomes of it when it fails: nothing is tried again here.
void StoreWriter::make_changes(bool give_up) {
    std::vector<Change> changes;
    {
        const std::lock_guard lock(mutex_);
        ended_ = give_up;
        std::swap(changes, changes_);
    }
    for (Change& change : changes) {
        if (give_up) {
            change.done.set_value(fail(ErrorKind::cancelled, "the writer has stopped"));
            continue;
        }
        change.amendments.seq = visible();
        auto made = store_.amend(change.amendments);
        if (made) {
            spans_changed(starts_of(change.amendments));
            const std::lock_guard lock(mutex_);
            stats_.amended += change.amendments.rows();
        }
        change.done.set_value(std::move(made));
    }
}

bool StoreWriter::amend(Amendments amendments) {
    amendments.seq = visible();
    const std::vector<UnixNanos> starts = starts_of(amendments);
    const std::size_t keys = amendments.rows();
    const auto amended = insist([&] {
        auto result = store_.amend(amendments);
        // A fault of ours is there the next time too: the rows stay as they came, and everything behind them
        // goes on.
        if (!result && result.error().kind == ErrorKind::internal)
            result.error().kind = ErrorKind::invalid_input;
        return result;
    });
    if (!amended && amended.error().kind != ErrorKind::invalid_input) return false;
    if (amended) spans_changed(starts);
    failpoint("writer.amended");
    const std::lock_guard lock(mutex_);
    if (amended) {
        stats_.amended += keys;
    } else {
        stats_.amendments_lost += keys;
        log::error("store: {} rows could not be settled: {}", keys, amended.error().message);
    }
    return true;
}

bool StoreWriter::join(const OpenTraces::Join& join) {
    for (std::size_t begin = 0; begin < join.content.size(); begin += join_at_once) {
        const std::size_t end = std::min(begin + join_at_once, join.content.size());
        std::vector<SpanKey> keys;
        std::unordered_multimap<SpanId, std::size_t> events;
        for (std::size_t row = begin; row < end; ++row) {
            keys.push_back({join.content.ts[row], join.content.trace_id[row], join.content.span_id[row]});
            events.emplace(join.content.span_id[row], row);
        }
        RowQuestion question = question_about(join.org, join.project, keys);
        Condition spans{{find_column(TableId::spans, "span_id")}, Operator::in, {}};
        for (const SpanKey& key : keys) spans.values.emplace_back(std::string(key.span_id.raw()));
        question.filter.also(Filter::where(std::move(spans)));
        const auto rows = ask(question);
        if (!rows) return false;
        Amendments amendments;
        amendments.org = join.org;
        amendments.project = join.project;
        for (std::size_t row = 0; row < rows->size(); ++row) {
            SpanBatch one;
            append_row(one, *rows, row);
            std::vector<std::size_t> in_order;
            const auto [first, last] = events.equal_range(rows->span_id[row]);
            for (auto each = first; each != last; ++each) in_order.push_back(each->second);
            std::ranges::sort(in_order);
            bool changed = false;
            for (const std::size_t event : in_order)
                if (join.content.trace_id[event] == rows->trace_id[row])
                    changed = merge_content(one, 0, join.content, event) || changed;
            if (!changed) continue;
            enricher_.read_texts(one, 0, 1);
            append_rows(amendments.content, one);
        }
        if (!amendments.empty() && !amend(std::move(amendments))) return false;
    }
    return true;
}

// Nothing when the time to stop has come.
std::optional<SpanBatch> StoreWriter::ask(const RowQuestion& question) {
    SpanBatch found;
    const auto asked = insist([&]() -> Result<void> {
        found = std::get<SpanBatch>(OBS_TRY(store_.rows(question, {})).batch);
        return {};
    });
    if (!asked && asked.error().kind != ErrorKind::invalid_input) return std::nullopt;
    return found;
}

void StoreWriter::confirm() {
    if (steady_clock::now() >= next_confirm_) confirm_now();
}

// Nothing of a trace that is still open may leave the journal: after a crash it must be settled again. Nor
// the only word of a request.
void StoreWriter::confirm_now() {
    next_confirm_ = steady_clock::now() + options_.confirm_every;
    Sequence done = visible();
    if (const auto oldest = open_.oldest()) done = std::min(done, *oldest - 1);
    save_running();
    if (const auto unsaved = open_.running_spans().unsaved()) done = std::min(done, *unsaved - 1);
    // A disk that refuses this must not keep the journal from making room.
    if (resends_ != nullptr && !resends_->save(options_.clock()))
        log::debug("resends: the requests of the last seconds would not be known after a crash");
    journal_.confirm(done);
}

// All of them are written each time, so not every second.
void StoreWriter::save_running() {
    if (steady_clock::now() < next_save_) return;
    next_save_ = steady_clock::now() + save_every;
    if (const auto saved = open_.running_spans().save(); !saved)
        log::warning("spans that run could not be saved: {}", saved.error().message);
}

void StoreWriter::forget_old() {
    if (steady_clock::now() < next_forget_) return;
    next_forget_ = steady_clock::now() + forget_every;
    const UnixNanos now = options_.clock();
    const auto forget = [&](const Forget& what) {
        if (const auto forgotten = store_.forget(what); !forgotten)
            log::warning("store: cannot erase old rows of {}: {}", table_name(what.table),
                         forgotten.error().message);
    };
    for (const auto& [table, keep] : options_.keep_rows)
        if (keep.count != 0) forget({.what = Forget::What::rows, .table = table, .before = now - keep});
    if (options_.keep_content.count != 0)
        forget(
            {.what = Forget::What::content, .table = TableId::spans, .before = now - options_.keep_content});
    forget_of_projects(now);
    forget_quarantine();
}

// Each of these rewrites the parts that hold such rows. So they go by whole days, once a day.
void StoreWriter::forget_of_projects(UnixNanos now) {
    if (!options_.projects) return;
    bool any = false;
    const auto forget = [&](const Options::ProjectLifetime& of, TableId table, bool contents, Nanos keep,
                            Nanos keep_of_all) {
        if (keep.count <= 0 || (keep_of_all.count != 0 && keep >= keep_of_all)) return;
        const UnixNanos before{Nanos::days(day_of(now - keep)).count};
        UnixNanos& done = forgotten_[{of.org, of.project, table, contents}];
        if (done >= before) return;
        const auto forgotten = store_.forget({.what = contents ? Forget::What::content : Forget::What::rows,
                                              .table = table,
                                              .org = of.org,
                                              .project = of.project,
                                              .before = before});
        if (!forgotten) {
            log::warning("store: cannot erase old rows of project {} in {}: {}", of.project,
                         table_name(table), forgotten.error().message);
            return;
        }
        done = before;
        any = true;
    };
    const auto of_all = [&](TableId table) {
        const auto keep = options_.keep_rows.find(table);
        return keep == options_.keep_rows.end() ? Nanos{} : keep->second;
    };
    for (const Options::ProjectLifetime& project : options_.projects()) {
        for (const auto& [table, keep] : project.keep_rows)
            forget(project, table, false, keep, of_all(table));
        forget(project, TableId::spans, true, project.keep_content, options_.keep_content);
    }
    if (any && options_.forgotten) options_.forgotten();
}

void StoreWriter::forget_quarantine() {
    using File = std::filesystem::directory_entry;
    const auto oldest = std::filesystem::file_time_type::clock::now() -
                        std::chrono::nanoseconds(options_.keep_quarantine.count);
    std::error_code ignored;  // a file that cannot be removed now is tried again in an hour
    quarantined_bytes_ = 0;
    for (const File& file : std::filesystem::directory_iterator(options_.quarantine, ignored)) {
        if (options_.keep_quarantine.count != 0 && file.last_write_time(ignored) < oldest)
            std::filesystem::remove(file.path(), ignored);
        else
            quarantined_bytes_ += file.file_size(ignored);
    }
}

Result<void> StoreWriter::insist(const std::function<Result<void>()>& attempt) {
    auto wait = options_.retry;
    while (true) {
        auto result = attempt();
        if (result || result.error().kind != ErrorKind::cancelled)
            note_error(result ? nullptr : &result.error());
        if (result || result.error().kind == ErrorKind::invalid_input || must_stop()) return result;
        pause(wait);
        wait = std::min(wait * 2, options_.retry_at_most);
    }
}

// Until then, or until the time to stop has come.
void StoreWriter::pause(std::chrono::milliseconds how_long) {
    const auto until = steady_clock::now() + how_long;
    std::unique_lock lock(mutex_);
    ++stats_.retries;
    while (steady_clock::now() < until && !must_stop())
        filled_.wait_until(lock, std::min(until, stop_at_.load()));
}

bool StoreWriter::must_stop() const {
    return steady_clock::now() >= stop_at_.load();
}

void StoreWriter::note_error(const Error* error) {
    const std::lock_guard lock(mutex_);
    if (error == nullptr) {
        if (!stats_.store_error.empty()) log::info("store: answers again");
        stats_.store_error.clear();
        return;
    }
    if (stats_.store_error.empty() && error->kind != ErrorKind::invalid_input)
        log::warning("store: does not take rows, trying again: {}", error->message);
    stats_.store_error = error->message;
}

}  // namespace obs
