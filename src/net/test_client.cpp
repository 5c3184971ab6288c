#include "net/test_client.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace obs::net::test {

Wire::Wire(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const int yes = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(descriptor_);
        throw std::runtime_error(fmt::format("cannot connect to port {}", port));
    }
}

Wire::Wire(std::uint16_t port, std::string_view alpn) : Wire(port) {
    context_ = SSL_CTX_new(TLS_client_method());
    ssl_ = SSL_new(context_);
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(alpn.data()),
                        static_cast<unsigned int>(alpn.size()));
    SSL_set_fd(ssl_, descriptor_);
    if (SSL_connect(ssl_) != 1) throw std::runtime_error("no TLS");
}

Wire::~Wire() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(descriptor_);
}

std::string Wire::protocol() const {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

bool Wire::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                             : ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::string Wire::receive() {
    std::string bytes(64 << 10, '\0');
    const ssize_t got = ssl_ != nullptr ? SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                        : ::recv(descriptor_, bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
}

std::string Wire::receive_all() {
    std::string all;
    for (std::string more = receive(); !more.empty(); more = receive()) all += more;
    return all;
}

void Wire::end_writing() {
    ::shutdown(descriptor_, SHUT_WR);
}

Reply Http1Client::reply(bool without_body) {
    Reply reply;
    std::size_t head = 0;
    while ((head = unread_.find("\r\n\r\n")) == std::string::npos) {
        const std::string more = wire_.receive();
        if (more.empty()) return reply;
        unread_ += more;
    }
    std::string_view lines = std::string_view(unread_).substr(0, head + 2);
    reply.status = std::atoi(std::string(lines.substr(9, 3)).c_str());
    lines.remove_prefix(lines.find("\r\n") + 2);
    while (!lines.empty()) {
        const std::string_view line = lines.substr(0, lines.find("\r\n"));
        const std::size_t colon = line.find(": ");
        reply.headers.emplace(line.substr(0, colon), line.substr(colon + 2));
        lines.remove_prefix(line.size() + 2);
    }
    unread_.erase(0, head + 4);
    if (reply.status == 100) return this->reply(without_body);
    const std::size_t length = without_body || !reply.headers.contains("content-length")
                                   ? 0
                                   : std::stoul(reply.headers.at("content-length"));
    while (unread_.size() < length) {
        const std::string more = wire_.receive();
        if (more.empty()) return reply;
        unread_ += more;
    }
    reply.body = unread_.substr(0, length);
    unread_.erase(0, length);
    reply.complete = true;
    return reply;
}

std::string post(std::string_view path, std::string_view body, std::string_view lines) {
    return fmt::format("POST {} HTTP/1.1\r\nhost: here\r\n{}content-length: {}\r\n\r\n{}", path, lines,
                       body.size(), body);
}

Http2Client::Http2Client(Wire& wire) : wire_(wire) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
           const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
            Reply& reply = static_cast<Http2Client*>(user)->replies_[frame->hd.stream_id];
            const std::string key(reinterpret_cast<const char*>(name), name_size);
            const std::string text(reinterpret_cast<const char*>(value), value_size);
            if (key == ":status")
                reply.status = std::atoi(text.c_str());
            else if (frame->headers.cat == NGHTTP2_HCAT_RESPONSE)
                reply.headers.emplace(key, text);
            else
                reply.trailers.emplace(key, text);
            return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                      std::size_t size, void* user) {
            static_cast<Http2Client*>(user)->replies_[id].body.append(reinterpret_cast<const char*>(bytes),
                                                                      size);
            return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
            Http2Client& client = *static_cast<Http2Client*>(user);
            if (frame->hd.type == NGHTTP2_GOAWAY) client.goaway_ = frame->goaway.error_code;
            const bool ends = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
            if (ends && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
                client.replies_[frame->hd.stream_id].complete = true;
            return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
            Reply& reply = static_cast<Http2Client*>(user)->replies_[id];
            if (!reply.complete) reply.reset = code;
            return 0;
        });
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
}

Http2Client::~Http2Client() {
    nghttp2_session_del(session_);
}

std::int32_t Http2Client::begin(std::string_view method, std::string_view path, const Fields& fields,
                                std::string body, bool open) {
    Fields all{{":method", std::string(method)},
               {":scheme", "http"},
               {":authority", "here"},
               {":path", std::string(path)}};
    all.insert(all.end(), fields.begin(), fields.end());
    std::vector<nghttp2_nv> wire_fields;
    for (auto& [name, value] : all)
        wire_fields.push_back({reinterpret_cast<std::uint8_t*>(name.data()),
                               reinterpret_cast<std::uint8_t*>(value.data()), name.size(), value.size(),
                               NGHTTP2_NV_FLAG_NONE});
    const bool bodiless = body.empty() && !open;
    uploads_.push_back(std::make_unique<Upload>(Upload{std::move(body), 0, open}));
    nghttp2_data_provider source{};
    source.source.ptr = uploads_.back().get();
    source.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t room,
                              std::uint32_t* flags, nghttp2_data_source* from, void*) -> ssize_t {
        Upload& upload = *static_cast<Upload*>(from->ptr);
        const std::size_t size = std::min(room, upload.body.size() - upload.sent);
        if (size == 0 && upload.open) return NGHTTP2_ERR_DEFERRED;
        std::memcpy(out, upload.body.data() + upload.sent, size);
        upload.sent += size;
        if (upload.sent == upload.body.size() && !upload.open) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(size);
    };
    return nghttp2_submit_request(session_, nullptr, wire_fields.data(), wire_fields.size(),
                                  bodiless ? nullptr : &source, nullptr);
}

bool Http2Client::flush() {
    for (;;) {
        const std::uint8_t* bytes = nullptr;
        const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
        if (size <= 0) return size == 0;
        if (!wire_.send({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)})) return false;
    }
}

bool Http2Client::turn() {
    flush();  // a server that closed may still have told us why
    const std::string bytes = wire_.receive();
    if (bytes.empty()) return false;
    return nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                    bytes.size()) >= 0;
}

template <class Done>
void Http2Client::run_until(Done done) {
    while (!done() && turn()) {
    }
    flush();
}

Reply Http2Client::finish(std::int32_t stream) {
    run_until([&] { return replies_[stream].complete || replies_[stream].reset; });
    return replies_[stream];
}

void Http2Client::ping() {
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

std::optional<std::uint32_t> Http2Client::goaway() {
    run_until([&] { return goaway_.has_value(); });
    return goaway_;
}

}  // namespace obs::net::test
