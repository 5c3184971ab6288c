#include <string>

#include "enrich/enrich.h"
#include "enrich/event_messages.h"
#include "enrich/messages.h"

namespace obs {

namespace {

// Of each side of a span; later messages are left to the log.
constexpr std::size_t most_joined_bytes = 1 << 20;

// Rewrites a row of a text column; the rows behind it move.
void set_text(Text& column, std::size_t row, std::string_view value) {
    if (row >= column.stored()) {
        column.put(row, value);
        return;
    }
    const std::uint32_t begin = row == 0 ? 0 : column.ends_[row - 1];
    const std::uint32_t length = column.ends_[row] - begin;
    column.bytes_.replace(begin, length, value);
    const std::uint32_t moved =
        static_cast<std::uint32_t>(value.size()) - length;  // may wrap; sums are right
    for (std::size_t at = row; at < column.ends_.size(); ++at) column.ends_[at] += moved;
}

bool fill_text(Text& to, std::size_t row, const Text& from, std::size_t from_row) {
    if (!to[row].empty() || from[from_row].empty()) return false;
    const std::string value(from[from_row]);
    set_text(to, row, value);
    return true;
}

template <class T>
void copy(Optional<T>& to, std::size_t row, const Optional<T>& from, std::size_t from_row) {
    to.set(row, from[from_row]);
}

// One side of a conversation in the columns of a batch.
struct SideColumns {
    Side side;
    Text SpanBatch::* messages;
    Text SpanBatch::* text;
    std::uint32_t joined;
};
constexpr SideColumns input_side{Side::input, &SpanBatch::input_messages, &SpanBatch::input_text,
                                 flag_content_joined};
constexpr SideColumns output_side{Side::output, &SpanBatch::output_messages, &SpanBatch::output_text,
                                  flag_answer_joined};

bool has_content(const SpanBatch& batch, std::size_t row, const SideColumns& side) {
    return !(batch.*side.messages)[row].empty() || !(batch.*side.text)[row].empty();
}

// The messages of a row as JSON; a row without any may still say all in its text.
std::string messages_json(const SpanBatch& batch, std::size_t row, const SideColumns& side) {
    const std::string_view messages = (batch.*side.messages)[row], text = (batch.*side.text)[row];
    if (!messages.empty() || text.empty()) return std::string(messages);
    Conversation only(side.side);
    only.begin({});
    only.text(text);
    only.end();
    return only.json();
}

// One JSON list behind the other.
void append_list(std::string& list, std::string_view more) {
    if (list.empty() || more.empty()) {
        list += more;
        return;
    }
    list.back() = ',';
    list += more.substr(1);
}

bool merge_side(SpanBatch& to, std::size_t row, const SpanBatch& content, std::size_t content_row,
                const SideColumns& side, bool append) {
    if (!has_content(content, content_row, side)) return false;
    const bool joined_before = (to.flags[row] & side.joined) != 0;
    if (has_content(to, row, side) && !joined_before) return false;
    to.flags.set(row, to.flags[row] | side.joined);
    if (!append || !has_content(to, row, side)) {
        set_text(to.*side.messages, row, std::string((content.*side.messages)[content_row]));
        set_text(to.*side.text, row, std::string((content.*side.text)[content_row]));
        return true;
    }
    std::string messages = messages_json(to, row, side);
    const std::string more = messages_json(content, content_row, side);
    if (messages.size() + more.size() > most_joined_bytes) return false;
    append_list(messages, more);
    set_text(to.*side.messages, row, messages);
    // The last word of the user, the first of the model.
    const std::string text((content.*side.text)[content_row]);
    if (!text.empty() && (side.side == Side::input || (to.*side.text)[row].empty()))
        set_text(to.*side.text, row, text);
    return true;
}

// Calls of several choices stand side by side.
bool merge_calls(SpanBatch& to, std::size_t row, const SpanBatch& content, std::size_t content_row,
                 bool append) {
    const std::string more(content.tool_calls[content_row]);
    if (more.empty()) return false;
    std::string calls(append ? to.tool_calls[row] : std::string_view());
    if (calls.size() + more.size() > most_joined_bytes) return false;
    append_list(calls, more);
    set_text(to.tool_calls, row, calls);
    return true;
}

bool merge_instructions(SpanBatch& to, std::size_t row, const SpanBatch& content, std::size_t content_row,
                        bool append) {
    const std::string more(content.system_prompt[content_row]);
    const std::string own(to.system_prompt[row]);
    if (more.empty() || more == own) return false;
    if (!own.empty() && (to.flags[row] & flag_content_joined) == 0) return false;
    if (own.size() + more.size() > most_joined_bytes) return false;
    set_text(to.system_prompt, row, own.empty() || !append ? more : own + '\n' + more);
    to.flags.set(row, to.flags[row] | flag_content_joined);
    return true;
}

// A span, or content that is about one and has no kind.
bool is_one_of_calls(const SpanBatch& batch, std::size_t row) {
    return batch.is_call[row] != 0 || batch.kind[row].empty();
}

bool merge_usage(SpanBatch& to, std::size_t row, const SpanBatch& content, std::size_t content_row) {
    const bool may_own = is_one_of_calls(to, row);
    const bool has_usage = to.prompt_tokens[row] || to.completion_tokens[row] || to.total_tokens[row];
    const bool told = content.prompt_tokens[content_row] || content.completion_tokens[content_row] ||
                      content.total_tokens[content_row];
    if (!may_own || has_usage || !told) return false;
    copy(to.prompt_tokens, row, content.prompt_tokens, content_row);
    copy(to.completion_tokens, row, content.completion_tokens, content_row);
    copy(to.total_tokens, row, content.total_tokens, content_row);
    copy(to.cached_input_tokens, row, content.cached_input_tokens, content_row);
    copy(to.cache_write_tokens, row, content.cache_write_tokens, content_row);
    copy(to.reasoning_tokens, row, content.reasoning_tokens, content_row);
    copy(to.audio_input_tokens, row, content.audio_input_tokens, content_row);
    copy(to.audio_output_tokens, row, content.audio_output_tokens, content_row);
    copy(to.image_input_tokens, row, content.image_input_tokens, content_row);
    copy(to.image_output_tokens, row, content.image_output_tokens, content_row);
    if (content.total_cost[content_row]) {
        copy(to.prompt_cost, row, content.prompt_cost, content_row);
        copy(to.completion_cost, row, content.completion_cost, content_row);
        copy(to.total_cost, row, content.total_cost, content_row);
        to.cost_source.set(row, content.cost_source[content_row]);
        to.price_rule.set(row, content.price_rule[content_row]);
    }
    return true;
}

}  // namespace

bool merge_content(SpanBatch& to, std::size_t row, const SpanBatch& content, std::size_t content_row) {
    const bool append = is_message_event(content.span_name[content_row]);
    const bool owns_output = has_content(to, row, output_side) && (to.flags[row] & flag_answer_joined) == 0;
    const bool owns_calls = !to.tool_calls[row].empty() && (to.flags[row] & flag_answer_joined) == 0;
    // Instructions belong to the input, but a span can have one without the other.
    const bool owns_input = has_content(to, row, input_side) && (to.flags[row] & flag_content_joined) == 0;
    bool changed = !owns_input && merge_instructions(to, row, content, content_row, append);
    if (!owns_output && !owns_calls) changed |= merge_calls(to, row, content, content_row, append);
    changed |= merge_side(to, row, content, content_row, input_side, append);
    changed |= merge_side(to, row, content, content_row, output_side, append);
    changed |= fill_text(to.tool_definitions, row, content.tool_definitions, content_row);
    if (to.stop_reason[row].empty() && !content.stop_reason[content_row].empty()) {
        to.stop_reason.set(row, content.stop_reason[content_row]);
        changed = true;
    }
    changed |= merge_usage(to, row, content, content_row);
    return changed;
}

}  // namespace obs
