#include "store/memory/answers.h"

#include <algorithm>
#include <chrono>

#include "store/aggregate.h"
#include "store/evaluate.h"
#include "store/memory/scan.h"
#include "store/order.h"

namespace obs::memory {

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Found {
    SortKey key;
    RowRef ref;
};

class BudgetWatch {
public:
    explicit BudgetWatch(const ScanBudget& budget)
        : rows_(budget.rows), started_(SteadyClock::now()), time_(budget.time) {}
    bool used_up(const Scan& scan) const {
        return scan.looked_at() >= rows_ ||
               SteadyClock::now() - started_ >= std::chrono::nanoseconds(time_.count);
    }

private:
    std::uint64_t rows_;
    SteadyClock::time_point started_;
    Nanos time_;
};

std::unexpected<Error> cancelled() {
    return fail(ErrorKind::cancelled, "the question was cancelled");
}

// Rows before the position need not be looked at when time decides the order.
Window window_behind(const RowQuestion& question, const RowOrder& order) {
    Window window = question.window;
    if (!order.by_time() || !question.after) return window;
    const UnixNanos ts = question.after->ts;
    const UnixNanos next = ts + Nanos{1};
    if (order.descending())
        window.to = window.to ? std::min(*window.to, next) : next;
    else
        window.from = window.from ? std::max(*window.from, ts) : ts;
    return window;
}

// Walks the rows of a question slice by slice.
class RowWalk {
public:
    static Result<RowWalk> start(const Snapshot& snapshot, const RowQuestion& question) {
        return RowWalk(snapshot, question,
                       OBS_TRY(Matcher::compile(question.table, question.filter), "cannot filter {}",
                               table_name(question.table)));
    }

    const RowOrder& order() const { return order_; }
    const Scan& scan() const { return scan_; }
    // Appends the rows of the next slice.
    void next(std::vector<Found>& found) {
        const Wanted wanted{question_.scope, matcher_, question_.up_to_seq};
        scan_.next(wanted, [&](const AnyBatch& batch, const std::vector<std::uint32_t>& rows) {
            const RowOrder::Keys key_of(order_, batch);
            for (const std::uint32_t row : rows)
                if (SortKey key = key_of(row); !after_ || order_.before(*after_, key))
                    found.push_back({std::move(key), {&batch, row}});
        });
    }
    void sort(std::vector<Found>& found, std::size_t from = 0) const {
        std::sort(found.begin() + static_cast<std::ptrdiff_t>(from), found.end(),
                  [this](const Found& a, const Found& b) { return order_.before(a.key, b.key); });
    }
    // Keeps the first `limit` of the order.
    void cut(std::vector<Found>& found, std::size_t limit) const {
        if (found.size() <= limit) return;
        std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(limit), found.end(),
                         [this](const Found& a, const Found& b) { return order_.before(a.key, b.key); });
        found.resize(limit);
    }

private:
    RowWalk(const Snapshot& snapshot, const RowQuestion& question, Matcher matcher)
        : question_(question),
          matcher_(std::move(matcher)),
          order_(question),
          scan_(
              snapshot.of(question.table), window_behind(question, order_),
              order_.by_time() && !order_.descending() ? Scan::Way::oldest_first : Scan::Way::newest_first) {
        if (question.after) after_ = order_.key_of(*question.after);
    }

    const RowQuestion& question_;
    Matcher matcher_;
    RowOrder order_;
    std::optional<SortKey> after_;
    Scan scan_;
};

bool is_wanted(const RowQuestion& question, const ColumnInfo& column) {
    if (question.columns.empty() || column.name == "ts" || column.name == "trace_id" ||
        column.name == "span_id")
        return true;
    return std::find(question.columns.begin(), question.columns.end(), &column) != question.columns.end();
}

AnyBatch batch_of(const RowQuestion& question, std::span<const Found> found) {
    return assemble(
        question.table, found.size(),
        [&](const ColumnInfo& column, std::size_t out) -> std::optional<RowRef> {
            if (!is_wanted(question, column)) return std::nullopt;
            return found[out].ref;
        },
        question.content_bytes);
}

// Hands over found rows in pieces of bounded size; false when the sink has had enough.
bool hand_over(const RowQuestion& question, std::span<const Found> found,
               const std::function<bool(AnyBatch)>& sink) {
    constexpr std::size_t most_rows = 1024, most_bytes = std::size_t{8} << 20;
    while (!found.empty()) {
        std::size_t count = 0, bytes = 0;
        while (count < found.size() && count < most_rows && bytes < most_bytes) {
            const AnyBatch& batch = *found[count].ref.batch;
            bytes += text_bytes(batch, found[count].ref.row);
            ++count;
        }
        if (!sink(batch_of(question, found.first(count)))) return false;
        found = found.subspan(count);
    }
    return true;
}

}  // namespace

Result<Rows> answer_rows(const Snapshot& snapshot, const RowQuestion& question, const Cancel& cancel) {
    RowWalk walk = OBS_TRY(RowWalk::start(snapshot, question));
    const BudgetWatch budget(question.budget);
    std::vector<Found> found;
    std::optional<UnixNanos> scanned_to;
    while (!walk.scan().done()) {
        if (cancel.due()) return cancelled();
        if (walk.order().by_time() && found.size() >= question.limit) break;
        if (walk.scan().looked_at() > 0 && budget.used_up(walk.scan())) {
            scanned_to = walk.scan().reached();
            break;
        }
        walk.next(found);
        if (!walk.order().by_time() && found.size() > 2 * question.limit + 1024)
            walk.cut(found, question.limit);
    }
    if (cancel.due()) return cancelled();
    walk.cut(found, question.limit);
    walk.sort(found);
    return Rows{batch_of(question, found), scanned_to};
}

Result<Table> answer_groups(const Snapshot& snapshot, const GroupQuestion& question, const Cancel& cancel) {
    const Matcher matcher = OBS_TRY(Matcher::compile(question.table, question.filter));
    Grouping grouping = OBS_TRY(Grouping::start(question));
    const BudgetWatch budget(question.budget);
    Scan scan(snapshot.of(question.table), question.window, Scan::Way::newest_first);
    while (!scan.done()) {
        if (cancel.due()) return cancelled();
        if (scan.looked_at() > 0 && budget.used_up(scan))
            return fail(ErrorKind::too_large,
                        "the question looks at more than its budget of {} rows in {} ms",
                        question.budget.rows, question.budget.time.count / 1'000'000);
        scan.next({question.scope, matcher, question.up_to_seq},
                  [&](const AnyBatch& batch, const std::vector<std::uint32_t>& rows) {
                      grouping.add(batch, rows);
                  });
    }
    if (cancel.due()) return cancelled();
    return grouping.finish();
}

Result<void> stream_rows(const Snapshot& snapshot, const RowQuestion& question,
                         const std::function<bool(AnyBatch)>& sink, const Cancel& cancel) {
    RowWalk walk = OBS_TRY(RowWalk::start(snapshot, question));
    std::size_t left = question.limit == 0 ? SIZE_MAX : question.limit;
    std::vector<Found> found;
    while (!walk.scan().done() && left > 0) {
        if (cancel.due()) return cancelled();
        walk.next(found);
        if (!walk.order().by_time() && !walk.scan().done()) continue;
        walk.sort(found);
        if (found.size() > left) found.resize(left);
        if (!hand_over(question, found, sink)) return {};
        left -= found.size();
        found.clear();
    }
    return {};
}

}  // namespace obs::memory
