// A JSON object that a client sent, read member by member. Refusals name the member as 1.15 wants it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "query/condition.h"
#include "serve/api_error.h"

namespace obs::serve {

class JsonBody {
public:
    // `members` are all that the object may have, separated by blanks: a misspelt one is refused and not
    // ignored. An empty body counts as `{}`.
    static ApiResult<JsonBody> read(std::string_view body, std::string_view members);
    JsonBody(JsonBody&&) noexcept;
    ~JsonBody();

    bool has(std::string_view name) const;      // said, and not null
    bool is_null(std::string_view name) const;  // said to be null

    // Texts of 1 to `most` bytes without control characters.
    ApiResult<std::string> text(std::string_view name, std::size_t most) const;
    ApiResult<std::optional<std::string>> optional_text(std::string_view name, std::size_t most) const;
    // Any characters, up to 4 KiB; empty when it is absent.
    ApiResult<std::string> secret(std::string_view name) const;
    // At most 1,000 texts.
    ApiResult<std::optional<std::vector<std::string>>> optional_texts(std::string_view name,
                                                                      std::size_t most) const;
    ApiResult<std::optional<bool>> optional_flag(std::string_view name) const;
    ApiResult<std::optional<std::int64_t>> optional_integer(std::string_view name, std::int64_t least,
                                                            std::int64_t most) const;
    ApiResult<std::optional<double>> optional_number(std::string_view name, double least, double most) const;
    // A text, number, true or false.
    ApiResult<std::optional<query::Value>> optional_scalar(std::string_view name) const;
    // The members of an object, each such a value; at most so many, and of so many bytes.
    ApiResult<std::vector<std::pair<std::string, query::Value>>> scalars(std::string_view name,
                                                                         std::size_t most_members,
                                                                         std::size_t most_bytes) const;
    // Any characters, lines too, but no zero byte.
    ApiResult<std::optional<std::string>> optional_prose(std::string_view name, std::size_t most) const;
    // An object as text, without blanks.
    ApiResult<std::optional<std::string>> optional_object(std::string_view name, std::size_t most) const;
    // The object as it came, without blanks.
    std::string minified() const;

private:
    struct Document;
    explicit JsonBody(std::unique_ptr<Document> document);
    std::unique_ptr<Document> document_;
};

}  // namespace obs::serve
