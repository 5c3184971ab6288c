#include "enrich/span_reader.h"

#include <algorithm>
#include <charconv>

#include "base/json_writer.h"
#include "base/money.h"
#include "enrich/enrich.h"
#include "enrich/event_messages.h"
#include "enrich/json_facts.h"
#include "enrich/resources.h"
#include "enrich/stop_reasons.h"
#include "enrich/usage.h"
#include "enrich/values.h"

namespace obs {

namespace {

// Weaker than what the client measured itself, stronger than the server's figure.
constexpr std::uint8_t ttft_of_event = 5;
constexpr std::uint8_t entity_name_rank = 5;  // traceloop.entity.name

bool is_absent_cost(const Found& found) {
    // OpenLIT says 0 when it knows no price.
    return found.rank(Field::cost_total) == 3 && found.number(Field::cost_total) == 0;
}

std::optional<JsonObject> parse_object(std::string_view text, unsigned level = 0) {
    const std::optional<JsonElement> element = parse_json(text, level);
    JsonObject object;
    if (!element || element->get(object) != simdjson::SUCCESS) return std::nullopt;
    return object;
}

std::optional<JsonObject> parse_object(const RawValue* value) {
    return value == nullptr ? std::nullopt : parse_object(value->text());
}

std::optional<Tokens> tokens_of(const Found& found, Field field) {
    return found.has(field) ? std::optional(Tokens{found.integer(field)}) : std::nullopt;
}

std::string_view after(std::string_view text, std::string_view prefix) {
    return text.starts_with(prefix) ? text.substr(prefix.size()) : std::string_view();
}

bool owns_usage(const Recognised& span) {
    // What is fetched later was counted when it was made.
    return is_model_call(span.meaning) && span.operation != "fetch_response";
}

template <class Column, class Value>
void put_if(Column& column, std::size_t row, const std::optional<Value>& value) {
    if (value) column.put(row, *value);
}

}  // namespace

SpanReader::SpanReader(RawAttributes& raw, SpanBatch& batch, CostNotes& notes)
    : raw_(raw),
      batch_(batch),
      notes_(notes),
      keys_(describe_keys(raw.keys)),
      last_(raw.keys.size()),
      map_code_(raw.keys.size()) {}

void SpanReader::collect(RawRange attributes, UnixNanos start, Nanos duration, ScopeKind scope) {
    found_.reset({start, duration, scope == ScopeKind::strands});
    for (std::uint32_t at = attributes.begin; at < attributes.end; ++at) {
        const RawAttribute& attribute = raw_.list[at];
        last_[attribute.key] = at;
        const KeyInfo& key = keys_[attribute.key];
        if (key.targets[0].field == Field::none && key.list == FlatList::none) continue;
        found_.offer(attribute, key, raw_);
    }
    found_.finish();
    usage_form_ = {};
    exception_type_ = exception_message_ = {};
    content_.reset();
}

void SpanReader::read_events(std::size_t row, const Source& source) {
    std::string body;
    for (const RawEvent& event : source.events) {
        if (is_message_event(event.name)) {
            body.clear();
            append_attributes_json(body, raw_, event.attributes);
            read_message_event(event.name, body, content_.event_input(), content_.event_output());
        } else if (event.name == "gen_ai.client.inference.operation.details") {
            // The same attributes as the span's, which win.
            for (std::uint32_t at = event.attributes.begin; at < event.attributes.end; ++at) {
                const RawAttribute& attribute = raw_.list[at];
                const KeyInfo& key = keys_[attribute.key];
                const Field field = key.targets[0].field;
                if (field > Field::first_slot && !found_.has_slot(field)) found_.offer(attribute, key, raw_);
            }
        } else if (event.name == "exception") {
            exception_type_ = find_text(raw_, event.attributes, "exception.type");
            exception_message_ = find_text(raw_, event.attributes, "exception.message");
        } else if (event.name == "First Token Stream Event" || event.name == "ai.stream.firstChunk") {
            found_.offer_ttft(event.time - batch_.ts[row], ttft_of_event);
        }
    }
}

void SpanReader::read_json_facts() {
    if (const auto usage = parse_object(found_.slot(Field::langfuse_usage)))
        usage_form_ = read_langfuse_usage(*usage, found_);
    if (const auto usage = parse_object(found_.slot(Field::usage_json))) read_usage(*usage, found_);
    if (const auto costs = parse_object(found_.slot(Field::langfuse_costs)))
        read_costs(*costs, "input", "output", "total", found_);
    if (const auto costs = parse_object(found_.slot(Field::mlflow_cost)))
        read_costs(*costs, "input_cost", "output_cost", "total_cost", found_);
    if (!found_.has(Field::cost_total))
        if (const auto hidden = parse_object(found_.slot(Field::litellm_hidden)))
            read_costs(*hidden, {}, {}, "response_cost", found_);
    if (const auto parameters = parse_object(found_.slot(Field::parameters)))
        read_parameters(*parameters, found_, raw_);
    if (const RawValue* linked = found_.slot(Field::linked_prompts))
        if (const auto list = parse_json(linked->text()); list && list->is_array())
            for (const JsonElement item : array_of(*list)) {
                JsonObject prompt;
                if (item.get(prompt) != simdjson::SUCCESS || found_.has(Field::prompt_name)) break;
                found_.set_text(Field::prompt_name, raw_.keep(std::string(text_member(prompt, "name"))));
                if (const auto version = member(prompt, "version"))
                    found_.set_text(Field::prompt_version, raw_.keep(text_or_json(*version)));
            }
    const RawValue* metadata = found_.slot(Field::metadata);
    if (metadata != nullptr && (!found_.has(Field::user_id) || !found_.has(Field::session_id)) &&
        metadata->text().find("_id\"") != std::string_view::npos)
        if (const auto object = parse_object(metadata))
            for (const auto& [field, name] :
                 {std::pair{Field::user_id, "user_id"}, std::pair{Field::session_id, "session_id"},
                  std::pair{Field::session_id, "thread_id"}, std::pair{Field::session_id, "conversation_id"}})
                if (const std::string_view id = text_member(*object, name); !id.empty() && !found_.has(field))
                    found_.set_text(field, raw_.keep(std::string(id)));
}

// What some frameworks hide in the documents of a model call.
void SpanReader::fill_gaps(const Recognised& span) {
    if (!is_model_call(span.meaning)) return;
    if (span.convention == "mlflow")
        if (const auto request = parse_object(found_.slot(Field::mlflow_inputs)))
            read_parameters(*request, found_, raw_);
    if (const auto answer = parse_object(found_.slot(Field::haystack_output))) {
        const auto replies = array_member(*answer, "replies");
        JsonObject reply;
        if (replies && replies->size() != 0 && replies->at(0).get(reply) == simdjson::SUCCESS)
            if (const auto meta = object_member(reply, "meta")) {
                if (const std::string_view model = text_member(*meta, "model");
                    !model.empty() && !found_.has(Field::model))
                    found_.set_text(Field::model, raw_.keep(std::string(model)));
                if (const auto usage = object_member(*meta, "usage")) read_usage(*usage, found_);
            }
        if (const auto meta = object_member(*answer, "meta")) {
            if (const std::string_view model = text_member(*meta, "model");
                !model.empty() && !found_.has(Field::model))
                found_.set_text(Field::model, raw_.keep(std::string(model)));
            if (const auto usage = object_member(*meta, "usage")) read_usage(*usage, found_);
        }
    }
    if (const auto answer = parse_object(found_.slot(Field::gcp_response)))
        if (const auto usage = object_member(*answer, "usage_metadata"))
            usage_form_ = read_usage(*usage, found_);
    if (const auto answer = parse_object(found_.slot(Field::genkit_output)))
        if (const auto usage = object_member(*answer, "usage")) read_usage(*usage, found_);
    if (const RawValue* name = found_.slot(Field::genkit_name);
        name != nullptr && !found_.has(Field::model)) {
        // `googleai/gemini-2.5-flash`
        const std::string_view text = name->text();
        const std::size_t slash = text.find('/');
        found_.set_text(Field::model, slash == std::string_view::npos ? text : text.substr(slash + 1));
    }
    if (const RawValue* metadata = found_.slot(Field::vercel_metadata);
        metadata != nullptr && metadata->text().find("\"anthropic\"") != std::string_view::npos)
        if (const auto providers = parse_object(metadata))
            if (const auto anthropic = object_member(*providers, "anthropic"))
                if (const auto usage = object_member(*anthropic, "usage"))
                    for (const auto& [field, name] :
                         {std::pair{Field::cached_input_tokens, "cache_read_input_tokens"},
                          std::pair{Field::cache_write_tokens, "cache_creation_input_tokens"}})
                        if (const auto count = integer_member(*usage, name);
                            count && *count >= 0 && *count <= most_tokens && !found_.has(field))
                            found_.set_integer(field, *count);
}

void SpanReader::write_identity(std::size_t row, const Recognised& span, const Source& source) {
    const auto put = [&](column::Text& column, Field field) {
        if (found_.has(field)) column.put(row, found_.text(field));
    };
    const auto put_word = [&](column::Dict& column, Field field) {
        if (found_.has(field)) column.put(row, found_.text(field));
    };
    put_word(batch_.model, Field::model);
    put_word(batch_.request_model, Field::request_model);
    put(batch_.response_id, Field::response_id);
    put(batch_.user_id, Field::user_id);
    put(batch_.session_id, Field::session_id);
    put_word(batch_.prompt_name, Field::prompt_name);
    put_word(batch_.prompt_version, Field::prompt_version);

    std::string_view provider = found_.provider();
    if (provider.empty() && (is_model_call(span.meaning) || !found_.framework().empty())) {
        provider = provider_of_model(found_.text(Field::model));
        if (provider.empty()) provider = provider_of_model(found_.text(Field::request_model));
        if (const RawValue* host = found_.slot(Field::server_address); provider.empty() && host != nullptr)
            provider = provider_of_host(host->text());
    }
    batch_.provider.put(row, provider);
    batch_.framework.put(row, found_.framework());

    const std::string_view environment = found_.text(Field::environment);
    batch_.environment.put(row, environment.empty() ? source.environment : environment);
    // The resource's version is the application's; versions of agents and entities are the last resort.
    const bool own_release = found_.has(Field::release) && found_.rank(Field::release) < 8;
    batch_.release.put(row,
                       own_release || source.release.empty() ? found_.text(Field::release) : source.release);

    const std::string_view span_name = batch_.span_name[row];
    if (span.meaning == SpanMeaning::tool) {
        std::string_view tool = found_.text(Field::tool_name);
        if (tool.empty()) tool = after(span_name, "execute_tool ");
        batch_.tool_name.put(row, tool.empty() ? span_name : tool);
    }
    std::string_view agent = found_.text(Field::agent_name);
    const bool is_agent = span.meaning == SpanMeaning::agent;
    if (found_.rank(Field::agent_name) == entity_name_rank && !is_agent) agent = {};
    if (agent.empty() && is_agent) agent = after(span_name, "invoke_agent ");
    batch_.agent_name.put(row, agent);
}

void SpanReader::write_settings(std::size_t row, const Recognised& span) {
    if (found_.has(Field::temperature)) batch_.temperature.put(row, found_.number(Field::temperature));
    if (found_.has(Field::top_p)) batch_.top_p.put(row, found_.number(Field::top_p));
    if (found_.has(Field::top_k)) batch_.top_k.put(row, found_.number(Field::top_k));
    if (found_.has(Field::max_tokens)) batch_.max_tokens.put(row, found_.integer(Field::max_tokens));
    if (found_.has(Field::seed)) batch_.seed.put(row, found_.integer(Field::seed));
    if (found_.has(Field::ttft_seconds)) batch_.ttft.put(row, Nanos{found_.integer(Field::ttft_seconds)});

    const bool says_stream =
        span.convention == "vercel-ai" && span.operation.find("stream") != std::string_view::npos;
    if (found_.has(Field::streaming)) {
        batch_.streaming.put(row, static_cast<std::uint8_t>(found_.integer(Field::streaming)));
    } else if (says_stream || (found_.has(Field::ttft_seconds) && is_model_call(span.meaning))) {
        batch_.streaming.put(row, std::uint8_t{1});
    } else if (span.meaning == SpanMeaning::llm) {
        // The conventions leave it out when it is false.
        batch_.streaming.put(row, std::uint8_t{0});
    }
    std::string_view reason = found_.text(Field::stop_reason);
    if (reason.empty()) reason = content_.finish_reason();
    batch_.stop_reason.put(row, canonical_stop_reason(reason));
    notes_.service_tier.put(row, found_.text(Field::service_tier));
}

void SpanReader::write_usage(std::size_t row, const Recognised& span, ScopeKind scope) {
    TokenCounts counts{
        .prompt = tokens_of(found_, Field::prompt_tokens),
        .completion = tokens_of(found_, Field::completion_tokens),
        .total = tokens_of(found_, Field::total_tokens),
        .cached = tokens_of(found_, Field::cached_input_tokens),
        .cache_write = tokens_of(found_, Field::cache_write_tokens),
        .reasoning = tokens_of(found_, Field::reasoning_tokens),
        .audio_input = tokens_of(found_, Field::audio_input_tokens),
        .audio_output = tokens_of(found_, Field::audio_output_tokens),
        .image_input = tokens_of(found_, Field::image_input_tokens),
        .image_output = tokens_of(found_, Field::image_output_tokens),
    };
    CacheCount cache = CacheCount::unknown;
    const std::string_view provider = batch_.provider[row];
    if (usage_form_.disjoint) cache = CacheCount::inside;
    if (usage_form_.cache_beside || (scope == ScopeKind::strands && provider == "aws.bedrock"))
        cache = CacheCount::beside;
    if (span.convention == "vercel-ai" && found_.rank(Field::cached_input_tokens) != 4 &&
        (provider == "anthropic" || provider == "aws.bedrock"))
        cache = CacheCount::beside;
    counts = canonical_counts(counts, cache,
                              usage_form_.thoughts_beside ? ReasoningCount::beside : ReasoningCount::unknown);
    if (!owns_usage(span)) {
        std::optional<Tokens> prompt = tokens_of(found_, Field::rollup_prompt_tokens);
        std::optional<Tokens> completion = tokens_of(found_, Field::rollup_completion_tokens);
        put_if(batch_.rollup_prompt_tokens, row, prompt ? prompt : counts.prompt);
        put_if(batch_.rollup_completion_tokens, row, completion ? completion : counts.completion);
        return;
    }
    batch_.is_call.put(row, 1);
    put_if(batch_.prompt_tokens, row, counts.prompt);
    put_if(batch_.completion_tokens, row, counts.completion);
    put_if(batch_.total_tokens, row, counts.total);
    put_if(batch_.cached_input_tokens, row, counts.cached);
    put_if(batch_.cache_write_tokens, row, counts.cache_write);
    put_if(batch_.reasoning_tokens, row, counts.reasoning);
    put_if(batch_.audio_input_tokens, row, counts.audio_input);
    put_if(batch_.audio_output_tokens, row, counts.audio_output);
    put_if(batch_.image_input_tokens, row, counts.image_input);
    put_if(batch_.image_output_tokens, row, counts.image_output);
}

void SpanReader::write_costs(std::size_t row, const Recognised& span) {
    const auto dollars = [&](Field field) {
        return found_.has(field) ? usd_from_dollars(found_.number(field)) : std::nullopt;
    };
    const std::optional<Usd> input = dollars(Field::cost_input), output = dollars(Field::cost_output);
    std::optional<Usd> total = is_absent_cost(found_) ? std::nullopt : dollars(Field::cost_total);
    if (!total && (input || output)) total = input.value_or(Usd{}) + output.value_or(Usd{});
    if (!total) return;
    batch_.client_cost.put(row, *total);
    if (!owns_usage(span)) {
        batch_.rollup_cost.put(row, *total);
        return;
    }
    put_if(notes_.client_input, row, input);
    put_if(notes_.client_output, row, output);
}

void SpanReader::write_status(std::size_t row) {
    std::string_view message = batch_.error_message[row];
    const RawValue* level = found_.slot(Field::level);
    if (level != nullptr && unquoted(level->text()) == "ERROR") {
        if (batch_.status_code[row] == 0) batch_.status_code.set(row, 2);
        if (const RawValue* said = found_.slot(Field::level_message))
            found_.set_text(Field::error_message, said->text());
    }
    const bool failed = batch_.status_code[row] == 2;
    std::string_view code = found_.text(Field::error_code);
    if (code.empty() && failed) code = exception_type_;
    batch_.error_code.put(row, code);
    if (message.empty()) message = found_.text(Field::error_message);
    if (message.empty() && failed) message = exception_message_;
    error_messages_.put(row, message);
}

void SpanReader::write_tags(std::size_t row) {
    if (!found_.has(Field::tags)) return;
    const RawValue& value = found_.winner(Field::tags)->value;
    std::vector<std::string_view> tags;
    const std::string_view text = value.text();
    if (const auto list = looks_like_json(text) ? parse_json(text) : std::nullopt; list && list->is_array()) {
        for (const JsonElement item : array_of(*list))
            if (std::string tag = text_or_json(item); !tag.empty()) tags.push_back(raw_.keep(std::move(tag)));
    } else {
        for (std::size_t begin = 0; begin <= text.size();) {
            const std::size_t end = std::min(text.find(',', begin), text.size());
            const std::string_view tag = trimmed(text.substr(begin, end - begin));
            if (!tag.empty()) tags.push_back(tag);
            begin = end + 1;
        }
    }
    batch_.tags.put(row, tags);
}

bool SpanReader::is_represented(std::size_t row, const RawAttribute& attribute, const KeyInfo& key,
                                const Recognised& span) const {
    if (key.list != FlatList::none) return content_.consumed(key.list);
    const auto counts_as = [&](const std::optional<Tokens>& column) {
        const std::optional<std::int64_t> count = integer_of(attribute.value);
        return count && column && column->count == *count;
    };
    for (const auto& [field, rank] : key.targets) {
        if (field == Field::none) return false;
        if (field > Field::first_slot || field == Field::langfuse_type) {
            if (content_.consumed(field)) return true;
            // A word that became the kind says nothing more, unless nobody knew it.
            if (field == span.decided_by &&
                (span.meaning != SpanMeaning::other || unquoted(attribute.value.text()) == span.operation))
                return true;
            continue;
        }
        const bool won = found_.winner(field) == &attribute;
        switch (field) {
            case Field::provider:
                if (attribute.value.text() == batch_.provider[row]) return true;
                break;
            case Field::stop_reason:
                if (!has_several(attribute.value.text()) &&
                    first_of_list(attribute.value.text()) == batch_.stop_reason[row])
                    return true;
                break;
            case Field::prompt_tokens:
                if (counts_as(batch_.prompt_tokens[row]) || counts_as(batch_.rollup_prompt_tokens[row]))
                    return true;
                break;
            case Field::completion_tokens:
                if (counts_as(batch_.completion_tokens[row]) ||
                    counts_as(batch_.rollup_completion_tokens[row]))
                    return true;
                break;
            case Field::rollup_prompt_tokens:
                if (counts_as(batch_.rollup_prompt_tokens[row])) return true;
                break;
            case Field::rollup_completion_tokens:
                if (counts_as(batch_.rollup_completion_tokens[row])) return true;
                break;
            case Field::total_tokens:
                if (counts_as(batch_.total_tokens[row])) return true;
                break;
            case Field::cached_input_tokens:
                if (counts_as(batch_.cached_input_tokens[row])) return true;
                break;
            case Field::cache_write_tokens:
                if (counts_as(batch_.cache_write_tokens[row])) return true;
                break;
            case Field::reasoning_tokens:
                if (counts_as(batch_.reasoning_tokens[row])) return true;
                break;
            case Field::audio_input_tokens:
                if (counts_as(batch_.audio_input_tokens[row])) return true;
                break;
            case Field::audio_output_tokens:
                if (counts_as(batch_.audio_output_tokens[row])) return true;
                break;
            case Field::image_input_tokens:
                if (counts_as(batch_.image_input_tokens[row])) return true;
                break;
            case Field::image_output_tokens:
                if (counts_as(batch_.image_output_tokens[row])) return true;
                break;
            case Field::cost_input:
            case Field::cost_output:
            case Field::service_tier:
            case Field::error_message: break;
            case Field::tool_name:
                if (won && span.meaning == SpanMeaning::tool) return true;
                break;
            case Field::agent_name:
                if (won && !batch_.agent_name[row].empty()) return true;
                break;
            case Field::session_id:
                // session.id also comes from browsers: on ordinary spans it stays an attribute as well.
                if (won && !span.convention.empty()) return true;
                break;
            case Field::environment:
                if (attribute.value.text() == batch_.environment[row]) return true;
                break;
            case Field::release:
                if (attribute.value.text() == batch_.release[row]) return true;
                break;
            case Field::cost_total:
                if (won && !is_absent_cost(found_)) return true;
                break;
            case Field::ttft_seconds:
            case Field::ttft_milliseconds:
            case Field::ttft_of_server:
            case Field::ttft_at:
                if (found_.has(Field::ttft_seconds) && found_.winner(Field::ttft_seconds) == &attribute)
                    return true;
                break;
            default:
                if (found_.has(field) && won) return true;
                if (found_.has(field) && attribute.value.has_text() &&
                    attribute.value.text() == found_.text(field) && field < Field::prompt_tokens)
                    return true;
        }
    }
    return false;
}

void SpanReader::write_attributes(std::size_t row, const Recognised& span, RawRange attributes) {
    Map& map = batch_.attributes;
    for (std::uint32_t at = attributes.begin; at < attributes.end; ++at) {
        const RawAttribute& attribute = raw_.list[at];
        if (last_[attribute.key] != at) continue;
        const KeyInfo& key = keys_[attribute.key];
        const bool mapped = key.targets[0].field != Field::none || key.list != FlatList::none;
        if (mapped && is_represented(row, attribute, key, span)) continue;
        std::uint32_t& code = map_code_[attribute.key];
        if (code == 0) code = map.keys_dictionary_.code(raw_.key(attribute));
        map.codes_.push_back(code);
        map.values_.put(map.values_.stored(), text_of(attribute.value, scratch_));
        map.types_.push_back(attribute.value.type);
    }
    map.ends_.push_back(static_cast<std::uint32_t>(map.codes_.size()));
}

void SpanReader::write_events(std::size_t row, const Source& source) {
    if (source.events.empty()) return;
    std::string json;
    JsonWriter writer(json);
    writer.begin_array();
    bool any = false;
    for (const RawEvent& event : source.events) {
        if (content_.consumed_events() && is_message_event(event.name)) continue;
        any = true;
        writer.begin_object().field("time", rfc3339(event.time)).field("name", event.name);
        scratch_.clear();
        append_attributes_json(scratch_, raw_, event.attributes);
        writer.key("attributes").raw(scratch_).end_object();
    }
    writer.end_array();
    if (any) batch_.events.put(row, json);
}

Recognised SpanReader::read_span(std::size_t row, const Source& source) {
    collect(source.attributes, batch_.ts[row], batch_.duration[row], source.scope);
    if (!source.events.empty()) read_events(row, source);
    const Recognised span = recognise(found_, source.scope, batch_.span_name[row]);
    if (!span.convention.empty()) {
        read_json_facts();
        fill_gaps(span);
        content_.read(found_, span, source.is_root);
        content_.write(batch_, row);
    }
    std::uint32_t& kind = kind_code_[static_cast<std::size_t>(span.meaning)];
    if (kind == 0) kind = batch_.kind.dictionary_.code(name_of(span.meaning));
    batch_.kind.codes_.put(row, kind);
    const RawValue* operation = found_.slot(Field::genai_operation);
    const bool genai_names_it = operation != nullptr && span.convention != "langsmith";
    batch_.operation_type.put(row, genai_names_it ? operation->text() : span.operation);
    batch_.convention.put(row, span.convention);
    batch_.mapping_version.put(row, mapping_version);
    write_identity(row, span, source);
    write_settings(row, span);
    write_usage(row, span, source.scope);
    write_costs(row, span);
    write_status(row);
    write_tags(row);
    if (found_.usage_ignored()) batch_.flags.set(row, batch_.flags[row] | flag_usage_ignored);
    write_attributes(row, span, source.attributes);
    write_events(row, source);
    return span;
}

void SpanReader::read_details(std::size_t row, RawRange attributes) {
    collect(attributes, {}, Nanos{INT64_MAX}, ScopeKind::ordinary);
    Recognised span = recognise(found_, ScopeKind::ordinary, {});
    if (span.convention.empty()) span.convention = "otel-genai";
    // Details of an operation that names itself not are those of a model call.
    if (span.meaning == SpanMeaning::other) span.meaning = SpanMeaning::llm;
    read_json_facts();
    content_.read(found_, span, false);
    content_.write(batch_, row);
    write_identity(row, span, {});
    write_settings(row, span);
    write_usage(row, span, ScopeKind::ordinary);
    write_costs(row, span);
}

}  // namespace obs
