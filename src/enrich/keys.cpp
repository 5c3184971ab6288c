#include "enrich/keys.h"

#include <charconv>
#include <optional>
#include <span>
#include <unordered_map>

namespace obs {

namespace {

using KnownKeys = std::unordered_map<std::string_view, KeyInfo>;

KnownKeys known_keys() {
    KnownKeys known;
    for (const Convention* convention : conventions())
        for (const Mapping& mapping : convention->mappings) {
            KeyInfo& info = known[mapping.key];
            const std::size_t free = info.targets[0].field == Field::none ? 0 : 1;
            info.targets[free] = {mapping.field, mapping.rank};
        }
    return known;
}

bool take(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

// `12.rest` -> 12 and `rest`; nothing when no number below the limit stands there.
std::optional<std::uint32_t> take_index(std::string_view& text) {
    std::uint32_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc{} || end == text.data() || index >= flat_slots) return std::nullopt;
    const std::size_t used = static_cast<std::size_t>(end - text.data());
    if (used == text.size() || text[used] != '.') return std::nullopt;
    text.remove_prefix(used + 1);
    return index;
}

struct Word {
    std::string_view word;
    Leaf leaf;
};

Leaf leaf_of(std::string_view word, std::span<const Word> words) {
    for (const Word& candidate : words)
        if (candidate.word == word) return candidate.leaf;
    return Leaf::none;
}

struct Place {
    Leaf leaf = Leaf::none;
    std::uint32_t section = 0, inner = 0;
};

constexpr Word call_words[] = {
    {"id", Leaf::call_id},
    {"name", Leaf::call_name},
    {"arguments", Leaf::call_arguments},
    {"function.name", Leaf::call_name},
    {"function.arguments", Leaf::call_arguments},
};

Place place_in_call(std::string_view rest, std::uint32_t section, std::uint32_t inner) {
    return {leaf_of(rest, call_words), section, inner};
}

// Behind `llm.input_messages.N.message.`.
Place place_in_message(std::string_view rest) {
    static constexpr Word words[] = {
        {"role", Leaf::role},
        {"content", Leaf::content},
        {"name", Leaf::name},
        {"tool_call_id", Leaf::tool_call_id},
        {"function_call_name", Leaf::function_name},
        {"function_call_arguments_json", Leaf::function_arguments},
        {"finish_reason", Leaf::finish_reason},
    };
    static constexpr Word part_words[] = {
        {"type", Leaf::part_type},
        {"text", Leaf::part_text},
        {"image.image.url", Leaf::part_image},
    };
    if (take(rest, "contents.")) {
        const std::optional<std::uint32_t> inner = take_index(rest);
        if (!inner || !take(rest, "message_content.")) return {};
        if (take(rest, "tool_call.")) return place_in_call(rest, 1, *inner);
        const Leaf leaf = leaf_of(rest, part_words);
        return {leaf == Leaf::none ? Leaf::part_other : leaf, 1, *inner};
    }
    if (take(rest, "tool_calls.")) {
        const std::optional<std::uint32_t> inner = take_index(rest);
        if (!inner || !take(rest, "tool_call.")) return {};
        return place_in_call(rest, 2, *inner);
    }
    return {leaf_of(rest, words)};
}

// Behind `gen_ai.prompt.N.`, `llm.prompts.N.` and the like.
Place place_in_prompt(std::string_view rest) {
    static constexpr Word words[] = {
        {"role", Leaf::role},
        {"content", Leaf::content},
        {"name", Leaf::name},
        {"tool_call_id", Leaf::tool_call_id},
        {"finish_reason", Leaf::finish_reason},
        {"refusal", Leaf::content},
        {"function_call.name", Leaf::function_name},
        {"function_call.arguments", Leaf::function_arguments},
        {"prompt.text", Leaf::content},
        {"completion.text", Leaf::content},
    };
    if (take(rest, "tool_calls.")) {
        const std::optional<std::uint32_t> inner = take_index(rest);
        return inner ? place_in_call(rest, 2, *inner) : Place{};
    }
    return {leaf_of(rest, words)};
}

Place place_in_tool(std::string_view rest) {
    static constexpr Word words[] = {
        {"tool.json_schema", Leaf::tool_schema},
        {"name", Leaf::name},
        {"description", Leaf::tool_description},
        {"parameters", Leaf::tool_parameters},
    };
    return {leaf_of(rest, words)};
}

Place place_of_embedded_text(std::string_view rest) {
    return {rest == "embedding.text" ? Leaf::content : Leaf::none};
}

Place place_in_score(std::string_view rest) {
    static constexpr Word words[] = {
        {"name", Leaf::name},
        {"score", Leaf::score_value},
        {"label", Leaf::score_label},
        {"explanation", Leaf::score_comment},
        {"annotator_kind", Leaf::score_source},
        {"identifier", Leaf::score_id},
    };
    if (!take(rest, "annotation.") && !take(rest, "evaluation.")) return {};
    return {leaf_of(rest, words)};
}

struct FlatForm {
    std::string_view prefix;
    FlatList list;
    Place (*place)(std::string_view rest);
    std::string_view inner_prefix = {};
};

constexpr FlatForm flat_forms[] = {
    {"llm.input_messages.", FlatList::input_messages, place_in_message, "message."},
    {"llm.output_messages.", FlatList::output_messages, place_in_message, "message."},
    {"gen_ai.prompt.", FlatList::prompts, place_in_prompt},
    {"gen_ai.completion.", FlatList::completions, place_in_prompt},
    {"llm.prompts.", FlatList::old_prompts, place_in_prompt},
    {"llm.completions.", FlatList::old_completions, place_in_prompt},
    {"llm.choices.", FlatList::old_completions, place_in_prompt},
    {"llm.tools.", FlatList::tools, place_in_tool},
    {"llm.request.functions.", FlatList::tools, place_in_tool},
    {"gen_ai.tool.definitions.", FlatList::tools, place_in_tool},
    {"embedding.embeddings.", FlatList::embedded_texts, place_of_embedded_text},
    {"annotations.", FlatList::span_scores, place_in_score},
    {"evaluations.", FlatList::span_scores, place_in_score},
    {"trace.annotations.", FlatList::trace_scores, place_in_score},
    {"trace.evaluations.", FlatList::trace_scores, place_in_score},
    {"session.annotations.", FlatList::session_scores, place_in_score},
    {"session.evaluations.", FlatList::session_scores, place_in_score},
};

std::optional<KeyInfo> describe_flat(std::string_view key) {
    for (const FlatForm& form : flat_forms) {
        std::string_view rest = key;
        if (!take(rest, form.prefix)) continue;
        const std::optional<std::uint32_t> item = take_index(rest);
        if (!item || !take(rest, form.inner_prefix)) return std::nullopt;
        const Place place = form.place(rest);
        if (place.leaf == Leaf::none) return std::nullopt;
        KeyInfo info;
        info.list = form.list;
        info.leaf = place.leaf;
        // Annotations and evaluations count from 0 both.
        const std::uint64_t variant = form.prefix.ends_with("evaluations.") ? 1 : 0;
        info.order = static_cast<std::uint64_t>(form.list) << 56 | variant << 48 |
                     static_cast<std::uint64_t>(*item) << 32 |
                     static_cast<std::uint64_t>(place.section) << 16 | place.inner;
        return info;
    }
    return std::nullopt;
}

// Keys that are not known one by one but betray their convention.
Field marker_of(std::string_view key) {
    if (key.starts_with("langfuse.observation.")) return Field::langfuse_other;
    if (key.starts_with("haystack.")) return Field::haystack_other;
    if (key.starts_with("db.vector.")) return Field::db_vector;
    return Field::none;
}

}  // namespace

KeyInfo describe_key(std::string_view key) {
    static const KnownKeys known = known_keys();
    if (const auto found = known.find(key); found != known.end()) return found->second;
    if (const std::optional<KeyInfo> flat = describe_flat(key)) return *flat;
    KeyInfo info;
    info.targets[0].field = marker_of(key);
    return info;
}

std::vector<KeyInfo> describe_keys(const Dictionary& keys) {
    std::vector<KeyInfo> described(keys.size());
    for (std::uint32_t code = 1; code < keys.size(); ++code) described[code] = describe_key(keys[code]);
    return described;
}

}  // namespace obs
