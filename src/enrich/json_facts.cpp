#include "enrich/json_facts.h"

#include "base/money.h"
#include "enrich/values.h"

namespace obs {

namespace {

struct UsageName {
    Field field;
    std::string_view name;
    std::string_view outer = {};
};

constexpr UsageName usage_names[] = {
    {Field::prompt_tokens, "prompt_tokens"},
    {Field::prompt_tokens, "input_tokens"},
    {Field::prompt_tokens, "prompt_token_count"},
    {Field::prompt_tokens, "promptTokenCount"},
    {Field::prompt_tokens, "inputTokens"},
    {Field::completion_tokens, "completion_tokens"},
    {Field::completion_tokens, "output_tokens"},
    {Field::completion_tokens, "candidates_token_count"},
    {Field::completion_tokens, "candidatesTokenCount"},
    {Field::completion_tokens, "outputTokens"},
    {Field::total_tokens, "total_tokens"},
    {Field::total_tokens, "total_token_count"},
    {Field::total_tokens, "totalTokenCount"},
    {Field::total_tokens, "totalTokens"},
    {Field::cached_input_tokens, "cached_tokens", "prompt_tokens_details"},
    {Field::cached_input_tokens, "cached_tokens", "input_tokens_details"},
    {Field::cached_input_tokens, "cache_read", "input_token_details"},
    {Field::cached_input_tokens, "cache_read_input_tokens"},
    {Field::cached_input_tokens, "cached_content_token_count"},
    {Field::cached_input_tokens, "cachedContentTokenCount"},
    {Field::cached_input_tokens, "cachedContentTokens"},
    {Field::cache_write_tokens, "cache_creation", "input_token_details"},
    {Field::cache_write_tokens, "cache_creation_input_tokens"},
    {Field::reasoning_tokens, "reasoning_tokens", "completion_tokens_details"},
    {Field::reasoning_tokens, "reasoning_tokens", "output_tokens_details"},
    {Field::reasoning_tokens, "reasoning", "output_token_details"},
    {Field::reasoning_tokens, "thoughts_token_count"},
    {Field::reasoning_tokens, "thoughtsTokenCount"},
    {Field::reasoning_tokens, "thoughtsTokens"},
    {Field::audio_input_tokens, "audio_tokens", "prompt_tokens_details"},
    {Field::audio_input_tokens, "audio", "input_token_details"},
    {Field::audio_output_tokens, "audio_tokens", "completion_tokens_details"},
    {Field::audio_output_tokens, "audio", "output_token_details"},
};

void set_tokens(Found& found, Field field, std::int64_t count) {
    if (found.has(field)) return;
    if (count < 0 || count > most_tokens) {
        found.ignore_usage();
    } else {
        found.set_integer(field, count);
    }
}

void set_first_number(const JsonObject& object, Field field, std::initializer_list<std::string_view> names,
                      Found& found) {
    for (const std::string_view name : names) {
        if (found.has(field)) return;
        if (const std::optional<double> number = number_member(object, name))
            found.set_number(field, *number);
    }
}

void set_first_integer(const JsonObject& object, Field field, std::initializer_list<std::string_view> names,
                       Found& found) {
    for (const std::string_view name : names) {
        if (found.has(field)) return;
        if (const std::optional<std::int64_t> integer = integer_member(object, name))
            found.set_integer(field, *integer);
    }
}

}  // namespace

UsageForm read_usage(const JsonObject& usage, Found& found) {
    UsageForm form;
    for (const UsageName& known : usage_names) {
        const std::optional<JsonObject> outer =
            known.outer.empty() ? std::optional(usage) : object_member(usage, known.outer);
        if (!outer) continue;
        const std::optional<std::int64_t> count = integer_member(*outer, known.name);
        if (!count) continue;
        if (known.name.starts_with("candidates") && !found.has(known.field)) form.thoughts_beside = true;
        set_tokens(found, known.field, *count);
    }
    return form;
}

UsageForm read_langfuse_usage(const JsonObject& usage, Found& found) {
    if (member(usage, "prompt_tokens") || member(usage, "completion_tokens")) return read_usage(usage, found);
    std::optional<std::int64_t> input, output;
    for (const auto field : usage) {
        const std::optional<std::int64_t> count = integer_of(field.value);
        if (!count) continue;
        if (*count < 0 || *count > most_tokens) {
            found.ignore_usage();
            continue;
        }
        if (field.key.starts_with("input")) input = input.value_or(0) + *count;
        if (field.key.starts_with("output")) output = output.value_or(0) + *count;
        if (field.key == "total") set_tokens(found, Field::total_tokens, *count);
        if (field.key == "input_cached_tokens" || field.key == "cache_read_input_tokens" ||
            field.key == "input_cache_read")
            set_tokens(found, Field::cached_input_tokens, *count);
        if (field.key == "input_cache_creation" || field.key == "cache_creation_input_tokens")
            set_tokens(found, Field::cache_write_tokens, *count);
        if (field.key == "output_reasoning_tokens" || field.key == "output_reasoning")
            set_tokens(found, Field::reasoning_tokens, *count);
    }
    // Raw Anthropic words are no buckets: their cache stands beside the input and does not begin with
    // `input`.
    const bool buckets =
        !member(usage, "cache_read_input_tokens") && !member(usage, "cache_creation_input_tokens");
    if (input) set_tokens(found, Field::prompt_tokens, *input);
    if (output) set_tokens(found, Field::completion_tokens, *output);
    return {.disjoint = buckets, .cache_beside = !buckets};
}

void read_costs(const JsonObject& costs, std::string_view input, std::string_view output,
                std::string_view total, Found& found) {
    const std::pair<Field, std::string_view> parts[] = {
        {Field::cost_input, input}, {Field::cost_output, output}, {Field::cost_total, total}};
    for (const auto& [field, name] : parts) {
        if (name.empty() || found.has(field)) continue;
        const std::optional<double> dollars = number_member(costs, name);
        if (!dollars) continue;
        if (*dollars < 0 || !usd_from_dollars(*dollars)) {
            found.ignore_usage();
        } else {
            found.set_number(field, *dollars);
        }
    }
}

void read_parameters(const JsonObject& parameters, Found& found, RawAttributes& raw) {
    set_first_number(parameters, Field::temperature, {"temperature"}, found);
    set_first_number(parameters, Field::top_p, {"top_p", "topP"}, found);
    set_first_number(parameters, Field::top_k, {"top_k", "topK"}, found);
    set_first_integer(parameters, Field::max_tokens,
                      {"max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens",
                       "maxTokens", "max_new_tokens"},
                      found);
    set_first_integer(parameters, Field::seed, {"seed"}, found);
    if (!found.has(Field::streaming))
        if (const auto stream = member(parameters, "stream"); stream && stream->is_bool())
            found.set_integer(Field::streaming, stream->get_bool().value_unsafe() ? 1 : 0);
    if (const std::string_view model = text_member(parameters, "model"); !says_nothing(model)) {
        const std::string_view kept = raw.keep(std::string(model));
        if (!found.has(Field::request_model)) found.set_text(Field::request_model, kept);
        if (!found.has(Field::model)) found.set_text(Field::model, kept);
    }
}

}  // namespace obs
