#include "catalog/sign_in.h"

#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <unordered_map>

namespace obs {
namespace {

using Why = SignInRefusal::Why;

constexpr std::string_view wrong_credentials = "the name or the password is wrong";
constexpr std::size_t longest_email = 254, longest_agent = 200, longest_address = 64;

std::unexpected<SignInRefusal> wrong(std::string_view message) {
    return std::unexpected(SignInRefusal{.why = Why::wrong, .message = std::string(message)});
}

std::unexpected<SignInRefusal> too_often(std::chrono::seconds wait) {
    return std::unexpected(SignInRefusal{.why = Why::too_often,
                                         .message = "too many attempts failed; wait before the next one",
                                         .retry_after = wait});
}

SignInRefusal refusal_of(const Error& error) {
    if (error.kind == ErrorKind::overloaded)
        return {.why = Why::busy, .message = error.message, .retry_after = std::chrono::seconds(1)};
    if (error.kind == ErrorKind::invalid_input) return {.why = Why::invalid, .message = error.message};
    return {.why = Why::broken, .message = "the catalog does not answer", .error = error};
}

// OBS_TRY for what answers with a SignInRefusal.
#define OBS_SIGN_IN(expression)                                  \
    __extension__({                                              \
        auto result_ = (expression);                             \
        if (!result_) [[unlikely]]                               \
            return std::unexpected(refusal_of(result_.error())); \
        *std::move(result_);                                     \
    })

std::string lower_email(std::string_view email) {
    std::string lower(email.substr(0, longest_email));
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

// One who has an address of IPv6 has at least a /64 of them.
std::string network_of(std::string_view address) {
    if (address.find(':') == std::string_view::npos || address.starts_with("::ffff:"))
        return std::string(address);
    std::size_t groups = 0, end = 0;
    while (end < address.size() && groups < 4) groups += address[end++] == ':' ? 1 : 0;
    const std::string_view network = address.substr(0, end);
    return std::string(network.substr(0, std::min(network.find("::"), network.size())));
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string shown(text.substr(0, limit));
    std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
    return shown;
}

}  // namespace

struct Attempts::State {
    struct Count {
        int failures = 0;
        UnixNanos began{};
        std::list<std::string>::iterator place{};
    };

    std::mutex mutex;
    std::unordered_map<std::string, Count> counts;
    std::list<std::string> oldest_first;  // names of `counts`, by when they began

    Count& count(const std::string& name, UnixNanos now) {
        auto found = counts.find(name);
        if (found != counts.end() && now - found->second.began >= window) {
            drop(found);
            found = counts.end();
        }
        if (found != counts.end()) return found->second;
        if (counts.size() >= most_names) drop(counts.find(oldest_first.front()));
        Count& made = counts[name];
        made.began = now;
        made.place = oldest_first.insert(oldest_first.end(), name);
        return made;
    }
    void drop(std::unordered_map<std::string, Count>::iterator entry) {
        oldest_first.erase(entry->second.place);
        counts.erase(entry);
    }
};

namespace {

struct Bound {
    std::string name;
    int most;
};
// With a letter in front, so that a user cannot be named like an address.
std::array<Bound, 3> bounds(std::string_view user, std::string_view address) {
    const std::string network = network_of(address), name = lower_email(user);
    return {Bound{"b" + name + " " + network, Attempts::of_user_and_address},
            Bound{"u" + name, Attempts::of_user}, Bound{"a" + network, Attempts::of_address}};
}

}  // namespace

Attempts::Attempts() : state_(std::make_unique<State>()) {}
Attempts::~Attempts() = default;

std::optional<std::chrono::seconds> Attempts::begin(std::string_view user, std::string_view address,
                                                    UnixNanos now) {
    const std::lock_guard lock(state_->mutex);
    const auto all = bounds(user, address);
    for (const Bound& bound : all) {
        const State::Count& count = state_->count(bound.name, now);
        if (count.failures < bound.most) continue;
        const std::int64_t left = (window - (now - count.began)).count;
        return std::chrono::seconds(std::max<std::int64_t>(1, left / 1'000'000'000));
    }
    for (const Bound& bound : all) ++state_->count(bound.name, now).failures;
    return std::nullopt;
}

void Attempts::succeeded(std::string_view user, std::string_view address, UnixNanos now) {
    const std::lock_guard lock(state_->mutex);
    const auto all = bounds(user, address);
    if (const auto both = state_->counts.find(all[0].name); both != state_->counts.end()) state_->drop(both);
    for (std::size_t i = 1; i < all.size(); ++i) {
        State::Count& count = state_->count(all[i].name, now);
        count.failures = std::max(0, count.failures - 1);
    }
}

SignIn::SignIn(Catalog& catalog, Authority& authority, Options options)
    : catalog_(catalog),
      authority_(authority),
      accounts_(catalog),
      options_(options),
      passwords_(options.passwords) {}
SignIn::~SignIn() = default;

SignIned<SignedIn> SignIn::begin(const User& user, Origin from, UnixNanos now) {
    const Session session = OBS_SIGN_IN(accounts_.begin_session(user, options_.session_lifetime,
                                                                printable(from.address, longest_address),
                                                                printable(from.agent, longest_agent), now));
    // The user may have been made by another process in this second; the token is to count at once.
    if (const auto fresh = authority_.refresh(); !fresh) return std::unexpected(refusal_of(fresh.error()));
    const std::optional<Role> role = role_from(user.role);
    std::string token = OBS_SIGN_IN(authority_.tokens().issue({.role = role.value_or(Role::custom),
                                                               .lifetime = options_.session_lifetime,
                                                               .subject = user.id,
                                                               .org = user.org,
                                                               .projects = user.projects,
                                                               .role_name = role ? std::string() : user.role,
                                                               .session = session.id},
                                                              now));
    return SignedIn{std::move(token), options_.session_lifetime, user};
}

SignIned<SignedIn> SignIn::with_password(std::string_view email, const Secret& password, Origin from,
                                         UnixNanos now) {
    if (const auto wait = attempts_.begin(email, from.address, now)) return too_often(*wait);
    const std::optional<User> user = OBS_SIGN_IN(accounts_.user_by_email(email.substr(0, longest_email + 1)));
    // Asked for nobody too, so that it takes as long.
    std::string hash = OBS_SIGN_IN(accounts_.password_of(user ? user->id : std::string()));
    if (user && !user->active) hash.clear();
    if (!OBS_SIGN_IN(passwords_.matches(password, hash))) return wrong(wrong_credentials);
    attempts_.succeeded(email, from.address, now);
    return begin(*user, from, now);
}

SignIned<SignedIn> SignIn::with_code(const Secret& code, Origin from, UnixNanos now) {
    constexpr std::string_view anybody = "code";
    if (const auto wait = attempts_.begin(anybody, from.address, now)) return too_often(*wait);
    const std::optional<User> user = OBS_SIGN_IN(accounts_.redeem_login_code(code, now));
    if (!user) return wrong("the one-time login is wrong, was used, or is older than 15 minutes");
    attempts_.succeeded(anybody, from.address, now);
    return begin(*user, from, now);
}

SignIned<Bought> SignIn::with_key(std::string_view key_id, const Secret& key, Origin from, UnixNanos now) {
    if (const auto wait = attempts_.begin(key_id, from.address, now)) return too_often(*wait);
    if (const auto fresh = authority_.refresh(); !fresh) return std::unexpected(refusal_of(fresh.error()));
    const auto known = authority_.of_key(key.reveal(), now);
    if (!known || (*known)->key != key_id) return wrong("the client_id or the client_secret is wrong");
    attempts_.succeeded(key_id, from.address, now);
    const Principal& principal = **known;
    Nanos lifetime = options_.bought_lifetime;
    if (principal.expires.since_epoch != 0)
        lifetime = std::max(Nanos::seconds(1), std::min(lifetime, principal.expires - now));
    std::string token = OBS_SIGN_IN(authority_.tokens().issue({.role = principal.role,
                                                               .lifetime = lifetime,
                                                               .subject = principal.subject,
                                                               .org = principal.org,
                                                               .projects = principal.projects,
                                                               .role_name = principal.role_name,
                                                               .permissions = principal.permissions,
                                                               .key = principal.key},
                                                              now));
    return Bought{std::move(token), lifetime};
}

SignIned<void> SignIn::change_password(const Principal& who, const Secret& current, const Secret& chosen,
                                       Origin from, UnixNanos now) {
    const std::string kept = OBS_SIGN_IN(accounts_.password_of(who.user));
    if (!kept.empty()) {
        if (const auto wait = attempts_.begin(who.user, from.address, now)) return too_often(*wait);
        if (!OBS_SIGN_IN(passwords_.matches(current, kept))) return wrong("the current password is wrong");
        attempts_.succeeded(who.user, from.address, now);
    }
    const std::string hash = OBS_SIGN_IN(passwords_.hash(chosen));
    if (const auto set = accounts_.set_password(who.user, hash, who.session, now); !set)
        return std::unexpected(refusal_of(set.error()));
    if (const auto fresh = authority_.refresh(); !fresh) return std::unexpected(refusal_of(fresh.error()));
    return {};
}

Result<std::optional<Secret>> first_login(Catalog& catalog, UnixNanos now) {
    constexpr std::string_view org = "default", email = "admin@localhost";
    Accounts accounts(catalog);
    if (OBS_TRY(accounts.has_admin_with_password(org))) return std::optional<Secret>();
    std::optional<User> admin = OBS_TRY(accounts.user_by_email(email));
    if (!admin)
        admin = OBS_TRY(accounts.create_user({.org = std::string(org),
                                              .email = std::string(email),
                                              .name = "Administrator",
                                              .role = std::string(name_of(Role::admin)),
                                              .projects = {"default"}},
                                             now));
    // Another server made it in this moment, and shows the way in; or somebody took the right away from it.
    if (!admin || !admin->active || admin->role != name_of(Role::admin)) return std::optional<Secret>();
    return std::optional(OBS_TRY(accounts.create_login_code(admin->id, now)));
}

}  // namespace obs
