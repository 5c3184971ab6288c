#include "journal/journal.h"

#include <fcntl.h>
#include <lz4.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "base/failpoint.h"
#include "base/hash.h"
#include "base/log.h"
#include "journal/segment.h"

namespace obs {

namespace {

// At most so much is written and synced together.
constexpr std::size_t group_bytes = std::size_t{16} << 20;
constexpr std::size_t group_records = 512;
// Records that are larger than a segment get one of their own, in steps of this.
constexpr std::uint64_t size_step = 1 << 20;
// Of LZ4, which counts in int.
constexpr std::size_t largest_payload = LZ4_MAX_INPUT_SIZE;

// A record on its way to the disk. Its header is completed by the journal's thread.
struct Pending {
    RecordHeader header;
    std::unique_ptr<char[]> stored;
    Journal::Done done;

    std::size_t size() const { return sizeof header + header.stored_bytes; }
};

Pending pack(RecordKind kind, std::string_view payload, Journal::Done done) {
    Pending pending{.header = {}, .stored = nullptr, .done = std::move(done)};
    pending.header.kind = static_cast<std::uint32_t>(kind);
    pending.header.raw_bytes = static_cast<std::uint32_t>(payload.size());
    const int room = LZ4_compressBound(static_cast<int>(payload.size()));
    pending.stored = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(room));
    int packed =
        LZ4_compress_default(payload.data(), pending.stored.get(), static_cast<int>(payload.size()), room);
    if (packed <= 0 || static_cast<std::size_t>(packed) >= payload.size()) {
        std::memcpy(pending.stored.get(), payload.data(), payload.size());
        packed = static_cast<int>(payload.size());
    }
    pending.header.stored_bytes = static_cast<std::uint32_t>(packed);
    pending.header.payload_crc =
        crc32c({reinterpret_cast<const std::byte*>(pending.stored.get()), pending.header.stored_bytes});
    return pending;
}

void complete(RecordHeader& header, std::uint64_t epoch, Sequence sequence, Sequence durable) {
    header.epoch = epoch;
    header.sequence = sequence;
    header.durable = durable;
    constexpr std::size_t covered_from = offsetof(RecordHeader, payload_crc);
    header.header_crc =
        crc32c({reinterpret_cast<const std::byte*>(&header) + covered_from, sizeof header - covered_from});
}

// Writes all pieces at one place of a file, whatever the system takes at a time.
bool write_all(int file, std::vector<iovec> pieces, std::uint64_t at) {
    std::size_t next = 0;
    while (next < pieces.size()) {
        const int count = static_cast<int>(std::min<std::size_t>(pieces.size() - next, 1024));
        ssize_t wrote = ::pwritev(file, &pieces[next], count, static_cast<off_t>(at));
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        at += static_cast<std::uint64_t>(wrote);
        while (wrote > 0 && static_cast<std::size_t>(wrote) >= pieces[next].iov_len) {
            wrote -= static_cast<ssize_t>(pieces[next].iov_len);
            ++next;
        }
        if (wrote > 0) {
            pieces[next].iov_base = static_cast<char*>(pieces[next].iov_base) + wrote;
            pieces[next].iov_len -= static_cast<std::size_t>(wrote);
        }
    }
    return true;
}

// The position up to which nothing is needed any more, in a small file of its own.
class ConfirmedFile {
public:
    Result<void> open(const std::filesystem::path& path) {
        file_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (file_.number() < 0) return std::unexpected(system_error("open", path));
        return {};
    }
    // 0 when nothing readable is there: then more is replayed, which does no harm.
    Sequence read() const {
        Stored stored;
        if (::pread(file_.number(), &stored, sizeof stored, 0) != sizeof stored ||
            stored.crc != stored.right_crc())
            return 0;
        return stored.sequence;
    }
    bool write(Sequence sequence) {
        Stored stored{.sequence = sequence};
        stored.crc = stored.right_crc();
        return ::pwrite(file_.number(), &stored, sizeof stored, 0) == sizeof stored &&
               ::fdatasync(file_.number()) == 0;
    }

private:
    struct Stored {
        std::uint64_t sequence = 0;
        std::uint64_t crc = 0;
        std::uint64_t right_crc() const {
            return crc32c({reinterpret_cast<const std::byte*>(&sequence), sizeof sequence}, 0x4F42);
        }
    };
    Descriptor file_;
};

class SegmentedJournal final : public Journal {
public:
    explicit SegmentedJournal(Options options) : options_(with_room_to_recycle(std::move(options))) {}
    ~SegmentedJournal() override {
        if (writer_.joinable()) {
            writer_.request_stop();
            work_.notify_all();
            writer_.join();
        }
    }

    Result<void> start() {
        OBS_TRY_VOID(confirmed_file_.open(options_.directory / "confirmed"));
        confirmed_ = saved_confirmed_ = confirmed_file_.read();
        OBS_TRY_VOID(find_segments());
        OBS_TRY_VOID(find_records());
        if (used_.empty()) OBS_TRY_VOID(open_next_segment(options_.segment_size, Room::whatever_it_takes));
        publish_stats();
        writer_ = std::jthread([this](std::stop_token stop) { run(stop); });
        return {};
    }

    const Recovery& recovery() const override { return recovery_; }

    Result<void> replay(Sequence from, const Deliver& deliver) override {
        return replay_heads(from, largest_payload, deliver);
    }

    Result<void> replay_heads(Sequence from, std::size_t bytes, const Deliver& deliver) override {
        from = std::max(from, recovery_.oldest);
        for (Part part; (part = part_with(from)).first != 0;) {
            const Segment segment = OBS_TRY(open_segment(part.path));
            // Used again meanwhile: then all of it was confirmed, and so were the records the caller asks
            // for.
            if (segment.epoch != part.epoch) return {};
            const auto visit = [&](const RecordHeader& header, std::string_view stored) -> Result<void> {
                if (header.sequence < from || header.sequence > part.last) return {};
                const std::string raw = OBS_TRY(unpack(header, stored, bytes), "{}", segment.path.string());
                OBS_TRY_VOID(deliver(header.sequence, static_cast<RecordKind>(header.kind), raw));
                from = header.sequence + 1;
                return {};
            };
            OBS_TRY_VOID(scan_segment(segment, visit));
            if (from <= part.last)
                return fail(ErrorKind::corrupt, "{}: record {} cannot be read", segment.path.string(), from);
        }
        return {};
    }

    void submit(RecordKind kind, std::string_view payload, Done done) override {
        if (payload.size() > largest_payload) {
            done(fail(ErrorKind::too_large, "a record of {} bytes is over the journal's limit",
                      payload.size()));
            return;
        }
        if (queued_bytes_.load(std::memory_order_relaxed) > options_.queue_bytes) {
            ++refused_;
            done(fail(ErrorKind::overloaded, "the journal's queue is full"));
            return;
        }
        Pending pending = pack(kind, payload, std::move(done));
        queued_bytes_ += pending.size();
        {
            const std::lock_guard lock(mutex_);
            queue_.push_back(std::move(pending));
        }
        work_.notify_one();
    }

    void confirm(Sequence up_to) override {
        const std::lock_guard lock(mutex_);
        if (up_to <= confirmed_) return;
        confirmed_ = up_to;
        // The first used segment is done with: the thread must wake up to take it back.
        if (up_to >= first_segment_last_) work_.notify_one();
    }

    Stats stats() const override {
        const std::lock_guard lock(mutex_);
        Stats shown = stats_;
        shown.confirmed = confirmed_;
        shown.queued_bytes = queued_bytes_;
        shown.refused = refused_;
        return shown;
    }

private:
    static Options with_room_to_recycle(Options options) {
        options.disk_budget = std::max<std::uint64_t>(options.disk_budget, 2 * options.segment_size);
        return options;
    }

    // The durable records of one segment.
    struct Part {
        std::filesystem::path path;
        std::uint64_t epoch = 0;
        Sequence first = 0, last = 0;
    };
    // Of the segment that holds `sequence`; nothing when that is not durable yet.
    Part part_with(Sequence sequence) const {
        const std::lock_guard lock(mutex_);
        for (const Segment& segment : used_)
            if (sequence <= segment.last && segment.first <= segment.last)
                return {segment.path, segment.epoch, segment.first, segment.last};
        return {};
    }

    // -- at the start
    // ------------------------------------------------------------------------------------------------

    Result<void> find_segments() {
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(options_.directory, error)) {
            if (entry.path().extension() != ".segment") continue;
            Segment segment = OBS_TRY(open_segment(entry.path()));
            disk_bytes_ += segment.capacity;
            number_ =
                std::max<std::uint64_t>(number_, std::strtoull(entry.path().stem().c_str(), nullptr, 10));
            epoch_ = std::max(epoch_, segment.epoch);
            if (segment.epoch == 0)
                free_.push_back(std::move(segment));
            else
                used_.push_back(std::move(segment));
        }
        if (error)
            return fail(ErrorKind::unavailable, "cannot list {}: {}", options_.directory.string(),
                        error.message());
        std::ranges::sort(used_, {}, [](const Segment& s) { return std::pair(s.first, s.epoch); });
        return {};
    }

    // Looks into every used file; what is not needed any more becomes free.
    Result<void> find_records() {
        for (Segment& segment : used_) {
            const Scan scan = OBS_TRY(scan_segment(segment, [](auto&&...) { return Result<void>(); }));
            if (scan.acknowledged_damage && scan.last + 1 > confirmed_)
                return fail(ErrorKind::corrupt, "{}: record {} at byte {} was acknowledged and is damaged",
                            segment.path.string(), scan.last + 1, scan.end);
            segment.last = scan.last;
            segment.used = scan.end;
            recovery_.torn_bytes += scan.torn;
        }
        OBS_TRY_VOID(check_that_nothing_is_missing());
        while (used_.size() > 1 && used_.front().last <= confirmed_) free_front();
        if (!used_.empty()) durable_ = used_.back().last;
        durable_ = std::max(durable_, confirmed_);
        // Records are never written behind what may be torn: the tail stays as it is, the next ones go to a
        // new file.
        // A program that ends again and again before it writes anything must not fill the disk with them.
        while (!used_.empty() && used_.back().last < used_.back().first) {
            used_.back().epoch = 0;
            free_.push_back(std::move(used_.back()));
            used_.pop_back();
        }
        if (!used_.empty()) OBS_TRY_VOID(open_next_segment(options_.segment_size, Room::whatever_it_takes));
        if (!used_.empty()) recovery_.oldest = used_.front().first;
        recovery_.last = durable_ > confirmed_ ? durable_ : 0;
        recovery_.first = recovery_.last == 0 ? 0 : std::max(confirmed_ + 1, used_.front().first);
        return {};
    }

    // Every segment must begin where the one before ends. One that ends later holds writes that failed and
    // were refused; one that ends earlier is an old one, of which nothing is needed, or has lost records.
    Result<void> check_that_nothing_is_missing() {
        for (std::size_t i = 0; i + 1 < used_.size(); ++i) {
            Segment& segment = used_[i];
            const Sequence next = used_[i + 1].first;
            segment.last = std::min(segment.last, next - 1);
            if (segment.last + 1 < next && next - 1 > confirmed_)
                return fail(ErrorKind::corrupt, "{}: records {} to {} are missing behind byte {}",
                            segment.path.string(), segment.last + 1, next - 1, segment.used);
        }
        return {};
    }

    // -- the journal's thread
    // ----------------------------------------------------------------------------------------

    void run(const std::stop_token& stop) {
        while (true) {
            std::vector<Pending> group = next_group(stop);
            if (group.empty() && stop.stop_requested()) break;
            if (!group.empty()) commit(group);
            recycle();
        }
        save_confirmed();
    }

    std::vector<Pending> next_group(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        work_.wait(lock, stop, [&] { return !queue_.empty() || confirmed_ >= first_segment_last_; });
        std::vector<Pending> group;
        for (std::size_t bytes = 0; !queue_.empty() && group.size() < group_records && bytes < group_bytes;) {
            bytes += queue_.front().size();
            group.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        return group;
    }

    // Writes the group, in as many pieces as segments ask for, and tells everyone.
    void commit(std::vector<Pending>& group) {
        for (std::size_t begin = 0; begin < group.size();) {
            if (!admits(group[begin])) {
                refuse(std::span(&group[begin++], 1), over_budget());
                continue;
            }
            if (auto ready = make_room(group[begin]); !ready) {
                if (ready.error().kind == ErrorKind::overloaded) {
                    refuse(std::span(&group[begin++], 1), ready.error());
                    continue;
                }
                refuse({group.begin() + static_cast<std::ptrdiff_t>(begin), group.end()}, ready.error());
                return;
            }
            std::size_t end = begin;
            for (std::uint64_t room = active().capacity - active().used;
                 end < group.size() && group[end].size() <= room && admits(group[end]); ++end)
                room -= group[end].size();
            const std::span<Pending> part(&group[begin], end - begin);
            if (auto written = write(part); !written) {
                // What such a file holds is not known any more (a failed sync is not repeated by a second
                // one).
                broken_ = true;
                refuse({group.begin() + static_cast<std::ptrdiff_t>(begin), group.end()}, written.error());
                return;
            }
            acknowledge(part);
            begin = end;
        }
    }

    Result<void> write(std::span<Pending> part) {
        std::vector<iovec> pieces;
        pieces.reserve(part.size() * 2);
        Sequence sequence = durable_;
        std::uint64_t bytes = 0;
        for (Pending& pending : part) {
            complete(pending.header, active().epoch, ++sequence, durable_);
            pieces.push_back({&pending.header, sizeof pending.header});
            if (pending.header.stored_bytes != 0)
                pieces.push_back({pending.stored.get(), pending.header.stored_bytes});
            bytes += pending.size();
        }
        if (!write_all(active().file.number(), std::move(pieces), active().used))
            return std::unexpected(system_error("write", active().path));
        failpoint("journal.written");
        const auto before = std::chrono::steady_clock::now();
        if (::fdatasync(active().file.number()) != 0)
            return std::unexpected(system_error("sync", active().path));
        sync_nanos_ +=
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - before)
                .count();
        failpoint("journal.synced");
        active().used += bytes;
        durable_ = sequence;
        {
            const std::lock_guard lock(mutex_);
            active().last = sequence;
        }
        bytes_ += bytes;
        records_ += part.size();
        ++commits_;
        return {};
    }

    void acknowledge(std::span<Pending> part) {
        publish_stats();
        if (std::exchange(refusing_, false)) log::info("journal: accepts records again");
        for (Pending& pending : part) {
            queued_bytes_ -= pending.size();
            pending.done(pending.header.sequence);
            failpoint("journal.acknowledged");
        }
    }

    void refuse(std::span<Pending> part, const Error& reason) {
        ++failed_commits_;
        publish_stats();
        // Once, not for every request of an hour with a full disk.
        if (!std::exchange(refusing_, true)) log::warning("journal: refuses records: {}", reason.message);
        for (Pending& pending : part) {
            queued_bytes_ -= pending.size();
            ++refused_;
            pending.done(std::unexpected(reason));
        }
    }

    Segment& active() { return used_.back(); }

    // What the store's writer notes is taken beyond the budget, in one segment more: it brings the store on,
    // and so makes room again. Rows wait until then.
    enum class Room { within_budget, whatever_it_takes };
    static Room room_for(const Pending& pending) {
        return pending.header.kind == static_cast<std::uint32_t>(RecordKind::rows) ? Room::within_budget
                                                                                   : Room::whatever_it_takes;
    }
    bool admits(const Pending& pending) const {
        return room_for(pending) == Room::whatever_it_takes || disk_bytes_ <= options_.disk_budget;
    }
    Error over_budget() const {
        return {ErrorKind::overloaded,
                fmt::format("the journal has used its {} bytes of disk", options_.disk_budget),
                {}};
    }

    Result<void> make_room(const Pending& pending) {
        if (!broken_ && active().used + pending.size() <= active().capacity) return {};
        const std::uint64_t needed = pending.size() + sizeof(SegmentHeader);
        OBS_TRY_VOID(
            open_next_segment(std::max<std::uint64_t>(options_.segment_size, needed), room_for(pending)));
        broken_ = false;
        return {};
    }

    Result<void> open_next_segment(std::uint64_t capacity, Room room) {
        Segment segment = OBS_TRY(take_segment(capacity, room));
        segment.epoch = ++epoch_;
        segment.first = durable_ + 1;
        segment.last = durable_;
        const std::string header = encode_header(segment);
        segment.used = header.size();
        if (::pwrite(segment.file.number(), header.data(), header.size(), 0) !=
                static_cast<ssize_t>(header.size()) ||
            ::fdatasync(segment.file.number()) != 0) {
            const Error error = system_error("begin", segment.path);
            segment.epoch = 0;
            free_.push_back(std::move(segment));
            return std::unexpected(error);
        }
        const std::lock_guard lock(mutex_);
        used_.push_back(std::move(segment));
        note_first_segment();
        return {};
    }

    // A free file of that size, else a new one.
    Result<Segment> take_segment(std::uint64_t capacity, Room room) {
        const auto fitting =
            std::ranges::find_if(free_, [&](const Segment& s) { return s.capacity == capacity; });
        if (fitting != free_.end()) {
            Segment segment = std::move(*fitting);
            free_.erase(fitting);
            return segment;
        }
        if (capacity != options_.segment_size) capacity = (capacity + size_step - 1) / size_step * size_step;
        if (room == Room::within_budget && disk_bytes_ + capacity > options_.disk_budget)
            return std::unexpected(over_budget());
        const auto path = options_.directory / fmt::format("{:08}.segment", ++number_);
        Segment segment = OBS_TRY(create_segment(path, capacity));
        disk_bytes_ += capacity;
        return segment;
    }

    // Takes back the segments of which nothing is needed.
    void recycle() {
        const Sequence confirmed = confirmed_sequence();
        if (used_.size() < 2 || used_.front().last > confirmed) return;
        // First on disk: so a replay never begins in the middle of what one boundary wrote.
        if (!save_confirmed()) {
            const std::lock_guard lock(mutex_);
            first_segment_last_ = confirmed_ + 1;  // tried again when more is confirmed
            return;
        }
        failpoint("journal.confirmed");
        {
            const std::lock_guard lock(mutex_);
            while (used_.size() > 1 && used_.front().last <= confirmed) free_front();
            note_first_segment();
        }
        failpoint("journal.recycled");
        publish_stats();
    }

    void free_front() {
        Segment segment = std::move(used_.front());
        used_.pop_front();
        if (segment.capacity == options_.segment_size && disk_bytes_ <= options_.disk_budget) {
            segment.epoch = 0;
            free_.push_back(std::move(segment));
            return;
        }
        disk_bytes_ -= segment.capacity;
        std::error_code ignored;  // it stays as a used file of which nothing is needed, and is tried again at
                                  // the next start
        std::filesystem::remove(segment.path, ignored);
    }

    Sequence confirmed_sequence() const {
        const std::lock_guard lock(mutex_);
        return confirmed_;
    }

    bool save_confirmed() {
        const Sequence confirmed = confirmed_sequence();
        if (confirmed == saved_confirmed_) return true;
        if (!confirmed_file_.write(confirmed)) return false;
        saved_confirmed_ = confirmed;
        return true;
    }

    // Under mutex_.
    void note_first_segment() { first_segment_last_ = used_.size() > 1 ? used_.front().last : ~Sequence{0}; }

    void publish_stats() {
        const std::lock_guard lock(mutex_);
        stats_ = {.last_durable = durable_,
                  .disk_bytes = disk_bytes_,
                  .disk_budget = options_.disk_budget,
                  .segments = used_.size() + free_.size(),
                  .commits = commits_,
                  .records = records_,
                  .bytes = bytes_,
                  .failed_commits = failed_commits_,
                  .sync_nanos = sync_nanos_};
    }

    const Options options_;
    Recovery recovery_;
    ConfirmedFile confirmed_file_;

    // Of the journal's thread, once it runs. It alone changes `used_` and the last sequences in it, under
    // mutex_, so that it may read them without.
    std::deque<Segment> used_;  // oldest first; the last one is written to
    std::vector<Segment> free_;
    std::uint64_t number_ = 0, epoch_ = 0, disk_bytes_ = 0;
    std::uint64_t commits_ = 0, records_ = 0, bytes_ = 0, failed_commits_ = 0, sync_nanos_ = 0;
    Sequence durable_ = 0, saved_confirmed_ = 0;
    bool broken_ = false, refusing_ = false;

    mutable std::mutex mutex_;
    std::condition_variable_any work_;
    std::deque<Pending> queue_;                   // under mutex_
    Sequence confirmed_ = 0;                      // under mutex_
    Sequence first_segment_last_ = ~Sequence{0};  // under mutex_: confirmed up to here means work
    Stats stats_;                                 // under mutex_
    std::atomic<std::uint64_t> queued_bytes_ = 0, refused_ = 0;

    std::jthread writer_;
};

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(Options options) {
    auto journal = std::make_unique<SegmentedJournal>(std::move(options));
    OBS_TRY_VOID(journal->start(), "cannot open the journal");
    return journal;
}

}  // namespace obs
