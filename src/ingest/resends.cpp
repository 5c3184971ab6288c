#include "ingest/resends.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "base/log.h"
#include "journal/segment.h"

namespace obs {

namespace {
constexpr std::string_view newer = "requests", older = "requests.old";
}  // namespace

Resends::Seen Resends::begin(const Fingerprint& request, UnixNanos now, Intake::Done& done) {
    const std::lock_guard lock(mutex_);
    forget_old(now);
    const auto [at, is_new] = known_.try_emplace(request);
    if (is_new) return Seen::never;
    if (at->second.durable) return Seen::durable;
    at->second.waiting.push_back(std::move(done));
    return Seen::in_flight;
}

std::vector<Intake::Done> Resends::finish(const Fingerprint& request, bool durable, UnixNanos now) {
    const std::lock_guard lock(mutex_);
    const auto at = known_.find(request);
    if (at == known_.end()) return {};
    std::vector<Intake::Done> waiting = std::move(at->second.waiting);
    if (durable) {
        at->second = {.durable = true, .waiting = {}};
        keep(request, now);
    } else {
        known_.erase(at);
    }
    return waiting;
}

void Resends::remember(const Fingerprint& request, UnixNanos now) {
    const std::lock_guard lock(mutex_);
    forget_old(now);
    if (known_.try_emplace(request, Known{.durable = true, .waiting = {}}).second) keep(request, now);
}

void Resends::keep(const Fingerprint& request, UnixNanos now) {
    order_.push_back({now, request});
    // What cannot be saved for so long is not worth more memory.
    if (!directory_.empty() && unsaved_.size() < limits_.requests) unsaved_.push_back({now, request});
}

void Resends::forget_old(UnixNanos now) {
    while (!order_.empty() &&
           (order_.front().first + limits_.lifetime < now || order_.size() >= limits_.requests)) {
        known_.erase(order_.front().second);
        order_.pop_front();
    }
}

// -- on disk
// -----------------------------------------------------------------------------------------------------------

Result<void> Resends::open(const std::filesystem::path& directory, UnixNanos now) {
    OBS_TRY_VOID(read(directory / older, now));
    entries_ = 0;
    OBS_TRY_VOID(read(directory / newer, now));
    directory_ = directory;
    return {};
}

// A damaged entry is a request that never comes again; what is left of a torn one is overwritten by the next.
Result<void> Resends::read(const std::filesystem::path& path, UnixNanos now) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        if (!std::filesystem::exists(path)) return {};
        return fail(ErrorKind::unavailable, "cannot read {}", path.string());
    }
    for (Stored entry{}; file.read(reinterpret_cast<char*>(&entry), sizeof entry); ++entries_) {
        if (entries_ == 0) began_ = entry.at;
        if (entry.at <= now && now - entry.at <= limits_.lifetime) remember(entry.request, entry.at);
    }
    return {};
}

Result<void> Resends::save(UnixNanos now) {
    std::vector<Stored> entries;
    {
        const std::lock_guard lock(mutex_);
        entries.swap(unsaved_);
    }
    if (entries.empty()) return {};
    auto saved = append(entries, now);
    if (saved) {
        failing_ = false;
        return saved;
    }
    // Once, not every second of an hour with a full disk.
    if (!std::exchange(failing_, true))
        log::warning("requests of the last minutes cannot be saved: {}", saved.error().message);
    const std::lock_guard lock(mutex_);
    entries.insert(entries.end(), unsaved_.begin(), unsaved_.end());
    unsaved_ = std::move(entries);
    return saved;
}

Result<void> Resends::append(const std::vector<Stored>& entries, UnixNanos now) {
    if (entries_ >= limits_.requests || now < began_ || now - began_ > limits_.lifetime)
        OBS_TRY_VOID(turn_over());
    if (entries_ == 0) began_ = now;
    const std::filesystem::path path = directory_ / newer;
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (file.number() < 0) return std::unexpected(system_error("open", path));
    const std::size_t bytes = entries.size() * sizeof(Stored);
    // At its place, so that what an earlier try left behind is overwritten.
    const auto wrote =
        ::pwrite(file.number(), entries.data(), bytes, static_cast<off_t>(entries_ * sizeof(Stored)));
    if (wrote != static_cast<ssize_t>(bytes) || ::fdatasync(file.number()) != 0)
        return std::unexpected(system_error("write", path));
    if (entries_ == 0) OBS_TRY_VOID(sync_directory(directory_));
    entries_ += entries.size();
    return {};
}

Result<void> Resends::turn_over() {
    std::error_code error;
    const std::filesystem::path path = directory_ / newer;
    if (entries_ != 0) std::filesystem::rename(path, directory_ / older, error);
    if (error) return fail(ErrorKind::unavailable, "cannot rename {}: {}", path.string(), error.message());
    entries_ = 0;
    return {};
}

}  // namespace obs
