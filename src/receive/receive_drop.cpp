// Serves OTLP on free ports (or --port N), counts requests and drops them: what receiving alone costs.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "net/server.h"
#include "receive/otlp_service.h"

namespace {

class CountingIntake final : public obs::Intake {
public:
    void accept(obs::IntakeRequest request, Done done) override {
        requests.fetch_add(1, std::memory_order_relaxed);
        bytes.fetch_add(request.body.size(), std::memory_order_relaxed);
        done(obs::Accepted{});
    }
    std::atomic<std::uint64_t> requests{0}, bytes{0};
};

class OpenDoor final : public obs::IngestAuthority {
public:
    obs::Result<obs::Tenant> admit(std::string_view, bool) override { return obs::Tenant{}; }
    void charge(const obs::Tenant&, std::size_t) override {}
};

}  // namespace

int main(int count, char** arguments) {
    std::uint16_t port = 0;
    unsigned threads = 0;
    for (int n = 1; n + 1 < count; n += 2) {
        const std::string_view name = arguments[n];
        const int value = std::atoi(arguments[n + 1]);
        if (name == "--port") port = static_cast<std::uint16_t>(value);
        if (name == "--threads") threads = static_cast<unsigned>(value);
    }
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stops, nullptr);

    CountingIntake intake;
    OpenDoor authority;
    obs::ByteBudget budget;
    obs::net::Workers workers;
    obs::receive::OtlpService service({}, intake, authority, workers);
    auto server =
        obs::net::Server::start({.threads = threads, .budget = &budget, .workers = &workers},
                                {{.host = "127.0.0.1", .port = port, .service = &service, .name = "otlp"}});
    if (!server) {
        fmt::print(stderr, "receive_drop: {}\n", server.error().message);
        return 1;
    }
    fmt::print("port: {}\n", (*server)->port(0));
    std::fflush(stdout);
    int signal = 0;
    sigwait(&stops, &signal);
    service.begin_drain();
    (*server)->drain(std::chrono::seconds(10));
    fmt::print("requests: {}\nbytes: {}\n", intake.requests.load(), intake.bytes.load());
    return 0;
}
