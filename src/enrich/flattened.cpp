#include "enrich/flattened.h"

#include <algorithm>

#include "base/json_writer.h"
#include "enrich/resources.h"
#include "enrich/values.h"

namespace obs {

namespace {

// Calls `f` with the items of each run that agree in `key`.
template <class Key, class F>
void for_each_run(std::span<const FlatItem> items, Key key, F f) {
    for (std::size_t begin = 0; begin < items.size();) {
        std::size_t end = begin + 1;
        while (end < items.size() && key(items[end]) == key(items[begin])) ++end;
        f(items.subspan(begin, end - begin));
        begin = end;
    }
}

std::string_view text_at(std::span<const FlatItem> items, Leaf leaf) {
    for (const FlatItem& item : items)
        if (item.key->leaf == leaf) return item.attribute->value.text();
    return {};
}

const RawValue* value_at(std::span<const FlatItem> items, Leaf leaf) {
    for (const FlatItem& item : items)
        if (item.key->leaf == leaf) return &item.attribute->value;
    return nullptr;
}

// Arguments are text of the model, unless the client sent a structure.
std::string arguments_json(const RawValue* value) {
    std::string json;
    if (value != nullptr) append_value_json(json, *value);
    return json;
}

void read_part(std::span<const FlatItem> part, Conversation& conversation) {
    const std::string_view type = text_at(part, Leaf::part_type);
    if (value_at(part, Leaf::call_name) != nullptr || value_at(part, Leaf::call_id) != nullptr) {
        conversation.tool_call(text_at(part, Leaf::call_id), text_at(part, Leaf::call_name),
                               arguments_json(value_at(part, Leaf::call_arguments)));
    } else if (const RawValue* text = value_at(part, Leaf::part_text)) {
        if (type == "reasoning") {
            conversation.reasoning(text->text());
        } else {
            conversation.text(text->text());
        }
    } else if (const RawValue* image = value_at(part, Leaf::part_image)) {
        std::string json = R"({"type":"uri","modality":"image","uri":)";
        append_json_string(json, image->text());
        conversation.raw_part(json + '}');
    } else if (!type.empty()) {
        std::string json = R"({"type":)";
        append_json_string(json, type);
        conversation.raw_part(json + '}');
    }
}

void read_message(std::span<const FlatItem> message, Conversation& conversation) {
    const std::string_view role = text_at(message, Leaf::role);
    conversation.begin(role);
    const RawValue* content = value_at(message, Leaf::content);
    if (const std::string_view call = text_at(message, Leaf::tool_call_id); !call.empty() || role == "tool") {
        conversation.tool_response(call, text_at(message, Leaf::name), arguments_json(content));
    } else if (content != nullptr) {
        std::string scratch;
        read_content(text_of(*content, scratch), conversation);
    }
    for_each_run(
        message, [](const FlatItem& item) { return item.key->order & 0xffffff; },
        [&](std::span<const FlatItem> run) {
            if (run.front().key->section() != 0) read_part(run, conversation);
        });
    if (const std::string_view name = text_at(message, Leaf::function_name); !name.empty())
        conversation.tool_call({}, name, arguments_json(value_at(message, Leaf::function_arguments)));
    conversation.finish_reason(text_at(message, Leaf::finish_reason));
    conversation.end();
}

}  // namespace

std::span<const FlatItem> items_of(const Found& found, FlatList list) {
    const auto list_of = [](const FlatItem& item) { return item.key->list; };
    const auto range = std::ranges::equal_range(found.flat(), list, {}, list_of);
    return {range.begin(), range.end()};
}

void read_flat_messages(std::span<const FlatItem> items, Conversation& conversation) {
    for_each_run(
        items, [](const FlatItem& item) { return item.order >> 32; },
        [&](std::span<const FlatItem> message) { read_message(message, conversation); });
}

std::string read_flat_tools(std::span<const FlatItem> items) {
    std::string json;
    JsonWriter writer(json);
    writer.begin_array();
    for_each_run(
        items, [](const FlatItem& item) { return item.order >> 32; },
        [&](std::span<const FlatItem> tool) {
            if (const std::string_view schema = text_at(tool, Leaf::tool_schema); !schema.empty()) {
                if (parse_json(schema)) {
                    writer.raw(schema);
                } else {
                    writer.value(schema);
                }
                return;
            }
            writer.begin_object().field("type", "function").field("name", text_at(tool, Leaf::name));
            if (const std::string_view text = text_at(tool, Leaf::tool_description); !text.empty())
                writer.field("description", text);
            if (const std::string_view parameters = text_at(tool, Leaf::tool_parameters);
                !parameters.empty()) {
                writer.key("parameters");
                if (parse_json(parameters)) {
                    writer.raw(parameters);
                } else {
                    writer.value(parameters);
                }
            }
            writer.end_object();
        });
    writer.end_array();
    return json;
}

std::string read_flat_texts(std::span<const FlatItem> items) {
    std::string texts;
    for (const FlatItem& item : items) {
        if (!texts.empty()) texts += '\n';
        texts += item.attribute->value.text();
    }
    return texts;
}

std::vector<FlatScore> read_flat_scores(std::span<const FlatItem> items) {
    std::vector<FlatScore> scores;
    for_each_run(
        items, [](const FlatItem& item) { return item.order >> 32; },
        [&](std::span<const FlatItem> of) {
            FlatScore score{text_at(of, Leaf::name),          text_at(of, Leaf::score_label),
                            text_at(of, Leaf::score_comment), text_at(of, Leaf::score_source),
                            text_at(of, Leaf::score_id),      {}};
            if (const RawValue* value = value_at(of, Leaf::score_value)) score.value = number_of(*value);
            if (!score.name.empty() && (score.value || !score.label.empty() || !score.comment.empty()))
                scores.push_back(score);
        });
    return scores;
}

}  // namespace obs
