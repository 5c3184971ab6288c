#include "decode/protobuf.h"

#include <bit>

#include <fmt/format.h>

namespace obs {

namespace {
// AnyValue's fields.
constexpr std::uint32_t any_text = wire_tag(1, Wire::length);
constexpr std::uint32_t any_bool = wire_tag(2, Wire::varint);
constexpr std::uint32_t any_int = wire_tag(3, Wire::varint);
constexpr std::uint32_t any_double = wire_tag(4, Wire::fixed64);
constexpr std::uint32_t any_list = wire_tag(5, Wire::length);
constexpr std::uint32_t any_map = wire_tag(6, Wire::length);
constexpr std::uint32_t any_bytes = wire_tag(7, Wire::length);
}  // namespace

bool ProtobufReader::read_any(std::string_view any_value, Any& any) {
    WireReader in(any_value);
    while (in.next()) {
        switch (in.tag()) {
            case any_text:
            case any_bytes: any.content = in.bytes(); break;
            case any_bool:
            case any_int: any.bits = in.varint(); break;
            case any_double: any.bits = in.fixed64(); break;
            case any_list:
            case any_map:
                if (any.tag == in.tag()) {
                    any.more.push_back(in.bytes());
                    continue;
                }
                any.more.clear();
                any.content = in.bytes();
                break;
            default: in.skip(); continue;
        }
        any.tag = in.tag();
    }
    return done(in);
}

bool ProtobufReader::value(const Any& any, RawValue& value) {
    switch (any.tag) {
        case any_text: value = RawValue::of_text(lists_.text(any.content)); return true;
        case any_bool: value = RawValue::of_boolean(any.bits != 0); return true;
        case any_int: value = RawValue::of_integer(static_cast<std::int64_t>(any.bits)); return true;
        case any_double: value = RawValue::of_number(std::bit_cast<double>(any.bits)); return true;
        case any_bytes: value = lists_.bytes(any.content); return true;
        case any_list:
        case any_map:
            json_ = &lists_.reset_json();
            if (!write(any)) return false;
            value = lists_.take_json();
            return true;
        default: value = RawValue(); return true;
    }
}

bool ProtobufReader::write(const Any& any) {
    switch (any.tag) {
        case any_text: json_->text(any.content); return true;
        case any_bool: json_->boolean(any.bits != 0); return true;
        case any_int: json_->integer(static_cast<std::int64_t>(any.bits)); return true;
        case any_double: json_->number(std::bit_cast<double>(any.bits)); return true;
        case any_bytes: json_->bytes(any.content); return true;
        case any_list: return write_list(any);
        case any_map: return write_map(any);
        default: json_->empty(); return true;
    }
}

// The recursion through write() ends where the writer begins no further list or map.
bool ProtobufReader::write_list(const Any& any) {
    if (!json_->begin_list()) return true;
    std::size_t index = 0;
    if (!write_list_piece(any.content, index)) return false;
    for (const std::string_view piece : any.more)
        if (!write_list_piece(piece, index)) return false;
    json_->end_list();
    return true;
}

bool ProtobufReader::write_list_piece(std::string_view array_value, std::size_t& index) {
    WireReader in(array_value);
    while (in.next()) {
        if (in.tag() != wire_tag(1, Wire::length)) {
            in.skip();
            continue;
        }
        Any any;
        if (!read_any(in.bytes(), any) || !write(any)) return this->in("array_value.values", index);
        ++index;
    }
    return done(in);
}

bool ProtobufReader::write_map(const Any& any) {
    if (!json_->begin_map()) return true;
    std::size_t index = 0;
    if (!write_map_piece(any.content, index)) return false;
    for (const std::string_view piece : any.more)
        if (!write_map_piece(piece, index)) return false;
    json_->end_map();
    return true;
}

bool ProtobufReader::write_map_piece(std::string_view key_value_list, std::size_t& index) {
    WireReader in(key_value_list);
    while (in.next()) {
        if (in.tag() != wire_tag(1, Wire::length)) {
            in.skip();
            continue;
        }
        if (!write_entry(in.bytes())) return this->in("kvlist_value.values", index);
        ++index;
    }
    return done(in);
}

bool ProtobufReader::write_entry(std::string_view key_value) {
    std::string_view key;
    Any any;
    WireReader in(key_value);
    while (in.next()) {
        switch (in.tag()) {
            case wire_tag(1, Wire::length): key = in.bytes(); break;
            case wire_tag(2, Wire::length):
                if (!read_any(in.bytes(), any)) return this->in("value");
                break;
            default: in.skip();
        }
    }
    if (!done(in)) return false;
    if (!json_->begin_entry()) return true;
    json_->key(key);
    if (!write(any)) return this->in("value");
    json_->end_entry();
    return true;
}

// The common case: one field that is a text or a number. False for everything else, broken messages too,
// which read_any() then looks into.
bool ProtobufReader::plain_value(std::string_view any_value, RawValue& value) {
    const char* at = any_value.data();
    const char* const end = at + any_value.size();
    if (std::string_view text; take_bytes(at, end, any_text, text) && at == end) {
        value = RawValue::of_text(lists_.text(text));
        return true;
    }
    WireReader in(any_value);
    if (!in.next()) return false;
    switch (in.tag()) {
        case any_int: value = RawValue::of_integer(static_cast<std::int64_t>(in.varint())); break;
        case any_bool: value = RawValue::of_boolean(in.varint() != 0); break;
        case any_double: value = RawValue::of_number(in.fixed_double()); break;
        default: return false;
    }
    return !in.has_more() && in.error() == nullptr;
}

bool ProtobufReader::any_value(std::string_view key_value, RawValue& read) {
    Any any;
    WireReader in(key_value);
    while (in.next()) {
        if (in.tag() != wire_tag(2, Wire::length)) {
            in.skip();
        } else if (!read_any(in.bytes(), any)) {
            return false;
        }
    }
    return value(any, read);
}

bool ProtobufReader::attribute(std::string_view key_value, RawRange& list) {
    if (!lists_.has_room(list)) return true;
    const char* at = key_value.data();
    const char* const end = at + key_value.size();
    std::string_view key, sent;
    const bool usual = take_bytes(at, end, wire_tag(1, Wire::length), key) &&
                       take_bytes(at, end, wire_tag(2, Wire::length), sent) && at == end;
    if (!usual) return unusual_attribute(key_value, list);
    RawValue& value = lists_.add(list, key);
    if (!plain_value(sent, value) && !any_value(key_value, value)) return this->in("value");
    return true;
}

bool ProtobufReader::unusual_attribute(std::string_view key_value, RawRange& list) {
    std::string_view key, sent;
    std::size_t pieces = 0;
    WireReader in(key_value);
    while (in.next()) {
        switch (in.tag()) {
            case wire_tag(1, Wire::length): key = in.bytes(); break;
            case wire_tag(2, Wire::length):
                sent = in.bytes();
                ++pieces;
                break;
            default: in.skip();
        }
    }
    if (!done(in)) return false;
    RawValue& value = lists_.add(list, key);
    const bool plain = pieces == 1 && plain_value(sent, value);
    if (!plain && !any_value(key_value, value)) return this->in("value");
    return true;
}

bool ProtobufReader::resource(std::string_view message, RawRange& attributes) {
    std::size_t index = 0;
    WireReader in(message);
    while (in.next()) {
        switch (in.tag()) {
            case wire_tag(1, Wire::length):
                if (!attribute(in.bytes(), attributes)) return this->in("attributes", index);
                ++index;
                break;
            case wire_tag(2, Wire::varint):
                if (in.varint32() != 0) lists_.raise(flag_attributes_dropped);
                break;
            default: in.skip();
        }
    }
    return done(in);
}

bool ProtobufReader::scope(std::string_view message, RawScope& scope) {
    std::size_t index = 0;
    WireReader in(message);
    while (in.next()) {
        switch (in.tag()) {
            case wire_tag(1, Wire::length): scope.name = lists_.text(in.bytes()); break;
            case wire_tag(2, Wire::length): scope.version = lists_.text(in.bytes()); break;
            case wire_tag(3, Wire::length):
                if (!attribute(in.bytes(), scope.attributes)) return this->in("attributes", index);
                ++index;
                break;
            case wire_tag(4, Wire::varint):
                if (in.varint32() != 0) lists_.raise(flag_attributes_dropped);
                break;
            default: in.skip();
        }
    }
    return done(in);
}

bool ProtobufReader::broken(const WireReader& in) {
    what_ = in.error();
    where_ = in.position();
    return false;
}

bool ProtobufReader::in(std::string_view field, std::size_t index) {
    return in(fmt::format("{}[{}]", field, index));
}

bool ProtobufReader::in(std::string_view field) {
    path_ = path_.empty() ? std::string(field) : fmt::format("{}.{}", field, path_);
    return false;
}

Error ProtobufReader::error() const {
    const std::string_view request = "the request is no OTLP protobuf";
    const auto byte = where_ - body_.data();
    if (path_.empty())
        return {ErrorKind::invalid_input, fmt::format("{}: byte {}: {}", request, byte, what_), {}};
    return {ErrorKind::invalid_input, fmt::format("{}: byte {}, in {}: {}", request, byte, path_, what_),
            path_};
}

}  // namespace obs
