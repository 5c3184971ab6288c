#include "serve/api_error.h"

#include <array>

#include "base/json_writer.h"
#include "base/log.h"

namespace obs::serve {

namespace {

// In the order of ErrorCode. Numbers 1004, 1206-1212 and 1403 are not in the contract's table, which leaves
// them open.
constexpr ErrorInfo infos[] = {
    {401, 1000, "MISSING_AUTHORIZATION", "AUTHENTICATION"},
    {401, 1004, "INVALID_AUTHORIZATION", "AUTHENTICATION"},
    {401, 1001, "INVALID_TOKEN", "AUTHENTICATION"},
    {401, 1002, "EXPIRED_TOKEN", "AUTHENTICATION"},
    {401, 1003, "INVALID_API_KEY", "AUTHENTICATION"},
    {401, 1005, "INVALID_CREDENTIALS", "AUTHENTICATION"},
    {403, 1100, "INSUFFICIENT_PERMISSIONS", "AUTHORIZATION"},
    {403, 1101, "PROJECT_ACCESS_DENIED", "AUTHORIZATION"},
    {403, 1102, "RESOURCE_ACCESS_DENIED", "AUTHORIZATION"},
    {400, 1200, "INVALID_REQUEST", "VALIDATION"},
    {400, 1201, "MISSING_REQUIRED_FIELD", "VALIDATION"},
    {400, 1202, "INVALID_FIELD_VALUE", "VALIDATION"},
    {400, 1203, "INVALID_FIELD_FORMAT", "VALIDATION"},
    {400, 1204, "INVALID_DATE_RANGE", "VALIDATION"},
    {400, 1205, "LIMIT_EXCEEDED", "VALIDATION"},
    {400, 1206, "PROJECT_REQUIRED", "VALIDATION"},
    {405, 1207, "METHOD_NOT_ALLOWED", "VALIDATION"},
    {413, 1208, "BODY_TOO_LARGE", "VALIDATION"},
    {431, 1209, "HEADERS_TOO_LARGE", "VALIDATION"},
    {415, 1210, "UNSUPPORTED_ENCODING", "VALIDATION"},
    {416, 1212, "RANGE_NOT_SATISFIABLE", "VALIDATION"},
    {426, 1211, "UPGRADE_REQUIRED", "VALIDATION"},
    {404, 1300, "RESOURCE_NOT_FOUND", "NOT_FOUND"},
    {404, 1301, "TRACE_NOT_FOUND", "NOT_FOUND"},
    {404, 1302, "JOB_NOT_FOUND", "NOT_FOUND"},
    {404, 1303, "EXPORT_NOT_FOUND", "NOT_FOUND"},
    {409, 1400, "RESOURCE_ALREADY_EXISTS", "CONFLICT"},
    {409, 1401, "DUPLICATE_KEY", "CONFLICT"},
    {409, 1402, "CONCURRENCY_CONFLICT", "CONFLICT"},
    {410, 1403, "RESOURCE_EXPIRED", "CONFLICT"},
    {429, 1500, "RATE_LIMIT_EXCEEDED", "RATE_LIMIT"},
    {429, 1501, "QUOTA_EXCEEDED", "RATE_LIMIT"},
    {429, 1502, "TOO_MANY_REQUESTS", "RATE_LIMIT"},
    {503, 1600, "DATABASE_ERROR", "DATABASE"},
    {503, 1602, "QUERY_TIMEOUT", "DATABASE"},
    {503, 1700, "EXTERNAL_SERVICE_ERROR", "EXTERNAL"},
    {503, 1701, "REDIS_ERROR", "EXTERNAL"},
    {503, 1702, "STORAGE_ERROR", "EXTERNAL"},
    {504, 1800, "REQUEST_TIMEOUT", "TIMEOUT"},
    {408, 1801, "OPERATION_TIMEOUT", "TIMEOUT"},
    {500, 1900, "INTERNAL_SERVER_ERROR", "INTERNAL"},
    {501, 1901, "NOT_IMPLEMENTED", "INTERNAL"},
    {503, 1902, "SERVICE_UNAVAILABLE", "INTERNAL"},
};
static_assert(std::size(infos) == static_cast<std::size_t>(ErrorCode::service_unavailable) + 1);

ApiError hidden(ErrorCode code, std::string message, const Error& error) {
    log::warning("api: {}: {}", info_of(code).code, error.message);
    return {code, std::move(message)};
}

}  // namespace

const ErrorInfo& info_of(ErrorCode code) {
    return infos[static_cast<std::size_t>(code)];
}

ErrorCode code_of_fault(TokenFault fault) {
    switch (fault) {
        case TokenFault::expired: return ErrorCode::expired_token;
        case TokenFault::key: return ErrorCode::invalid_api_key;
        default: return ErrorCode::invalid_token;
    }
}

std::span<const ErrorInfo> all_errors() {
    return infos;
}

ApiError busy() {
    ApiError error{ErrorCode::service_unavailable, "too much is asked at once; try again in a second"};
    error.headers.add("retry-after", "1");
    return error;
}

ApiError api_error(const Error& error) {
    switch (error.kind) {
        case ErrorKind::invalid_input: return {ErrorCode::invalid_field_value, error.message, error.field};
        case ErrorKind::too_large: return {ErrorCode::limit_exceeded, error.message, error.field};
        case ErrorKind::not_found: return {ErrorCode::resource_not_found, error.message, error.field};
        case ErrorKind::unauthenticated: return {ErrorCode::invalid_token, error.message, error.field};
        case ErrorKind::forbidden: return {ErrorCode::resource_access_denied, error.message, error.field};
        case ErrorKind::overloaded: {
            log::warning("api: the store has no room: {}", error.message);
            return busy();
        }
        case ErrorKind::unavailable: {
            ApiError refusal =
                hidden(ErrorCode::database_error, "the store does not answer; try again", error);
            refusal.headers.add("retry-after", "5");
            return refusal;
        }
        case ErrorKind::cancelled:
            return {ErrorCode::request_timeout,
                    "the answer took too long; narrow the question with from and to"};
        case ErrorKind::corrupt:
        case ErrorKind::internal: break;
    }
    return hidden(ErrorCode::internal_error, "something went wrong here; the server's log says what", error);
}

net::Response response_of(const ApiError& error, std::string_view request_id, UnixNanos now) {
    const ErrorInfo& info = info_of(error.code);
    net::Response response{.status = info.status, .headers = error.headers};
    response.headers.add("content-type", "application/json");
    if (info.status == 401) response.headers.add("www-authenticate", "Bearer");
    JsonWriter json(response.body);
    json.begin_object().key("error").begin_object();
    json.field("code", info.code).field("number", info.number).field("category", info.category);
    json.field("message", error.message);
    if (!error.field.empty()) json.field("field", error.field);
    json.end_object().key("meta").begin_object();
    json.field("timestamp", rfc3339(now)).field("request_id", request_id);
    json.end_object().end_object();
    return response;
}

}  // namespace obs::serve
