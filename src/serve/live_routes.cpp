#include "serve/live_routes.h"

#include <utility>

#include "net/websocket.h"
#include "serve/credential.h"

namespace obs::serve {

namespace {

constexpr ParameterInfo socket_parameters[] = {
    parameter::project_id,
    {"token", ParameterType::text, "a token, where headers cannot be set", {.most = 8192}},
};

ApiResult<LiveSessions::Caller> caller_of(const Call& call, const Parameters& parameters) {
    // The same credential as admit() has read, to be asked about again and again.
    std::string credential = OBS_ANSWER(credential_of(call.request.head, CredentialIn::headers_or_address));
    return LiveSessions::Caller{std::move(credential), std::string(parameters.text("project_id")),
                                std::make_shared<const Principal>(*call.principal)};
}

ApiResult<Reply> open_socket(LiveSessions& sessions, const Call& call) {
    const net::RequestHead& head = call.request.head;
    const Parameters parameters = OBS_ANSWER(Parameters::read(socket_parameters, head.query, call.now));
    LiveSessions::Caller caller = OBS_ANSWER(caller_of(call, parameters));
    auto session = OBS_ANSWER(sessions.socket(std::move(caller)));
    auto opened = net::websocket_answer(head, std::move(session));
    if (!opened) {
        ApiError error{ErrorCode::upgrade_required, opened.error().message};
        error.headers.add("upgrade", "websocket");
        error.headers.add("sec-websocket-version", "13");
        return std::unexpected(std::move(error));
    }
    Reply reply{.status = opened->status, .headers = std::move(opened->headers)};
    reply.session = std::move(opened->session);
    if (!token_in_protocols(head).empty())
        reply.headers.add("sec-websocket-protocol", std::string(bearer_protocol));
    return reply;
}

ApiResult<Reply> open_stream(LiveSessions& sessions, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(live_parameters(), call.request.head.query, call.now));
    LiveSubscribe wanted = OBS_ANSWER(live_subscription(parameters, *call.principal, call.now));
    Reply reply{.content_type = "text/event-stream"};
    LiveSessions::Caller caller = OBS_ANSWER(caller_of(call, parameters));
    reply.session = OBS_ANSWER(sessions.stream(std::move(caller), std::move(wanted)));
    reply.headers.add("cache-control", "no-store");
    reply.headers.add("x-accel-buffering", "no");  // nginx would hold events back
    return reply;
}

constexpr std::string_view socket_text =
    "Opens a WebSocket (RFC 6455, HTTP/1.1). It hears of `trace_created` at once, until its first message "
    "`{\"type\":\"subscribe\",\"events\":[...],\"filters\":{...}}`. Without headers, give the token as "
    "`?token=` or "
    "as the second of the sub-protocols `bearer, <token>`. Messages, events and close codes are told in "
    "docs/api.md.";

}  // namespace

std::vector<Route> live_routes(std::shared_ptr<LiveSessions> sessions) {
    std::vector<Route> routes;
    for (const std::string_view path : {"/ws", "/api/v1/stream"})
        routes.push_back({"GET",
                          path,
                          Access::token,
                          "",
                          [sessions](const Call& call) { return open_socket(*sessions, call); },
                          {.summary = "Events as they happen, over a WebSocket",
                           .tag = "live",
                           .parameters = socket_parameters,
                           .status = 101,
                           .refusals = {403, 426, 429},
                           .description = socket_text},
                          {},
                          CredentialIn::headers_or_address});
    routes.push_back(
        {"GET",
         "/api/v1/events",
         Access::token,
         "",
         [sessions](const Call& call) { return open_stream(*sessions, call); },
         {.summary = "Events as they happen, as server-sent events",
          .tag = "live",
          .parameters = live_parameters(),
          .content_type = "text/event-stream",
          .refusals = {403, 429},
          .description =
              "The answer does not end. Each event is an `event:` line with its type and a `data:` line "
              "with the same JSON that a WebSocket gets; a comment comes when nothing else does."},
         {},
         CredentialIn::headers_or_address});
    return routes;
}

}  // namespace obs::serve
