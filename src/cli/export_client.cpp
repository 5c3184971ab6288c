#include "cli/export_client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include <curl/curl.h>
#include <simdjson.h>

namespace obs::cli {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_look{100}, rarest_look{2'000};
constexpr long connect_within_ms = 10'000, answer_within_ms = 60'000;
constexpr long stalled_seconds = 60;  // without a byte of the file
constexpr std::size_t longest_answer = 1 << 20;

struct FreeHandle {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct FreeList {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

// Where the bytes of one answer go. Those of a refusal are kept.
struct Exchange {
    CURL* handle;
    const ExportSink* sink = nullptr;  // of a good answer; else it is kept
    const std::stop_token* stop = nullptr;
    std::string answer{};
    std::uint64_t taken = 0;
    Result<void> sunk{};
};

long status_of(CURL* handle) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

std::size_t take(char* bytes, std::size_t, std::size_t count, void* client) {
    auto& exchange = *static_cast<Exchange*>(client);
    const std::string_view piece(bytes, count);
    if (exchange.sink != nullptr && status_of(exchange.handle) == 200) {
        exchange.sunk = (*exchange.sink)(piece);
        exchange.taken += count;
        return exchange.sunk ? count : 0;
    }
    if (exchange.answer.size() + count > longest_answer) return 0;
    exchange.answer += piece;
    return count;
}

int check_stop(void* client, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto* stop = static_cast<Exchange*>(client)->stop;
    return stop != nullptr && stop->stop_requested() ? 1 : 0;
}

std::string text_in(const std::string& json, std::string_view pointer) {
    simdjson::dom::parser parser;
    std::string_view text;
    if (parser.parse(json).at_pointer(pointer).get(text) != simdjson::SUCCESS) return {};
    return std::string(text);
}
std::int64_t number_in(const std::string& json, std::string_view pointer) {
    simdjson::dom::parser parser;
    std::int64_t number = 0;
    if (parser.parse(json).at_pointer(pointer).get(number) != simdjson::SUCCESS) return 0;
    return number;
}

struct Answer {
    std::string body;
    std::uint64_t taken = 0;  // bytes that the sink had
};

class Client {
public:
    static Result<Client> of(const Server& server) {
        static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
        Client client(server);
        if (!ready || !client.handle_) return fail(ErrorKind::unavailable, "the HTTP client cannot be used");
        return client;
    }

    // A refusal of the server is an error.
    Result<Answer> ask(const char* method, std::string_view path, const std::string* body,
                       const ExportSink* sink, const std::stop_token* stop) {
        CURL* const curl = handle_.get();
        curl_easy_reset(curl);
        Exchange exchange{.handle = curl, .sink = sink, .stop = stop};
        std::array<char, CURL_ERROR_SIZE> reason{};
        const std::string url = fmt::format("{}{}", server_->api, path);
        const std::unique_ptr<curl_slist, FreeList> headers(
            curl_slist_append(nullptr, "content-type: application/json"));
        curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_within_ms);
        if (sink == nullptr) curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, answer_within_ms);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, stalled_seconds);
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "llm-observatory");
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, server_->token.reveal().c_str());
        if (!server_->authorities.empty())
            curl_easy_setopt(curl, CURLOPT_CAINFO, server_->authorities.c_str());
        if (body != nullptr) {
            curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data());
            curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
        }
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_stop);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason.data());
        const CURLcode code = curl_easy_perform(curl);
        OBS_TRY_VOID(std::move(exchange.sunk));
        if (stop != nullptr && stop->stop_requested()) return fail(ErrorKind::cancelled, "given up");
        if (code != CURLE_OK)
            return fail(ErrorKind::unavailable, "{}: {}", server_->api,
                        reason[0] != '\0' ? reason.data() : curl_easy_strerror(code));
        const long status = status_of(curl);
        if (status >= 200 && status < 300) return Answer{std::move(exchange.answer), exchange.taken};
        const std::string why = text_in(exchange.answer, "/error/message");
        return fail(ErrorKind::invalid_input, "{}: {}", server_->api,
                    why.empty() ? fmt::format("status {}", status) : why);
    }

private:
    explicit Client(const Server& server) : server_(&server), handle_(curl_easy_init()) {}

    const Server* server_;
    std::unique_ptr<CURL, FreeHandle> handle_;
};

// False when the time to stop has come first.
bool wait(milliseconds how_long, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, how_long, [] { return false; });
    return !stop.stop_requested();
}

Result<FetchedExport> fetch(Client& client, const std::string& path, const ExportSink& sink,
                            const std::stop_token& stop) {
    milliseconds pause = first_look;
    while (true) {
        const Answer job = OBS_TRY(client.ask("GET", path, nullptr, nullptr, &stop));
        const std::string status = text_in(job.body, "/status");
        if (status == "completed") {
            const Answer file = OBS_TRY(client.ask("GET", path + "/download", nullptr, &sink, &stop));
            return FetchedExport{number_in(job.body, "/trace_count"), file.taken};
        }
        if (status != "pending" && status != "processing") {
            const std::string why = text_in(job.body, "/error_message");
            return fail(ErrorKind::invalid_input, "the export is {}{}{}", status.empty() ? "unknown" : status,
                        why.empty() ? "" : ": ", why);
        }
        if (!wait(pause, stop)) return fail(ErrorKind::cancelled, "given up");
        pause = std::min(pause * 2, rarest_look);
    }
}

}  // namespace

Result<FetchedExport> fetch_export(const Server& server, const std::string& body, const ExportSink& sink,
                                   const std::stop_token& stop) {
    Client client = OBS_TRY(Client::of(server));
    const Answer made = OBS_TRY(client.ask("POST", "/api/v1/exports", &body, nullptr, nullptr));
    const std::string id = text_in(made.body, "/job_id");
    if (id.empty()) return fail(ErrorKind::unavailable, "{}: this is no observatory", server.api);
    const std::string path = "/api/v1/exports/" + id;
    auto fetched = fetch(client, path, sink, stop);
    // Nobody waits for it any more; when it is done already, its file goes in its time.
    if (!fetched && fetched.error().kind == ErrorKind::cancelled)
        if (const auto ended = client.ask("DELETE", path, nullptr, nullptr, nullptr); !ended)
            return fail(ErrorKind::cancelled, "{}, and the job goes on: {}", fetched.error().message,
                        ended.error().message);
    return fetched;
}

}  // namespace obs::cli
