// Where the catalog is: a SQLite file, or a database of a PostgreSQL server.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace obs {

class CatalogAddress {
public:
    static CatalogAddress file(std::filesystem::path path) {
        CatalogAddress address;
        address.file_ = std::move(path);
        return address;
    }
    // `postgresql://user:password@host:port/database?sslmode=require`, as libpq reads it. Fails with
    // `invalid_input`; the message never holds the text, because that may hold a password.
    static Result<CatalogAddress> url(std::string_view text);
    // Nothing written: the file.
    static Result<CatalogAddress> of(std::string_view url_or_empty, std::filesystem::path path) {
        if (url_or_empty.empty()) return file(std::move(path));
        return url(url_or_empty);
    }

    bool is_file() const { return url_.empty(); }
    const std::filesystem::path& path() const { return file_; }
    // For people and logs: without the password.
    std::string shown() const;

private:
    friend class CatalogDatabase;
    // The text for the library that connects; holds the password.
    std::string connection() const;
    // Replaces the password, wherever a library's message repeats it.
    std::string scrubbed(std::string message) const;

    std::filesystem::path file_;
    std::string url_;
    std::string password_;  // as written, and below as meant
    std::string decoded_password_;
};

}  // namespace obs
