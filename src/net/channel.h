// A non-blocking socket, plain or under TLS.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <openssl/ssl.h>

#include "base/result.h"
#include "net/output.h"
#include "net/server.h"

namespace obs::net {

struct FreeSsl {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSsl>;

// TLS 1.2 and 1.3 with ALPN for h2 and http/1.1. Fails with `invalid_input` and the reason.
Result<SslContext> load_tls(const Tls& files);

enum class Progress {
    moved,       // some bytes
    wait_read,   // nothing until the socket is readable
    wait_write,  // nothing until the socket is writable
    ended,       // the other side sent its last byte
    broken,
};
struct Step {
    Progress progress;
    std::size_t bytes = 0;
};

class Channel {
public:
    // The descriptor stays the caller's and outlives the channel. `context` may be null: no TLS.
    Channel(int descriptor, SSL_CTX* context);

    bool encrypted() const { return ssl_ != nullptr; }
    Step read(std::span<char> into);
    // Takes what it writes out of `output`.
    Step write(Output& output);
    // Says that nothing more will be written.
    void end_writing();

private:
    Step read_tls(std::span<char> into);
    Step write_tls(Output& output);

    int descriptor_;
    std::unique_ptr<SSL, FreeSsl> ssl_;
};

}  // namespace obs::net
