#include "enrich/messages.h"

#include <algorithm>

#include "base/json_writer.h"
#include "enrich/values.h"

namespace obs {

namespace {

std::string compact(const JsonElement& element) {
    std::string json;
    append_compact(json, element);
    return json;
}

// The first of these members that is a text.
std::string_view first_text(const JsonObject& object, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names)
        if (const std::string_view text = text_member(object, name); !text.empty()) return text;
    return {};
}

std::optional<JsonElement> first_member(const JsonObject& object,
                                        std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names)
        if (const std::optional<JsonElement> found = member(object, name)) return found;
    return std::nullopt;
}

std::optional<JsonObject> first_object(const JsonObject& object,
                                       std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names)
        if (const std::optional<JsonObject> found = object_member(object, name)) return found;
    return std::nullopt;
}

std::optional<JsonObject> as_object(const JsonElement& element) {
    JsonObject object;
    if (element.get(object) != simdjson::SUCCESS) return std::nullopt;
    return object;
}

std::optional<JsonArray> as_array(const JsonElement& element) {
    JsonArray array;
    if (element.get(array) != simdjson::SUCCESS) return std::nullopt;
    return array;
}

std::optional<std::string_view> as_text(const JsonElement& element) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) return std::nullopt;
    return text;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, word) != words.end();
}

void read_part(const JsonElement& element, Conversation& conversation);

void read_call(const JsonObject& call, Conversation& conversation) {
    const std::optional<JsonObject> function = object_member(call, "function");
    const JsonObject& named = function ? *function : call;
    const std::optional<JsonElement> arguments =
        first_member(named, {"arguments", "input", "args", "server_tool_call"});
    conversation.tool_call(
        first_text(call, {"id", "toolCallId", "tool_call_id", "call_id", "toolUseId", "ref"}),
        first_text(named, {"name", "toolName", "tool_name"}), arguments ? compact(*arguments) : "");
}

// AI SDK wraps results: {type: text, value: ...}.
JsonElement unwrapped(JsonElement result) {
    const std::optional<JsonObject> object = as_object(result);
    if (!object || text_member(*object, "type").empty()) return result;
    return member(*object, "value").value_or(result);
}

void read_response(const JsonObject& response, Conversation& conversation) {
    const std::optional<JsonElement> result = first_member(
        response, {"response", "result", "output", "content", "tool_result", "server_tool_call_response"});
    const std::optional<JsonObject> origin = object_member(response, "origin");
    conversation.tool_response(
        first_text(origin ? *origin : response,
                   {"id", "toolCallId", "tool_use_id", "tool_call_id", "call_id", "toolUseId", "ref"}),
        first_text(response, {"name", "toolName"}), result ? compact(unwrapped(*result)) : "");
}

// {"toolUse": {...}}: Bedrock, Gemini, Genkit and Haystack name a part by its only member.
bool read_part_by_member(const JsonObject& part, Conversation& conversation) {
    for (const std::string_view name :
         {"toolUse", "functionCall", "function_call", "toolRequest", "tool_call"})
        if (const std::optional<JsonObject> call = object_member(part, name)) {
            read_call(*call, conversation);
            return true;
        }
    for (const std::string_view name :
         {"toolResult", "functionResponse", "function_response", "toolResponse", "tool_call_result"})
        if (const std::optional<JsonObject> response = object_member(part, name)) {
            read_response(*response, conversation);
            return true;
        }
    if (const std::optional<JsonObject> reasoning = object_member(part, "reasoningContent")) {
        const std::optional<JsonObject> inner = object_member(*reasoning, "reasoningText");
        conversation.reasoning(text_member(inner ? *inner : *reasoning, "text"));
        return true;
    }
    return false;
}

bool read_part_by_type(std::string_view type, const JsonObject& part, Conversation& conversation) {
    if (is_one_of(type, {"text", "input_text", "output_text"})) {
        const std::optional<JsonElement> text = first_member(part, {"content", "text", "value"});
        if (!text || !as_text(*text)) return false;
        conversation.text(*as_text(*text));
        return true;
    }
    if (is_one_of(type, {"reasoning", "thinking"})) {
        const std::string_view text = first_text(part, {"content", "thinking", "text", "reasoning"});
        if (text.empty()) return false;
        conversation.reasoning(text);
        return true;
    }
    if (is_one_of(type, {"tool_call", "tool-call", "tool_use", "function_call", "server_tool_use"})) {
        read_call(part, conversation);
        return true;
    }
    if (is_one_of(type, {"tool_call_response", "tool-result", "tool_result", "tool_response",
                         "function_call_output"})) {
        read_response(part, conversation);
        return true;
    }
    return false;
}

void read_part(const JsonElement& element, Conversation& conversation) {
    if (const std::optional<std::string_view> text = as_text(element)) {
        conversation.text(*text);
        return;
    }
    const std::optional<JsonObject> part = as_object(element);
    if (!part) {
        conversation.raw_part(compact(element));
        return;
    }
    const std::string_view type = first_text(*part, {"type", "block_type"});
    if (!type.empty()) {
        if (!read_part_by_type(type, *part, conversation)) conversation.raw_part(compact(element));
        return;
    }
    if (read_part_by_member(*part, conversation)) return;
    const std::optional<JsonElement> text = member(*part, "text");
    if (!text || !as_text(*text)) {
        conversation.raw_part(compact(element));
        return;
    }
    const std::optional<JsonElement> thought = member(*part, "thought");
    if (thought && thought->is_bool() && thought->get_bool().value_unsafe()) {
        conversation.reasoning(*as_text(*text));
    } else {
        conversation.text(*as_text(*text));
    }
}

void read_parts(const JsonElement& content, Conversation& conversation) {
    if (const std::optional<JsonArray> parts = as_array(content)) {
        for (const JsonElement part : *parts) read_part(part, conversation);
        return;
    }
    if (const std::optional<JsonObject> object = as_object(content))
        if (const std::optional<JsonArray> parts = array_member(*object, "parts")) {
            for (const JsonElement part : *parts) read_part(part, conversation);
            return;
        }
    read_part(content, conversation);
}

// LangChain writes {lc, type: constructor, id: [...], kwargs: {...}} or {type: human, data: {...}}.
JsonObject inner_message(const JsonObject& message) {
    if (const std::optional<JsonObject> kwargs = object_member(message, "kwargs")) return *kwargs;
    if (const std::optional<JsonObject> data = object_member(message, "data")) return *data;
    return message;
}

bool is_langchain_type(std::string_view type) {
    return is_one_of(type, {"human", "ai", "system", "tool", "function", "AIMessageChunk", "user",
                            "assistant", "developer"});
}

std::string_view role_of(const JsonObject& message) {
    if (const std::string_view role = first_text(message, {"role", "_role"}); !role.empty()) return role;
    const std::string_view type = text_member(message, "type");
    return is_langchain_type(type) ? type : std::string_view();
}

bool is_item(std::string_view type) {
    return is_one_of(type, {"message", "function_call", "function_call_output", "reasoning"});
}

bool looks_like_message(const JsonObject& object) {
    if (member(object, "kwargs") && member(object, "lc")) return true;
    if (!first_text(object, {"role", "_role"}).empty()) return true;
    const std::string_view type = text_member(object, "type");
    if (is_langchain_type(type)) return member(object, "content") || member(object, "data");
    return is_item(type);
}

// Items of OpenAI's responses: the model's words, thoughts and calls are items of their own, but one turn.
bool read_item(std::string_view type, const JsonObject& item, Conversation& conversation) {
    if (type == "function_call_output") {
        conversation.begin("tool");
        read_response(item, conversation);
        conversation.end();
        return true;
    }
    if (type != "function_call" && type != "reasoning") return false;
    if (!conversation.reopen("assistant")) conversation.begin("assistant");
    if (type == "function_call") {
        // `id` is the item's, `call_id` is what the answer refers to.
        const std::optional<JsonElement> arguments = member(item, "arguments");
        conversation.tool_call(first_text(item, {"call_id", "id"}), text_member(item, "name"),
                               arguments ? compact(*arguments) : "");
    } else if (const std::optional<JsonArray> summary = array_member(item, "summary")) {
        for (const JsonElement part : *summary)
            if (const std::optional<JsonObject> object = as_object(part))
                conversation.reasoning(text_member(*object, "text"));
    }
    conversation.end();
    return true;
}

void read_message_body(const JsonObject& message, std::string_view role, Conversation& conversation) {
    const std::optional<JsonElement> content =
        first_member(message, {"parts", "content", "_content", "blocks", "text"});
    if (const std::string_view thought = first_text(message, {"reasoning_content", "thinking"});
        !thought.empty())
        conversation.reasoning(thought);
    if (content) {
        const bool answers_call = is_one_of(role, {"tool", "function"}) && as_text(*content);
        if (answers_call) {
            conversation.tool_response(first_text(message, {"tool_call_id", "id"}),
                                       text_member(message, "name"), compact(*content));
        } else if (!as_text(*content) || !as_text(*content)->empty()) {
            read_parts(*content, conversation);
        }
    }
    if (const std::optional<JsonArray> calls = array_member(message, "tool_calls"))
        for (const JsonElement call : *calls)
            if (const std::optional<JsonObject> object = as_object(call)) read_call(*object, conversation);
    if (const std::optional<JsonObject> call = object_member(message, "function_call"))
        read_call(*call, conversation);
    if (const std::string_view refusal = text_member(message, "refusal"); !refusal.empty()) {
        std::string part = R"({"type":"refusal","content":)";
        append_json_string(part, refusal);
        conversation.raw_part(part + '}');
    }
}

std::string_view finish_reason_of(const JsonObject& object) {
    return first_text(object, {"finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason"});
}

void read_message_object(const JsonObject& outer, std::string_view role, Conversation& conversation) {
    const JsonObject message = inner_message(outer);
    const std::string_view type = text_member(message, "type");
    if (is_item(type) && type != "message" && read_item(type, message, conversation)) return;
    std::string_view own_role = role_of(message);
    if (own_role.empty()) own_role = role_of(outer);
    if (own_role.empty()) own_role = role;
    conversation.begin(own_role);
    read_message_body(message, own_role, conversation);
    if (const std::string_view name = text_member(message, "name");
        !name.empty() && !is_one_of(own_role, {"tool", "function"}))
        conversation.name(name);
    std::string_view reason = finish_reason_of(message);
    if (const std::optional<JsonObject> meta = first_object(message, {"meta", "response_metadata"});
        meta && reason.empty())
        reason = finish_reason_of(*meta);
    conversation.finish_reason(reason);
    conversation.end();
}

bool read_list(const JsonArray& list, Conversation& conversation, unsigned level) {
    std::size_t count = 0;
    bool messages = true, parts = true, texts = true, lists = true;
    for (const JsonElement item : list) {
        ++count;
        const std::optional<JsonObject> object = as_object(item);
        messages = messages && object && looks_like_message(*object);
        parts = parts && object;
        texts = texts && as_text(item);
        lists = lists && as_array(item);
    }
    if (count == 0) return true;
    if (messages) {
        for (const JsonElement item : list) read_message(item, {}, conversation, level);
        return true;
    }
    // Batches of prompts: LangChain's inputs are lists of conversations, and a span is about the first.
    if (lists) return read_messages(*list.begin(), conversation, level);
    if (!texts && !parts) return false;
    if (texts) {
        for (const JsonElement item : list) {
            conversation.begin({});
            conversation.text(*as_text(item));
            conversation.end();
        }
        return true;
    }
    const std::optional<JsonObject> first = as_object(*list.begin());
    const bool known_part = member(*first, "type") || member(*first, "text") || member(*first, "toolUse") ||
                            member(*first, "toolResult") || member(*first, "functionCall");
    if (!known_part) return false;
    conversation.begin({});
    for (const JsonElement item : list) read_part(item, conversation);
    conversation.end();
    return true;
}

void instruct(const std::optional<JsonElement>& instructions, Conversation& conversation) {
    if (!instructions) return;
    conversation.begin("system");
    read_parts(*instructions, conversation);
    conversation.end();
}

bool read_request(const JsonObject& request, Conversation& conversation, unsigned level) {
    std::optional<JsonElement> instructions =
        first_member(request, {"system", "instructions", "system_instruction", "systemInstruction"});
    if (!instructions)
        if (const std::optional<JsonObject> config = object_member(request, "config"))
            instructions = first_member(*config, {"system_instruction", "systemInstruction"});
    const std::optional<JsonElement> messages =
        first_member(request, {"messages", "contents", "input", "prompt", "chat_history"});
    if (!messages) return false;
    if (!as_text(*messages) && !as_array(*messages)) return false;
    const std::size_t before = conversation.size();
    instruct(instructions, conversation);
    if (const std::optional<std::string_view> text = as_text(*messages)) {
        conversation.begin({});
        conversation.text(*text);
        conversation.end();
        return true;
    }
    return read_list(*as_array(*messages), conversation, level) || conversation.size() > before;
}

// A choice, generation or candidate: the message and why it ended.
void read_choice(const JsonObject& choice, Conversation& conversation, unsigned level) {
    const std::optional<JsonElement> message = first_member(choice, {"message", "delta", "content", "text"});
    const std::size_t before = conversation.size();
    if (message) {
        if (const std::optional<std::string_view> text = as_text(*message)) {
            conversation.begin({});
            conversation.text(*text);
            conversation.end();
        } else {
            read_message(*message, {}, conversation, level);
        }
    }
    std::string_view reason = finish_reason_of(choice);
    if (const std::optional<JsonObject> info = object_member(choice, "generation_info");
        info && reason.empty())
        reason = finish_reason_of(*info);
    if (conversation.size() > before && !reason.empty()) conversation.finish_reason(reason);
}

bool read_choices(const JsonArray& choices, Conversation& conversation, unsigned level) {
    for (const JsonElement choice : choices) {
        if (const std::optional<JsonArray> inner = as_array(choice)) {
            read_choices(*inner, conversation, level);
        } else if (const std::optional<JsonObject> object = as_object(choice)) {
            read_choice(*object, conversation, level);
        }
    }
    return true;
}

// What follows the last message of the user: the answer at the end of a state like LangGraph's.
bool read_state(const JsonArray& messages, Conversation& conversation, unsigned level) {
    std::optional<JsonElement> last;
    for (const JsonElement message : messages) last = message;
    if (!last || !as_object(*last) || !looks_like_message(*as_object(*last))) return false;
    read_message(*last, {}, conversation, level);
    return true;
}

bool read_answer(const JsonObject& answer, Conversation& conversation, unsigned level) {
    for (const std::string_view name : {"choices", "generations", "candidates"})
        if (const std::optional<JsonArray> choices = array_member(answer, name))
            return read_choices(*choices, conversation, level);
    if (const std::optional<JsonArray> replies = array_member(answer, "replies"))
        return read_list(*replies, conversation, level);
    if (const std::optional<JsonArray> messages = array_member(answer, "messages"))
        return read_state(*messages, conversation, level);
    if (const std::optional<JsonElement> output = member(answer, "output"))
        return read_messages(*output, conversation, level);
    if (const std::optional<JsonElement> message = first_member(answer, {"message", "content"});
        message && !as_text(*message)) {
        read_choice(answer, conversation, level);
        return true;
    }
    if (const std::string_view text = text_member(answer, "text"); !text.empty()) {
        conversation.begin({});
        conversation.text(text);
        conversation.end();
        return true;
    }
    return false;
}

bool read_object(const JsonObject& object, Conversation& conversation, unsigned level) {
    if (looks_like_message(object)) {
        read_message_object(object, {}, conversation);
        return true;
    }
    const std::size_t before = conversation.size();
    if (conversation.side() == Side::input && read_request(object, conversation, level)) return true;
    if (conversation.side() == Side::output && read_answer(object, conversation, level))
        return conversation.size() > before;
    return false;
}

}  // namespace

void read_message(const JsonElement& element, std::string_view role, Conversation& conversation,
                  unsigned level) {
    if (const std::optional<JsonObject> message = as_object(element)) {
        read_message_object(*message, role, conversation);
        return;
    }
    conversation.begin(role);
    if (const std::optional<std::string_view> text = as_text(element)) {
        read_content(*text, conversation, level + 1);
    } else {
        read_parts(element, conversation);
    }
    conversation.end();
}

bool read_messages(const JsonElement& element, Conversation& conversation, unsigned level) {
    if (const std::optional<JsonArray> list = as_array(element)) return read_list(*list, conversation, level);
    if (const std::optional<JsonObject> object = as_object(element))
        return read_object(*object, conversation, level);
    if (const std::optional<std::string_view> text = as_text(element))
        return read_messages(*text, conversation, level + 1);
    return element.is_null();
}

bool read_messages(std::string_view text, Conversation& conversation, unsigned level) {
    const std::string_view bare = trimmed(text);
    if (says_nothing(bare)) return true;
    if (looks_like_json(bare) || (bare.front() == '"' && bare.back() == '"')) {
        if (const std::optional<JsonElement> element = parse_json(bare, level))
            return read_messages(*element, conversation, level);
        if (looks_like_json(bare)) return false;
    }
    conversation.begin({});
    conversation.text(text);
    conversation.end();
    return true;
}

void read_content(std::string_view text, Conversation& conversation, unsigned level) {
    if (looks_like_json(text))
        if (const std::optional<JsonElement> element = parse_json(text, level)) {
            const std::optional<JsonArray> parts = as_array(*element);
            bool known = parts && parts->size() != 0;
            if (known)
                for (const JsonElement part : *parts) known = known && as_object(part);
            if (known) {
                read_parts(*element, conversation);
                return;
            }
        }
    if (!text.empty()) conversation.text(text);
}

std::string read_instructions(std::string_view text) {
    if (says_nothing(text)) return {};
    Conversation instructions(Side::input);
    if (!read_messages(text, instructions)) return std::string(text);
    return instructions.all_texts();
}

}  // namespace obs
