// Holds many WebSockets to `observatory serve` and sends it one-span traces at a rate: how long an event
// takes from the moment its span is sent to the moment the client has its frame.
//
//   observatory_live_load <api host:port> <otlp host:port> <token file> [sockets [events/s [seconds]]]
//
// Tokens stand one a line in the file; sockets take them in turn. Every frame of every socket is counted;
// those of each tenth socket are read, so that the client costs less than what it measures. Prints one line
// of JSON.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::system_clock;

constexpr std::size_t read_each = 10;
constexpr auto batch_every = std::chrono::milliseconds(20);

std::int64_t now_nanos() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

[[noreturn]] void give_up(std::string_view why) {
    fmt::print(stderr, "live_load: {}\n", why);
    std::exit(1);
}

int connected(std::string_view address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string_view::npos) give_up("an address is host:port");
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::atoi(std::string(address.substr(colon + 1)).c_str())));
    if (inet_pton(AF_INET, std::string(address.substr(0, colon)).c_str(), &to.sin_addr) != 1)
        give_up("the host is an IPv4 address");
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (::connect(made, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) give_up("cannot connect");
    return made;
}

void send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) give_up("the server does not take what is sent");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// Until the answer's head is there; what follows it is the caller's.
std::string head_of(int from) {
    std::string got;
    char bytes[4096];
    while (got.find("\r\n\r\n") == std::string::npos) {
        const ssize_t size = ::recv(from, bytes, sizeof bytes, 0);
        if (size <= 0) give_up("the server hung up: " + got);
        got.append(bytes, static_cast<std::size_t>(size));
    }
    return got;
}

struct Socket {
    int descriptor = -1;
    std::string unread;
    std::uint64_t frames = 0;
};

Socket listening(std::string_view api, std::string_view token) {
    Socket socket{connected(api), {}, 0};
    send_all(socket.descriptor,
             fmt::format("GET /ws HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\n"
                         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                         api, token));
    const std::string head = head_of(socket.descriptor);
    if (!head.starts_with("HTTP/1.1 101")) give_up(head);
    socket.unread = head.substr(head.find("\r\n\r\n") + 4);
    return socket;
}

// Traces of one span, whose name is the time at which it was sent.
class Generator {
public:
    Generator(std::string_view otlp, int rate, std::atomic<bool>& stop)
        : host_(otlp), socket_(connected(otlp)) {
        thread_ = std::jthread([this, rate, &stop] { run(rate, stop); });
    }
    std::uint64_t sent() const { return sent_; }
    void join() { thread_.join(); }

private:
    void run(int rate, std::atomic<bool>& stop) {
        const auto begin = std::chrono::steady_clock::now();
        for (auto next = begin; !stop; next += batch_every) {
            std::this_thread::sleep_until(next);
            const double seconds = std::chrono::duration<double>(next + batch_every - begin).count();
            send(static_cast<std::uint64_t>(seconds * rate) - sent_);
        }
    }
    void send(std::uint64_t count) {
        if (count == 0) return;
        std::string spans;
        for (std::uint64_t left = count; left > 0; --left) {
            const std::int64_t now = now_nanos();
            fmt::format_to(
                std::back_inserter(spans),
                R"({}{{"traceId":"{:016x}{:016x}","spanId":"{:016x}","name":"t{}","kind":3,"startTimeUnixNano":"{}",)"
                R"("endTimeUnixNano":"{}","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},)"
                R"({{"key":"gen_ai.provider.name","value":{{"stringValue":"openai"}}}},)"
                R"({{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4o"}}}},)"
                R"({{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"300"}}}},)"
                R"({{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"80"}}}}]}})",
                spans.empty() ? "" : ",", now, ++sent_, sent_.load(), now, now - 1'000'000'000, now);
        }
        const std::string body = fmt::format(
            R"({{"resourceSpans":[{{"resource":{{"attributes":[]}},"scopeSpans":[{{"scope":{{}},"spans":[{}]}}]}}]}})",
            spans);
        send_all(socket_,
                 fmt::format("POST /v1/traces HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
                             "Content-Length: {}\r\n\r\n{}",
                             host_, body.size(), body));
        const std::string answer = head_of(socket_);
        if (!answer.starts_with("HTTP/1.1 200")) give_up(answer);
    }

    std::string host_;
    int socket_;
    std::atomic<std::uint64_t> sent_ = 0;
    std::jthread thread_;
};

// Takes whole frames off the front of what came; with `delays`, reads when each was sent. The rest is kept.
void take_frames(Socket& socket, std::string_view got, std::int64_t now, std::vector<std::int64_t>* delays) {
    if (!socket.unread.empty()) got = socket.unread.append(got);
    std::string_view left = got;
    for (;;) {
        if (left.size() < 2) break;
        std::size_t size = static_cast<unsigned char>(left[1]) & 0x7F, begin = 2;
        if (size >= 126) {
            begin = size == 126 ? 4 : 10;
            if (left.size() < begin) break;
            size = 0;
            for (std::size_t at = 2; at < begin; ++at)
                size = size << 8 | static_cast<unsigned char>(left[at]);
        }
        if (left.size() < begin + size) break;
        const std::string_view payload = left.substr(begin, size);
        if ((left[0] & 0x0F) == 1) {
            ++socket.frames;
            constexpr std::string_view name = R"("span_name":"t)";
            if (const std::size_t at = delays == nullptr ? std::string_view::npos : payload.find(name);
                at != std::string_view::npos) {
                std::int64_t sent = 0;
                std::from_chars(payload.data() + at + name.size(), payload.data() + payload.size(), sent);
                delays->push_back(now - sent);
            }
        } else if ((left[0] & 0x0F) == 8) {
            give_up(fmt::format("the server said good-bye: {}", payload.substr(2)));
        }
        left.remove_prefix(begin + size);
    }
    socket.unread = std::string(left);
}

double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double at_level(const std::vector<std::int64_t>& sorted, double level) {
    if (sorted.empty()) return -1;
    return static_cast<double>(
               sorted[static_cast<std::size_t>(level * static_cast<double>(sorted.size() - 1))]) /
           1e6;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 4) give_up("<api host:port> <otlp host:port> <token file> [sockets [events/s [seconds]]]");
    const auto number = [&](int at, int otherwise) {
        return count > at ? std::atoi(arguments[at]) : otherwise;
    };
    const int sockets = number(4, 1000), rate = number(5, 1000), seconds = number(6, 20);
    std::vector<std::string> tokens;
    std::ifstream file(arguments[3]);
    for (std::string line; std::getline(file, line);)
        if (!line.empty()) tokens.push_back(line);
    if (tokens.empty()) give_up("the file has no token");

    const int poll = epoll_create1(EPOLL_CLOEXEC);
    std::vector<Socket> all;
    for (int at = 0; at < sockets; ++at)
        all.push_back(listening(arguments[1], tokens[static_cast<std::size_t>(at) % tokens.size()]));
    for (std::size_t at = 0; at < all.size(); ++at) {
        epoll_event wanted{.events = EPOLLIN, .data = {.u64 = at}};
        epoll_ctl(poll, EPOLL_CTL_ADD, all[at].descriptor, &wanted);
    }

    std::atomic<bool> stop = false;
    Generator generator(arguments[2], rate, stop);
    std::vector<std::int64_t> delays;
    delays.reserve(static_cast<std::size_t>(sockets) / read_each *
                   static_cast<std::size_t>(rate * (seconds + 2)));
    std::vector<char> bytes(1 << 20);
    std::uint64_t received = 0;
    const double cpu_before = cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    // A second more for what is on its way.
    for (auto now = begin; now < begin + std::chrono::seconds(seconds + 1);
         now = std::chrono::steady_clock::now()) {
        if (now > begin + std::chrono::seconds(seconds)) stop = true;
        epoll_event ready[256];
        const int some = epoll_wait(poll, ready, 256, 100);
        for (int at = 0; at < some; ++at) {
            const std::size_t which = ready[at].data.u64;
            Socket& socket = all[which];
            const ssize_t got = ::recv(socket.descriptor, bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (got == 0) give_up("the server hung up");
            if (got < 0) continue;
            received += static_cast<std::uint64_t>(got);
            take_frames(socket, {bytes.data(), static_cast<std::size_t>(got)}, now_nanos(),
                        which % read_each == 0 ? &delays : nullptr);
        }
    }
    generator.join();
    std::uint64_t frames = 0, fewest = UINT64_MAX;
    for (const Socket& socket : all) {
        frames += socket.frames;
        fewest = std::min(fewest, socket.frames);
    }
    std::ranges::sort(delays);
    fmt::print(
        R"({{"sockets":{},"sent":{},"frames":{},"fewest":{},"bytes":{},"p50_ms":{:.1f},"p99_ms":{:.1f},)"
        R"("max_ms":{:.1f},"client_cpu_seconds":{:.1f}}})"
        "\n",
        sockets, generator.sent(), frames, fewest, received, at_level(delays, 0.5), at_level(delays, 0.99),
        at_level(delays, 1), cpu_seconds() - cpu_before);
    return 0;
}
