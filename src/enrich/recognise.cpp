#include "enrich/recognise.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "enrich/values.h"

namespace obs {

namespace {

using enum SpanMeaning;

using Words = std::unordered_map<std::string_view, SpanMeaning>;

const Words& words_of(Field field) {
    static const std::unordered_map<Field, Words> all = [] {
        std::unordered_map<Field, Words> words;
        for (const Convention* convention : conventions())
            for (const KindWord& kind : convention->kinds) words[kind.field].emplace(kind.word, kind.meaning);
        return words;
    }();
    static const Words none;
    const auto found = all.find(field);
    return found == all.end() ? none : found->second;
}

std::optional<SpanMeaning> meaning_of(Field field, std::string_view word) {
    char buffer[64];
    if (word.size() > sizeof buffer) return std::nullopt;
    std::ranges::transform(word, buffer, [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    const Words& words = words_of(field);
    const auto found = words.find(std::string_view(buffer, word.size()));
    return found == words.end() ? std::nullopt : std::optional(found->second);
}

// Operations nobody listed yet are named after one that is.
SpanMeaning meaning_by_prefix(std::string_view operation) {
    struct Prefix {
        std::string_view prefix;
        SpanMeaning meaning;
    };
    static constexpr Prefix prefixes[] = {
        {"chat", llm},          {"text_completion", llm}, {"generate_content", llm},
        {"embed", embedding},   {"retriev", retriever},   {"rerank", reranker},
        {"execute_tool", tool}, {"invoke_agent", agent},  {"invoke_workflow", chain},
    };
    for (const Prefix& prefix : prefixes)
        if (operation.starts_with(prefix.prefix)) return prefix.meaning;
    return other;
}

bool has_usage(const Found& found) {
    return found.has(Field::prompt_tokens) || found.has(Field::completion_tokens) ||
           found.has(Field::total_tokens);
}

bool has_messages(const Found& found) {
    return found.has_slot(Field::genai_input) || found.has_slot(Field::genai_output) ||
           found.has_list(FlatList::input_messages) || found.has_list(FlatList::output_messages) ||
           found.has_list(FlatList::prompts) || found.has_list(FlatList::completions);
}

// Old Langfuse SDKs write `span` for generations.
bool is_generation(const Found& found) {
    return found.has(Field::model) || found.has_slot(Field::langfuse_usage) ||
           found.has_slot(Field::langfuse_costs) || found.has_slot(Field::parameters) ||
           found.has(Field::prompt_name);
}

std::optional<Recognised> by_langfuse(const Found& found, ScopeKind scope) {
    const RawValue* type = found.slot(Field::langfuse_type);
    const bool marked = type != nullptr || found.has_slot(Field::langfuse_other) ||
                        found.has_slot(Field::langfuse_input) || found.has_slot(Field::langfuse_output);
    if (!marked && scope != ScopeKind::langfuse) return std::nullopt;
    const std::string_view word = type == nullptr ? "span" : unquoted(type->text());
    Recognised span{meaning_of(Field::langfuse_type, word).value_or(other), "langfuse", word,
                    Field::langfuse_type};
    if ((word == "span" || word == "SPAN") && is_generation(found)) span.meaning = llm;
    return span;
}

std::optional<Recognised> by_word(const Found& found, Field field, std::string_view convention) {
    const RawValue* value = found.slot(field);
    if (value == nullptr) return std::nullopt;
    const std::string_view word = unquoted(value->text());
    if (says_nothing(word)) return std::nullopt;
    return Recognised{meaning_of(field, word).value_or(other), convention, word, field};
}

std::optional<Recognised> by_operation(const Found& found) {
    std::optional<Recognised> span = by_word(found, Field::genai_operation, "otel-genai");
    if (span && span->meaning == other) span->meaning = meaning_by_prefix(span->operation);
    return span;
}

std::optional<Recognised> by_traceloop(const Found& found) {
    const std::optional<Recognised> kind = by_word(found, Field::traceloop_kind, "openllmetry");
    if (kind && kind->meaning != other) return kind;
    const std::optional<Recognised> type = by_word(found, Field::llm_request_type, "openllmetry");
    return type ? type : kind;
}

std::optional<Recognised> by_vercel(const Found& found) {
    if (const auto span = by_word(found, Field::vercel_operation, "vercel-ai")) return span;
    std::optional<Recognised> span = by_word(found, Field::operation_name, "vercel-ai");
    if (!span || !span->operation.starts_with("ai.")) return std::nullopt;
    // `ai.streamText functionId`
    span->operation = span->operation.substr(0, span->operation.find(' '));
    span->meaning = meaning_of(Field::vercel_operation, span->operation).value_or(other);
    return span;
}

std::optional<Recognised> by_haystack(const Found& found, std::string_view name) {
    if (const auto component = by_word(found, Field::haystack_type, "haystack")) {
        Recognised span = *component;
        span.meaning = span.operation.ends_with("Generator")   ? llm
                       : span.operation.ends_with("Embedder")  ? embedding
                       : span.operation.ends_with("Retriever") ? retriever
                       : span.operation.ends_with("Ranker")    ? reranker
                                                               : chain;
        return span;
    }
    if (!name.starts_with("haystack.")) return std::nullopt;
    Recognised span{chain, "haystack", name, Field::none};
    if (name == "haystack.agent.run") span.meaning = agent;
    if (name == "haystack.agent.step.llm") span.meaning = llm;
    if (name == "haystack.agent.step.tool") span.meaning = tool;
    return span;
}

struct NamedSpan {
    ScopeKind scope;
    std::string_view name;  // or its beginning
    SpanMeaning meaning;
    std::string_view convention;
};

constexpr NamedSpan named_spans[] = {
    {ScopeKind::google_adk, "call_llm", llm, "google-adk"},
    {ScopeKind::google_adk, "execute_tool (merged", chain, "google-adk"},
    {ScopeKind::google_adk, "execute_tool", tool, "google-adk"},
    {ScopeKind::google_adk, "agent_run", agent, "google-adk"},
    {ScopeKind::google_adk, "invoke_agent", agent, "google-adk"},
    {ScopeKind::google_adk, "invocation", chain, "google-adk"},
    {ScopeKind::pydantic_ai, "agent run", agent, "pydantic-ai"},
    {ScopeKind::pydantic_ai, "invoke_agent", agent, "pydantic-ai"},
    {ScopeKind::pydantic_ai, "running tools", chain, "pydantic-ai"},
    {ScopeKind::pydantic_ai, "running tool", tool, "pydantic-ai"},
    {ScopeKind::pydantic_ai, "execute_tool", tool, "pydantic-ai"},
    {ScopeKind::pydantic_ai, "chat ", llm, "pydantic-ai"},
    {ScopeKind::livekit, "llm_request", llm, "livekit"},
    {ScopeKind::livekit, "llm_node", chain, "livekit"},
    {ScopeKind::livekit, "function_tool", tool, "livekit"},
    {ScopeKind::livekit, "agent_turn", agent, "livekit"},
    {ScopeKind::livekit, "agent_session", chain, "livekit"},
};

std::optional<Recognised> by_framework(const Found& found, ScopeKind scope, std::string_view name) {
    if (const auto span = by_haystack(found, name)) return span;
    if (const auto span = by_word(found, Field::genkit_subtype, "genkit")) return span;
    if (scope == ScopeKind::ordinary) return std::nullopt;
    for (const NamedSpan& named : named_spans)
        if (named.scope == scope && name.starts_with(named.name))
            return Recognised{named.meaning, named.convention, name, Field::none};
    return std::nullopt;
}

std::optional<Recognised> by_traces_of_others(const Found& found) {
    if (const auto span = by_word(found, Field::mcp_method, "mcp"); span && span->meaning == tool)
        return span;
    if (!has_usage(found) && (found.has(Field::tool_name) || found.has_slot(Field::genai_tool)))
        return Recognised{tool, "otel-genai", {}, Field::none};
    if (const auto span = by_word(found, Field::genai_span_kind, "loongsuite")) return span;
    if (found.has_slot(Field::db_system) && found.has_slot(Field::db_vector))
        return Recognised{retriever, "openllmetry", {}, Field::none};
    if (found.has(Field::model) && (has_usage(found) || has_messages(found)))
        return Recognised{llm, "unknown", {}, Field::none};
    return std::nullopt;
}

}  // namespace

ScopeKind scope_kind(std::string_view scope) {
    if (scope.starts_with("langfuse")) return ScopeKind::langfuse;
    if (scope.starts_with("strands")) return ScopeKind::strands;
    if (scope == "pydantic-ai") return ScopeKind::pydantic_ai;
    if (scope == "gcp.vertex.agent") return ScopeKind::google_adk;
    if (scope == "livekit-agents") return ScopeKind::livekit;
    if (scope == "haystack") return ScopeKind::haystack;
    return ScopeKind::ordinary;
}

Recognised recognise(const Found& found, ScopeKind scope, std::string_view span_name) {
    if (const auto span = by_langfuse(found, scope)) return *span;
    if (const auto span = by_word(found, Field::openinference_kind, "openinference")) return *span;
    if (const auto span = by_word(found, Field::langsmith_kind, "langsmith")) return *span;
    if (const auto span = by_word(found, Field::mlflow_type, "mlflow")) return *span;
    if (const auto span = by_operation(found)) return *span;
    if (const auto span = by_traceloop(found)) return *span;
    if (const auto span = by_vercel(found)) return *span;
    if (const auto span = by_framework(found, scope, span_name)) return *span;
    return by_traces_of_others(found).value_or(Recognised{});
}

}  // namespace obs
