#include "catalog/authority.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <unordered_set>

#include "base/hash.h"
#include "base/log.h"
#include "catalog/accounts.h"
#include "catalog/sha256.h"

namespace obs {
namespace {

constexpr std::size_t longest_key = 200;
constexpr std::size_t shards = 16;
constexpr int rounds_between_notes = 10, rounds_between_forgetting = 3600;

using Known = std::shared_ptr<const Principal>;

std::unexpected<TokenRefusal> refuse(TokenFault fault, std::string_view message) {
    return std::unexpected(TokenRefusal{fault, std::string(message)});
}

std::string in_lower_case(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

struct KnownKey {
    Known principal;  // null: it may not ask
    std::string refusal{};
    // When it was used last, as far as it is not written down.
    std::shared_ptr<std::atomic<std::int64_t>> used = std::make_shared<std::atomic<std::int64_t>>(0);
};

// What the catalog said at one moment. Immutable.
struct Facts {
    std::uint64_t generation = 0;
    std::unordered_map<std::string, User> users;          // by id
    std::unordered_map<std::string, std::string> emails;  // in lower case, to the id
    std::map<std::pair<std::string, std::string>, std::vector<std::string>>
        roles;                                            // by organisation and name
    std::unordered_map<std::string, KnownKey> keys;       // by id
    std::unordered_map<std::string, std::string> hashes;  // of keys, to the id
    std::unordered_set<std::string> revoked;              // jti
    std::unordered_set<std::string> open_content;         // projects whose viewers may read content

    const User* user(std::string_view id_or_email) const {
        auto found = users.find(std::string(id_or_email));
        if (found == users.end()) {
            const auto email = emails.find(in_lower_case(id_or_email));
            if (email != emails.end()) found = users.find(email->second);
        }
        return found == users.end() ? nullptr : &found->second;
    }
    // Nothing for a role that the organisation does not have.
    const std::vector<std::string>* custom(const std::string& org, const std::string& name) const {
        const auto found = roles.find({org, name});
        return found == roles.end() ? nullptr : &found->second;
    }
};

// Viewers of projects that all say so may read content (decision 32).
void add_content(const Facts& facts, Principal& viewer) {
    const bool open = viewer.role == Role::viewer && !viewer.projects.empty() &&
                      std::ranges::all_of(viewer.projects, [&](const std::string& project) {
                          return facts.open_content.contains(project);
                      });
    if (open) viewer.permissions.emplace_back("read:content");
}

Principal principal_of(const Facts& facts, const User& user) {
    Principal principal{};
    principal.subject = principal.user = user.id;
    principal.org = user.org;
    principal.projects = user.projects;
    const std::optional<Role> built_in = role_from(user.role);
    principal.role = built_in.value_or(Role::custom);
    if (built_in) {
        principal.permissions = permissions_of(*built_in);
    } else {
        principal.role_name = user.role;
        // A role that was deleted meanwhile allows nothing.
        if (const auto* permissions = facts.custom(user.org, user.role)) principal.permissions = *permissions;
    }
    add_content(facts, principal);
    return principal;
}

std::vector<std::string> without_ingest(const std::vector<std::string>& scopes) {
    std::vector<std::string> permissions;
    std::ranges::copy_if(scopes, std::back_inserter(permissions),
                         [](const std::string& scope) { return scope != ingest_scope; });
    return permissions;
}

// What the key may do of what its owner may.
Principal principal_of(const Facts& facts, const ApiKey& key, const User* owner) {
    Principal principal{};
    if (owner != nullptr) principal = principal_of(facts, *owner);
    const Principal bounds = principal;
    principal.subject = "key:" + key.id;
    principal.org = key.org;
    principal.key = key.id;
    principal.requests_per_minute = key.requests_per_minute;
    principal.expires = key.expires.value_or(UnixNanos{});
    principal.permissions = without_ingest(key.scopes);
    if (!key.projects.empty()) {
        principal.projects = key.projects;
        principal.limited_to_projects = true;
    }
    if (owner == nullptr) {
        principal.role = Role::custom;
        principal.role_name = "key";
        return principal;
    }
    if (std::ranges::find(principal.permissions, "*") != principal.permissions.end())
        principal.permissions = bounds.permissions;
    std::erase_if(principal.permissions, [&](const std::string& held) { return !bounds.may(held); });
    if (!bounds.sees_all_projects())
        std::erase_if(principal.projects, [&](const std::string& project) {
            return std::ranges::find(bounds.projects, project) == bounds.projects.end();
        });
    return principal;
}

KnownKey known_key(const Facts& facts, const ApiKey& key) {
    KnownKey known;
    const auto owner = facts.users.find(key.owner);
    const User* user = owner == facts.users.end() ? nullptr : &owner->second;
    if (key.revoked)
        known.refusal = "this key was revoked";
    else if (without_ingest(key.scopes).empty())
        known.refusal = "this key sends data; to read, use a token or a key with permissions";
    else if (user != nullptr && !user->active)
        known.refusal = "the owner of this key is not active";
    else
        known.principal = std::make_shared<const Principal>(principal_of(facts, key, user));
    return known;
}

// Tokens that were checked, by their text. Bounded: when a part is full, whatever stands first goes.
class KnownTokens {
public:
    Known find(std::string_view token, std::uint64_t generation, UnixNanos now) {
        const std::uint64_t hash = hash64(token);
        Shard& shard = shards_[hash % shards];
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.tokens.find(hash);
        if (found == shard.tokens.end() || found->second.token != token) return nullptr;
        if (found->second.generation == generation && found->second.principal->expires > now)
            return found->second.principal;
        shard.tokens.erase(found);
        return nullptr;
    }
    void add(std::string_view token, std::uint64_t generation, Known principal) {
        const std::uint64_t hash = hash64(token);
        Shard& shard = shards_[hash % shards];
        const std::lock_guard lock(shard.mutex);
        if (shard.tokens.size() >= Authority::known_tokens / shards) shard.tokens.erase(shard.tokens.begin());
        shard.tokens[hash] = {std::string(token), generation, std::move(principal)};
    }

private:
    struct Entry {
        std::string token;
        std::uint64_t generation = 0;
        Known principal;
    };
    struct Shard {
        std::mutex mutex;
        std::unordered_map<std::uint64_t, Entry> tokens;
    };
    std::array<Shard, shards> shards_;
};

}  // namespace

struct Authority::State {
    State(Catalog& of, AccessTokens issued, Clock given)
        : catalog(of), accounts(of), tokens(std::move(issued)), clock(std::move(given)) {}

    Catalog& catalog;
    Accounts accounts;
    const AccessTokens tokens;
    const Clock clock;

    std::shared_mutex facts_mutex;  // of the pointer alone
    std::shared_ptr<const Facts> facts_now = std::make_shared<const Facts>();
    KnownTokens known;

    std::mutex refresh_mutex;  // one refresh at a time; of what stands below
    std::int64_t version = -1;
    std::uint64_t generation = 0;

    std::shared_ptr<const Facts> facts() {
        const std::shared_lock lock(facts_mutex);
        return facts_now;
    }

    Result<std::shared_ptr<const Facts>> read_facts() {
        const std::shared_ptr<const Facts> before = facts();
        auto read = std::make_shared<Facts>();
        AccountFacts accounts_read = OBS_TRY(accounts.facts(clock()));
        const std::vector<ApiKey> keys = OBS_TRY(catalog.keys());
        for (User& user : accounts_read.users) {
            read->emails[in_lower_case(user.email)] = user.id;
            std::string id = user.id;
            read->users.emplace(std::move(id), std::move(user));
        }
        for (CustomRole& role : accounts_read.roles) read->roles[{role.org, role.name}] = role.permissions;
        for (auto& [jti, expires] : accounts_read.revoked) read->revoked.insert(std::move(jti));
        for (std::string& project : accounts_read.content_projects)
            read->open_content.insert(std::move(project));
        for (const ApiKey& key : keys) {
            KnownKey known_one = known_key(*read, key);
            const auto old = before->keys.find(key.id);
            if (old != before->keys.end()) known_one.used = old->second.used;
            read->hashes[key.sha256] = key.id;
            read->keys[key.id] = std::move(known_one);
        }
        read->generation = ++generation;
        return read;
    }

    Result<void> refresh() {
        const std::lock_guard lock(refresh_mutex);
        // Asked before the facts are read: a change in between is then seen by the next refresh.
        const std::int64_t now_version = OBS_TRY(catalog.version());
        if (now_version == version) return {};
        std::shared_ptr<const Facts> read = OBS_TRY(read_facts());
        {
            const std::unique_lock exchange(facts_mutex);
            facts_now.swap(read);
        }
        version = now_version;
        return {};
    }

    Result<void> note_uses() {
        std::vector<std::pair<std::string, UnixNanos>> uses;
        for (const auto& [id, key] : facts()->keys)
            if (const std::int64_t at = key.used->exchange(0); at != 0) uses.emplace_back(id, UnixNanos{at});
        return catalog.note_use(uses);
    }

    // A token that is not known yet.
    Recognised recognise(const Facts& facts, std::string_view token, UnixNanos now) const {
        auto claims = tokens.read(token, now);
        if (!claims) return std::unexpected(claims.error());
        Principal& said = claims->principal;
        if (facts.revoked.contains(said.token)) return refuse(TokenFault::revoked, "the token was revoked");
        if (!said.session.empty()) return of_session(facts, said);
        if (!said.key.empty()) return of_bought(facts, said, now);
        if (said.role == Role::custom) {
            const auto* permissions = facts.custom(said.org, said.role_name);
            if (permissions == nullptr)
                return refuse(TokenFault::claims,
                              "the token's role is none of admin, developer, viewer, billing, nor one of the "
                              "organisation's own");
            if (!claims->states_permissions) said.permissions = *permissions;
        }
        if (!claims->states_permissions) add_content(facts, said);
        if (const User* user = facts.user(said.subject); user != nullptr && user->org == said.org) {
            if (!user->active) return refuse(TokenFault::revoked, "the user of this token is not active");
            said.user = user->id;
        }
        return std::make_shared<const Principal>(std::move(said));
    }

    static Recognised of_session(const Facts& facts, const Principal& said) {
        const auto user = facts.users.find(said.subject);
        if (user == facts.users.end() || !user->second.active || user->second.org != said.org)
            return refuse(TokenFault::revoked, "the user of this token is not active");
        Principal principal = principal_of(facts, user->second);
        principal.session = said.session;
        principal.token = said.token;
        principal.expires = said.expires;
        return std::make_shared<const Principal>(std::move(principal));
    }

    static Recognised of_bought(const Facts& facts, const Principal& said, UnixNanos now) {
        const auto key = facts.keys.find(said.key);
        if (key == facts.keys.end() || !key->second.principal)
            return refuse(TokenFault::revoked, "the key that this token came from is no longer valid");
        Principal principal = *key->second.principal;
        if (principal.expires.since_epoch != 0 && principal.expires <= now)
            return refuse(TokenFault::expired, "the key that this token came from has expired");
        key->second.used->store(now.since_epoch, std::memory_order_relaxed);
        principal.token = said.token;
        principal.expires =
            principal.expires.since_epoch == 0 ? said.expires : std::min(principal.expires, said.expires);
        return std::make_shared<const Principal>(std::move(principal));
    }
};

Authority::Authority(std::unique_ptr<State> state) : state_(std::move(state)) {}
Authority::~Authority() = default;

Result<std::unique_ptr<Authority>> Authority::load(Catalog& catalog, AccessTokens tokens, Clock clock) {
    std::unique_ptr<Authority> authority(
        new Authority(std::make_unique<State>(catalog, std::move(tokens), std::move(clock))));
    OBS_TRY_VOID(authority->refresh());
    return authority;
}

const AccessTokens& Authority::tokens() const {
    return state_->tokens;
}

Authority::Recognised Authority::of_token(std::string_view token, UnixNanos now) const {
    const std::shared_ptr<const Facts> facts = state_->facts();
    if (Known known = state_->known.find(token, facts->generation, now)) return known;
    Recognised recognised = state_->recognise(*facts, token, now);
    if (recognised) state_->known.add(token, facts->generation, *recognised);
    return recognised;
}

Authority::Recognised Authority::of_key(std::string_view key, UnixNanos now) const {
    const std::shared_ptr<const Facts> facts = state_->facts();
    const auto id = key.size() > longest_key ? facts->hashes.end() : facts->hashes.find(sha256_hex(key));
    if (id == facts->hashes.end()) return refuse(TokenFault::key, "there is no such key");
    const KnownKey& known = facts->keys.at(id->second);
    if (!known.principal) return refuse(TokenFault::key, known.refusal);
    if (known.principal->expires.since_epoch != 0 && known.principal->expires <= now)
        return refuse(TokenFault::key, "this key has expired");
    known.used->store(now.since_epoch, std::memory_order_relaxed);
    return known.principal;
}

Result<void> Authority::refresh() {
    return state_->refresh();
}

void Authority::keep_fresh() {
    refresher_.start(
        "who may ask is not kept up to date",
        [this](int round) {
            Result<void> done = state_->refresh();
            const auto also = [&](Result<void> next) {
                if (done) done = std::move(next);
            };
            if (round % rounds_between_notes == 0) also(state_->note_uses());
            if (round % rounds_between_forgetting == 1) also(state_->accounts.forget(state_->clock()));
            return done;
        },
        [this] {
            if (const auto noted = state_->note_uses(); !noted)
                log::warning("when keys were used last is not written down: {}", noted.error().message);
        });
}

}  // namespace obs
