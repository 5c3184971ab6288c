#include <utility>

#include "base/json_writer.h"
#include "enrich/messages.h"
#include "enrich/stop_reasons.h"
#include "enrich/values.h"

namespace obs {

namespace {

std::string_view canonical_role(std::string_view role, Side side) {
    if (role.empty()) return side == Side::input ? "user" : "assistant";
    struct Spelling {
        std::string_view word, canonical;
    };
    static constexpr Spelling spellings[] = {
        {"user", "user"},
        {"assistant", "assistant"},
        {"system", "system"},
        {"tool", "tool"},
        {"human", "user"},
        {"ai", "assistant"},
        {"AIMessageChunk", "assistant"},
        {"model", "assistant"},
        {"developer", "developer"},
        {"function", "tool"},
        {"USER", "user"},
        {"ASSISTANT", "assistant"},
        {"SYSTEM", "system"},
        {"TOOL", "tool"},
        {"chatbot", "assistant"},
        {"CHATBOT", "assistant"},
    };
    for (const Spelling& spelling : spellings)
        if (spelling.word == role) return spelling.canonical;
    return role;
}

bool gives_instructions(std::string_view role) {
    return role == "system" || role == "developer";
}

void append_field(std::string& out, std::string_view name, std::string_view text) {
    out += ",\"";
    out += name;
    out += "\":";
    append_json_string(out, text);
}

void append_line(std::string& out, std::string_view text) {
    if (!out.empty()) out += '\n';
    out += text;
}

}  // namespace

void Conversation::Message::clear() {
    role.clear();
    name.clear();
    finish_reason.clear();
    parts.clear();
    text.clear();
    response.clear();
    part_count = 0;
    only_text = true;
    taken = false;
}

void Conversation::clear() {
    used_ = 0;
    calls_.clear();
}

void Conversation::begin(std::string_view role) {
    if (used_ == messages_.size()) messages_.emplace_back();
    messages_[used_].clear();
    messages_[used_].role = canonical_role(role, side_);
    ++used_;
}

bool Conversation::reopen(std::string_view role) {
    return used_ != 0 && current().role == canonical_role(role, side_);
}

std::string& Conversation::open_part() {
    Message& message = current();
    if (message.part_count++ != 0) message.parts += ',';
    return message.parts;
}

void Conversation::text(std::string_view text) {
    std::string& parts = open_part();
    parts += R"({"type":"text","content":)";
    append_json_string(parts, text);
    parts += '}';
    append_line(current().text, text);
}

void Conversation::reasoning(std::string_view text) {
    std::string& parts = open_part();
    parts += R"({"type":"reasoning","content":)";
    append_json_string(parts, text);
    parts += '}';
    current().only_text = false;
}

void Conversation::tool_call(std::string_view id, std::string_view name, std::string_view arguments) {
    if (arguments.empty()) arguments = "{}";
    std::string& parts = open_part();
    parts += R"({"type":"tool_call","id":)";
    append_json_string(parts, id);
    append_field(parts, "name", name);
    parts += R"(,"arguments":)";
    parts += arguments;
    parts += '}';
    current().only_text = false;
    if (current().role != "assistant") return;
    if (!calls_.empty()) calls_ += ',';
    calls_ += R"({"id":)";
    append_json_string(calls_, id);
    append_field(calls_, "name", name);
    // Always text here, as the model wrote it.
    calls_ += R"(,"arguments":)";
    if (arguments.front() == '"') {
        calls_ += arguments;
    } else {
        append_json_string(calls_, arguments);
    }
    calls_ += '}';
}

void Conversation::tool_response(std::string_view id, std::string_view name, std::string_view response_json) {
    std::string& parts = open_part();
    parts += R"({"type":"tool_call_response","id":)";
    append_json_string(parts, id);
    if (!name.empty()) append_field(parts, "name", name);
    parts += R"(,"response":)";
    parts += response_json.empty() ? "null" : response_json;
    parts += '}';
    current().only_text = false;
    if (current().response.empty()) current().response = response_json;
}

void Conversation::raw_part(std::string_view json) {
    open_part() += json;
    current().only_text = false;
}

void Conversation::name(std::string_view name) {
    current().name = name;
}

void Conversation::finish_reason(std::string_view reason) {
    if (!says_nothing(reason)) current().finish_reason = reason;
}

void Conversation::end() {
    // A message of which nothing is known tells nothing.
    const Message& message = current();
    if (message.part_count == 0 && message.name.empty() && message.finish_reason.empty()) --used_;
}

std::string Conversation::take_instructions(std::string_view known) {
    std::string instructions;
    for (std::size_t i = 0; i < used_; ++i) {
        Message& message = messages_[i];
        if (!gives_instructions(message.role) || !message.only_text) break;
        if (!known.empty() && known.find(message.text) == std::string_view::npos) break;
        message.taken = true;
        append_line(instructions, message.text);
    }
    return instructions;
}

const Conversation::Message* Conversation::first_left() const {
    for (std::size_t i = 0; i < used_; ++i)
        if (!messages_[i].taken) return &messages_[i];
    return nullptr;
}

const Conversation::Message* Conversation::main_message() const {
    if (side_ == Side::output) return first_left();
    for (std::size_t i = used_; i-- != 0;)
        if (messages_[i].role == "user" && !messages_[i].text.empty()) return &messages_[i];
    return nullptr;
}

std::string_view Conversation::main_text() const {
    const Message* message = main_message();
    return message == nullptr ? std::string_view() : std::string_view(message->text);
}

std::string Conversation::all_texts() const {
    std::string texts;
    for (std::size_t i = 0; i < used_; ++i)
        if (!messages_[i].taken && !messages_[i].text.empty()) append_line(texts, messages_[i].text);
    return texts;
}

std::string_view Conversation::tool_response_json() const {
    for (std::size_t i = 0; i < used_; ++i)
        if (!messages_[i].response.empty()) return messages_[i].response;
    return {};
}

std::string_view Conversation::first_finish_reason() const {
    const Message* message = first_left();
    return message == nullptr ? std::string_view() : std::string_view(message->finish_reason);
}

std::string Conversation::tool_calls() const {
    return calls_.empty() ? std::string() : '[' + calls_ + ']';
}

bool Conversation::is_plain() const {
    const Message* only = nullptr;
    for (std::size_t i = 0; i < used_; ++i) {
        if (messages_[i].taken) continue;
        if (only != nullptr) return false;
        only = &messages_[i];
    }
    if (only == nullptr) return true;
    return only->part_count == 1 && only->only_text && only->name.empty() && !only->text.empty() &&
           only->role == canonical_role({}, side_) &&
           // The column holds the canonical word; what it does not know must stay readable here.
           canonical_stop_reason(only->finish_reason) != "other";
}

std::string Conversation::json() const {
    std::string out;
    char before = '[';
    for (std::size_t i = 0; i < used_; ++i) {
        const Message& message = messages_[i];
        if (message.taken) continue;
        out += std::exchange(before, ',');
        out += R"({"role":)";
        append_json_string(out, message.role);
        out += R"(,"parts":[)";
        out += message.parts;
        out += ']';
        if (!message.name.empty()) append_field(out, "name", message.name);
        if (!message.finish_reason.empty()) append_field(out, "finish_reason", message.finish_reason);
        out += '}';
    }
    if (before == '[') return {};
    out += ']';
    return out;
}

}  // namespace obs
