// HTTP/1.1 over Boost.Beast's parser, which is fed and asked by hand.
#include <array>
#include <charconv>
#include <ctime>
#include <optional>

#include <fmt/format.h>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "net/exchange.h"
#include "net/flow.h"
#include "net/protocol.h"
#include "net/websocket.h"
#include "net/websocket_codec.h"

namespace obs::net {
namespace {

namespace beast = boost::beast;
using beast::string_view;
using beast::http::error;

// After a refusal so much of a body is read and dropped to keep the connection; beyond it the connection
// ends.
constexpr std::uint64_t worth_skipping = 1 << 20;
// Unread bytes we keep: a head, or the line before a chunk.
constexpr std::size_t most_kept = 64 << 10;
// Of a file so much is read at once, and more of it, or of an answer that goes on, only while less than that
// waits for the socket.
constexpr std::size_t enough_output = 64 << 10;

std::string_view reason_phrase(int status) {
    switch (status) {
        case 101: return "Switching Protocols";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 422: return "Unprocessable Content";
        case 426: return "Upgrade Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        default: return "Status";
    }
}

std::string lower_case(string_view text) {
    std::string out(text.data(), text.size());
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

// Splits a request target into path and query; a proxy's absolute form is cut down to its path.
void set_target(RequestHead& head, std::string_view target) {
    if (!target.starts_with('/'))
        if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos) {
            const std::size_t slash = target.find('/', scheme + 3);
            target = slash == std::string_view::npos ? "/" : target.substr(slash);
        }
    target = target.substr(0, target.find('#'));
    const std::size_t mark = target.find('?');
    head.path = target.substr(0, mark);
    if (mark != std::string_view::npos) head.query = target.substr(mark + 1);
}

struct BodySink {
    virtual ~BodySink() = default;
    virtual void on_body(std::string_view bytes) = 0;
};

class Parser final : public beast::http::basic_parser<true> {
public:
    Parser(BodySink& sink, std::size_t header_bytes) : sink_(sink) {
        header_limit(static_cast<std::uint32_t>(header_bytes));
        body_limit(boost::none);  // ours are counted by Exchange
    }
    RequestHead head;
    bool expects_continue = false;
    int version = 11;  // 10: no chunks

private:
    void on_request_impl(beast::http::verb, string_view method, string_view target, int number,
                         beast::error_code&) override {
        version = number;
        head.method.assign(method.data(), method.size());
        set_target(head, {target.data(), target.size()});
    }
    void on_response_impl(int, string_view, int, beast::error_code&) override {}
    void on_field_impl(beast::http::field name, string_view text, string_view value,
                       beast::error_code&) override {
        // Trailers behind a chunked body come here too: they must not pass for headers.
        if (in_body_) return;
        if (name == beast::http::field::expect) expects_continue = true;
        head.headers.add(lower_case(text), std::string(value.data(), value.size()));
    }
    void on_header_impl(beast::error_code&) override { in_body_ = true; }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
    std::size_t on_body_impl(string_view bytes, beast::error_code&) override {
        sink_.on_body({bytes.data(), bytes.size()});
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t, string_view, beast::error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, beast::error_code&) override {
        sink_.on_body({bytes.data(), bytes.size()});
        return bytes.size();
    }
    void on_finish_impl(beast::error_code&) override {}

    BodySink& sink_;
    bool in_body_ = false;
};

class Http1 final : public Protocol, private BodySink {
public:
    explicit Http1(Wire& wire) : wire_(wire), since_(wire.now) { next_request(); }
    ~Http1() override { end_session(); }

    void receive(std::string_view bytes) override {
        // Nobody may ask for something else behind an answer that has no end.
        if (state_ == State::ended || state_ == State::streaming) return;
        if (state_ == State::websocket) return receive_frames(bytes);
        if (state_ == State::head && kept_.empty() && !bytes.empty()) since_ = wire_.now;
        if (kept_.empty()) {
            bytes.remove_prefix(advance(bytes));
            kept_ = bytes;
        } else {
            kept_ += bytes;
            kept_.erase(0, advance(kept_));
        }
    }

    void end_of_input() override {
        gone_ = true;
        if (state_ != State::answering && state_ != State::sending) end();
    }

    void respond(std::uint32_t request, Response response) override {
        if (request != number_ || state_ != State::answering) return;
        if (response.session) return begin_session(std::move(response));
        answer(std::move(response), parser_->keep_alive());
        if (state_ == State::answering) go_on();
    }

    void wake(std::uint32_t) override {}

    void fill_output() override {
        while (state_ == State::sending && wire_.output.size() < enough_output) send_file();
        if (state_ == State::streaming || state_ == State::websocket) send_pieces();
    }

    void tick() override {
        const Limits& limits = *wire_.around.limits;
        const auto age = wire_.now - since_;
        if (state_ == State::head && kept_.empty()) {
            // Not reading is our own choice then.
            if (wire_.around.budget->under_pressure()) since_ = wire_.now;
            if (age > limits.idle) end();
        } else if (state_ == State::head) {
            if (age > limits.header) refuse_and_end(408, "the request head came too slowly");
        } else if (state_ == State::skipping) {
            if (age > limits.linger) end();
        } else if (state_ == State::websocket) {
            codec_->tick();
            end_when_closed();
        } else if (state_ == State::body || state_ == State::answering) {
            if (std::optional<Response> overdue = exchange_->overdue()) answer_early(std::move(*overdue));
        }
    }

    void drain() override {
        draining_ = true;
        if (state_ == State::head && kept_.empty()) end();
        if (state_ == State::streaming) end_stream();
        if (state_ == State::websocket) {
            codec_->close(static_cast<std::uint16_t>(CloseCode::going_away), "the server stops");
            end();
        }
    }

    bool wants_input(bool pressure) const override {
        if (state_ == State::answering || state_ == State::sending) return false;
        if (state_ == State::streaming || state_ == State::websocket) return true;
        return !pressure || state_ != State::head || !kept_.empty();
    }
    bool finished() const override { return state_ == State::ended; }
    bool busy() const override {
        return state_ != State::ended && state_ != State::streaming && state_ != State::websocket &&
               !(state_ == State::head && kept_.empty());
    }

private:
    enum class State {
        head,       // reading a request's head, or waiting for one
        body,       // reading its body
        answering,  // the service has it
        sending,    // a file is on its way
        skipping,   // it was refused; dropping what is left of its body
        streaming,  // the answer goes on until its session ends it
        websocket,
        ended,
    };

    void next_request() {
        parser_.emplace(static_cast<BodySink&>(*this), wire_.around.limits->header_bytes);
        exchange_.reset();
        head_only_ = false;
        ++number_;
        state_ = State::head;
        since_ = wire_.now;
    }

    void go_on() {
        next_request();
        if (!kept_.empty()) kept_.erase(0, advance(kept_));
    }

    void send_file() {
        const std::uint64_t left = file_->size() - sent_;
        std::string piece(std::min<std::uint64_t>(left, enough_output), '\0');
        const std::size_t got = file_->read(sent_, piece);
        // The length was promised: a client learns only from the end of the connection that bytes are
        // missing.
        if (got == 0 && left != 0) return end();
        piece.resize(got);
        sent_ += got;
        wire_.output.append(std::move(piece));
        if (sent_ < file_->size()) return;
        file_.reset();
        if (!keep_after_file_ || draining_ || gone_) return end();
        state_ = State::answering;
        go_on();
    }

    // Parses as far as it goes; how many bytes are used up.
    std::size_t advance(std::string_view bytes) {
        std::size_t used = 0;
        while (state_ == State::head || state_ == State::body || state_ == State::skipping) {
            beast::error_code problem;
            used +=
                parser_->put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), problem);
            if (problem == error::need_more) {
                if (bytes.size() - used > most_kept) refuse_and_end(400, "a line without an end");
                break;
            }
            if (problem) {
                bad_request(problem);
                break;
            }
            if (state_ == State::head && parser_->is_header_done()) begin_exchange();
            if (parser_->is_done())
                message_complete();
            else if (used == bytes.size())
                break;  // within a body the parser does not say that it needs more
        }
        return state_ == State::ended ? bytes.size() : used;
    }

    void begin_exchange() {
        RequestHead& head = parser_->head;
        head.peer = wire_.peer;
        head.tls = wire_.tls;
        head.listener_on_loopback = wire_.on_loopback;
        const std::string expect = lower_case(head.headers.get("expect"));
        head_only_ = head.method == "HEAD";
        exchange_.emplace(wire_, number_, std::move(head));
        state_ = State::body;
        since_ = wire_.now;
        std::optional<std::uint64_t> length;
        if (const auto given = parser_->content_length()) length = *given;
        std::optional<Response> refused = exchange_->admit(length);
        if (!refused && parser_->expects_continue && expect != "100-continue")
            refused = exchange_->refusal(417, "only 100-continue can be expected");
        if (refused) return answer_early(std::move(*refused));
        if (parser_->expects_continue && !parser_->is_done())
            wire_.output.append(std::string_view("HTTP/1.1 100 Continue\r\n\r\n"));
    }

    void on_body(std::string_view bytes) override {
        if (state_ != State::body) return;
        if (std::optional<Response> refused = exchange_->receive(bytes)) answer_early(std::move(*refused));
    }

    void message_complete() {
        if (state_ == State::body) {
            state_ = State::answering;
            exchange_->finish();
        } else if (state_ == State::skipping) {
            next_request();
        }
    }

    // --- answers that go on
    // ---------------------------------------------------------------------------------------

    void begin_session(Response response) {
        flow_ = std::make_shared<Flow>(wire_, number_);
        session_ = std::move(response.session);
        const bool upgraded = response.status == 101;
        chunked_ = !upgraded && parser_->version >= 11;
        std::string head = head_of(response);
        if (chunked_) head += "transfer-encoding: chunked\r\n";
        if (!upgraded) head += "connection: close\r\n";
        head += "\r\n";
        wire_.output.append(std::move(head));
        exchange_.reset();
        state_ = upgraded ? State::websocket : State::streaming;
        if (upgraded) codec_.emplace(wire_, *session_);
        session_->opened(flow_);
        if (draining_) return drain();
        if (gone_) return end();
        const std::string behind = std::exchange(kept_, {});
        if (upgraded && !behind.empty()) receive_frames(behind);
    }

    void send_pieces() {
        while (wire_.output.size() < enough_output) {
            Piece piece = flow_->next();
            if (!piece) break;
            send(std::move(piece));
        }
        if (flow_->ended()) end_stream();
    }

    void send(Piece piece) {
        if (!chunked_) return wire_.output.append(std::move(piece));
        wire_.output.append(std::string_view(fmt::format("{:x}\r\n", piece->size())));
        wire_.output.append(std::move(piece));
        wire_.output.append(std::string_view("\r\n"));
    }

    void end_stream() {
        if (chunked_) wire_.output.append(std::string_view("0\r\n\r\n"));
        end();
    }

    void receive_frames(std::string_view bytes) {
        codec_->receive(bytes);
        end_when_closed();
    }
    void end_when_closed() {
        if (codec_->closed()) end();
    }

    void end_session() {
        if (!session_) return;
        flow_->close();
        std::exchange(session_, nullptr)->closed();
    }

    // An answer before the service's own, perhaps before the body is there.
    void answer_early(Response response) {
        if (state_ == State::answering) return respond(number_, std::move(response));
        // Who waits for `100 Continue` may send the body or not: nobody knows where the next request begins.
        const bool known_end =
            parser_->is_done() || (!parser_->expects_continue && parser_->content_length_remaining() &&
                                   *parser_->content_length_remaining() <= worth_skipping);
        answer(std::move(response), known_end && parser_->keep_alive());
        if (state_ == State::ended || state_ == State::sending) return;
        state_ = State::skipping;
        since_ = wire_.now;
    }

    void bad_request(const beast::error_code& problem) {
        if (state_ == State::skipping) return end();
        if (problem == error::header_limit)
            return refuse_and_end(
                431, fmt::format("the head is over {} bytes", wire_.around.limits->header_bytes));
        refuse_and_end(400, fmt::format("this is not HTTP/1.1: {}", problem.message()));
    }

    void refuse_and_end(int status, std::string_view reason) {
        answer(exchange_ ? exchange_->refusal(status, reason)
                         : wire_.around.service->refusal(parser_->head, status, reason),
               false);
    }

    void answer(Response response, bool keep_alive) {
        keep_alive = keep_alive && !draining_ && !gone_;
        std::string head = head_of(response);
        const bool bodiless = response.status == 204 || response.status == 304 || response.status < 200;
        if (!bodiless) fmt::format_to(std::back_inserter(head), "content-length: {}\r\n", response.length());
        if (!keep_alive) head += "connection: close\r\n";
        head += "\r\n";
        wire_.output.append(std::move(head));
        exchange_.reset();  // what was received of a refused body makes room at once
        if (response.file && !bodiless && !head_only_) {
            file_ = std::move(response.file);
            sent_ = 0;
            keep_after_file_ = keep_alive;
            state_ = State::sending;
            return;
        }
        if (!bodiless && !head_only_) wire_.output.append(std::move(response.body));
        if (!keep_alive) end();
    }

    // Without the line of its length, and without the last one.
    static std::string head_of(const Response& response) {
        std::string head;
        head.reserve(256);
        fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\ndate: {}\r\n", response.status,
                       reason_phrase(response.status), http_date());
        for (const auto& [name, value] : response.headers) {
            head += name;
            head += ": ";
            head += value;
            head += "\r\n";
        }
        return head;
    }

    void end() {
        state_ = State::ended;
        end_session();
    }

    Wire& wire_;
    std::optional<Parser> parser_;
    std::optional<Exchange> exchange_;
    std::shared_ptr<Session> session_;     // of an answer that goes on
    std::shared_ptr<Flow> flow_;           // the same
    std::optional<WebsocketCodec> codec_;  // after the session, which it calls
    std::string kept_;                     // received, not parsed yet
    State state_ = State::head;
    std::uint32_t number_ = 0;
    Time since_;  // when the state, or the head within it, began
    bool head_only_ = false;
    std::optional<FileBody> file_{};
    std::uint64_t sent_ = 0;  // of the file
    bool keep_after_file_ = false;
    bool draining_ = false;
    bool gone_ = false;
    bool chunked_ = false;
};

}  // namespace

std::string_view http_date() {
    thread_local std::time_t second = 0;
    thread_local std::array<char, 32> text{};
    thread_local std::size_t size = 0;
    if (const std::time_t now = std::time(nullptr); now != second) {
        second = now;
        std::tm utc{};
        gmtime_r(&now, &utc);
        size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    }
    return {text.data(), size};
}

std::unique_ptr<Protocol> make_http1(Wire& wire) {
    return std::make_unique<Http1>(wire);
}

}  // namespace obs::net
