// Errors are values. `kind` says what the caller can do, `message` what the operator must know.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace obs {

enum class ErrorKind {
    invalid_input,    // the request can never succeed as it is
    not_found,        // what was named does not exist in the caller's scope
    unauthenticated,  // who is asking is unknown
    forbidden,        // who is asking is known and may not
    too_large,        // over a limit; a smaller request can succeed
    overloaded,       // no room now; the same request succeeds later
    unavailable,      // the disk or the engine does not answer; the same request succeeds later
    cancelled,        // the caller gave up or the time was used up
    corrupt,          // stored bytes are not what was written
    internal,         // a bug of ours
};

struct [[nodiscard]] Error {
    ErrorKind kind;
    std::string message;
    // The request field at fault, as the client spelled it; empty when no field is.
    std::string field{};
};

template <class T>
using Result = std::expected<T, Error>;

template <class... Args>
[[nodiscard]] std::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> message,
                                          Args&&... args) {
    return std::unexpected(Error{kind, fmt::format(message, std::forward<Args>(args)...), {}});
}

inline Error within(Error error) {
    return error;
}
// Puts one phrase of context before the message: `cannot replay journal: segment 17: checksum mismatch`.
template <class... Args>
Error within(Error error, fmt::format_string<Args...> doing, Args&&... args) {
    error.message = fmt::format(doing, std::forward<Args>(args)...) + ": " + error.message;
    return error;
}

}  // namespace obs

// OBS_TRY(expression [, "what we were doing {}", ...]): the value, or return the error from here.
#define OBS_TRY(expression, ...)                                                                          \
    __extension__({                                                                                       \
        auto result_ = (expression);                                                                      \
        if (!result_) [[unlikely]]                                                                        \
            return std::unexpected(::obs::within(std::move(result_).error() __VA_OPT__(, ) __VA_ARGS__)); \
        *std::move(result_);                                                                              \
    })

// The same for Result<void>.
#define OBS_TRY_VOID(expression, ...)                                                                     \
    do {                                                                                                  \
        auto result_ = (expression);                                                                      \
        if (!result_) [[unlikely]]                                                                        \
            return std::unexpected(::obs::within(std::move(result_).error() __VA_OPT__(, ) __VA_ARGS__)); \
    } while (false)
