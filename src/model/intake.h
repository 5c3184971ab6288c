// The door between receiving and understanding: what a transport hands over and what it is told back.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/result.h"

namespace obs {

enum class Signal : std::uint8_t { traces, logs, metrics };
enum class Encoding : std::uint8_t { protobuf, json };

// Whose data this is. No attribute of the data can change it (decision 1).
struct Tenant {
    std::string org = "default";
    std::string project = "default";
    std::string key_id{};  // empty on loopback without a key
};

// One export request, decompressed.
struct IntakeRequest {
    Signal signal = Signal::traces;
    Encoding encoding = Encoding::protobuf;
    Tenant tenant;
    Buffer body;
};

// What the client is told once its good items are on disk. `rejected` counts spans, log records or data
// points.
struct Accepted {
    std::int64_t rejected = 0;
    std::string message;  // why the first one was refused; short, in English
};

class Intake {
public:
    virtual ~Intake() = default;
    // Decodes and enriches on the calling thread, then calls back exactly once, from any thread, when the
    // result is durable or refused: `invalid_input` (never retry), `overloaded` or `unavailable` (retry in
    // 1-5 s). May be called from several threads at once.
    using Done = std::function<void(Result<Accepted>)>;
    virtual void accept(IntakeRequest request, Done done) = 0;
};

// Who may send. Called once per request before its body is read.
class IngestAuthority {
public:
    virtual ~IngestAuthority() = default;
    // `credential` is the bearer token or API key as sent, empty if there was none; `from_loopback` says
    // whether the listener is bound to loopback. Fails with `unauthenticated`, `forbidden` or `overloaded`
    // (quota used up). Thread-safe and quick: it may not touch a disk on the common path.
    virtual Result<Tenant> admit(std::string_view credential, bool from_loopback) = 0;
    // Counts the decompressed bytes of an admitted request against the key's quota.
    virtual void charge(const Tenant& tenant, std::size_t bytes) = 0;
};

}  // namespace obs
