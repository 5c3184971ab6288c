#include "serve/json_body.h"

#include <algorithm>

#include <simdjson.h>

namespace obs::serve {
namespace {

constexpr std::size_t longest_secret = 4096, most_texts = 1000, longest_key = 128;

// A zero byte would end the text early for a database, and so mean another one.
bool is_plain(std::string_view text) {
    return std::ranges::none_of(text,
                                [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

ApiResult<std::string> checked(std::string_view name, std::string_view text, std::size_t most) {
    if (text.empty() || text.size() > most)
        return refuse(ErrorCode::invalid_field_value, std::string(name), "{} has 1 to {} bytes", name, most);
    if (!is_plain(text))
        return refuse(ErrorCode::invalid_field_value, std::string(name),
                      "{} must not hold control characters", name);
    return std::string(text);
}

std::optional<query::Value> scalar_of(const simdjson::dom::element& element) {
    std::int64_t whole = 0;
    double real = 0;
    bool flag = false;
    std::string_view text;
    if (element.get(whole) == simdjson::SUCCESS) return query::Value(whole);
    if (element.get(real) == simdjson::SUCCESS) return query::Value(real);
    if (element.get(flag) == simdjson::SUCCESS) return query::Value(flag);
    if (element.get(text) == simdjson::SUCCESS) return query::Value(std::string(text));
    return std::nullopt;
}

bool is_one_of(std::string_view name, std::string_view words) {
    while (!words.empty()) {
        const std::size_t end = std::min(words.find(' '), words.size());
        if (words.substr(0, end) == name) return true;
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return false;
}

}  // namespace

struct JsonBody::Document {
    simdjson::dom::parser parser;
    simdjson::dom::object root;
};

JsonBody::JsonBody(std::unique_ptr<Document> document) : document_(std::move(document)) {}
JsonBody::JsonBody(JsonBody&&) noexcept = default;
JsonBody::~JsonBody() = default;

ApiResult<JsonBody> JsonBody::read(std::string_view body, std::string_view members) {
    auto document = std::make_unique<Document>();
    const simdjson::padded_string padded(body.empty() ? std::string_view("{}") : body);
    if (document->parser.parse(padded).get(document->root) != simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_request, "", "the body must be a JSON object");
    for (const auto [name, value] : document->root)
        if (!is_one_of(name, members))
            return refuse(ErrorCode::invalid_request, std::string(name.substr(0, 100)),
                          "there is no such member; the body may have: {}", members);
    return JsonBody(std::move(document));
}

bool JsonBody::has(std::string_view name) const {
    const auto found = document_->root[name];
    return found.error() == simdjson::SUCCESS && !found.is_null();
}

bool JsonBody::is_null(std::string_view name) const {
    const auto found = document_->root[name];
    return found.error() == simdjson::SUCCESS && found.is_null();
}

ApiResult<std::string> JsonBody::text(std::string_view name, std::size_t most) const {
    auto found = OBS_ANSWER(optional_text(name, most));
    if (!found) return refuse(ErrorCode::missing_required_field, std::string(name), "{} is missing", name);
    return *std::move(found);
}

ApiResult<std::optional<std::string>> JsonBody::optional_text(std::string_view name, std::size_t most) const {
    if (!has(name)) return std::optional<std::string>();
    std::string_view text;
    if (document_->root[name].get(text) != simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_field_value, std::string(name), "{} must be a text", name);
    return std::optional(OBS_ANSWER(checked(name, text, most)));
}

ApiResult<std::string> JsonBody::secret(std::string_view name) const {
    std::string_view text;
    if (has(name) && (document_->root[name].get(text) != simdjson::SUCCESS || text.size() > longest_secret))
        return refuse(ErrorCode::invalid_field_value, std::string(name),
                      "{} must be a text of at most {} bytes", name, longest_secret);
    return std::string(text);
}

ApiResult<std::optional<std::vector<std::string>>> JsonBody::optional_texts(std::string_view name,
                                                                            std::size_t most) const {
    if (!has(name)) return std::optional<std::vector<std::string>>();
    simdjson::dom::array items;
    if (document_->root[name].get(items) != simdjson::SUCCESS || items.size() > most_texts)
        return refuse(ErrorCode::invalid_field_value, std::string(name),
                      "{} must be a list of at most {} texts", name, most_texts);
    std::vector<std::string> texts;
    for (const simdjson::dom::element item : items) {
        std::string_view text;
        if (item.get(text) != simdjson::SUCCESS)
            return refuse(ErrorCode::invalid_field_value, std::string(name), "{} must be a list of texts",
                          name);
        texts.push_back(OBS_ANSWER(checked(name, text, most)));
    }
    return std::optional(std::move(texts));
}

ApiResult<std::optional<bool>> JsonBody::optional_flag(std::string_view name) const {
    if (!has(name)) return std::optional<bool>();
    bool flag = false;
    if (document_->root[name].get(flag) != simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_field_value, std::string(name), "{} must be true or false", name);
    return std::optional(flag);
}

ApiResult<std::optional<std::int64_t>> JsonBody::optional_integer(std::string_view name, std::int64_t least,
                                                                  std::int64_t most) const {
    if (!has(name)) return std::optional<std::int64_t>();
    std::int64_t number = 0;
    if (document_->root[name].get(number) != simdjson::SUCCESS || number < least || number > most)
        return refuse(ErrorCode::invalid_field_value, std::string(name), "{} is a whole number from {} to {}",
                      name, least, most);
    return std::optional(number);
}

ApiResult<std::optional<double>> JsonBody::optional_number(std::string_view name, double least,
                                                           double most) const {
    if (!has(name)) return std::optional<double>();
    double number = 0;
    if (document_->root[name].get(number) != simdjson::SUCCESS || !(number >= least && number <= most))
        return refuse(ErrorCode::invalid_field_value, std::string(name), "{} is a number from {} to {}", name,
                      least, most);
    return std::optional(number);
}

ApiResult<std::optional<query::Value>> JsonBody::optional_scalar(std::string_view name) const {
    if (!has(name)) return std::optional<query::Value>();
    auto value = scalar_of(document_->root[name].value_unsafe());
    if (!value)
        return refuse(ErrorCode::invalid_field_value, std::string(name),
                      "{} must be a text, a number, true or false", name);
    return value;
}

ApiResult<std::vector<std::pair<std::string, query::Value>>> JsonBody::scalars(std::string_view name,
                                                                               std::size_t most_members,
                                                                               std::size_t most_bytes) const {
    std::vector<std::pair<std::string, query::Value>> found;
    if (!has(name)) return found;
    simdjson::dom::object members;
    if (document_->root[name].get(members) != simdjson::SUCCESS || members.size() > most_members)
        return refuse(ErrorCode::invalid_field_value, std::string(name),
                      "{} must be an object of at most {} members", name, most_members);
    for (const auto [key, element] : members) {
        auto value = scalar_of(element);
        const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
        if (!value || key.empty() || key.size() > longest_key || !is_plain(key) ||
            (text != nullptr && (text->size() > most_bytes || text->contains('\0'))))
            return refuse(ErrorCode::invalid_field_value, std::string(name),
                          "the members of {} are texts of at most {} bytes, numbers, true or false; their "
                          "names have 1 to {} bytes",
                          name, most_bytes, longest_key);
        found.emplace_back(key, *std::move(value));
    }
    return found;
}

ApiResult<std::optional<std::string>> JsonBody::optional_prose(std::string_view name,
                                                               std::size_t most) const {
    if (!has(name)) return std::optional<std::string>();
    std::string_view text;
    if (document_->root[name].get(text) != simdjson::SUCCESS || text.empty() || text.size() > most ||
        text.contains('\0'))
        return refuse(ErrorCode::invalid_field_value, std::string(name), "{} is a text of 1 to {} bytes",
                      name, most);
    return std::optional(std::string(text));
}

ApiResult<std::optional<std::string>> JsonBody::optional_object(std::string_view name,
                                                                std::size_t most) const {
    if (!has(name)) return std::optional<std::string>();
    simdjson::dom::object object;
    if (document_->root[name].get(object) != simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_field_value, std::string(name), "{} must be an object", name);
    std::string text = simdjson::minify(object);
    if (text.size() > most)
        return refuse(ErrorCode::limit_exceeded, std::string(name), "{} may have {} bytes", name, most);
    return std::optional(std::move(text));
}

std::string JsonBody::minified() const {
    return simdjson::minify(document_->root);
}

}  // namespace obs::serve
