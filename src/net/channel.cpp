#include "net/channel.h"

#include <array>
#include <cerrno>
#include <string_view>

#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace obs::net {
namespace {

std::string openssl_reason() {
    std::array<char, 256> text{};
    ERR_error_string_n(ERR_get_error(), text.data(), text.size());
    return text.data();
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
    static constexpr std::string_view ours = "\x02h2\x08http/1.1";
    unsigned char* picked = nullptr;
    const int answer =
        SSL_select_next_proto(&picked, chosen_size, reinterpret_cast<const unsigned char*>(ours.data()),
                              static_cast<unsigned int>(ours.size()), offered, offered_size);
    *chosen = picked;
    return answer == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Step step_of(SSL* ssl, int returned) {
    switch (SSL_get_error(ssl, returned)) {
        case SSL_ERROR_WANT_READ: return {Progress::wait_read};
        case SSL_ERROR_WANT_WRITE: return {Progress::wait_write};
        case SSL_ERROR_ZERO_RETURN: return {Progress::ended};
        default: return {Progress::broken};
    }
}

Step step_of_errno(Progress wait) {
    return {errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? wait : Progress::broken};
}

}  // namespace

Result<SslContext> load_tls(const Tls& files) {
    SslContext context{SSL_CTX_new(TLS_server_method())};
    if (!context) return fail(ErrorKind::unavailable, "no TLS context: {}", openssl_reason());
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(),
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
    if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1)
        return fail(ErrorKind::invalid_input, "cannot read certificate {}: {}", files.certificate.string(),
                    openssl_reason());
    if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1)
        return fail(ErrorKind::invalid_input, "cannot use key {}: {}", files.key.string(), openssl_reason());
    return context;
}

Channel::Channel(int descriptor, SSL_CTX* context) : descriptor_(descriptor) {
    if (context == nullptr) return;
    ssl_.reset(SSL_new(context));
    if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), descriptor) != 1) throw std::bad_alloc();
    SSL_set_accept_state(ssl_.get());
}

Step Channel::read(std::span<char> into) {
    if (ssl_) return read_tls(into);
    const ssize_t got = ::recv(descriptor_, into.data(), into.size(), 0);
    if (got > 0) return {Progress::moved, static_cast<std::size_t>(got)};
    return got == 0 ? Step{Progress::ended} : step_of_errno(Progress::wait_read);
}

Step Channel::read_tls(std::span<char> into) {
    std::size_t got = 0;
    ERR_clear_error();
    const int returned = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
    return returned == 1 ? Step{Progress::moved, got} : step_of(ssl_.get(), returned);
}

Step Channel::write(Output& output) {
    if (ssl_) return write_tls(output);
    std::array<iovec, 16> pieces;
    msghdr message{};
    message.msg_iov = pieces.data();
    output.front(pieces.size(), [&](std::string_view piece) {
        pieces[message.msg_iovlen++] = {const_cast<char*>(piece.data()), piece.size()};
    });
    const ssize_t sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    if (sent < 0) return step_of_errno(Progress::wait_write);
    output.consume(static_cast<std::size_t>(sent));
    return {Progress::moved, static_cast<std::size_t>(sent)};
}

Step Channel::write_tls(Output& output) {
    std::string_view piece;
    output.front(1, [&](std::string_view first) { piece = first; });
    std::size_t sent = 0;
    ERR_clear_error();
    const int returned = SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &sent);
    if (returned != 1) return step_of(ssl_.get(), returned);
    output.consume(sent);
    return {Progress::moved, sent};
}

void Channel::end_writing() {
    ERR_clear_error();
    if (ssl_ && SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());
    ::shutdown(descriptor_, SHUT_WR);
}

}  // namespace obs::net
