// Keeps everything in memory: for tests, for trying things out, and as the plain meaning of the seam.
#pragma once

#include <cstdint>
#include <memory>

#include "store/span_store.h"

namespace obs {

struct MemoryStoreOptions {
    // When more is held, the oldest rows go, some thousands at a time.
    std::size_t most_bytes = std::size_t{512} << 20;
    // Ids of writes that are remembered; a write repeated after so many others is stored again.
    std::size_t most_ids = 100'000;
};

// Any thread may call anything. Readers see whole writes and never wait for one; writes, amendments and
// erasures wait for each other. Nothing outlives the process.
//
// A question for groups is refused with `too_large` when its budget is used up: a figure over a part of the
// rows would look like a figure over all of them.
class MemoryStore final : public SpanStore {
public:
    explicit MemoryStore(MemoryStoreOptions options = {});
    ~MemoryStore() override;

    Result<void> migrate() override;
    Result<void> write(const AnyBatch& rows, std::string_view id) override;
    Result<void> amend(const Amendments& amendments) override;
    Result<Rows> rows(const RowQuestion& question, const Cancel& cancel) override;
    Result<Table> groups(const GroupQuestion& question, const Cancel& cancel) override;
    Result<void> stream(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                        const Cancel& cancel) override;
    Result<void> forget(const Forget& what) override;
    StoreHealth health() override;

    // Rows that had to go because there was no room.
    std::uint64_t dropped_rows() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace obs
