// A conversation, put together from whatever dialect, and what the columns want to know of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "enrich/json_reader.h"

namespace obs {

enum class Side { input, output };

// Messages in order. Filled by one reader or by several, one after the other; reused from span to span, so
// that its memory stays.
class Conversation {
public:
    explicit Conversation(Side side) : side_(side) {}

    void clear();
    Side side() const { return side_; }
    bool empty() const { return used_ == 0; }
    std::size_t size() const { return used_; }

    // Roles are written as clients do: human, ai, model, developer are understood. Empty: the side's own.
    void begin(std::string_view role);
    void text(std::string_view text);
    void reasoning(std::string_view text);
    // `arguments` is JSON; as a string it is the text that the model wrote.
    void tool_call(std::string_view id, std::string_view name, std::string_view arguments);
    void tool_response(std::string_view id, std::string_view name, std::string_view response_json);
    void raw_part(std::string_view json);
    void name(std::string_view name);
    void finish_reason(std::string_view reason);
    void end();
    // An ended message becomes the current one again, so that parts can be added.
    bool reopen(std::string_view role);

    // Takes the instructions at the beginning out of the messages: system and developer messages that are
    // nothing but text. With `known`, only messages that say the same.
    std::string take_instructions(std::string_view known);

    // Input: text of the last user message that has one. Output: text of the first message.
    std::string_view main_text() const;
    // Texts of all messages, a line each.
    std::string all_texts() const;
    // Response of the first tool response, if there is one; JSON.
    std::string_view tool_response_json() const;
    std::string_view first_finish_reason() const;
    // JSON [{id, name, arguments}] of all calls asked for by the model; empty without any.
    std::string tool_calls() const;
    // True if main_text() says all: one message of the side's own role with one text.
    bool is_plain() const;
    // JSON [{role, parts}].
    std::string json() const;

private:
    struct Message {
        std::string role, name, finish_reason, parts, text, response;
        unsigned part_count = 0;
        bool only_text = true;
        bool taken = false;
        void clear();
    };
    Message& current() { return messages_[used_ - 1]; }
    std::string& open_part();
    const Message* main_message() const;
    const Message* first_left() const;

    Side side_;
    std::vector<Message> messages_;  // the first used_ are real
    std::size_t used_ = 0;
    std::string calls_;  // without brackets
};

// What attributes with whole conversations hold, in all dialects that are known: OTel, OpenAI chat and
// responses, Anthropic, Gemini, Bedrock, AI SDK, LangChain, Haystack, LlamaIndex, Genkit. False if it is none
// of them; nothing is added then.
bool read_messages(const JsonElement& element, Conversation& conversation, unsigned level = 0);
// JSON, JSON in a JSON string, or plain text as one message of the side's role. False when the text is JSON
// of an unknown form, Python's repr or was cut off: then it is best kept as it is.
bool read_messages(std::string_view text, Conversation& conversation, unsigned level = 0);
// One message or part of one, of whatever dialect, with this role if it has none of its own.
void read_message(const JsonElement& element, std::string_view role, Conversation& conversation,
                  unsigned level = 0);
// Text or JSON of parts as the content of the message that was begun.
void read_content(std::string_view text, Conversation& conversation, unsigned level = 0);

// Instructions: text, JSON list of parts, or list of texts; parts are joined by newlines.
std::string read_instructions(std::string_view text);

}  // namespace obs
