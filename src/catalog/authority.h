// Who a token or a key stands for, now: what it says, joined with what the catalog knows of users, roles,
// sessions, keys and revocations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "catalog/each_second.h"
#include "catalog/tokens.h"

namespace obs {

// The facts are kept in memory: checks touch no disk and may run on an I/O thread. What was revoked or
// changed counts at once after refresh(), and within a second when another process did it. While the catalog
// does not answer, the last facts stay in force.
//
// A token of a sign-in has the rights that its user has now; a key, and a token that it bought, at most those
// of its owner. A token made on the command line or by a trusted issuer has what it says, unless its subject
// is the id or email of a user who is not active.
class Authority {
public:
    using Recognised = std::expected<std::shared_ptr<const Principal>, TokenRefusal>;
    // Tokens that were checked before are known by their text, this many at once.
    static constexpr std::size_t known_tokens = 8192;

    // Reads everything. `catalog` must outlive this object.
    static Result<std::unique_ptr<Authority>> load(Catalog& catalog, AccessTokens tokens,
                                                   Clock clock = system_now);
    ~Authority();

    // A key or a token, without its scheme.
    Recognised of(std::string_view credential, UnixNanos now) const {
        return credential.starts_with("llmo_sk_") ? of_key(credential, now) : of_token(credential, now);
    }
    Recognised of_token(std::string_view token, UnixNanos now) const;
    // `llmo_sk_…`; a key that only sends data asks for nothing.
    Recognised of_key(std::string_view key, UnixNanos now) const;

    const AccessTokens& tokens() const;

    // Takes over what changed in the catalog. A failure leaves everything as it is.
    Result<void> refresh();
    // From a thread of its own, until this object ends: takes over changes each second, writes down when keys
    // were used, forgets what is over.
    void keep_fresh();

private:
    struct State;
    explicit Authority(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
    EachSecond refresher_;  // must be last
};

}  // namespace obs
