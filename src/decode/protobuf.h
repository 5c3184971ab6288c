// What the three signals share in protobuf: attributes, resources, scopes, and saying where a request is
// broken.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "decode/attribute_lists.h"
#include "decode/wire_reader.h"

namespace obs {

// Every bool of this class and of the readers that use it: false means that the request cannot be read.
class ProtobufReader {
public:
    ProtobufReader(std::string_view body, AttributeLists& lists) : body_(body), lists_(lists) {}

    // Adds the attribute of one KeyValue message to a list that has room for it or not.
    bool attribute(std::string_view key_value, RawRange& list);
    // Merges the AnyValue message into a value (a field that comes twice is one message in two pieces).
    struct Any {
        std::uint32_t tag = 0;               // of the field that is set; 0 if none is
        std::string_view content;            // of a text, bytes, a list or a map
        std::uint64_t bits = 0;              // of a number
        std::vector<std::string_view> more;  // further pieces of a list or a map
    };
    bool read_any(std::string_view any_value, Any& any);
    bool value(const Any& any, RawValue& value);

    bool resource(std::string_view message, RawRange& attributes);
    bool scope(std::string_view message, RawScope& scope);

    // True if the reader came to the end of its message.
    bool done(const WireReader& in) {
        if (in.error() == nullptr) [[likely]]
            return true;
        return broken(in);
    }
    // Says in which field an error lies, from the inside out. Always false.
    [[gnu::cold]] bool in(std::string_view field, std::size_t index);
    [[gnu::cold]] bool in(std::string_view field);
    // After something was false.
    Error error() const;

private:
    [[gnu::cold]] bool broken(const WireReader& in);
    // An attribute of any shape that a message may have.
    bool unusual_attribute(std::string_view key_value, RawRange& list);
    bool plain_value(std::string_view any_value, RawValue& value);
    // The value of a KeyValue, in as many pieces as it has.
    bool any_value(std::string_view key_value, RawValue& read);
    bool write(const Any& any);
    bool write_list(const Any& any);
    bool write_list_piece(std::string_view array_value, std::size_t& index);
    bool write_map(const Any& any);
    bool write_map_piece(std::string_view key_value_list, std::size_t& index);
    bool write_entry(std::string_view key_value);

    std::string_view body_;
    AttributeLists& lists_;
    ValueJson* json_ = nullptr;  // where write() writes
    const char* what_ = nullptr;
    const char* where_ = nullptr;
    std::string path_;
};

}  // namespace obs
