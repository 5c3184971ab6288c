// Where a request says who asks.
#pragma once

#include <string>
#include <string_view>

#include "net/http.h"
#include "serve/api_error.h"

namespace obs::serve {

// A browser cannot give headers to a WebSocket or an event stream: those routes take `?token=`, and a
// WebSocket the sub-protocols `bearer, <token>` too.
enum class CredentialIn { headers, headers_or_address };

// The sub-protocol that goes before the token; the answer names it.
inline constexpr std::string_view bearer_protocol = "bearer";
// The token behind it; empty if there is none.
std::string_view token_in_protocols(const net::RequestHead& head);

// The token behind `Bearer `, or the key, or why there is neither.
ApiResult<std::string> credential_of(const net::RequestHead& head, CredentialIn where);

}  // namespace obs::serve
