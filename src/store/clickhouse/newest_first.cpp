#include "store/clickhouse/newest_first.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <numeric>

#include "store/order.h"
#include "store/sql/render.h"

namespace obs {

namespace {

using std::chrono::steady_clock;

bool is_used_up(const Error& error) {
    return error.kind == ErrorKind::cancelled || error.kind == ErrorKind::too_large;
}

template <class Batch>
Batch picked(const Batch& rows, const std::vector<std::size_t>& which) {
    Batch some;
    for (const std::size_t row : which) append_row(some, rows, row);
    return some;
}

// The first `limit` rows of both, in the order of the question.
AnyBatch merged(const RowQuestion& question, AnyBatch a, const AnyBatch& b) {
    std::visit(
        [&](auto& rows) {
            const auto& more = std::get<std::remove_reference_t<decltype(rows)>>(b);
            for (std::size_t row = 0; row < more.size(); ++row) append_row(rows, more, row);
        },
        a);
    const RowOrder order(question);
    const RowOrder::Keys keys(order, a);
    std::vector<std::size_t> which(size_of(a));
    std::iota(which.begin(), which.end(), std::size_t{0});
    std::sort(which.begin(), which.end(),
              [&](std::size_t x, std::size_t y) { return order.before(keys(x), keys(y)); });
    if (which.size() > question.limit) which.resize(question.limit);
    return std::visit([&](const auto& rows) { return AnyBatch(picked(rows, which)); }, a);
}

class NewestFirst {
public:
    NewestFirst(const RowQuestion& question, const Cancel& cancel, const AskWindow& ask)
        : question_(question), cancel_(cancel), ask_(ask) {
        const auto budget = std::chrono::nanoseconds(question.budget.time.count);
        const auto now = steady_clock::now();
        end_ =
            budget < steady_clock::time_point::max() - now ? now + budget : steady_clock::time_point::max();
    }

    bool is_quick_for_any_window() const {
        const std::size_t projects = question_.scope.projects().size();
        return projects != 0 && projects <= most_merged_projects;
    }

    bool newest_come_first() const {
        const RowOrder order(question_);
        return order.by_time() && order.descending();
    }

    // Nothing when the share of the budget did not suffice.
    Result<std::optional<AnyBatch>> whole() {
        const auto now = steady_clock::now();
        return within(question_, end_ == steady_clock::time_point::max() ? end_ : now + (end_ - now) / 2);
    }

    Result<Rows> pieces(const Window& extent) {
        const std::int64_t from = lower(extent), to = upper(extent);
        Rows found{.batch = empty_batch(question_.table)};
        std::int64_t scanned = to;  // everything from here on was looked at
        const std::uint64_t all =
            to > from ? static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from) : 0;
        const std::uint64_t first_share = is_quick_for_any_window() ? 16 : 512;
        std::int64_t width = std::max<std::int64_t>(static_cast<std::int64_t>(all / first_share), 1);
        while (scanned > from) {
            RowQuestion piece = question_;
            const std::int64_t begin = from > scanned - width ? from : scanned - width;
            piece.window = {UnixNanos{begin}, UnixNanos{scanned}};
            piece.budget.rows = std::max(rows_left_, least_rows);
            const auto started = steady_clock::now();
            const auto rows = OBS_TRY(within(piece, end_));
            if (!rows) {
                // Some of it was looked at, or there is no time: enough. Else a smaller piece may do.
                if (scanned < to || steady_clock::now() >= end_ || width == 1) break;
                width = std::max<std::int64_t>(width / 8, 1);
                continue;
            }
            scanned = begin;
            found.batch = merged(question_, std::move(found.batch), *rows);
            if (newest_come_first() && size_of(found.batch) >= question_.limit) return found;
            if (rows_left_ == 0) break;
            const auto now = steady_clock::now();
            if (now - started < (end_ - now) / 8) width = saturated(width, 8);
        }
        if (scanned > from) found.scanned_to = UnixNanos{scanned};
        return found;
    }

private:
    // Parts and granules are read as a whole, so that a smaller budget would get nowhere.
    static constexpr std::uint64_t least_rows = 65'536;

    Result<std::optional<AnyBatch>> within(const RowQuestion& question, steady_clock::time_point end) {
        auto piece = ask_(question, {cancel_.stop, std::min(end, cancel_.deadline)});
        if (piece) {
            rows_left_ -= std::min(rows_left_, piece->rows_read);
            return std::optional<AnyBatch>(std::move(piece->rows));
        }
        // The caller's own limit is an error, the budget is not.
        if (!is_used_up(piece.error()) || cancel_.due()) return std::unexpected(std::move(piece).error());
        return std::optional<AnyBatch>();
    }

    std::int64_t lower(const Window& extent) const {
        const std::int64_t first = extent.from->since_epoch;
        return question_.window.from ? std::max(first, question_.window.from->since_epoch) : first;
    }
    std::int64_t upper(const Window& extent) const {
        constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max();
        const auto behind = [](std::int64_t at) { return at == latest ? at : at + 1; };
        std::int64_t to = behind(extent.to->since_epoch);
        if (question_.window.to) to = std::min(to, question_.window.to->since_epoch);
        if (question_.after && newest_come_first())
            to = std::min(to, behind(question_.after->ts.since_epoch));
        return to;
    }
    static std::int64_t saturated(std::int64_t width, std::int64_t times) {
        return width > std::numeric_limits<std::int64_t>::max() / times
                   ? std::numeric_limits<std::int64_t>::max()
                   : width * times;
    }

    const RowQuestion& question_;
    const Cancel& cancel_;
    const AskWindow& ask_;
    steady_clock::time_point end_;  // of the budget
    std::uint64_t rows_left_ = question_.budget.rows;
};

}  // namespace

Result<Rows> ask_newest_first(const RowQuestion& question, const Cancel& cancel, const AskWindow& ask,
                              const AskExtent& extent) {
    NewestFirst scan(question, cancel, ask);
    const bool by_pieces = scan.newest_come_first() && !scan.is_quick_for_any_window();
    if (auto rows = by_pieces ? std::nullopt : OBS_TRY(scan.whole())) return Rows{.batch = *std::move(rows)};
    const Window all = OBS_TRY(extent(cancel));
    return scan.pieces(all);
}

}  // namespace obs
