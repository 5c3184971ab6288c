// Refusals in the one shape of the API:
// {"error":{"code","number","category","message","field"?},"meta":{"timestamp","request_id"}}
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "catalog/tokens.h"
#include "net/http.h"

namespace obs::serve {

enum class ErrorCode : std::uint8_t {
    missing_authorization,
    invalid_authorization,
    invalid_token,
    expired_token,
    invalid_api_key,
    invalid_credentials,  // of a sign-in
    insufficient_permissions,
    project_access_denied,
    resource_access_denied,
    invalid_request,
    missing_required_field,
    invalid_field_value,
    invalid_field_format,
    invalid_date_range,
    limit_exceeded,
    project_required,
    method_not_allowed,
    body_too_large,
    headers_too_large,
    unsupported_encoding,
    range_not_satisfiable,
    upgrade_required,
    resource_not_found,
    trace_not_found,
    job_not_found,
    export_not_found,
    resource_already_exists,
    duplicate_key,
    concurrency_conflict,
    resource_expired,
    rate_limit_exceeded,
    quota_exceeded,
    too_many_requests,
    database_error,
    query_timeout,
    external_service_error,
    redis_error,
    storage_error,
    request_timeout,
    slow_request,  // the client did not send in time
    internal_error,
    not_implemented,
    service_unavailable,
};

struct ErrorInfo {
    int status;
    int number;
    std::string_view code;
    std::string_view category;
};
const ErrorInfo& info_of(ErrorCode code);
std::span<const ErrorInfo> all_errors();
// What a token or a key that was refused is called.
ErrorCode code_of_fault(TokenFault fault);

struct [[nodiscard]] ApiError {
    ErrorCode code;
    std::string message;
    std::string field{};
    net::Headers headers{};  // Allow, Retry-After
};

template <class T>
using ApiResult = std::expected<T, ApiError>;

template <class... Args>
[[nodiscard]] std::unexpected<ApiError> refuse(ErrorCode code, std::string field,
                                               fmt::format_string<Args...> message, Args&&... args) {
    return std::unexpected(
        ApiError{code, fmt::format(message, std::forward<Args>(args)...), std::move(field)});
}

// What the client can act on is passed on; what a store or a bug says stays inside and is logged.
ApiError api_error(const Error& error);

// A service without room says when to come back.
ApiError busy();

net::Response response_of(const ApiError& error, std::string_view request_id, UnixNanos now);

}  // namespace obs::serve

// The value, or return the error from here as an ApiError.
#define OBS_ANSWER(expression)                                                              \
    __extension__({                                                                         \
        auto answer_ = (expression);                                                        \
        if (!answer_) [[unlikely]]                                                          \
            return std::unexpected(::obs::serve::as_api_error(std::move(answer_.error()))); \
        *std::move(answer_);                                                                \
    })

namespace obs::serve {
inline ApiError as_api_error(ApiError error) {
    return error;
}
inline ApiError as_api_error(const Error& error) {
    return api_error(error);
}
}  // namespace obs::serve
