// OTLP over HTTP (protobuf and JSON) and over gRPC, and gRPC's health service: requests in, answers a client
// can act on out. Decides who may send what where; what is in a body is the intake's business.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/intake.h"
#include "net/http.h"
#include "net/workers.h"
#include "receive/receive_metrics.h"

namespace obs::receive {

// Thread-safe. `intake`, `authority` and `workers` outlive it, and it outlives every request.
class OtlpService final : public net::Service {
public:
    struct Options {
        std::size_t body_limit = std::size_t{64} << 20;  // before and after decompression
        // A compressed gRPC message that becomes bigger than this is handled on the workers.
        std::size_t inline_body = std::size_t{4} << 20;
        // Browser pages that may send, `https://app.example.com`, or `*`. All others are refused.
        std::vector<std::string> origins{};
        // Whether data is taken at the moment, for gRPC health checks.
        std::function<bool()> serving = [] { return true; };
    };
    OtlpService(Options options, Intake& intake, IngestAuthority& authority, net::Workers& workers);
    ~OtlpService() override;

    std::variant<net::Proceed, net::Response> admit(const net::RequestHead& head) override;
    void handle(net::Request request, net::Respond respond) override;
    net::Response refusal(const net::RequestHead& head, int status, std::string_view reason) override;

    // Health checks answer NOT_SERVING from here on; requests are still taken.
    void begin_drain();
    const ReceiveMetrics& metrics() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace obs::receive
