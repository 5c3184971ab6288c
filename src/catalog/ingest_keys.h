// Who may send data, and how much: ingest keys with their quotas (decisions 1, 31, 33).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/time.h"
#include "catalog/catalog.h"
#include "catalog/each_second.h"
#include "model/intake.h"

namespace obs {

// Keys are kept in memory. A key made or revoked by another process counts within a second. A text that looks
// like a key and is not known is looked up in the catalog at once, at most 20 times a second for all callers
// together.
//
// On loopback no key is needed: whoever sends none, or a credential that is not of our form (exporters for
// other products always send one), writes to project `default`. A key of our form must be valid everywhere.
class IngestKeys final : public IngestAuthority {
public:
    static constexpr int lookups_per_second = 20;

    // Reads all keys. `catalog` must outlive this object.
    static Result<std::unique_ptr<IngestKeys>> load(const Catalog& catalog, Clock clock = system_now);
    ~IngestKeys() override;

    // `credential` may carry its scheme (`Bearer …`, or `Basic …` with the key as password). Fails with
    // `unauthenticated` (none where one is needed, unknown, revoked) or `overloaded` (the quota of the key or
    // of its project used up, too many unknown keys in this second). Quotas are buckets of one second; a body
    // above what is left is let through once and paid for by the requests after it.
    Result<Tenant> admit(std::string_view credential, bool from_loopback) override;
    void charge(const Tenant& tenant, std::size_t bytes) override;

    // Takes over what changed in the catalog. A failure leaves the keys as they are.
    Result<void> refresh();
    // Writes down when keys were used last, as far as it is not written yet.
    Result<void> note_uses();
    // Calls both, refresh() each second from a thread of its own until this object ends; nobody else
    // calls them then.
    void keep_fresh();

private:
    struct State;
    explicit IngestKeys(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
    EachSecond refresher_;  // must be last
};

}  // namespace obs
