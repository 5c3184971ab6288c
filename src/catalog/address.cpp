#include "catalog/address.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace obs {
namespace {

constexpr std::size_t longest_url = 2048;
constexpr std::string_view hidden = "***";

bool is_hex(char c) {
    return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

// `%41` to `A`; nothing when a percent sign stands without two digits.
std::optional<std::string> decoded(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i];
            continue;
        }
        if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return std::nullopt;
        plain += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
        i += 2;
    }
    return plain;
}

void replace_all(std::string& text, std::string_view what) {
    if (what.empty()) return;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + hidden.size()))
        text.replace(at, what.size(), hidden);
}

// What lies between the scheme and the path: `user:password@host:port`.
std::string_view authority_of(std::string_view url) {
    url.remove_prefix(url.find("://") + 3);
    return url.substr(0, url.find_first_of("/?"));
}

// `user:password`; empty without an `@`.
std::string_view user_of(std::string_view url) {
    const std::string_view authority = authority_of(url);
    const std::size_t at = authority.rfind('@');
    return at == std::string_view::npos ? std::string_view() : authority.substr(0, at);
}

}  // namespace

Result<CatalogAddress> CatalogAddress::url(std::string_view text) {
    if (!text.starts_with("postgresql://") && !text.starts_with("postgres://"))
        return fail(
            ErrorKind::invalid_input,
            "the catalog is a file of the data directory, or at postgresql://user:password@host/database");
    const bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    if (!plain || text.size() > longest_url)
        return fail(ErrorKind::invalid_input,
                    "the address of the catalog is longer than {} bytes, or holds a character that must be "
                    "written as %XX",
                    longest_url);
    const std::string_view user = user_of(text);
    const std::size_t colon = user.find(':');
    const std::string_view password =
        colon == std::string_view::npos ? std::string_view() : user.substr(colon + 1);
    const std::optional<std::string> meant = decoded(password);
    if (!meant || !decoded(user) || user.find('@') != std::string_view::npos)
        return fail(
            ErrorKind::invalid_input,
            "in the address of the catalog, signs such as @ and % in user and password are written as %XX");
    // A password there would be repeated by messages that nobody can scrub.
    if (text.substr(0, text.find('?')).size() != text.size() &&
        text.find("password=") != std::string_view::npos)
        return fail(ErrorKind::invalid_input,
                    "the password of the catalog stands before the host, not behind `?`");
    CatalogAddress address;
    address.url_ = text;
    address.password_ = password;
    address.decoded_password_ = *meant;
    return address;
}

std::string CatalogAddress::shown() const {
    if (is_file()) return file_.string();
    const std::string_view user = user_of(url_), authority = authority_of(url_);
    if (password_.empty()) return url_;
    const std::string_view name = user.substr(0, user.find(':'));
    const std::size_t begin = static_cast<std::size_t>(authority.data() - url_.data());
    return url_.substr(0, begin) + std::string(name) + ":" + std::string(hidden) +
           url_.substr(begin + user.size());
}

std::string CatalogAddress::connection() const {
    // A server that does not answer must not hold a caller for ever. SOCI splits the text at blanks and wants
    // an equals sign in each part: an address with parameters is one part.
    constexpr std::string_view limits =
        "connect_timeout=5&keepalives_idle=10&keepalives_interval=5&tcp_user_timeout=10000"
        "&application_name=observatory&options=-c%20statement_timeout%3D10000%20-c%20lock_timeout%3D5000%20-"
        "c%20client_min_messages%3Dwarning";
    return url_ +
           (url_.contains('?')                                                                   ? "&"
            : authority_of(url_).data() + authority_of(url_).size() == url_.data() + url_.size() ? "/?"
                                                                                                 : "?") +
           std::string(limits);
}

std::string CatalogAddress::scrubbed(std::string message) const {
    replace_all(message, password_);
    replace_all(message, decoded_password_);
    return message;
}

}  // namespace obs
