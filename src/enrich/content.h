// Prompts, answers and tool calls of one span, from wherever its convention puts them.
#pragma once

#include <bitset>
#include <string>

#include "enrich/flattened.h"
#include "enrich/found.h"
#include "enrich/json_facts.h"
#include "enrich/messages.h"
#include "enrich/recognise.h"
#include "model/batches.h"

namespace obs {

class ContentReader {
public:
    void reset();
    // Messages of span events are put here before read() is called.
    Conversation& event_input() { return event_input_; }
    Conversation& event_output() { return event_output_; }

    void read(const Found& found, const Recognised& span, bool is_root);
    void write(SpanBatch& batch, std::size_t row) const;
    std::string_view finish_reason() const { return output_.first_finish_reason(); }

    // What went into columns as a whole and need not be kept.
    bool consumed(Field field) const { return slots_[static_cast<std::size_t>(field)]; }
    bool consumed(FlatList list) const { return lists_[static_cast<std::size_t>(list)]; }
    bool consumed_events() const { return events_; }

private:
    void adopt_own_messages(const Found& found);
    void read_call(const Found& found);
    void read_work(const Found& found, const Recognised& span, bool is_root);
    void read_embedding(const Found& found);
    void read_tool_definitions(const Found& found);
    bool take_messages(const Found& found, Field field, Conversation& conversation);
    bool take_list(const Found& found, FlatList list, Conversation& conversation);
    bool take_vercel_answer(const Found& found);
    // The first of these that says something, as text.
    bool take_text(const Found& found, std::span<const Field> fields, std::string& text);
    void settle_instructions(const Found& found);

    Conversation input_{Side::input}, output_{Side::output};
    Conversation event_input_{Side::input}, event_output_{Side::output};
    std::string input_text_, output_text_, system_, tools_;
    bool with_messages_ = true;
    bool events_ = false;
    std::bitset<field_count> slots_;
    std::bitset<16> lists_;
};

}  // namespace obs
