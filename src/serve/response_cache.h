// Answers that may be used again, and what makes them so for a client: ETag, Last-Modified, 304.
//
// Freshness beats the cache (decision 23). An answer about the past is used for as long as its route says.
// One that reaches now is used while no new data has come, and never when it is older than 250 ms; while one
// request computes it anew for new data, others that come meanwhile still get the one before.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "net/http.h"
#include "serve/metrics.h"
#include "serve/redis.h"
#include "serve/router.h"

namespace obs::serve {

// An answer as it is given the second time.
struct CachedAnswer {
    std::string body;
    std::string content_type;
    std::string tag;        // of `body`
    std::string first_tag;  // of the body as it was given the first time; the same when nothing differs
    UnixNanos made;         // when the request came that it was computed for
    std::chrono::seconds keep{};
    bool live = true;           // it reaches now
    std::uint64_t version = 0;  // of the data that it was computed from, at least
    mutable std::atomic<bool> renewing = false;

    bool is_tagged(std::string_view tag_of_client) const {
        return tag_of_client == tag || tag_of_client == first_tag;
    }
};

// Quoted: the first 32 hex digits of SHA-256.
std::string tag_of(std::string_view body);

// Whether the client has this answer already, by If-None-Match or, without it, If-Modified-Since.
bool client_has(const net::Headers& request, const CachedAnswer& answer);

// ETag, Last-Modified and Cache-Control. `tag` is that of the body that goes out.
void add_cache_headers(const CachedAnswer& answer, std::string_view tag, net::Headers& headers);

// Who may share an answer, which is everyone who would be given the same one, and what was asked.
std::string cache_key(const Principal& principal, const net::RequestHead& head, std::string_view body);

// `Sun, 06 Nov 1994 08:49:37 GMT`
std::string http_date(UnixNanos at);
std::optional<UnixNanos> http_date_from(std::string_view text);

// Thread-safe.
class ResponseCache {
public:
    static constexpr Nanos live_for = Nanos::milliseconds(250);
    // Answers about windows that ended this long ago change no more, as far as anybody can tell.
    static constexpr Nanos past_after = Nanos::seconds(600);

    struct Options {
        std::size_t bytes = 64 << 20;  // keys and bodies, all together
        // Behind the process's own, for answers about the past; outlives this.
        Redis* redis = nullptr;
        // What stands before keys in Redis: who keeps other data, or another version, must not share.
        std::string redis_prefix{};
    };
    explicit ResponseCache(Options options) : options_(std::move(options)) {}

    // `version`: LiveData::visible_seq. Touches memory only.
    std::shared_ptr<const CachedAnswer> find(std::string_view key, std::uint64_t version, UnixNanos now);
    // Asks Redis; may wait for it.
    std::shared_ptr<const CachedAnswer> find_shared(std::string_view key, UnixNanos now);

    // Keeps the reply if it is to be kept, and returns it as it will be given again. Null when it is not.
    // `now` is the moment and `version` that of the data before it was computed.
    std::shared_ptr<const CachedAnswer> put(std::string_view key, const CacheRule& rule, const Reply& reply,
                                            std::uint64_t version, UnixNanos now);

    // Forgets everything: rows were erased or priced anew.
    void clear();

    bool shared() const { return options_.redis != nullptr; }
    void write(MetricsText& out) const;

private:
    using Answer = std::shared_ptr<CachedAnswer>;
    struct Kept {
        std::string key;
        Answer answer;
    };
    // Least recently used at the back.
    struct Shard {
        mutable std::mutex mutex;
        std::list<Kept> order;
        std::unordered_map<std::string_view, std::list<Kept>::iterator> by_key;
        std::size_t bytes = 0;
    };
    static constexpr std::size_t shards = 16;

    Shard& shard_of(std::string_view key);
    void keep(std::string_view key, Answer answer);
    void drop(Shard& shard, std::list<Kept>::iterator kept);
    std::string redis_key(std::string_view key) const;
    void share(std::string_view key, const CachedAnswer& answer);

    Options options_;
    std::array<Shard, shards> shards_;
    std::atomic<std::uint64_t> hits_ = 0, misses_ = 0, shared_hits_ = 0;
};

}  // namespace obs::serve
