#include "enrich/content.h"

#include "base/json_writer.h"
#include "enrich/values.h"

namespace obs {

namespace {

// Where whole conversations stand; the first that is understood wins.
constexpr Field input_documents[] = {
    Field::vercel_messages, Field::langfuse_input,    Field::mlflow_inputs,  Field::genai_prompt,
    Field::gcp_request,     Field::pydantic_messages, Field::message_events, Field::haystack_input,
    Field::genkit_input,    Field::livekit_context,   Field::livekit_input,  Field::input_value,
    Field::traceloop_input, Field::vercel_prompt,     Field::plain_input,    Field::plain_prompt,
};
constexpr Field output_documents[] = {
    Field::langfuse_output, Field::mlflow_outputs, Field::genai_completion, Field::gcp_response,
    Field::haystack_output, Field::genkit_output,  Field::output_value,     Field::traceloop_output,
    Field::final_result,    Field::livekit_output, Field::plain_output,
};

// What work that is no model call was given and gave back.
constexpr Field tool_inputs[] = {
    Field::tool_arguments, Field::gcp_tool_arguments, Field::langfuse_input, Field::traceloop_input,
    Field::mlflow_inputs,  Field::genkit_input,       Field::haystack_input, Field::genai_prompt,
    Field::input_value,    Field::livekit_input,      Field::plain_input,
};
constexpr Field tool_outputs[] = {
    Field::tool_result,    Field::gcp_tool_response, Field::langfuse_output, Field::traceloop_output,
    Field::mlflow_outputs, Field::genkit_output,     Field::haystack_output, Field::genai_completion,
    Field::output_value,   Field::livekit_output,    Field::plain_output,
};
constexpr Field work_inputs[] = {
    Field::retrieval_query, Field::reranker_query, Field::langfuse_input, Field::langfuse_trace_input,
    Field::traceloop_input, Field::mlflow_inputs,  Field::genkit_input,   Field::haystack_input,
    Field::vercel_prompt,   Field::genai_prompt,   Field::input_value,    Field::livekit_input,
    Field::plain_input,     Field::plain_prompt,
};
constexpr Field work_outputs[] = {
    Field::retrieval_documents, Field::langfuse_output, Field::langfuse_trace_output, Field::traceloop_output,
    Field::mlflow_outputs,      Field::final_result,    Field::genkit_output,         Field::haystack_output,
    Field::vercel_text,         Field::vercel_object,   Field::genai_completion,      Field::output_value,
    Field::livekit_output,      Field::plain_output,
};

// `"rain"` is what a client makes of rain when it writes all values as JSON.
std::string plain_text(std::string_view text) {
    const std::string_view bare = trimmed(text);
    if (bare.size() >= 2 && bare.front() == '"' && bare.back() == '"')
        if (const std::optional<JsonElement> element = parse_json(bare)) return text_or_json(*element);
    return std::string(text);
}

bool is_document(Field field, std::string_view text) {
    // Requests and responses hold more than messages: usage, ids, settings.
    switch (field) {
        case Field::langfuse_input:
        case Field::langfuse_output:
        case Field::vercel_messages:
        case Field::genai_input:
        case Field::genai_output: return false;
        default: return looks_like_json(text);
    }
}

}  // namespace

void ContentReader::reset() {
    for (Conversation* conversation : {&input_, &output_, &event_input_, &event_output_})
        conversation->clear();
    input_text_.clear();
    output_text_.clear();
    system_.clear();
    tools_.clear();
    with_messages_ = true;
    events_ = false;
    slots_.reset();
    lists_.reset();
}

bool ContentReader::take_messages(const Found& found, Field field, Conversation& conversation) {
    const RawValue* value = found.slot(field);
    if (value == nullptr) return false;
    const std::string_view text = value->text();
    if (!read_messages(text, conversation)) conversation.clear();
    if (conversation.empty()) return false;
    slots_[static_cast<std::size_t>(field)] = !is_document(field, text);
    return true;
}

bool ContentReader::take_list(const Found& found, FlatList list, Conversation& conversation) {
    if (!found.has_list(list)) return false;
    read_flat_messages(items_of(found, list), conversation);
    if (conversation.empty()) return false;
    lists_[static_cast<std::size_t>(list)] = true;
    return true;
}

bool ContentReader::take_text(const Found& found, std::span<const Field> fields, std::string& text) {
    std::string scratch;
    for (const Field field : fields) {
        const RawValue* value = found.slot(field);
        if (value == nullptr) continue;
        std::string taken = plain_text(text_of(*value, scratch));
        if (says_nothing(taken) || taken == "{}") continue;
        text = std::move(taken);
        slots_[static_cast<std::size_t>(field)] = true;
        return true;
    }
    return false;
}

bool ContentReader::take_vercel_answer(const Found& found) {
    const RawValue* text = found.slot(Field::vercel_text);
    const RawValue* calls = found.slot(Field::vercel_tool_calls);
    const RawValue* reasoning = found.slot(Field::vercel_reasoning);
    if (text == nullptr && calls == nullptr && reasoning == nullptr) return false;
    output_.begin("assistant");
    if (reasoning != nullptr && !says_nothing(reasoning->text())) output_.reasoning(reasoning->text());
    if (text != nullptr && !text->text().empty()) output_.text(text->text());
    if (calls != nullptr)
        if (const std::optional<JsonElement> list = parse_json(calls->text()); list && list->is_array())
            for (const JsonElement call : array_of(*list)) {
                JsonObject object;
                if (call.get(object) != simdjson::SUCCESS) continue;
                std::string arguments;
                for (const std::string_view name : {"input", "args"})
                    if (const auto given = member(object, name); given && arguments.empty())
                        append_compact(arguments, *given);
                output_.tool_call(text_member(object, "toolCallId"), text_member(object, "toolName"),
                                  arguments);
            }
    output_.end();
    for (const Field field : {Field::vercel_text, Field::vercel_tool_calls, Field::vercel_reasoning})
        slots_[static_cast<std::size_t>(field)] = true;
    return !output_.empty();
}

void ContentReader::settle_instructions(const Found& found) {
    if (const RawValue* given = found.slot(Field::genai_system)) {
        system_ = read_instructions(given->text());
        slots_[static_cast<std::size_t>(Field::genai_system)] = !system_.empty();
    }
    std::string first = input_.take_instructions(system_);
    if (system_.empty()) system_ = std::move(first);
}

// The span's own messages win over those of its events.
void ContentReader::adopt_own_messages(const Found& found) {
    if (!take_messages(found, Field::genai_input, input_) && !event_input_.empty()) {
        std::swap(input_, event_input_);
        events_ = true;
    }
    if (!take_messages(found, Field::genai_output, output_) && !event_output_.empty()) {
        std::swap(output_, event_output_);
        events_ = true;
    }
}

void ContentReader::read_call(const Found& found) {
    adopt_own_messages(found);
    if (input_.empty())
        for (const FlatList list : {FlatList::input_messages, FlatList::prompts, FlatList::old_prompts})
            if (take_list(found, list, input_)) break;
    for (const Field field : input_documents) {
        if (!input_.empty()) break;
        take_messages(found, field, input_);
    }
    if (output_.empty())
        for (const FlatList list :
             {FlatList::output_messages, FlatList::completions, FlatList::old_completions})
            if (take_list(found, list, output_)) break;
    if (output_.empty()) take_vercel_answer(found);
    for (const Field field : output_documents) {
        if (!output_.empty()) break;
        take_messages(found, field, output_);
    }
    settle_instructions(found);
    if (!input_.empty()) {
        input_text_ = input_.main_text();
    } else {
        take_text(found, work_inputs, input_text_);
        if (input_text_.empty()) take_text(found, std::span(&input_documents[0], 1), input_text_);
    }
    if (!output_.empty()) {
        output_text_ = output_.main_text();
    } else {
        take_text(found, work_outputs, output_text_);
    }
    // What nobody understands is kept as it came, in view.
    static constexpr Field own_input[] = {Field::genai_input}, own_output[] = {Field::genai_output};
    if (input_.empty() && input_text_.empty()) take_text(found, own_input, input_text_);
    if (output_.empty() && output_text_.empty()) take_text(found, own_output, output_text_);
}

void ContentReader::read_embedding(const Found& found) {
    if (found.has_list(FlatList::embedded_texts)) {
        input_text_ = read_flat_texts(items_of(found, FlatList::embedded_texts));
        lists_[static_cast<std::size_t>(FlatList::embedded_texts)] = true;
    }
    static constexpr Field embedded[] = {Field::embedded_value, Field::embedded_values};
    if (input_text_.empty()) take_text(found, embedded, input_text_);
    if (!input_text_.empty()) return;
    adopt_own_messages(found);
    if (!input_.empty() || take_list(found, FlatList::prompts, input_)) {
        input_text_ = input_.all_texts();
        with_messages_ = false;
    }
    if (input_text_.empty()) take_text(found, work_inputs, input_text_);
}

void ContentReader::read_work(const Found& found, const Recognised& span, bool is_root) {
    const bool is_tool = span.meaning == SpanMeaning::tool;
    adopt_own_messages(found);
    const bool own_input = !input_.empty(), own_output = !output_.empty();
    std::span<const Field> inputs = is_tool ? std::span<const Field>(tool_inputs) : work_inputs;
    std::span<const Field> outputs = is_tool ? std::span<const Field>(tool_outputs) : work_outputs;
    if (!own_input || is_tool) take_text(found, inputs, input_text_);
    if (!own_output || is_tool) take_text(found, outputs, output_text_);
    if (!is_root) {
        // What the trace was given is repeated on every span of it.
        if (slots_[static_cast<std::size_t>(Field::langfuse_trace_input)]) input_text_.clear();
        if (slots_[static_cast<std::size_t>(Field::langfuse_trace_output)]) output_text_.clear();
        slots_[static_cast<std::size_t>(Field::langfuse_trace_input)] = false;
        slots_[static_cast<std::size_t>(Field::langfuse_trace_output)] = false;
    }
    if (input_text_.empty() && input_.empty())
        if (!take_messages(found, Field::pydantic_messages, input_))
            take_list(found, FlatList::input_messages, input_);
    if (output_text_.empty() && output_.empty()) take_list(found, FlatList::output_messages, output_);
    settle_instructions(found);
    if (input_text_.empty()) {
        input_text_ = input_.main_text();
        if (is_tool && input_text_.empty()) input_text_ = plain_text(input_.tool_response_json());
    }
    if (output_text_.empty()) output_text_ = output_.main_text();
}

void ContentReader::read_tool_definitions(const Found& found) {
    if (const RawValue* definitions = found.slot(Field::tool_definitions)) {
        tools_ = definitions->text();
        slots_[static_cast<std::size_t>(Field::tool_definitions)] = true;
    } else if (const RawValue* list = found.slot(Field::vercel_tools)) {
        // A list of texts, each the JSON of one tool.
        const std::optional<JsonElement> items = parse_json(list->text());
        if (!items || !items->is_array()) return;
        char before = '[';
        for (const JsonElement item : array_of(*items)) {
            tools_ += before;
            before = ',';
            std::string_view text;
            const bool is_json = item.get(text) == simdjson::SUCCESS && parse_json(text, 1).has_value();
            if (is_json) {
                tools_ += text;
            } else {
                append_compact(tools_, item);
            }
        }
        if (!tools_.empty()) tools_ += ']';
        slots_[static_cast<std::size_t>(Field::vercel_tools)] = true;
    } else if (found.has_list(FlatList::tools)) {
        tools_ = read_flat_tools(items_of(found, FlatList::tools));
        lists_[static_cast<std::size_t>(FlatList::tools)] = true;
    }
}

void ContentReader::read(const Found& found, const Recognised& span, bool is_root) {
    if (span.meaning == SpanMeaning::llm) {
        read_call(found);
    } else if (span.meaning == SpanMeaning::embedding) {
        read_embedding(found);
    } else if (!span.convention.empty()) {
        read_work(found, span, is_root);
    }
    read_tool_definitions(found);
}

void ContentReader::write(SpanBatch& batch, std::size_t row) const {
    if (!input_text_.empty()) batch.input_text.put(row, input_text_);
    if (!output_text_.empty()) batch.output_text.put(row, output_text_);
    if (!system_.empty()) batch.system_prompt.put(row, system_);
    if (with_messages_ && !input_.empty() && !(input_.is_plain() && input_.main_text() == input_text_))
        batch.input_messages.put(row, input_.json());
    if (with_messages_ && !output_.empty() && !(output_.is_plain() && output_.main_text() == output_text_))
        batch.output_messages.put(row, output_.json());
    if (const std::string calls = output_.tool_calls(); !calls.empty()) batch.tool_calls.put(row, calls);
    if (!tools_.empty()) batch.tool_definitions.put(row, tools_);
}

}  // namespace obs
