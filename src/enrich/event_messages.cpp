#include "enrich/event_messages.h"

#include "base/json_writer.h"
#include "enrich/values.h"

namespace obs {

namespace {

std::string_view role_in(std::string_view event_name) {
    if (event_name == "gen_ai.system.message") return "system";
    if (event_name == "gen_ai.user.message") return "user";
    if (event_name == "gen_ai.assistant.message") return "assistant";
    if (event_name == "gen_ai.tool.message") return "tool";
    return {};
}

std::string compact(const JsonElement& element) {
    std::string json;
    append_compact(json, element);
    return json;
}

// `content` is text, JSON text of parts (Strands), or a structure.
void read_event_content(const JsonElement& content, Conversation& conversation) {
    std::string_view text;
    if (content.get(text) == simdjson::SUCCESS) {
        read_content(text, conversation, 1);
    } else {
        const std::string json = compact(content);
        read_content(json, conversation, 1);
    }
}

void read_calls(const JsonObject& event, Conversation& conversation) {
    const std::optional<JsonElement> calls = member(event, "tool_calls");
    if (!calls) return;
    std::optional<JsonElement> list = calls;
    std::string_view text;
    if (calls->get(text) == simdjson::SUCCESS) list = parse_json(text, 1);
    JsonArray items;
    if (!list || list->get(items) != simdjson::SUCCESS) return;
    for (const JsonElement item : items) {
        JsonObject call;
        if (item.get(call) != simdjson::SUCCESS) continue;
        const std::optional<JsonObject> function = object_member(call, "function");
        const JsonObject& named = function ? *function : call;
        const std::optional<JsonElement> arguments = member(named, "arguments");
        conversation.tool_call(text_member(call, "id"), text_member(named, "name"),
                               arguments ? compact(*arguments) : "");
    }
}

void read_input(std::string_view role, const JsonObject& event, Conversation& input) {
    const std::string_view own = text_member(event, "role");
    input.begin(own.empty() ? role : own);
    const std::optional<JsonElement> content = member(event, "content");
    std::string_view text;
    const bool answers_call = role == "tool" && content && content->get(text) == simdjson::SUCCESS &&
                              !text.starts_with(R"([{"toolResult")");
    if (answers_call) {
        input.tool_response(text_member(event, "id"), {}, compact(*content));
    } else if (content) {
        read_event_content(*content, input);
    }
    read_calls(event, input);
    input.end();
}

void read_choice(const JsonObject& event, Conversation& output) {
    std::optional<JsonElement> message = member(event, "message");
    std::string_view text;
    if (message && message->get(text) == simdjson::SUCCESS && looks_like_json(text))
        if (const auto parsed = parse_json(text, 1); parsed && parsed->is_object()) message = parsed;
    if (message && message->is_object()) {
        read_message(*message, "assistant", output, 2);
    } else {
        output.begin("assistant");
        if (message) read_event_content(*message, output);
        if (const auto content = member(event, "content")) read_event_content(*content, output);
        read_calls(event, output);
        output.finish_reason(text_member(event, "finish_reason"));
        output.end();
        return;
    }
    if (output.empty()) output.begin("assistant");
    output.finish_reason(text_member(event, "finish_reason"));
}

}  // namespace

bool is_message_event(std::string_view name) {
    return name == "gen_ai.choice" || !role_in(name).empty() || name == "gen_ai.content.prompt" ||
           name == "gen_ai.content.completion";
}

void read_message_event(std::string_view name, std::string_view body, Conversation& input,
                        Conversation& output) {
    const std::optional<JsonElement> document = parse_json(body);
    JsonObject event;
    if (!document || document->get(event) != simdjson::SUCCESS) {
        // Nothing but a text.
        Conversation& conversation = name == "gen_ai.choice" ? output : input;
        if (says_nothing(body)) return;
        conversation.begin(role_in(name));
        conversation.text(body);
        conversation.end();
        return;
    }
    if (name == "gen_ai.content.prompt") {
        read_messages(text_member(event, "gen_ai.prompt"), input, 1);
    } else if (name == "gen_ai.content.completion") {
        read_messages(text_member(event, "gen_ai.completion"), output, 1);
    } else if (name == "gen_ai.choice") {
        read_choice(event, output);
    } else {
        read_input(role_in(name), event, input);
    }
}

}  // namespace obs
