// HTTP/2 over nghttp2, which is fed and asked by hand.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <unordered_map>

#include <nghttp2/nghttp2.h>

#include "net/exchange.h"
#include "net/flow.h"
#include "net/protocol.h"

namespace obs::net {
namespace {

// More than this waits in nghttp2 until the socket has taken some of it.
constexpr std::size_t enough_output = 256 << 10;
// A client that is answered before its request ended should end it by itself. Some take a reset at once for
// an error and lose the answer, so it comes late.
constexpr std::chrono::seconds patience{1};
// What RFC 9113 adds to each field when it counts a header list.
constexpr std::size_t field_overhead = 32;

struct FreeNghttp2 {
    void operator()(nghttp2_session* session) const noexcept { nghttp2_session_del(session); }
    void operator()(nghttp2_session_callbacks* callbacks) const noexcept {
        nghttp2_session_callbacks_del(callbacks);
    }
    void operator()(nghttp2_option* option) const noexcept { nghttp2_option_del(option); }
};

nghttp2_nv field(std::string_view name, std::string_view value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
            NGHTTP2_NV_FLAG_NONE};
}

std::vector<nghttp2_nv> fields_of(const Headers& headers) {
    std::vector<nghttp2_nv> fields;
    for (const auto& [name, value] : headers) fields.push_back(field(name, value));
    return fields;
}

struct Stream {
    explicit Stream(std::int32_t number) : id(number) {}
    ~Stream() {
        if (!flow) return;
        flow->close();
        session->closed();
    }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    std::int32_t id;
    RequestHead head{};
    std::size_t header_bytes = 0;
    std::optional<Exchange> exchange{};
    bool receiving = false;  // a body is on its way and wanted
    bool remote_closed = false;
    bool answered = false;
    bool head_only = false;  // the method is HEAD
    Time began{};
    Response response{};
    std::shared_ptr<Session> session{};  // of an answer that goes on
    std::shared_ptr<Flow> flow{};        // the same
    Piece piece{};                       // what is being sent of it
    std::optional<Time> ending{};        // it has ended, and the client has not taken the rest
    std::uint64_t sent = 0;              // of the piece, or of the response's body
    std::optional<Time> sent_at{};       // the whole response
};

class Http2 final : public Protocol {
public:
    explicit Http2(Wire& wire)
        : wire_(wire), heard_(wire.now), second_(wire.now), last_stream_ended_(wire.now) {
        nghttp2_session* session = nullptr;
        if (nghttp2_session_server_new2(&session, callbacks(), this, options()) != 0) throw std::bad_alloc();
        session_.reset(session);
        greet();
    }

    void receive(std::string_view bytes) override {
        heard_ = wire_.now;
        pinged_ = false;
        const ssize_t used = nghttp2_session_mem_recv(
            session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
        // nghttp2 has queued its GOAWAY for what it understands as an error; the rest is no HTTP/2.
        if (used < 0) ended_ = true;
    }

    void end_of_input() override { ended_ = true; }

    void respond(std::uint32_t request, Response response) override {
        const auto found = streams_.find(static_cast<std::int32_t>(request));
        if (found != streams_.end()) submit(*found->second, std::move(response));
    }

    void wake(std::uint32_t request) override {
        nghttp2_session_resume_data(session_.get(), static_cast<std::int32_t>(request));
    }

    void fill_output() override {
        while (wire_.output.size() < enough_output) {
            const std::uint8_t* bytes = nullptr;
            const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
            if (size < 0) ended_ = true;
            if (size <= 0) return;
            wire_.output.append(
                std::string_view(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)));
        }
    }

    void tick() override {
        const Limits& limits = *wire_.around.limits;
        if (wire_.now - second_ > std::chrono::seconds(1)) {
            second_ = wire_.now;
            control_frames_ = 0;
        }
        for (auto& [id, stream] : streams_) check_time(*stream);
        const auto silence = wire_.now - heard_;
        // A paused connection is silent because we do not listen.
        if (wire_.around.budget->under_pressure()) heard_ = last_stream_ended_ = wire_.now;
        if (streams_.empty() && wire_.now - last_stream_ended_ > limits.idle_http2) drain();
        if (silence > limits.ping * 2) {
            ended_ = true;
        } else if (silence > limits.ping && !pinged_) {
            pinged_ = true;
            nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
        }
    }

    void drain() override {
        if (std::exchange(draining_, true)) return;
        for (auto& [id, stream] : streams_)
            if (stream->flow) stream->flow->end(nullptr, Outlet::Unsent::keep);
        nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                              nullptr, 0);
    }

    bool wants_input(bool pressure) const override {
        if (!pressure) return true;
        // What has begun may end; what is new waits.
        return std::ranges::any_of(streams_, [](const auto& entry) { return entry.second->receiving; });
    }
    bool finished() const override {
        if (ended_) return true;
        if (draining_ && streams_.empty() && nghttp2_session_want_write(session_.get()) == 0) return true;
        return nghttp2_session_want_read(session_.get()) == 0 &&
               nghttp2_session_want_write(session_.get()) == 0;
    }
    bool busy() const override {
        return !finished() &&
               std::ranges::any_of(streams_, [](const auto& entry) { return entry.second->flow == nullptr; });
    }

private:
    static const nghttp2_option* options() {
        static const std::unique_ptr<nghttp2_option, FreeNghttp2> shared = [] {
            nghttp2_option* made = nullptr;
            if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
            nghttp2_option_set_no_auto_window_update(made, 1);
            nghttp2_option_set_no_closed_streams(made, 1);
            nghttp2_option_set_max_settings(made, 32);
            return std::unique_ptr<nghttp2_option, FreeNghttp2>(made);
        }();
        return shared.get();
    }

    static const nghttp2_session_callbacks* callbacks() {
        static const std::unique_ptr<nghttp2_session_callbacks, FreeNghttp2> shared = [] {
            nghttp2_session_callbacks* made = nullptr;
            if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
            nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
            nghttp2_session_callbacks_set_on_header_callback(made, on_header);
            nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
            nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
            nghttp2_session_callbacks_set_on_frame_send_callback(made, on_sent);
            nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
            return std::unique_ptr<nghttp2_session_callbacks, FreeNghttp2>(made);
        }();
        return shared.get();
    }

    void greet() {
        const Limits& limits = *wire_.around.limits;
        const std::array<nghttp2_settings_entry, 3> settings{{
            {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams},
            {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(limits.stream_window)},
            {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.header_bytes)},
        }};
        nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings.data(), settings.size());
        nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0, limits.connection_window);
    }

    // --- what nghttp2 reports
    // -------------------------------------------------------------------------------------

    static Http2& self(void* user) { return *static_cast<Http2*>(user); }
    static Stream* stream_of(nghttp2_session* session, std::int32_t id) {
        return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
    }
    static bool begins_request(const nghttp2_frame& frame) {
        return frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST;
    }

    static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
        if (!begins_request(*frame)) return 0;
        auto stream = std::make_unique<Stream>(frame->hd.stream_id);
        stream->began = self(user).wire_.now;
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream.get());
        self(user).streams_.insert_or_assign(frame->hd.stream_id, std::move(stream));
        return 0;
    }

    static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
                         std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                         std::uint8_t, void* user) {
        Stream* stream = stream_of(session, frame->hd.stream_id);
        if (!begins_request(*frame) || stream == nullptr) return 0;
        stream->header_bytes += name_size + value_size + field_overhead;
        if (stream->header_bytes > self(user).wire_.around.limits->header_bytes) return 0;
        add_field(stream->head, {reinterpret_cast<const char*>(name), name_size},
                  {reinterpret_cast<const char*>(value), value_size});
        return 0;
    }

    static void add_field(RequestHead& head, std::string_view name, std::string_view value) {
        if (name == ":method") {
            head.method = value;
        } else if (name == ":path") {
            value = value.substr(0, value.find('#'));
            const std::size_t mark = value.find('?');
            head.path = value.substr(0, mark);
            if (mark != std::string_view::npos) head.query = value.substr(mark + 1);
        } else if (name == ":authority") {
            head.headers.add("host", std::string(value));
        } else if (!name.starts_with(':')) {
            head.headers.add(std::string(name), std::string(value));
        }
    }

    static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
        Http2& connection = self(user);
        const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        switch (frame->hd.type) {
            case NGHTTP2_HEADERS:
            case NGHTTP2_DATA: break;
            case NGHTTP2_WINDOW_UPDATE: return 0;
            default: return connection.count_control_frame();
        }
        if (frame->hd.type == NGHTTP2_DATA && frame->hd.length == 0 && !last)
            return connection.count_control_frame();
        Stream* stream = stream_of(session, frame->hd.stream_id);
        if (stream == nullptr) return 0;
        stream->remote_closed = stream->remote_closed || last;
        if (begins_request(*frame)) connection.head_complete(*stream);
        if (last) connection.body_complete(*stream);
        return 0;
    }

    static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                       std::size_t size, void* user) {
        Http2& connection = self(user);
        Stream* stream = stream_of(session, id);
        if (stream != nullptr && stream->receiving) {
            std::optional<Response> refused =
                stream->exchange->receive({reinterpret_cast<const char*>(bytes), size});
            if (refused) connection.submit(*stream, std::move(*refused));
        }
        // The window of what was refused stays shut; the connection's is for the others.
        if (stream != nullptr && stream->receiving)
            nghttp2_session_consume(session, id, size);
        else
            nghttp2_session_consume_connection(session, size);
        return 0;
    }

    static int on_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
        if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
        if (Stream* stream = stream_of(session, frame->hd.stream_id)) stream->sent_at = self(user).wire_.now;
        return 0;
    }

    static int on_close(nghttp2_session* session, std::int32_t id, std::uint32_t, void* user) {
        nghttp2_session_set_stream_user_data(session, id, nullptr);
        self(user).streams_.erase(id);
        self(user).last_stream_ended_ = self(user).wire_.now;
        return 0;
    }

    // --- what we do about it
    // --------------------------------------------------------------------------------------

    int count_control_frame() {
        if (++control_frames_ > wire_.around.limits->control_frames_per_second)
            nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
        return 0;
    }

    void head_complete(Stream& stream) {
        const std::size_t limit = wire_.around.limits->header_bytes;
        RequestHead& head = stream.head;
        head.peer = wire_.peer;
        head.http2 = true;
        stream.head_only = head.method == "HEAD";
        head.tls = wire_.tls;
        head.listener_on_loopback = wire_.on_loopback;
        std::optional<std::uint64_t> length;
        const std::string_view given = head.headers.get("content-length");
        if (std::uint64_t value = 0;
            !given.empty() &&
            std::from_chars(given.data(), given.data() + given.size(), value).ec == std::errc())
            length = value;
        stream.exchange.emplace(wire_, static_cast<std::uint32_t>(stream.id), std::move(head));
        std::optional<Response> refused = stream.header_bytes > limit
                                              ? stream.exchange->refusal(431, "the head is too big")
                                              : stream.exchange->admit(length);
        if (refused) return submit(stream, std::move(*refused));
        stream.receiving = true;
    }

    void body_complete(Stream& stream) {
        if (!std::exchange(stream.receiving, false)) return;
        stream.exchange->finish();
    }

    void check_time(Stream& stream) {
        if (stream.sent_at && wire_.now - *stream.sent_at > patience && !stream.remote_closed)
            nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_NO_ERROR);
        if (stream.flow && stream.flow->ending()) {
            if (!stream.ending) stream.ending = wire_.now;
            if (wire_.now - *stream.ending > wire_.around.limits->write)
                nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
        }
        if (stream.answered) return;
        if (!stream.exchange) {
            if (wire_.now - stream.began > wire_.around.limits->header)
                nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
            return;
        }
        if (std::optional<Response> overdue = stream.exchange->overdue()) submit(stream, std::move(*overdue));
    }

    void submit(Stream& stream, Response response) {
        if (std::exchange(stream.answered, true)) return;
        stream.receiving = false;
        stream.exchange.reset();  // what was received of a refused body makes room at once
        stream.response = std::move(response);
        const Response& answer = stream.response;
        std::array<char, 24> digits{};
        const auto text = [&](auto number) {
            return std::string_view(digits.data(),
                                    std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
        };
        const std::string status(text(answer.status)), length(text(answer.length()));
        std::vector<nghttp2_nv> fields{field(":status", status), field("date", http_date())};
        for (const nghttp2_nv& more : fields_of(answer.headers)) fields.push_back(more);
        // gRPC counts its messages itself.
        if (answer.length() != 0 && answer.trailers.empty())
            fields.push_back(field("content-length", length));
        nghttp2_data_provider body{.source = {.ptr = &stream},
                                   .read_callback = answer.session ? read_flow : read_body};
        const bool bodiless =
            stream.head_only || (answer.length() == 0 && answer.trailers.empty() && !answer.session);
        if (answer.session && !bodiless) begin_session(stream);
        nghttp2_submit_response(session_.get(), stream.id, fields.data(), fields.size(),
                                bodiless ? nullptr : &body);
    }

    void begin_session(Stream& stream) {
        stream.session = std::move(stream.response.session);
        stream.flow = std::make_shared<Flow>(wire_, static_cast<std::uint32_t>(stream.id));
        stream.session->opened(stream.flow);
        if (draining_) stream.flow->end(nullptr, Outlet::Unsent::keep);
    }

    static ssize_t read_flow(nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t room,
                             std::uint32_t* flags, nghttp2_data_source* source, void*) {
        Stream& stream = *static_cast<Stream*>(source->ptr);
        std::size_t size = 0;
        while (size < room) {
            if (!stream.piece) {
                stream.piece = stream.flow->next();
                stream.sent = 0;
            }
            if (!stream.piece) break;
            const std::size_t some = std::min(room - size, stream.piece->size() - stream.sent);
            std::memcpy(out + size, stream.piece->data() + stream.sent, some);
            size += some;
            stream.sent += some;
            if (stream.sent == stream.piece->size()) stream.piece.reset();
        }
        if (!stream.piece && stream.flow->ended())
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        else if (size == 0)
            return NGHTTP2_ERR_DEFERRED;
        return static_cast<ssize_t>(size);
    }

    static ssize_t read_body(nghttp2_session* session, std::int32_t id, std::uint8_t* out, std::size_t room,
                             std::uint32_t* flags, nghttp2_data_source* source, void*) {
        Stream& stream = *static_cast<Stream*>(source->ptr);
        const Response& response = stream.response;
        std::size_t size = std::min<std::uint64_t>(room, response.length() - stream.sent);
        if (response.file) {
            size = response.file->read(stream.sent, {reinterpret_cast<char*>(out), size});
            if (size == 0 && stream.sent < response.length()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        } else {
            std::memcpy(out, response.body.data() + stream.sent, size);
        }
        stream.sent += size;
        if (stream.sent < response.length()) return static_cast<ssize_t>(size);
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (const Headers& trailers = response.trailers; !trailers.empty()) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            const std::vector<nghttp2_nv> fields = fields_of(trailers);
            nghttp2_submit_trailer(session, id, fields.data(), fields.size());
        }
        return static_cast<ssize_t>(size);
    }

    Wire& wire_;
    // Before the session, which reports the end of no stream when it is destroyed but holds pointers to them.
    std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
    std::unique_ptr<nghttp2_session, FreeNghttp2> session_;
    Time heard_;   // when the last bytes came
    Time second_;  // when the control frames were last counted from zero
    Time last_stream_ended_;
    std::uint32_t control_frames_ = 0;
    bool pinged_ = false;
    bool draining_ = false;
    bool ended_ = false;
};

}  // namespace

std::unique_ptr<Protocol> make_http2(Wire& wire) {
    return std::make_unique<Http2>(wire);
}

}  // namespace obs::net
