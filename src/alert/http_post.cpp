#include "alert/http_post.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include <curl/curl.h>

namespace obs::alert {

namespace {

constexpr std::size_t longest_url = 2048;

struct FreeUrl {
    void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};
struct FreeText {
    void operator()(char* text) const noexcept { curl_free(text); }
};
struct FreeHandle {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct FreeList {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

// ---- addresses

struct Network4 {
    std::uint32_t address;
    int bits;
};
constexpr std::uint32_t ip(std::uint32_t a, std::uint32_t b, std::uint32_t c = 0, std::uint32_t d = 0) {
    return a << 24 | b << 16 | c << 8 | d;
}
// What IANA lists as not globally reachable, and multicast.
constexpr Network4 not_public[] = {{ip(0, 0), 8},         {ip(10, 0), 8},      {ip(100, 64), 10},
                                   {ip(127, 0), 8},       {ip(169, 254), 16},  {ip(172, 16), 12},
                                   {ip(192, 0, 0), 24},   {ip(192, 0, 2), 24}, {ip(192, 88, 99), 24},
                                   {ip(192, 168), 16},    {ip(198, 18), 15},   {ip(198, 51, 100), 24},
                                   {ip(203, 0, 113), 24}, {ip(224, 0), 3}};

bool is_public(std::uint32_t address) {
    return std::ranges::none_of(not_public, [&](const Network4& network) {
        return (address >> (32 - network.bits)) == (network.address >> (32 - network.bits));
    });
}

// Of IPv6 only what is handed out to hosts: none of the kinds that carry an IPv4 address inside.
bool is_public(const in6_addr& address) {
    const auto* bytes = address.s6_addr;
    const auto word = [&](int at) { return bytes[at] << 8 | bytes[at + 1]; };
    const bool unicast = (bytes[0] & 0xe0) == 0x20;
    const bool special = word(0) == 0x2001 && (word(2) < 0x0200 || word(2) == 0x0db8);
    return unicast && !special && word(0) != 0x2002;
}

bool is_public(const sockaddr* address) {
    if (address->sa_family == AF_INET) {
        sockaddr_in four;
        std::memcpy(&four, address, sizeof four);
        return is_public(ntohl(four.sin_addr.s_addr));
    }
    if (address->sa_family != AF_INET6) return false;
    sockaddr_in6 six;
    std::memcpy(&six, address, sizeof six);
    if (!IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return is_public(six.sin6_addr);
    std::uint32_t inside = 0;
    std::memcpy(&inside, six.sin6_addr.s6_addr + 12, sizeof inside);
    return is_public(ntohl(inside));
}

// A host that is written as an address; nothing for names.
std::optional<bool> is_public_literal(std::string host) {
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (const std::size_t zone = host.find('%'); zone != std::string::npos) host.resize(zone);
    sockaddr_in four{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
    if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) return is_public(ntohl(four.sin_addr.s_addr));
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1) return std::nullopt;
    return is_public(reinterpret_cast<const sockaddr*>(&six));
}

std::unexpected<Error> not_a_target(std::string_view why) {
    return fail(ErrorKind::invalid_input, "{}", why);
}

Result<std::string> part(CURLU* url, CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(url, which, &text, 0) != CURLUE_OK) return std::string();
    const std::unique_ptr<char, FreeText> owned(text);
    return std::string(text);
}

// ---- one exchange

struct Exchange {
    Targets targets;
    const std::stop_token& stop;
    bool forbidden = false;
};

curl_socket_t open_socket(void* client, curlsocktype, curl_sockaddr* address) {
    auto& exchange = *static_cast<Exchange*>(client);
    if (exchange.targets == Targets::public_only && !is_public(&address->addr)) {
        exchange.forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t ignore_body(char*, std::size_t, std::size_t count, void*) {
    return count;
}

int check_stop(void* client, curl_off_t, curl_off_t received, curl_off_t, curl_off_t) {
    constexpr curl_off_t most_received = 1 << 20;
    return static_cast<Exchange*>(client)->stop.stop_requested() || received > most_received ? 1 : 0;
}

// Once in the process, before the first exchange.
bool library_is_ready() {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return ready;
}

}  // namespace

Result<void> check_target(const std::string& url, Targets targets) {
    if (url.size() > longest_url) return not_a_target("the address of a webhook has at most 2,048 bytes");
    const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
    if (!parsed ||
        curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return not_a_target("the address of a webhook is https://host/path");
    const std::string scheme = OBS_TRY(part(parsed.get(), CURLUPART_SCHEME));
    if (scheme != "https" && scheme != "http")
        return not_a_target("the address of a webhook begins with https:// or http://");
    if (!OBS_TRY(part(parsed.get(), CURLUPART_USER)).empty() ||
        !OBS_TRY(part(parsed.get(), CURLUPART_PASSWORD)).empty())
        return not_a_target("the address of a webhook must not hold a user or password");
    std::string host = OBS_TRY(part(parsed.get(), CURLUPART_HOST));
    std::ranges::transform(host, host.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
    if (host.ends_with('.')) host.pop_back();
    if (host.empty()) return not_a_target("the address of a webhook names no host");
    if (targets == Targets::all) return {};
    const bool local = host == "localhost" || host.ends_with(".localhost") || host.ends_with(".local") ||
                       host.ends_with(".internal");
    if (local || !is_public_literal(host).value_or(true))
        return not_a_target(
            "this host is not a public one; the server's setting webhook-targets permits others");
    return {};
}

Result<int> http_post(const Post& post, Targets targets, Nanos within, const std::stop_token& stop) {
    // What the host stands for is looked at when a socket is opened for it.
    OBS_TRY_VOID(check_target(post.url, Targets::all));
    if (!library_is_ready()) return fail(ErrorKind::unavailable, "the HTTP client cannot be used");
    const std::unique_ptr<CURL, FreeHandle> handle(curl_easy_init());
    if (!handle) return fail(ErrorKind::unavailable, "no memory for a request");
    std::unique_ptr<curl_slist, FreeList> headers;
    for (const auto& [name, value] : post.headers) {
        curl_slist* longer = curl_slist_append(headers.get(), fmt::format("{}: {}", name, value).c_str());
        if (longer == nullptr) return fail(ErrorKind::unavailable, "no memory for a request");
        if (!headers) headers.reset(longer);  // a longer list keeps its front
    }
    Exchange exchange{.targets = targets, .stop = stop};
    CURL* const curl = handle.get();
    std::array<char, CURL_ERROR_SIZE> reason{};
    curl_easy_setopt(curl, CURLOPT_URL, post.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    // A proxy would connect where we may not.
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(within.count / 1'000'000));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "llm-observatory");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post.body.size()));
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore_body);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason.data());
    const CURLcode code = curl_easy_perform(curl);
    if (exchange.forbidden) return fail(ErrorKind::forbidden, "the host is not a public one");
    if (code != CURLE_OK)
        return fail(ErrorKind::unavailable, "{}",
                    reason[0] != '\0' ? reason.data() : curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return static_cast<int>(status);
}

}  // namespace obs::alert
