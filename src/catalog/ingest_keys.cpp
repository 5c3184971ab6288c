#include "catalog/ingest_keys.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include <openssl/evp.h>

#include "base/log.h"
#include "catalog/sha256.h"

namespace obs {
namespace {

constexpr std::size_t credential_limit = 4096;
constexpr int rounds_between_notes = 10;

// A rate as a bucket that holds one second of it. It may go below zero: then what was taken too much is paid
// back.
class Bucket {
public:
    explicit Bucket(std::int64_t per_second)
        : per_second_(static_cast<double>(per_second)), level_(per_second_) {}

    bool has(double amount, UnixNanos now) {
        refill(now);
        return level_ >= amount;
    }
    void take(double amount) { level_ -= amount; }
    std::int64_t per_second() const { return static_cast<std::int64_t>(per_second_); }

private:
    void refill(UnixNanos now) {
        // A clock that was set back gives nothing, and nothing is lost by it.
        const double seconds = std::max(0.0, static_cast<double>((now - last_).count) / 1e9);
        level_ = std::min(per_second_, level_ + seconds * per_second_);
        last_ = now;
    }

    double per_second_, level_;
    UnixNanos last_{0};
};

// What one key, or all senders of a project together, have used of their quota.
class Meter {
public:
    Meter(std::string_view whose, const Quota& quota) : whose_(whose), quota_(quota) {
        if (quota.requests_per_second) requests_.emplace(*quota.requests_per_second);
        if (quota.bytes_per_second) bytes_.emplace(*quota.bytes_per_second);
    }
    const Quota& quota() const { return quota_; }

    Result<void> count_request(UnixNanos now) {
        used_.store(now.since_epoch, std::memory_order_relaxed);
        const std::lock_guard lock(mutex_);
        // How many bytes will come is not known yet: something must be left.
        if (bytes_ && !bytes_->has(1, now)) return used_up(bytes_->per_second(), "bytes");
        if (requests_ && !requests_->has(1, now)) return used_up(requests_->per_second(), "requests");
        if (requests_) requests_->take(1);
        return {};
    }
    // When it was used last, once; zero when that was told already.
    UnixNanos take_last_use() { return {used_.exchange(0)}; }

    void count_bytes(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        if (bytes_) bytes_->take(static_cast<double>(bytes));
    }

private:
    std::unexpected<Error> used_up(std::int64_t quota, std::string_view unit) const {
        return fail(ErrorKind::overloaded, "the quota of this {} is used up: {} {} a second", whose_, quota,
                    unit);
    }

    const std::string_view whose_;
    const Quota quota_;
    std::atomic<std::int64_t> used_ = 0;
    std::mutex mutex_;
    std::optional<Bucket> requests_, bytes_;
};

struct KnownKey {
    Tenant tenant;
    bool revoked = false;
    bool sends = true;
    std::optional<UnixNanos> expires{};
    std::shared_ptr<Meter> meter;
};

KnownKey known_key(const ApiKey& key, std::shared_ptr<Meter> meter) {
    return {.tenant = {key.org, key.sends() ? key.projects.front() : std::string(), key.id},
            .revoked = key.revoked.has_value(),
            .sends = key.sends(),
            .expires = key.expires,
            .meter = std::move(meter)};
}

// Which text is meant: with or without its scheme, upper or lower case.
std::string_view without_scheme(std::string_view credential, std::string_view scheme) {
    const bool same = credential.size() > scheme.size() && credential[scheme.size()] == ' ' &&
                      std::ranges::equal(credential.substr(0, scheme.size()), scheme, [](char a, char b) {
                          return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
                      });
    if (!same) return {};
    credential.remove_prefix(scheme.size() + 1);
    credential.remove_prefix(std::min(credential.find_first_not_of(' '), credential.size()));
    return credential;
}

// The password of `user:password` in base64; empty if it is none. Exporters made for other products send keys
// so.
std::string basic_password(std::string_view encoded) {
    if (encoded.empty() || encoded.size() % 4 != 0) return {};
    std::string plain(encoded.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(plain.data()),
                                     reinterpret_cast<const unsigned char*>(encoded.data()),
                                     static_cast<int>(encoded.size()));
    if (size < 0) return {};
    plain.erase(plain.find_last_not_of('\0') + 1);
    const std::size_t colon = plain.find(':');
    return colon == std::string::npos ? std::string() : plain.substr(colon + 1);
}

std::string key_text(std::string_view credential) {
    if (credential.size() > credential_limit) return {};
    if (const std::string_view bearer = without_scheme(credential, "bearer"); !bearer.empty())
        return std::string(bearer);
    if (const std::string_view basic = without_scheme(credential, "basic"); !basic.empty())
        return basic_password(basic);
    return std::string(credential);
}

bool looks_like_a_key(std::string_view text) {
    return text.starts_with("llmo_sk_");
}

}  // namespace

struct IngestKeys::State {
    State(const Catalog& of, Clock given) : catalog(of), clock(std::move(given)) {}

    const Catalog& catalog;
    const Clock clock;

    std::shared_mutex
        mutex;  // of the three maps; held for a lookup or an exchange, never while a disk is asked
    std::unordered_map<std::string, KnownKey> by_hash;
    std::unordered_map<std::string, std::shared_ptr<Meter>> by_id;
    std::unordered_map<std::string, std::shared_ptr<Meter>> by_project;  // those with a quota

    std::mutex lookup_mutex;
    Bucket lookups{lookups_per_second};

    std::int64_t version = -1;  // of the catalog when the maps were read; refresh() alone touches it

    std::optional<KnownKey> known(const std::string& hash) {
        const std::shared_lock lock(mutex);
        const auto found = by_hash.find(hash);
        return found == by_hash.end() ? std::nullopt : std::optional(found->second);
    }

    // A key keeps what it has used as long as its quota stays the same.
    std::shared_ptr<Meter> meter_for(const ApiKey& key) {
        const auto found = by_id.find(key.id);
        if (found != by_id.end() && found->second->quota() == key.quota) return found->second;
        return std::make_shared<Meter>("key", key.quota);
    }

    std::shared_ptr<Meter> meter_of(const std::string& project) {
        const std::shared_lock lock(mutex);
        const auto found = by_project.find(project);
        return found == by_project.end() ? nullptr : found->second;
    }

    // What is sent to a project counts for the project too, with a key or without.
    Result<Tenant> admitted(Tenant tenant) {
        if (const auto meter = meter_of(tenant.project)) OBS_TRY_VOID(meter->count_request(clock()));
        return tenant;
    }

    // The same for a project; `mutex` is held.
    std::shared_ptr<Meter> meter_for(const std::string& project, const Quota& quota) {
        const auto found = by_project.find(project);
        if (found != by_project.end() && found->second->quota() == quota) return found->second;
        return std::make_shared<Meter>("project", quota);
    }

    KnownKey remember(const ApiKey& key) {
        const std::unique_lock lock(mutex);
        KnownKey known = known_key(key, meter_for(key));
        by_hash[key.sha256] = known;
        by_id[key.id] = known.meter;
        return known;
    }

    bool may_look_up(UnixNanos now) {
        const std::lock_guard lock(lookup_mutex);
        if (!lookups.has(1, now)) return false;
        lookups.take(1);
        return true;
    }

    Result<KnownKey> find(const std::string& text) {
        const std::string hash = sha256_hex(text);
        if (std::optional<KnownKey> key = known(hash)) return *std::move(key);
        if (!may_look_up(clock()))
            return fail(ErrorKind::overloaded, "too many unknown ingest keys are being tried");
        const std::optional<ApiKey> stored = OBS_TRY(catalog.key_by_hash(hash));
        if (!stored) return fail(ErrorKind::unauthenticated, "unknown ingest key");
        return remember(*stored);
    }
};

IngestKeys::IngestKeys(std::unique_ptr<State> state) : state_(std::move(state)) {}

IngestKeys::~IngestKeys() = default;

Result<std::unique_ptr<IngestKeys>> IngestKeys::load(const Catalog& catalog, Clock clock) {
    std::unique_ptr<IngestKeys> keys(new IngestKeys(std::make_unique<State>(catalog, std::move(clock))));
    OBS_TRY_VOID(keys->refresh());
    return keys;
}

Result<Tenant> IngestKeys::admit(std::string_view credential, bool from_loopback) {
    const std::string text = key_text(credential);
    if (!looks_like_a_key(text)) {
        if (from_loopback) return state_->admitted(Tenant{});
        if (credential.empty())
            return fail(ErrorKind::unauthenticated,
                        "an ingest key is needed: `Authorization: Bearer llmo_sk_live_...`");
        return fail(ErrorKind::unauthenticated, "this is no ingest key: keys start with llmo_sk_");
    }
    const KnownKey key = OBS_TRY(state_->find(text));
    const UnixNanos now = state_->clock();
    if (key.revoked) return fail(ErrorKind::unauthenticated, "this ingest key was revoked");
    if (!key.sends) return fail(ErrorKind::unauthenticated, "this key may not send data");
    if (key.expires && *key.expires <= now)
        return fail(ErrorKind::unauthenticated, "this ingest key has expired");
    OBS_TRY_VOID(key.meter->count_request(now));
    return state_->admitted(key.tenant);
}

void IngestKeys::charge(const Tenant& tenant, std::size_t bytes) {
    if (const auto project = state_->meter_of(tenant.project)) project->count_bytes(bytes);
    if (tenant.key_id.empty()) return;
    std::shared_ptr<Meter> meter;
    {
        const std::shared_lock lock(state_->mutex);
        const auto found = state_->by_id.find(tenant.key_id);
        if (found != state_->by_id.end()) meter = found->second;
    }
    if (meter) meter->count_bytes(bytes);
}

Result<void> IngestKeys::refresh() {
    // Asked before the keys are read: a change in between is then seen by the next refresh.
    const std::int64_t version = OBS_TRY(state_->catalog.version());
    if (version == state_->version) return {};
    const std::vector<ApiKey> keys = OBS_TRY(state_->catalog.keys());
    const auto settings = OBS_TRY(state_->catalog.settings_of_projects());
    std::unordered_map<std::string, KnownKey> by_hash;
    std::unordered_map<std::string, std::shared_ptr<Meter>> by_id, by_project;
    const std::unique_lock lock(state_->mutex);
    for (const auto& [project, decided] : settings)
        if (decided.quota != Quota{}) by_project[project.id] = state_->meter_for(project.id, decided.quota);
    for (const ApiKey& key : keys) {
        KnownKey known = known_key(key, state_->meter_for(key));
        by_id[key.id] = known.meter;
        by_hash[key.sha256] = std::move(known);
    }
    state_->by_hash.swap(by_hash);
    state_->by_id.swap(by_id);
    state_->by_project.swap(by_project);
    state_->version = version;
    return {};
}

Result<void> IngestKeys::note_uses() {
    std::vector<std::pair<std::string, UnixNanos>> uses;
    {
        const std::shared_lock lock(state_->mutex);
        for (const auto& [id, meter] : state_->by_id)
            if (const UnixNanos at = meter->take_last_use(); at.since_epoch != 0) uses.emplace_back(id, at);
    }
    return state_->catalog.note_use(uses);
}

void IngestKeys::keep_fresh() {
    refresher_.start("ingest keys", [this](int round) -> Result<void> {
        OBS_TRY_VOID(refresh());
        if (round % rounds_between_notes == 0) return note_uses();
        return {};
    });
}

}  // namespace obs
