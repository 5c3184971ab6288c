#include "enrich/resources.h"

#include <unordered_map>

#include "base/json_writer.h"
#include "enrich/values.h"

namespace obs {

namespace {

// Which attributes of a list count: of a key that comes twice only the last one does.
class LastOnes {
public:
    LastOnes(const RawAttributes& raw, RawRange range) : raw_(raw), range_(range) {
        if (range.end - range.begin <= few) return;
        for (std::uint32_t at = range.begin; at < range.end; ++at) last_[raw.list[at].key] = at;
    }
    bool counts(std::uint32_t at) const {
        const std::uint32_t key = raw_.list[at].key;
        if (range_.end - range_.begin > few) return last_.at(key) == at;
        for (std::uint32_t later = at + 1; later < range_.end; ++later)
            if (raw_.list[later].key == key) return false;
        return true;
    }

private:
    // Short lists are compared, long ones looked up: their length comes from outside.
    static constexpr std::uint32_t few = 32;
    const RawAttributes& raw_;
    RawRange range_;
    std::unordered_map<std::uint32_t, std::uint32_t> last_;
};

// The first of the keys that has a value.
std::string first_of(const RawAttributes& raw, RawRange range, std::initializer_list<std::string_view> keys) {
    std::string scratch;
    for (const std::string_view key : keys)
        if (const RawValue* value = find_attribute(raw, range, key))
            if (const std::string_view text = text_of(*value, scratch); !says_nothing(text))
                return std::string(text);
    return {};
}

ResourceFacts read_resource(const RawAttributes& raw, RawRange range) {
    ResourceFacts facts;
    facts.service_name = first_of(raw, range, {"service.name"});
    facts.environment = first_of(raw, range,
                                 {"langfuse.environment", "deployment.environment.name",
                                  "deployment.environment", "gen_ai.environment"});
    facts.release = first_of(raw, range, {"langfuse.release", "service.version"});
    std::string scratch;
    JsonWriter writer(facts.json);
    const LastOnes last(raw, range);
    writer.begin_object();
    bool any = false;
    for (std::uint32_t at = range.begin; at < range.end; ++at) {
        const RawAttribute& attribute = raw.list[at];
        const std::string_view key = raw.key(attribute);
        const std::string_view text = text_of(attribute.value, scratch);
        const bool has_column = (key == "service.name") ||
                                (key.starts_with("deployment.environment") && text == facts.environment) ||
                                (key == "service.version" && text == facts.release);
        if (has_column || !last.counts(at)) continue;
        writer.key(key);
        std::string value;
        append_value_json(value, attribute.value);
        writer.raw(value);
        any = true;
    }
    writer.end_object();
    if (!any) facts.json.clear();
    return facts;
}

}  // namespace

std::vector<ResourceFacts> read_resources(const RawAttributes& raw,
                                          const std::vector<RawResource>& resources) {
    std::vector<ResourceFacts> facts;
    facts.reserve(resources.size());
    for (const RawResource& resource : resources) facts.push_back(read_resource(raw, resource.attributes));
    return facts;
}

const RawValue* find_attribute(const RawAttributes& raw, RawRange range, std::string_view key) {
    for (std::uint32_t at = range.end; at-- > range.begin;)
        if (raw.key(raw.list[at]) == key) return &raw.list[at].value;
    return nullptr;
}

std::string_view find_text(const RawAttributes& raw, RawRange range, std::string_view key) {
    const RawValue* value = find_attribute(raw, range, key);
    return value == nullptr ? std::string_view() : value->text();
}

void append_value_json(std::string& out, const RawValue& value) {
    if (value.type == AttributeType::text || value.type == AttributeType::bytes) {
        append_json_string(out, value.text());
        return;
    }
    std::string scratch;
    out += text_of(value, scratch);
}

void append_attributes_json(std::string& out, const RawAttributes& raw, RawRange range) {
    JsonWriter writer(out);
    const LastOnes last(raw, range);
    writer.begin_object();
    std::string value;
    for (std::uint32_t at = range.begin; at < range.end; ++at) {
        if (!last.counts(at)) continue;
        writer.key(raw.key(raw.list[at]));
        value.clear();
        append_value_json(value, raw.list[at].value);
        writer.raw(value);
    }
    writer.end_object();
}

}  // namespace obs
