// grpc_drop: the OTLP trace service as gRPC C++ and generated code make it, with an arena for each request,
// which counts the spans of a request and drops them. Listens on a free port, which it prints.
#include <csignal>
#include <cstdint>
#include <cstdio>

#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/message_allocator.h>

#include <opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h>

#include <atomic>

namespace {

namespace otlp = opentelemetry::proto::collector::trace::v1;

class OnArena final
    : public grpc::MessageHolder<otlp::ExportTraceServiceRequest, otlp::ExportTraceServiceResponse> {
public:
    OnArena() {
        set_request(google::protobuf::Arena::CreateMessage<otlp::ExportTraceServiceRequest>(&arena_));
        set_response(google::protobuf::Arena::CreateMessage<otlp::ExportTraceServiceResponse>(&arena_));
    }
    void Release() override { delete this; }

private:
    google::protobuf::Arena arena_;
};

class Arenas final
    : public grpc::MessageAllocator<otlp::ExportTraceServiceRequest, otlp::ExportTraceServiceResponse> {
public:
    OnArena* AllocateMessages() override { return new OnArena; }
};

class Dropping final : public otlp::TraceService::CallbackService {
public:
    Dropping() { SetMessageAllocatorFor_Export(&arenas_); }
    grpc::ServerUnaryReactor* Export(grpc::CallbackServerContext* context,
                                     const otlp::ExportTraceServiceRequest* request,
                                     otlp::ExportTraceServiceResponse*) override {
        std::uint64_t found = 0;
        for (const auto& resource : request->resource_spans())
            for (const auto& scope : resource.scope_spans()) found += scope.spans_size();
        spans.fetch_add(found, std::memory_order_relaxed);
        grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
    std::atomic<std::uint64_t> spans{0};

private:
    Arenas arenas_;
};

}  // namespace

int main() {
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stops, nullptr);
    Dropping service;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(64 << 20);
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    if (server == nullptr) return 1;
    std::printf("port: %d\n", port);
    std::fflush(stdout);
    int signal = 0;
    sigwait(&stops, &signal);
    server->Shutdown();
    std::printf("spans: %llu\n", static_cast<unsigned long long>(service.spans.load()));
    return 0;
}
