#include "enrich/providers.h"

#include <algorithm>
#include <array>

#include "enrich/values.h"

namespace obs {

namespace {

struct Spelling {
    std::string_view word, canonical;
};

// Sorted by word.
constexpr Spelling spellings[] = {
    {"alibaba_cloud", "alibaba_cloud"},
    {"amazon", "aws.bedrock"},
    {"amazon-bedrock", "aws.bedrock"},
    {"amazon_bedrock", "aws.bedrock"},
    {"anthropic", "anthropic"},
    {"aws", "aws.bedrock"},
    {"aws.bedrock", "aws.bedrock"},
    {"az.ai.inference", "azure.ai.inference"},
    {"az.ai.openai", "azure.ai.openai"},
    {"azure", "azure.ai.openai"},
    {"azure-openai", "azure.ai.openai"},
    {"azure.ai.inference", "azure.ai.inference"},
    {"azure.ai.openai", "azure.ai.openai"},
    {"azure_ai", "azure.ai.inference"},
    {"azure_openai", "azure.ai.openai"},
    {"bedrock", "aws.bedrock"},
    {"bedrock_converse", "aws.bedrock"},
    {"cerebras", "cerebras"},
    {"cohere", "cohere"},
    {"deepseek", "deepseek"},
    {"fireworks", "fireworks"},
    {"fireworks_ai", "fireworks"},
    {"gcp.gemini", "gcp.gemini"},
    {"gcp.gen_ai", "gcp.gen_ai"},
    {"gcp.vertex.agent", "gcp.gen_ai"},
    {"gcp.vertex_ai", "gcp.vertex_ai"},
    {"gemini", "gcp.gemini"},
    {"google", "gcp.gen_ai"},
    {"google-vertex", "gcp.vertex_ai"},
    {"google.generative-ai", "gcp.gemini"},
    {"google.vertex", "gcp.vertex_ai"},
    {"google_genai", "gcp.gemini"},
    {"googleai", "gcp.gemini"},
    {"grok", "x_ai"},
    {"groq", "groq"},
    {"hugging_face", "hugging_face"},
    {"huggingface", "hugging_face"},
    {"ibm.watsonx.ai", "ibm.watsonx.ai"},
    {"mistral", "mistral_ai"},
    {"mistral_ai", "mistral_ai"},
    {"mistralai", "mistral_ai"},
    {"moonshot", "moonshot_ai"},
    {"moonshot_ai", "moonshot_ai"},
    {"ollama", "ollama"},
    {"open_ai", "openai"},
    {"openai", "openai"},
    {"openrouter", "openrouter"},
    {"perplexity", "perplexity"},
    {"together", "together_ai"},
    {"together_ai", "together_ai"},
    {"togetherai", "together_ai"},
    {"vertex_ai", "gcp.vertex_ai"},
    {"vertexai", "gcp.vertex_ai"},
    {"watsonx", "ibm.watsonx.ai"},
    {"x_ai", "x_ai"},
    {"xai", "x_ai"},
};
static_assert(std::ranges::is_sorted(spellings, {}, &Spelling::word));

constexpr std::string_view frameworks[] = {
    "_other",        "agent_framework", "autogen",   "crewai",         "langchain", "litellm",
    "openai_agents", "smolagents",      "spring_ai", "strands-agents", "unknown",
};
static_assert(std::ranges::is_sorted(frameworks));

std::string_view spelled(std::string_view word) {
    const auto found = std::ranges::lower_bound(spellings, word, {}, &Spelling::word);
    return found != std::end(spellings) && found->word == word ? found->canonical : std::string_view();
}

struct Part {
    std::string_view part, provider;
};

constexpr Part model_starts[] = {
    {"gpt-", "openai"},
    {"chatgpt-", "openai"},
    {"o1", "openai"},
    {"o3", "openai"},
    {"o4-", "openai"},
    {"text-embedding-3", "openai"},
    {"text-embedding-ada", "openai"},
    {"text-davinci", "openai"},
    {"davinci-", "openai"},
    {"babbage-", "openai"},
    {"dall-e", "openai"},
    {"whisper-", "openai"},
    {"tts-1", "openai"},
    {"codex-", "openai"},
    {"omni-moderation", "openai"},
    {"ft:gpt-", "openai"},
    {"claude", "anthropic"},
    {"gemini", "gcp.gemini"},
    {"models/gemini", "gcp.gemini"},
    {"mistral-", "mistral_ai"},
    {"ministral", "mistral_ai"},
    {"magistral", "mistral_ai"},
    {"codestral", "mistral_ai"},
    {"pixtral", "mistral_ai"},
    {"command", "cohere"},
    {"embed-english", "cohere"},
    {"embed-multilingual", "cohere"},
    {"rerank-", "cohere"},
    {"deepseek-", "deepseek"},
    {"grok-", "x_ai"},
    {"sonar", "perplexity"},
    {"kimi-", "moonshot_ai"},
};

// Bedrock names a model `vendor.model`, with a region or an ARN before it.
constexpr std::string_view bedrock_vendors[] = {"ai21.", "amazon.",  "anthropic.", "cohere.",     "deepseek.",
                                                "meta.", "mistral.", "stability.", "twelvelabs.", "writer."};

bool is_bedrock(std::string_view model) {
    if (model.starts_with("arn:aws")) return true;
    for (const std::string_view region : {"us.", "eu.", "apac.", "global.", "us-gov.", "jp.", "au.", "ca."})
        if (model.starts_with(region)) {
            model.remove_prefix(region.size());
            break;
        }
    return std::ranges::any_of(bedrock_vendors,
                               [&](std::string_view vendor) { return model.starts_with(vendor); });
}

constexpr Part host_ends[] = {
    {"api.openai.com", "openai"},
    {".openai.azure.com", "azure.ai.openai"},
    {".cognitiveservices.azure.com", "azure.ai.openai"},
    {".services.ai.azure.com", "azure.ai.inference"},
    {".models.ai.azure.com", "azure.ai.inference"},
    {"api.anthropic.com", "anthropic"},
    {"generativelanguage.googleapis.com", "gcp.gemini"},
    {"aiplatform.googleapis.com", "gcp.vertex_ai"},
    {"api.mistral.ai", "mistral_ai"},
    {"api.groq.com", "groq"},
    {"api.deepseek.com", "deepseek"},
    {"api.x.ai", "x_ai"},
    {"api.cohere.com", "cohere"},
    {"api.cohere.ai", "cohere"},
    {"api.perplexity.ai", "perplexity"},
    {"openrouter.ai", "openrouter"},
    {"api.together.xyz", "together_ai"},
    {"api.together.ai", "together_ai"},
    {"api.fireworks.ai", "fireworks"},
    {"api.moonshot.ai", "moonshot_ai"},
    {"api-inference.huggingface.co", "hugging_face"},
};

}  // namespace

ProviderWord read_provider(std::string_view word) {
    word = trimmed(unquoted(trimmed(word)));
    if (word.size() > 64) return {};
    char buffer[64];
    std::ranges::transform(word, buffer, [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    std::string_view lower(buffer, word.size());
    if (const auto found = std::ranges::lower_bound(frameworks, lower);
        found != std::end(frameworks) && *found == lower)
        return {*found, true};
    // The AI SDK appends the interface: openai.responses, google.generative-ai.chat.
    for (;;) {
        if (const std::string_view canonical = spelled(lower); !canonical.empty()) return {canonical};
        const std::size_t dot = lower.rfind('.');
        if (dot == std::string_view::npos) return {};
        lower = lower.substr(0, dot);
    }
}

std::string_view provider_of_model(std::string_view model) {
    if (is_bedrock(model)) return "aws.bedrock";
    for (const Part& start : model_starts)
        if (model.starts_with(start.part)) return start.provider;
    // Gateways write the provider before the model: openai/gpt-4o.
    if (const std::size_t slash = model.find('/'); slash != std::string_view::npos && slash > 0) {
        const ProviderWord provider = read_provider(model.substr(0, slash));
        if (!provider.is_framework) return provider.canonical;
    }
    return {};
}

std::string_view provider_of_host(std::string_view host) {
    for (const Part& end : host_ends)
        if (host.ends_with(end.part)) return end.provider;
    if (host.starts_with("bedrock-runtime.") && host.find(".amazonaws.com") != std::string_view::npos)
        return "aws.bedrock";
    return {};
}

}  // namespace obs
