#include "ingest/running_spans.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/durable_file.h"
#include "base/hash.h"
#include "base/log.h"
#include "model/record.h"

namespace obs {

namespace {

constexpr std::string_view file_name = "running";
// Fewer dead rows are not worth the copy.
constexpr std::size_t few = 64;

}  // namespace

std::size_t RunningSpans::Hash::operator()(const Key& key) const {
    return std::hash<TraceId>()(key.trace) ^ (std::hash<SpanId>()(key.span) * 31) ^ key.tenant;
}

RunningSpans::Key RunningSpans::key_of(const SpanBatch& rows, std::size_t row) {
    const std::uint64_t org = hash64(rows.org_id[row]);
    return {rows.trace_id[row], rows.span_id[row], org * 31 + hash64(rows.project_id[row])};
}

RunningSpans::Key RunningSpans::trace_of(Key key) {
    key.span = {};
    return key;
}

bool RunningSpans::lives(std::size_t row) const {
    const auto at = places_.find(key_of(rows_, row));
    return at != places_.end() && at->second == row;
}

UnixNanos RunningSpans::news_of(std::size_t row) const {
    return traces_.at(trace_of(key_of(rows_, row))).news;
}

void RunningSpans::put(const SpanBatch& rows, std::size_t row, Sequence seq, UnixNanos now) {
    const std::lock_guard lock(mutex_);
    put_locked(rows, row, now);
    if (!unsaved_) unsaved_ = seq;
    make_room();
}

void RunningSpans::put_locked(const SpanBatch& rows, std::size_t row, UnixNanos now) {
    const Key key = key_of(rows, row);
    const auto [at, is_new] = places_.try_emplace(key);
    Run& run = traces_[trace_of(key)];
    if (is_new) ++run.spans;
    run.news = std::max(run.news, now);
    at->second = rows_.size();
    append_row(rows_, rows, row);
    changed_ = true;
    count_ = places_.size();
    drop_dead_rows();
}

void RunningSpans::ended(const SpanBatch& rows, std::size_t row, UnixNanos now) {
    const std::lock_guard lock(mutex_);
    const Key key = key_of(rows, row);
    const auto run = traces_.find(trace_of(key));
    if (run == traces_.end()) return;
    run->second.news = std::max(run->second.news, now);
    end_locked(key);
}

void RunningSpans::end_locked(const Key& key) {
    if (places_.erase(key) == 0) return;
    const auto run = traces_.find(trace_of(key));
    if (--run->second.spans == 0) traces_.erase(run);
    changed_ = true;
    count_ = places_.size();
    drop_dead_rows();
}

void RunningSpans::drop_dead_rows() {
    if (rows_.size() < 2 * places_.size() + few) return;
    SpanBatch left;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
        const auto at = places_.find(key_of(rows_, row));
        if (at == places_.end() || at->second != row) continue;
        at->second = left.size();
        append_row(left, rows_, row);
    }
    rows_ = std::move(left);
}

void RunningSpans::give_up(const std::unordered_set<Key, Hash>& traces) {
    std::vector<Key> spans;
    for (const auto& [key, place] : places_)
        if (traces.contains(trace_of(key))) spans.push_back(key);
    given_up_ += spans.size();
    for (const Key& key : spans) end_locked(key);
}

void RunningSpans::forget_old(UnixNanos now) {
    const std::lock_guard lock(mutex_);
    std::unordered_set<Key, Hash> old;
    for (const auto& [trace, run] : traces_)
        if (run.news + options_.give_up_after < now) old.insert(trace);
    if (!old.empty()) give_up(old);
}

void RunningSpans::make_room() {
    while (bytes_of(rows_) > options_.bytes && traces_.size() > 1) {
        std::vector<std::pair<UnixNanos, Key>> by_news;
        for (const auto& [trace, run] : traces_) by_news.emplace_back(run.news, trace);
        const std::size_t some = (by_news.size() + 7) / 8;
        std::ranges::nth_element(by_news, by_news.begin() + static_cast<std::ptrdiff_t>(some), {},
                                 [](const auto& each) { return each.first; });
        std::unordered_set<Key, Hash> oldest;
        for (std::size_t at = 0; at < some; ++at) oldest.insert(by_news[at].second);
        give_up(oldest);
    }
}

RunningSpans::Found RunningSpans::find(std::string_view org, const std::vector<std::string>& projects,
                                       std::optional<TraceId> trace) const {
    const std::lock_guard lock(mutex_);
    Found found;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
        if (trace && rows_.trace_id[row] != *trace) continue;
        if (rows_.org_id[row] != org ||
            (!projects.empty() && std::ranges::find(projects, rows_.project_id[row]) == projects.end()))
            continue;
        if (!lives(row)) continue;
        append_row(found.spans, rows_, row);
        found.news.push_back(news_of(row));
    }
    return found;
}

RunningSpans::Stats RunningSpans::stats() const {
    const std::lock_guard lock(mutex_);
    return {places_.size(), given_up_};
}

// -- on disk: the rows that run, and when each trace was last heard of

Result<void> RunningSpans::open(const std::filesystem::path& directory) {
    const std::lock_guard lock(mutex_);
    directory_ = directory;
    const std::filesystem::path path = directory / file_name;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        if (!std::filesystem::exists(path)) return {};
        return fail(ErrorKind::unavailable, "cannot read {}", path.string());
    }
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::string_view left = bytes;
    const auto batch = read_record(left);
    const SpanBatch* rows = batch ? std::get_if<SpanBatch>(&*batch) : nullptr;
    if (rows == nullptr || left.size() != rows->size() * sizeof(UnixNanos)) {
        log::warning("{} is damaged: spans that were running are shown again at their next word",
                     path.string());
        return {};
    }
    for (std::size_t row = 0; row < rows->size(); ++row) {
        UnixNanos news;
        std::memcpy(&news, left.data() + row * sizeof news, sizeof news);
        put_locked(*rows, row, news);
    }
    changed_ = false;
    return {};
}

Result<void> RunningSpans::save() {
    std::string bytes;
    std::optional<Sequence> saved;
    {
        const std::lock_guard lock(mutex_);
        if (!changed_ || directory_.empty()) return {};
        SpanBatch rows;
        std::string times;
        for (std::size_t row = 0; row < rows_.size(); ++row) {
            if (!lives(row)) continue;
            append_row(rows, rows_, row);
            const UnixNanos news = news_of(row);
            times.append(reinterpret_cast<const char*>(&news), sizeof news);
        }
        append_record(bytes, rows);
        bytes += times;
        changed_ = false;
        saved = std::exchange(unsaved_, std::nullopt);
    }
    auto wrote = write_durably(directory_ / file_name, bytes);
    if (wrote) return wrote;
    const std::lock_guard lock(mutex_);
    changed_ = true;
    if (saved) unsaved_ = saved;
    return wrote;
}

std::optional<Sequence> RunningSpans::unsaved() const {
    const std::lock_guard lock(mutex_);
    // Without a directory nothing is ever saved, and nothing waits for it.
    return directory_.empty() ? std::nullopt : unsaved_;
}

}  // namespace obs
