#include "pricing/model_names.h"

#include <algorithm>
#include <array>
#include <utility>

#include "pricing/model_match.h"

namespace obs {
namespace {

using Rewrite = std::string (*)(std::string_view);

constexpr bool digit(char c) {
    return c >= '0' && c <= '9';
}

// models/gemini-pro, publishers/google/models/gemini-pro,
// arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude
std::string without_path(std::string_view name) {
    if (name.starts_with("arn:")) return std::string(name.substr(name.rfind('/') + 1));
    if (const std::size_t at = name.rfind("/models/"); at != std::string_view::npos)
        return std::string(name.substr(at + 8));
    if (name.starts_with("models/")) return std::string(name.substr(7));
    return std::string(name);
}

// claude-3-5-sonnet@20241022, gemini-pro@default, llama3:latest
std::string without_tag(std::string_view name) {
    for (std::string_view tag : {":latest", "@latest", "@default"})
        if (name.ends_with(tag)) return std::string(name.substr(0, name.size() - tag.size()));
    std::string plain(name);
    std::ranges::replace(plain, '@', '-');
    return plain;
}

// The length of a date at this place, dashed (2024-08-06) or not (20240806); 0 when there is none.
std::size_t date_length(std::string_view text) {
    const auto digits = [&](std::size_t from, std::size_t count) {
        return text.size() >= from + count && std::ranges::all_of(text.substr(from, count), digit);
    };
    if (!text.starts_with("20")) return 0;
    std::size_t length = 0;
    if (digits(0, 8)) {
        length = 8;
    } else if (digits(0, 4) && text.substr(4).starts_with('-') && digits(5, 2) &&
               text.substr(7).starts_with('-') && digits(8, 2)) {
        length = 10;
    }
    const bool ends = text.size() == length || text[length] == '-' || text[length] == ':';
    return ends ? length : 0;
}

std::size_t date_at(std::string_view name) {
    for (std::size_t at = name.find('-'); at != std::string_view::npos; at = name.find('-', at + 1))
        if (date_length(name.substr(at + 1)) != 0) return at;
    return std::string_view::npos;
}

std::string with_dashed_date(std::string_view name) {
    std::string dashed(name);
    const std::size_t at = date_at(name);
    if (at == std::string_view::npos || date_length(name.substr(at + 1)) != 8) return dashed;
    return dashed.insert(at + 7, "-").insert(at + 5, "-");
}

std::string without_date(std::string_view name) {
    const std::size_t at = date_at(name);
    if (at == std::string_view::npos) return std::string(name);
    const std::size_t end = at + 1 + date_length(name.substr(at + 1));
    return std::string(name.substr(0, at)) + std::string(name.substr(end));
}

// us.anthropic.claude-3-5-sonnet-20241022-v2:0
std::string without_region(std::string_view name) {
    for (std::string_view region : {"us.", "eu.", "apac.", "jp.", "au.", "ca.", "us-gov.", "global."})
        if (name.starts_with(region)) return std::string(name.substr(region.size()));
    return std::string(name);
}

std::string without_bedrock_vendor(std::string_view name) {
    constexpr std::array<std::string_view, 8> vendors{"anthropic.", "amazon.",   "meta.", "mistral.",
                                                      "cohere.",    "deepseek.", "ai21.", "openai."};
    for (std::string_view vendor : vendors) {
        if (!name.starts_with(vendor)) continue;
        name.remove_prefix(vendor.size());
        // -v1:0
        if (name.size() > 5 && name.substr(name.size() - 5).starts_with("-v") && name[name.size() - 2] == ':')
            name.remove_suffix(5);
        break;
    }
    return std::string(name);
}

std::string with_azure_dot(std::string_view name) {
    return name.starts_with("gpt-35") ? "gpt-3.5" + std::string(name.substr(6)) : std::string(name);
}

std::string of_openai_family(std::string_view name) {
    if (name.starts_with("gpt-4-") && name.ends_with("-preview")) return "gpt-4-turbo";
    if (name.starts_with("gpt-3.5-turbo-")) return "gpt-3.5-turbo";
    return std::string(name);
}

std::string without_latest(std::string_view name) {
    return std::string(name.ends_with("-latest") ? name.substr(0, name.size() - 7) : name);
}

constexpr std::array<Rewrite, 9> rewrites{
    without_path,   without_tag,    with_dashed_date, without_region, without_bedrock_vendor,
    with_azure_dot, without_latest, of_openai_family, without_date};

}  // namespace

std::vector<std::string> spellings_of(std::string_view model) {
    std::vector<std::string> names{lower_ascii(model)};
    for (const Rewrite rewrite : rewrites) {
        for (std::size_t i = 0, before = names.size(); i < before; ++i) {
            if (names[i].starts_with("ft:")) continue;
            std::string other = rewrite(names[i]);
            if (!other.empty() && std::ranges::find(names, other) == names.end())
                names.push_back(std::move(other));
        }
    }
    return names;
}

std::string_view catalogue_name_of(std::string_view provider) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 13> others{{
        {"azure.ai.openai", "azure"},
        {"azure.ai.inference", "azure"},
        {"aws.bedrock", "aws"},
        {"gcp.vertex_ai", "google"},
        {"gcp.gemini", "google"},
        {"gcp.gen_ai", "google"},
        {"mistral_ai", "mistral"},
        {"x_ai", "x-ai"},
        {"moonshot_ai", "moonshotai"},
        {"together_ai", "together"},
        {"hugging_face", "huggingface"},
        {"fireworks_ai", "fireworks"},
        {"ibm.watsonx.ai", "watsonx"},
    }};
    const auto* found = std::ranges::find(others, provider, &decltype(others)::value_type::first);
    return found == others.end() ? provider : found->second;
}

}  // namespace obs
