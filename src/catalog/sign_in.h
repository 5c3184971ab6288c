// Signing in: with a password, a one-time login or a key, and how often one may try.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "catalog/accounts.h"
#include "catalog/authority.h"
#include "catalog/passwords.h"

namespace obs {

struct SignedIn {
    std::string token;
    Nanos lifetime;
    User user;
};

struct Bought {
    std::string token;
    Nanos lifetime;
};

struct SignInRefusal {
    enum class Why : std::uint8_t {
        wrong,      // the password, the code or the key; nobody learns which part
        too_often,  // wait for `retry_after`
        busy,       // too many sign in at once; wait for `retry_after`
        invalid,    // a new password that cannot be one
        broken,     // the catalog does not answer; `error` says it
    };
    Why why = Why::wrong;
    std::string message{};
    std::chrono::seconds retry_after{0};
    std::optional<Error> error{};
};
template <class T>
using SignIned = std::expected<T, SignInRefusal>;

// Where an attempt comes from.
struct Origin {
    std::string_view address;
    std::string_view agent{};
};

// Failed attempts, as many as may be made in 15 minutes: for one user from one address, for one user from
// everywhere, from one address. Addresses of IPv6 count by their /64. Bounded; in memory, so that a restart
// forgets it. Thread-safe.
class Attempts {
public:
    static constexpr int of_user_and_address = 10, of_user = 100, of_address = 100;
    static constexpr Nanos window = Nanos::seconds(15 * 60);
    static constexpr std::size_t most_names = 20'000;

    Attempts();
    ~Attempts();

    // Counts an attempt before it is made. Nothing: go on; else how long to wait.
    std::optional<std::chrono::seconds> begin(std::string_view user, std::string_view address, UnixNanos now);
    // It was right: it does not count, and what the user did wrong from this address is forgotten.
    void succeeded(std::string_view user, std::string_view address, UnixNanos now);

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Thread-safe. Every call may wait for a hash and for the catalog: for workers alone.
class SignIn {
public:
    struct Options {
        Nanos session_lifetime = Nanos::hours(12);
        Nanos bought_lifetime = Nanos::hours(1);
        Passwords::Options passwords{};
    };
    // All must outlive this object.
    SignIn(Catalog& catalog, Authority& authority, Options options);
    ~SignIn();

    // A wrong password and an unknown user take the same time and are told alike.
    SignIned<SignedIn> with_password(std::string_view email, const Secret& password, Origin from,
                                     UnixNanos now);
    SignIned<SignedIn> with_code(const Secret& code, Origin from, UnixNanos now);
    // A token for a key, which ends with it.
    SignIned<Bought> with_key(std::string_view key_id, const Secret& key, Origin from, UnixNanos now);
    // `current` is needed when there is a password. Ends the user's other sessions.
    SignIned<void> change_password(const Principal& who, const Secret& current, const Secret& chosen,
                                   Origin from, UnixNanos now);

private:
    SignIned<SignedIn> begin(const User& user, Origin from, UnixNanos now);

    Catalog& catalog_;
    Authority& authority_;
    Accounts accounts_;
    const Options options_;
    Passwords passwords_;
    Attempts attempts_;
};

// When nobody can sign in as an admin of organisation `default` with a password: makes that user
// (`admin@localhost`) if there is none, and a one-time login. Nothing when somebody can.
Result<std::optional<Secret>> first_login(Catalog& catalog, UnixNanos now);

}  // namespace obs
