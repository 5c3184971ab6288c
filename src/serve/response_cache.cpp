#include "serve/response_cache.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/hash.h"
#include "catalog/sha256.h"
#include "serve/envelope.h"

namespace obs::serve {

namespace {

constexpr Nanos one_hour = Nanos::hours(1);
constexpr std::size_t weight_of_an_entry = 512;

std::size_t weight(std::string_view key, const CachedAnswer& answer) {
    return key.size() + answer.body.size() + weight_of_an_entry;
}

// Calls `see` with each tag of If-None-Match; weak ones count like strong ones.
template <class See>
bool any_tag(std::string_view header, See&& see) {
    while (!header.empty()) {
        const std::size_t begin = header.find('"');
        if (begin == std::string_view::npos) return false;
        const std::size_t end = header.find('"', begin + 1);
        if (end == std::string_view::npos) return false;
        if (see(header.substr(begin, end - begin + 1))) return true;
        header.remove_prefix(end + 1);
    }
    return false;
}

bool is_star(std::string_view header) {
    const std::size_t begin = header.find_first_not_of(' ');
    return begin != std::string_view::npos &&
           header.substr(begin, header.find_last_not_of(' ') - begin + 1) == "*";
}

UnixNanos second_of(UnixNanos at) {
    constexpr std::int64_t second = 1'000'000'000;
    return {at.since_epoch / second * second};
}

std::string cached_form(const Reply& reply) {
    if (!reply.cached_at) return reply.body;
    return reply.body.substr(0, *reply.cached_at) + std::string(cached_ending);
}

// The next line of what Redis keeps, without its end.
std::string_view next_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

std::optional<std::int64_t> number_in(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

std::string tag_of(std::string_view body) {
    return '"' + sha256_hex(body).substr(0, 32) + '"';
}

std::string http_date(UnixNanos at) {
    const std::time_t seconds = at.since_epoch / 1'000'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return std::string(text, size);
}

std::optional<UnixNanos> http_date_from(std::string_view text) {
    std::tm parts{};
    const std::string whole(text.substr(0, 40));
    const char* end = strptime(whole.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0' || parts.tm_year < 70 || parts.tm_year > 300) return std::nullopt;
    return UnixNanos{static_cast<std::int64_t>(timegm(&parts)) * 1'000'000'000};
}

bool client_has(const net::Headers& request, const CachedAnswer& answer) {
    if (const std::string_view tags = request.get("if-none-match"); !tags.empty())
        return is_star(tags) || any_tag(tags, [&](std::string_view tag) { return answer.is_tagged(tag); });
    const std::string_view since = request.get("if-modified-since");
    if (since.empty()) return false;
    const auto date = http_date_from(since);
    return date && second_of(answer.made) <= *date;
}

void add_cache_headers(const CachedAnswer& answer, std::string_view tag, net::Headers& headers) {
    headers.add("etag", std::string(tag));
    headers.add("last-modified", http_date(answer.made));
    // A client that kept an answer about now for a minute would show what is no longer so.
    headers.add("cache-control", answer.live ? std::string("private, max-age=0, must-revalidate")
                                             : fmt::format("private, max-age={}", answer.keep.count()));
}

std::string cache_key(const Principal& principal, const net::RequestHead& head, std::string_view body) {
    // Null bytes cannot stand in a head, so that no part can run into the next.
    std::string key = principal.org;
    key += principal.sees_all_projects() ? "\nall" : "\nsome";
    for (const std::string& project : principal.projects) (key += '\n') += project;
    key += '\0';
    for (const std::string& permission : principal.permissions) (key += permission) += '\n';
    ((key += '\0') += head.method) += ' ';
    ((key += head.path) += '?') += head.query;
    (key += '\0') += body;
    return key;
}

ResponseCache::Shard& ResponseCache::shard_of(std::string_view key) {
    return shards_[hash64(key) % shards];
}

void ResponseCache::drop(Shard& shard, std::list<Kept>::iterator kept) {
    shard.bytes -= weight(kept->key, *kept->answer);
    shard.by_key.erase(kept->key);
    shard.order.erase(kept);
}

std::shared_ptr<const CachedAnswer> ResponseCache::find(std::string_view key, std::uint64_t version,
                                                        UnixNanos now) {
    const auto miss = [&]() -> std::shared_ptr<const CachedAnswer> {
        misses_.fetch_add(1, std::memory_order_relaxed);
        return nullptr;
    };
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.by_key.find(key);
    if (found == shard.by_key.end()) return miss();
    const Answer& answer = found->second->answer;
    const Nanos age = now - answer->made;
    const Nanos most = answer->live ? live_for : Nanos::seconds(answer->keep.count());
    if (age > most || age < Nanos{}) {
        drop(shard, found->second);
        return miss();
    }
    // New data: one who asks computes anew, those who ask meanwhile get what there is.
    if (answer->live && answer->version != version && !answer->renewing.exchange(true)) return miss();
    shard.order.splice(shard.order.begin(), shard.order, found->second);
    hits_.fetch_add(1, std::memory_order_relaxed);
    return answer;
}

std::shared_ptr<const CachedAnswer> ResponseCache::put(std::string_view key, const CacheRule& rule,
                                                       const Reply& reply, std::uint64_t version,
                                                       UnixNanos now) {
    if (reply.once || reply.status != 200) return nullptr;
    auto answer = std::make_shared<CachedAnswer>();
    answer->body = cached_form(reply);
    answer->content_type = reply.content_type;
    answer->tag = tag_of(answer->body);
    answer->first_tag = reply.cached_at ? tag_of(reply.body) : answer->tag;
    answer->made = now;
    answer->version = version;
    answer->live = !reply.until || now - *reply.until < past_after;
    const bool long_ago = reply.until && now - *reply.until >= one_hour && rule.keep_past.count() > 0;
    answer->keep = long_ago ? rule.keep_past : rule.keep;
    if (options_.redis != nullptr && !answer->live) share(key, *answer);
    keep(key, answer);
    return answer;
}

void ResponseCache::keep(std::string_view key, Answer answer) {
    const std::size_t room = options_.bytes / shards, size = weight(key, *answer);
    // One answer must not push all others out.
    if (size > room / 2) return;
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    if (const auto before = shard.by_key.find(key); before != shard.by_key.end()) drop(shard, before->second);
    while (shard.bytes + size > room) drop(shard, std::prev(shard.order.end()));
    shard.order.push_front({std::string(key), std::move(answer)});
    shard.by_key.emplace(shard.order.front().key, shard.order.begin());
    shard.bytes += size;
}

void ResponseCache::clear() {
    for (Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        shard.by_key.clear();
        shard.order.clear();
        shard.bytes = 0;
    }
}

std::string ResponseCache::redis_key(std::string_view key) const {
    return options_.redis_prefix + sha256_hex(key);
}

void ResponseCache::share(std::string_view key, const CachedAnswer& answer) {
    if (answer.body.size() > options_.bytes / shards / 2) return;
    const std::string text = fmt::format("{}\n{}\n{}\n{}\n{}", answer.content_type, answer.first_tag,
                                         answer.made.since_epoch, answer.keep.count(), answer.body);
    const std::string name = redis_key(key), seconds = std::to_string(answer.keep.count());
    const std::string_view words[] = {"SET", name, text, "EX", seconds};
    options_.redis->command(words);
}

std::shared_ptr<const CachedAnswer> ResponseCache::find_shared(std::string_view key, UnixNanos now) {
    if (options_.redis == nullptr) return nullptr;
    const std::string name = redis_key(key);
    const std::string_view words[] = {"GET", name};
    const auto reply = options_.redis->command(words);
    if (!reply || reply->kind != RedisReply::Kind::text) return nullptr;
    std::string_view text = reply->text;
    auto answer = std::make_shared<CachedAnswer>();
    answer->content_type = next_line(text);
    answer->first_tag = next_line(text);
    const auto made = number_in(next_line(text)), seconds = number_in(next_line(text));
    if (!made || !seconds || now - UnixNanos{*made} > Nanos::seconds(*seconds)) return nullptr;
    answer->made = UnixNanos{*made};
    answer->keep = std::chrono::seconds(*seconds);
    answer->live = false;
    answer->body = text;
    answer->tag = tag_of(answer->body);
    shared_hits_.fetch_add(1, std::memory_order_relaxed);
    keep(key, answer);
    return answer;
}

void ResponseCache::write(MetricsText& out) const {
    const auto count = [](const std::atomic<std::uint64_t>& value) {
        return static_cast<double>(value.load(std::memory_order_relaxed));
    };
    const MetricLabels own{{"cache", "memory"}}, behind{{"cache", "redis"}};
    out.counter("cache_hits_total", "Answers that were used again.", own, count(hits_));
    out.counter("cache_misses_total", "Answers that had to be computed.", own, count(misses_));
    if (options_.redis != nullptr)
        out.counter("cache_hits_total", "Answers that were used again.", behind, count(shared_hits_));
    std::size_t bytes = 0;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        bytes += shard.bytes;
    }
    out.gauge("cache_size_bytes", "What answers that may be used again take.", own,
              static_cast<double>(bytes));
}

}  // namespace obs::serve
