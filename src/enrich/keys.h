// What each attribute key of a request is good for, found out once per distinct key and not once per span.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "enrich/mapping.h"
#include "model/raw_batches.h"

namespace obs {

// Lists that are flattened into keys: llm.input_messages.0.message.role.
enum class FlatList : std::uint8_t {
    none,
    input_messages,   // llm.input_messages.N.message.*
    output_messages,  // llm.output_messages.N.message.*
    prompts,          // gen_ai.prompt.N.*
    completions,      // gen_ai.completion.N.*
    old_prompts,      // llm.prompts.N.*
    old_completions,  // llm.completions.N.*, llm.choices.N.completion.*
    tools,            // llm.tools.N.*, llm.request.functions.N.*, gen_ai.tool.definitions.N.*
    embedded_texts,   // embedding.embeddings.N.embedding.text
    span_scores,      // annotations.N.annotation.*, evaluations.N.evaluation.*
    trace_scores,     // the same behind `trace.`
    session_scores,   // and behind `session.`
};

enum class Leaf : std::uint8_t {
    none,
    role,
    content,
    name,
    tool_call_id,
    function_name,
    function_arguments,
    finish_reason,
    part_type,
    part_text,
    part_image,
    part_other,
    call_id,
    call_name,
    call_arguments,
    tool_schema,
    tool_description,
    tool_parameters,
    score_value,
    score_label,
    score_comment,
    score_source,
    score_id,
};

// Items of a flattened list beyond this many stay plain attributes.
inline constexpr std::uint32_t flat_slots = 10'000;

struct KeyInfo {
    struct Target {
        Field field = Field::none;
        std::uint8_t rank = 0;
    };
    Target targets[2];
    FlatList list = FlatList::none;
    Leaf leaf = Leaf::none;
    // Sorts the items of a span by list, item, section (the item itself, its parts, its calls), inner item.
    std::uint64_t order = 0;

    std::uint32_t item() const { return static_cast<std::uint32_t>(order >> 32) & 0xffff; }
    std::uint32_t section() const { return static_cast<std::uint32_t>(order >> 16) & 0xff; }
    std::uint32_t inner() const { return static_cast<std::uint32_t>(order) & 0xffff; }
};

KeyInfo describe_key(std::string_view key);
// Element i is what the key with code i is good for.
std::vector<KeyInfo> describe_keys(const Dictionary& keys);

}  // namespace obs
