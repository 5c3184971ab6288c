// Sends OTLP/HTTP export requests to a running server, at a fixed rate (open loop: a late request counts from
// the time at which it was due, so that a slow server cannot hide) or as fast as the connections allow.
// Prints one JSON object.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/time.h"
#include "corpus/corpus.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::string host = "127.0.0.1";
    std::string port = "4318";
    std::size_t batch = 100;
    std::size_t connections = 8;
    double rate = 0;  // spans a second; 0: as fast as possible
    double seconds = 10;
    std::string kind = "lean";
    std::string service;
    std::uint64_t seed = 1;
    int pid = 0;  // of the server, for its CPU time and memory
};

struct Connection {
    int socket = -1;
    std::string out;
    std::size_t sent = 0;
    std::string in;
    bool busy = false;
    Clock::time_point due;
};

int connect_to(const Options& options) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(options.host.c_str(), options.port.c_str(), &hints, &found) != 0) return -1;
    const int made = ::socket(found->ai_family, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(made, found->ai_addr, found->ai_addrlen) != 0) {
        freeaddrinfo(found);
        return -1;
    }
    freeaddrinfo(found);
    fcntl(made, F_SETFL, fcntl(made, F_GETFL) | O_NONBLOCK);
    return made;
}

double cpu_of(int pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::size_t behind_name = text.rfind(')');
    if (behind_name == std::string::npos) return 0;
    long long user = 0, system = 0;
    std::sscanf(text.c_str() + behind_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld",
                &user, &system);
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

long peak_memory_of(int pid) {
    std::ifstream file(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(file, line);)
        if (line.rfind("VmHWM:", 0) == 0) return std::atol(line.c_str() + 6);
    return 0;
}

double own_cpu() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

class Load {
public:
    explicit Load(Options options) : options_(std::move(options)), corpus_(corpus_options()) {}

    int run() {
        for (std::size_t i = 0; i < options_.connections; ++i) {
            Connection made;
            made.socket = connect_to(options_);
            if (made.socket < 0) {
                std::cerr << "load: cannot connect to " << options_.host << ":" << options_.port << "\n";
                return 1;
            }
            connections_.push_back(std::move(made));
        }
        const double server_before = options_.pid != 0 ? cpu_of(options_.pid) : 0;
        const auto began = Clock::now();
        const auto end = began + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(options_.seconds));
        const double interval = options_.rate > 0 ? static_cast<double>(options_.batch) / options_.rate : 0;
        std::uint64_t scheduled = 0;
        while (true) {
            const auto now = Clock::now();
            if (now < end) {
                if (interval == 0) {
                    for (Connection& each : connections_)
                        if (!each.busy) send(each, now);
                } else {
                    for (; began + to_clock(interval * static_cast<double>(scheduled)) <= now; ++scheduled)
                        waiting_.push_back(began + to_clock(interval * static_cast<double>(scheduled)));
                    // In turns: a server closes a connection on which nothing is said.
                    for (std::size_t tried = 0; tried < connections_.size() && !waiting_.empty(); ++tried) {
                        Connection& each = connections_[turn_of_ = (turn_of_ + 1) % connections_.size()];
                        if (each.busy) continue;
                        send(each, waiting_.front());
                        waiting_.pop_front();
                    }
                }
            } else if (std::ranges::none_of(connections_, &Connection::busy) ||
                       now > end + std::chrono::seconds(20)) {
                break;
            }
            if (!turn()) return 1;
        }
        report(std::chrono::duration<double>(Clock::now() - began).count(),
               options_.pid != 0 ? cpu_of(options_.pid) - server_before : 0);
        return 0;
    }

private:
    obs::CorpusOptions corpus_options() const {
        obs::CorpusOptions made;
        made.kind =
            options_.kind == "content" ? obs::CorpusOptions::Kind::content : obs::CorpusOptions::Kind::lean;
        made.spans = options_.batch;
        made.seed = options_.seed;
        made.service = options_.service;
        return made;
    }
    static Clock::duration to_clock(double seconds) {
        return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    }

    void send(Connection& connection, Clock::time_point due) {
        const std::string_view body = corpus_.next(obs::system_now());
        connection.out = fmt::format(
            "POST /v1/traces HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-protobuf\r\ncontent-length: "
            "{}\r\n\r\n",
            options_.host, body.size());
        connection.out += body;
        connection.sent = 0;
        connection.in.clear();
        connection.busy = true;
        connection.due = due;
        write(connection);
    }

    void write(Connection& connection) {
        while (connection.sent < connection.out.size()) {
            const ssize_t wrote = ::write(connection.socket, connection.out.data() + connection.sent,
                                          connection.out.size() - connection.sent);
            if (wrote <= 0) return;
            connection.sent += static_cast<std::size_t>(wrote);
        }
    }

    bool turn() {
        std::vector<pollfd> polled;
        for (const Connection& each : connections_) {
            const bool more = each.busy && each.sent < each.out.size();
            polled.push_back(
                {each.socket, static_cast<short>(each.busy ? POLLIN | (more ? POLLOUT : 0) : 0), 0});
        }
        ::poll(polled.data(), polled.size(), 1);
        for (std::size_t i = 0; i < polled.size(); ++i) {
            if ((polled[i].revents & POLLOUT) != 0) write(connections_[i]);
            if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !read(connections_[i]))
                return false;
        }
        return true;
    }

    bool read(Connection& connection) {
        char buffer[4096];
        const ssize_t got = ::read(connection.socket, buffer, sizeof buffer);
        if (got <= 0) {
            std::cerr << "load: the server closed a connection\n";
            return false;
        }
        connection.in.append(buffer, static_cast<std::size_t>(got));
        const std::size_t head = connection.in.find("\r\n\r\n");
        if (head == std::string::npos) return true;
        std::size_t length = 0;
        std::string lower = connection.in.substr(0, head);
        std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
        if (const std::size_t at = lower.find("content-length:"); at != std::string::npos)
            length = std::strtoul(lower.c_str() + at + 15, nullptr, 10);
        if (connection.in.size() < head + 4 + length) return true;
        connection.busy = false;
        if (connection.in.compare(0, 12, "HTTP/1.1 200") == 0) {
            ++acknowledged_;
            latencies_.push_back(
                std::chrono::duration<double, std::milli>(Clock::now() - connection.due).count());
        } else {
            ++refused_;
            if (refused_ == 1) std::cerr << "load: first refusal: " << connection.in.substr(0, head) << "\n";
        }
        return true;
    }

    double percentile(double level) const {
        if (latencies_.empty()) return 0;
        const auto at = static_cast<std::size_t>(level * static_cast<double>(latencies_.size() - 1));
        return latencies_[at];
    }

    void report(double seconds, double server_cpu) {
        std::ranges::sort(latencies_);
        const double spans = static_cast<double>(acknowledged_ * options_.batch);
        fmt::print(
            "{{\"batch\":{},\"rate\":{},\"seconds\":{:.2f},\"spans_acknowledged\":{},\"requests_refused\":{},"
            "\"late_requests\":{},\"spans_per_second\":{:.0f},\"ack_ms\":{{\"p50\":{:.2f},\"p90\":{:.2f},"
            "\"p99\":{:.2f},\"p999\":{:.2f},"
            "\"max\":{:.2f}}},\"generator_cpu_seconds\":{:.2f}",
            options_.batch, options_.rate, seconds, acknowledged_ * options_.batch, refused_, waiting_.size(),
            spans / seconds, percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999),
            percentile(1), own_cpu());
        if (options_.pid != 0)
            fmt::print(
                ",\"server_cpu_seconds\":{:.2f},\"spans_per_server_cpu_second\":{:.0f},\"server_peak_mb\":{}",
                server_cpu, server_cpu > 0 ? spans / server_cpu : 0.0, peak_memory_of(options_.pid) / 1024);
        fmt::print("}}\n");
    }

    Options options_;
    obs::Corpus corpus_;
    std::vector<Connection> connections_;
    std::deque<Clock::time_point> waiting_;
    std::size_t turn_of_ = 0;
    std::uint64_t acknowledged_ = 0, refused_ = 0;
    std::vector<double> latencies_;
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Sends spans to an OTLP/HTTP address and measures the answers");
    app.add_option("--host", options.host)->capture_default_str();
    app.add_option("--port", options.port)->capture_default_str();
    app.add_option("--batch", options.batch, "spans in a request")->capture_default_str();
    app.add_option("--connections", options.connections)->capture_default_str();
    app.add_option("--rate", options.rate, "spans a second; 0 is as fast as possible")->capture_default_str();
    app.add_option("--seconds", options.seconds)->capture_default_str();
    app.add_option("--kind", options.kind, "lean or content")
        ->check(CLI::IsMember({"lean", "content"}))
        ->capture_default_str();
    app.add_option("--service", options.service, "service.name of all spans; one of eight when empty");
    app.add_option("--seed", options.seed)->capture_default_str();
    app.add_option("--pid", options.pid, "process of the server, for its CPU time and memory");
    CLI11_PARSE(app, argc, argv);
    return Load(std::move(options)).run();
}
