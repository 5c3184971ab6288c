#include "serve/credential.h"

#include <algorithm>

#include "serve/query_string.h"

namespace obs::serve {

namespace {

bool same_word(std::string_view a, std::string_view lower) {
    return std::ranges::equal(a, lower, {}, [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

std::string in_query(std::string_view query) {
    for (auto& [name, value] : parse_query(query))
        if (name == "token") return std::move(value);
    return {};
}

}  // namespace

std::string_view token_in_protocols(const net::RequestHead& head) {
    const std::string_view list = head.headers.get("sec-websocket-protocol");
    const std::size_t comma = list.find(',');
    if (comma == std::string_view::npos || trimmed(list.substr(0, comma)) != bearer_protocol) return {};
    const std::string_view rest = list.substr(comma + 1);
    return trimmed(rest.substr(0, rest.find(',')));
}

ApiResult<std::string> credential_of(const net::RequestHead& head, CredentialIn where) {
    const std::string_view header = head.headers.get("authorization");
    if (const std::string_view key = head.headers.get("x-api-key"); header.empty() && !key.empty())
        return std::string(key);
    if (header.empty() && where == CredentialIn::headers_or_address) {
        if (const std::string_view token = token_in_protocols(head); !token.empty())
            return std::string(token);
        if (std::string token = in_query(head.query); !token.empty()) return token;
    }
    if (header.empty())
        return refuse(ErrorCode::missing_authorization, "Authorization",
                      "send Authorization: Bearer <token>; `observatory token` makes one");
    const std::size_t space = header.find(' ');
    if (space == std::string_view::npos || !same_word(header.substr(0, space), "bearer"))
        return refuse(ErrorCode::invalid_authorization, "Authorization",
                      "the header is `Authorization: Bearer <token>`");
    return std::string(trimmed(header.substr(space)));
}

}  // namespace obs::serve
