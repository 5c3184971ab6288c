// The schema, stated once. Each table is a list of columns; from it follow the batch's buffers, the journal
// record, the store's tables, the whitelist of filters and sorts, and GET /api/v1/fields.
//
// Adding a field is one line here, its mapping in enrich/, and a migration per engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace obs {

enum class ColumnType : std::uint8_t {
    text,
    dict,
    text_list,
    map,
    u8,
    u16,
    u32,
    u64,
    i64,
    f64,
    boolean,
    time,
    duration,
    tokens,
    usd,
    trace_id,
    span_id,
};

enum ColumnFlag : std::uint32_t {
    filterable = 1,
    sortable = 2,
    groupable = 4,
    full_text = 8,       // `search` looks here (through search_text)
    content = 16,        // prompt or answer text: needs read:content, redacted, has a lifetime of its own
    internal = 32,       // never shown in an answer
    derived = 64,        // made after the journal (seq, amended_seq): not part of a journal record
    amendable = 128,     // settling may change it later (decision 11)
    with_content = 256,  // follows from prompt or answer text: replaced together with it
};

struct ColumnInfo {
    std::string_view name;
    ColumnType type;
    bool optional;  // has presence: missing is not zero
    std::uint32_t flags;
    std::string_view meaning;

    bool has(ColumnFlag flag) const { return (flags & flag) != 0; }
    // Whether an amendment of a span's content replaces it.
    bool comes_with_content() const { return has(content) || has(with_content); }
    // The name in answers, filters and sorts, where durations are milliseconds and money is dollars:
    // `duration` -> `duration_ms`, `total_cost` -> `total_cost_usd`.
    std::string api_name() const;
};

// In journal records: only ever add at the end.
enum class TableId : std::uint8_t { spans, logs, metric_points, scores, audit };
inline constexpr TableId all_tables[] = {TableId::spans, TableId::logs, TableId::metric_points,
                                         TableId::scores, TableId::audit};
std::string_view table_name(TableId table);
// The columns of a table in their order.
std::span<const ColumnInfo> columns_of(TableId table);
// Null if the table has no such column. `name` is the column's own name, not the API's.
const ColumnInfo* find_column(TableId table, std::string_view name);
// The same of several, in this order.
std::vector<const ColumnInfo*> find_columns(TableId table, std::span<const std::string_view> names);

// Bits of the `flags` column: what had to be repaired or is known to be incomplete.
enum RowFlag : std::uint32_t {
    flag_negative_duration = 1,    // end before start; left out of percentiles
    flag_unfinished = 2,           // end was 0
    flag_time_unit_repaired = 4,   // seconds, milliseconds or microseconds sent as nanoseconds
    flag_bad_parent_id = 8,        // parent id of a wrong length, read as root
    flag_attributes_dropped = 16,  // the producer hit its own limit
    flag_attributes_cut = 32,      // more than 1,024 attributes or deeper than 64 levels: we cut
    flag_value_truncated = 64,     // an attribute value over 1 MiB
    flag_invalid_utf8 = 128,       // bytes replaced by U+FFFD
    flag_usage_ignored = 256,      // a token count below 0 or above 2^40, or a cost that is no number
    flag_link_dropped = 512,       // a link with invalid ids
    flag_content_joined = 1024,    // what was sent came with log events, not with the span
    flag_answer_joined = 2048,     // and what was received
    flag_over_budget = 4096,       // came when a budget was over its hard limit
};

// X(column, type, flags, meaning). Types are the names in model/batches.h.
#define OBS_SPAN_COLUMNS(X)                                                                                  \
    X(org_id, Dict, internal, "organisation that owns the row")                                              \
    X(project_id, Dict, filterable | groupable, "project that owns the row; from the ingest key")            \
    X(seq, U64, internal | derived, "ingest sequence: rows become visible in this order")                    \
    X(amended_seq, U64, internal | derived, "sequence of the last amendment; 0 if never amended")            \
    X(ts, Time, filterable | sortable, "start of the span")                                                  \
    X(duration, Duration, filterable | sortable, "end minus start; negative when the clock went back")       \
    X(trace_id, TraceIds, filterable | sortable, "trace the span belongs to")                                \
    X(span_id, SpanIds, filterable | sortable, "the span")                                                   \
    X(parent_span_id, SpanIds, filterable, "the span that started this one; zero for a root")                \
    X(trace_state, Text, 0, "W3C tracestate")                                                                \
    X(span_name, Dict, filterable | sortable | groupable, "name given by the instrumentation")               \
    X(span_kind, U8, filterable | groupable,                                                                 \
      "OTLP kind: 0 unspecified 1 internal 2 server 3 client 4 producer 5 consumer")                         \
    X(kind, Dict, filterable | groupable,                                                                    \
      "llm embedding retriever reranker tool agent chain guardrail evaluator other")                         \
    X(is_root, U8, filterable | amendable,                                                                   \
      "1 if the span stands for its trace: no parent, or the earliest whose parent never came")              \
    X(is_call, U8, filterable | amendable,                                                                   \
      "1 if the span is a model call of its own: llm, embedding or reranker, and no wrapper of one")         \
    X(operation_type, Dict, filterable | groupable,                                                          \
      "operation as the convention names it: chat, embeddings, execute_tool")                                \
    X(convention, Dict, filterable | groupable, "convention that decided the kind")                          \
    X(mapping_version, U16, filterable, "version of the mapping table that read the span")                   \
    X(service_name, Dict, filterable | sortable | groupable, "service.name of the resource")                 \
    X(environment, Dict, filterable | sortable | groupable, "deployment environment")                        \
    X(release, Dict, filterable | groupable, "release or version of the application")                        \
    X(scope_name, Dict, filterable | groupable, "instrumentation library")                                   \
    X(scope_version, Dict, filterable, "its version")                                                        \
    X(resource, Dict, 0, "remaining resource attributes, as a JSON object")                                  \
    X(provider, Dict, filterable | sortable | groupable, "who serves the model")                             \
    X(model, Dict, filterable | sortable | groupable, "model that answered, else the one asked for")         \
    X(request_model, Dict, filterable | groupable, "model that was asked for")                               \
    X(framework, Dict, filterable | groupable, "framework that named itself where a provider belongs")       \
    X(response_id, Text, filterable, "id of the provider's answer")                                          \
    X(status_code, U8, filterable | sortable | groupable, "0 UNSET 1 OK 2 ERROR")                            \
    X(error_code, Dict, filterable | groupable, "error.type or exception type")                              \
    X(error_message, Text, filterable | content, "status message, exception message")                        \
    X(input_text, Text, filterable | full_text | content | amendable,                                        \
      "last user message, tool arguments, query")                                                            \
    X(output_text, Text, filterable | full_text | content | amendable, "first answer, tool result")          \
    X(system_prompt, Text, content | amendable, "instructions given to the model")                           \
    X(input_messages, Text, content | amendable,                                                             \
      "messages sent as JSON [{role, parts}]; empty if input_text says all")                                 \
    X(output_messages, Text, content | amendable,                                                            \
      "messages received as JSON [{role, parts}]; empty if output_text says all")                            \
    X(tool_calls, Text, content | amendable, "calls asked for by the model as JSON [{id, name, arguments}]") \
    X(tool_definitions, Text, content | amendable, "tools offered to the model as JSON")                     \
    X(prompt_tokens, OptTokens, filterable | sortable | amendable, "input tokens, cached ones included")     \
    X(completion_tokens, OptTokens, filterable | sortable | amendable, "output tokens, reasoning included")  \
    X(total_tokens, OptTokens, filterable | sortable | amendable, "prompt plus completion")                  \
    X(cached_input_tokens, OptTokens, filterable | amendable, "input tokens read from a cache")              \
    X(cache_write_tokens, OptTokens, filterable | amendable, "input tokens written to a cache")              \
    X(reasoning_tokens, OptTokens, filterable | amendable, "output tokens spent on reasoning")               \
    X(audio_input_tokens, OptTokens, filterable | amendable, "input tokens of audio")                        \
    X(audio_output_tokens, OptTokens, filterable | amendable, "output tokens of audio")                      \
    X(image_input_tokens, OptTokens, filterable | amendable, "input tokens of images")                       \
    X(image_output_tokens, OptTokens, filterable | amendable, "output tokens of images")                     \
    X(rollup_prompt_tokens, OptTokens, amendable,                                                            \
      "input tokens of descendants, repeated here; never summed")                                            \
    X(rollup_completion_tokens, OptTokens, amendable,                                                        \
      "output tokens of descendants, repeated here; never summed")                                           \
    X(rollup_cost, OptUsd, amendable, "cost of descendants, repeated here; never summed")                    \
    X(prompt_cost, OptUsd, filterable | sortable | amendable, "cost of the input")                           \
    X(completion_cost, OptUsd, filterable | sortable | amendable, "cost of the output")                      \
    X(total_cost, OptUsd, filterable | sortable | amendable,                                                 \
      "cost of the call; missing if nobody knows a price")                                                   \
    X(cost_source, Dict, filterable | groupable | amendable, "server (our catalogue) or client")             \
    X(price_rule, Dict, filterable | groupable | amendable,                                                  \
      "rule of the price catalogue that priced the span")                                                    \
    X(client_cost, OptUsd, filterable, "cost the client claimed")                                            \
    X(ttft, OptDuration, filterable | sortable, "time to the first token")                                   \
    X(streaming, OptU8, filterable | groupable, "1 if the answer was streamed")                              \
    X(temperature, OptF64, filterable, "sampling temperature")                                               \
    X(top_p, OptF64, filterable, "nucleus sampling")                                                         \
    X(top_k, OptF64, filterable, "top-k sampling")                                                           \
    X(max_tokens, OptI64, filterable, "limit on output tokens")                                              \
    X(seed, OptI64, filterable, "sampling seed")                                                             \
    X(stop_reason, Dict, filterable | groupable | amendable | with_content,                                  \
      "stop length tool_calls content_filter error other")                                                   \
    X(tool_name, Dict, filterable | groupable, "tool that ran")                                              \
    X(agent_name, Dict, filterable | groupable, "agent")                                                     \
    X(user_id, Text, filterable | groupable, "end user")                                                     \
    X(session_id, Text, filterable | groupable, "conversation or session")                                   \
    X(tags, TextList, filterable | groupable, "labels set by the application")                               \
    X(ingest_key, Dict, filterable | groupable, "id of the key it was sent with; empty without one")         \
    X(prompt_name, Dict, filterable | groupable, "managed prompt")                                           \
    X(prompt_version, Dict, filterable | groupable, "its version")                                           \
    X(flags, U32, filterable | amendable | with_content, "repairs and gaps, see RowFlag")                    \
    X(sample_rate, OptF64, 0, "share of such spans that is kept")                                            \
    X(input_sentiment, OptF64, filterable | sortable | amendable | with_content,                             \
      "mood of input_text from -1 to 1; missing without words that carry one")                               \
    X(output_sentiment, OptF64, filterable | sortable | amendable | with_content,                            \
      "mood of output_text from -1 to 1")                                                                    \
    X(coherence, OptF64, filterable | sortable | amendable | with_content,                                   \
      "how far the answer holds together and keeps to the question, from 0 to 1")                            \
    X(attributes, Map, filterable | groupable, "attributes without a column of their own")                   \
    X(events, Text, content, "span events as JSON [{time, name, attributes}]")                               \
    X(links, Text, 0, "span links as JSON [{trace_id, span_id, attributes}]")                                \
    X(search_text, Text, internal | content | amendable,                                                     \
      "index terms of input_text and output_text (decision 19)")

#define OBS_LOG_COLUMNS(X)                                                                        \
    X(org_id, Dict, internal, "organisation that owns the row")                                   \
    X(project_id, Dict, filterable | groupable, "project that owns the row; from the ingest key") \
    X(seq, U64, internal | derived, "ingest sequence: rows become visible in this order")         \
    X(ts, Time, filterable | sortable, "time of the event, else when it was observed")            \
    X(observed_ts, Time, filterable, "when the collector saw it")                                 \
    X(trace_id, TraceIds, filterable, "trace it belongs to; zero if none")                        \
    X(span_id, SpanIds, filterable, "span it belongs to; zero if none")                           \
    X(severity_number, U8, filterable | sortable | groupable, "OTLP severity 0-24")               \
    X(severity_text, Dict, filterable | groupable, "severity as the application spelled it")      \
    X(event_name, Dict, filterable | groupable, "name if the record is an event")                 \
    X(body, Text, filterable | full_text | content, "text, or canonical JSON of a structure")     \
    X(service_name, Dict, filterable | sortable | groupable, "service.name of the resource")      \
    X(environment, Dict, filterable | groupable, "deployment environment")                        \
    X(scope_name, Dict, filterable | groupable, "instrumentation library")                        \
    X(scope_version, Dict, filterable, "its version")                                             \
    X(resource, Dict, 0, "remaining resource attributes, as a JSON object")                       \
    X(flags, U32, filterable, "repairs and gaps, see RowFlag")                                    \
    X(attributes, Map, filterable | groupable, "attributes")                                      \
    X(search_text, Text, internal | content, "index terms of body (decision 19)")

#define OBS_METRIC_COLUMNS(X)                                                                         \
    X(org_id, Dict, internal, "organisation that owns the row")                                       \
    X(project_id, Dict, filterable | groupable, "project that owns the row; from the ingest key")     \
    X(seq, U64, internal | derived, "ingest sequence: rows become visible in this order")             \
    X(ts, Time, filterable | sortable, "time of the point")                                           \
    X(start_ts, Time, filterable, "start of the interval; 0 if unknown")                              \
    X(metric_name, Dict, filterable | sortable | groupable, "name of the metric")                     \
    X(metric_type, Dict, filterable | groupable, "gauge sum histogram exponential_histogram summary") \
    X(unit, Dict, filterable | groupable, "UCUM unit")                                                \
    X(description, Dict, 0, "what the metric says of itself")                                         \
    X(temporality, U8, filterable | groupable, "0 unspecified 1 delta 2 cumulative")                  \
    X(is_monotonic, U8, filterable | groupable, "1 for a counter")                                    \
    X(value, OptF64, filterable | sortable, "value of a gauge or sum")                                \
    X(value_int, OptI64, filterable, "the same where it was sent as an integer")                      \
    X(count, OptI64, filterable, "number of observations of a histogram or summary")                  \
    X(sum, OptF64, filterable, "their sum; missing differs from 0")                                   \
    X(min, OptF64, filterable, "smallest observation")                                                \
    X(max, OptF64, filterable, "largest observation")                                                 \
    X(distribution, Text, 0, "bounds and counts, or quantiles, as JSON")                              \
    X(exemplars, Text, 0, "exemplars as JSON [{time, value, trace_id, span_id, attributes}]")         \
    X(provider, Dict, filterable | groupable, "gen_ai.provider.name of the point")                    \
    X(model, Dict, filterable | groupable, "response model, else request model of the point")         \
    X(service_name, Dict, filterable | sortable | groupable, "service.name of the resource")          \
    X(environment, Dict, filterable | groupable, "deployment environment")                            \
    X(scope_name, Dict, filterable | groupable, "instrumentation library")                            \
    X(scope_version, Dict, filterable, "its version")                                                 \
    X(resource, Dict, 0, "remaining resource attributes, as a JSON object")                           \
    X(flags, U32, filterable, "OTLP data point flags")                                                \
    X(attributes, Map, filterable | groupable, "identity of the series")

#define OBS_SCORE_COLUMNS(X)                                                                      \
    X(org_id, Dict, internal, "organisation that owns the row")                                   \
    X(project_id, Dict, filterable | groupable, "project that owns the row; from the ingest key") \
    X(seq, U64, internal | derived, "ingest sequence: rows become visible in this order")         \
    X(ts, Time, filterable | sortable, "when the score was given")                                \
    X(score_id, Text, filterable, "id given by the sender; the same id replaces")                 \
    X(trace_id, TraceIds, filterable, "trace that is scored; zero if a session is")               \
    X(span_id, SpanIds, filterable, "span that is scored; zero if the trace is")                  \
    X(session_id, Text, filterable, "session that is scored")                                     \
    X(name, Dict, filterable | sortable | groupable, "what is scored: relevance, feedback")       \
    X(value, OptF64, filterable | sortable, "number")                                             \
    X(label, Dict, filterable | groupable, "word: pass, fail, positive")                          \
    X(comment, Text, filterable | content, "explanation")                                         \
    X(source, Dict, filterable | groupable, "HUMAN LLM CODE API")                                 \
    X(user_id, Text, filterable, "who gave it")                                                   \
    X(attributes, Map, filterable, "further details")

// One row per call of the API that was authenticated or denied.
#define OBS_AUDIT_COLUMNS(X)                                                                    \
    X(org_id, Dict, internal, "organisation of the caller; empty if nobody was recognised")     \
    X(project_id, Dict, filterable | groupable, "project that was named; empty if none")        \
    X(seq, U64, internal | derived, "ingest sequence: rows become visible in this order")       \
    X(ts, Time, filterable | sortable, "when the call came")                                    \
    X(user_id, Text, filterable | groupable, "subject of the token, or id of the key")          \
    X(role, Dict, filterable | groupable, "role of the caller")                                 \
    X(action, Dict, filterable | groupable, "read search create update delete export login")    \
    X(resource_type, Dict, filterable | groupable, "what was acted on: traces, users, exports") \
    X(resource_id, Text, filterable, "its id; empty for lists")                                 \
    X(method, Dict, filterable | groupable, "of the request")                                   \
    X(route, Dict, filterable | groupable, "template of the path, never the path itself")       \
    X(http_status, U16, filterable | sortable | groupable, "status of the answer")              \
    X(success, U8, filterable | groupable, "1 below status 400")                                \
    X(error_code, Dict, filterable | groupable, "code of the refusal")                          \
    X(duration, Duration, filterable | sortable, "until the answer was ready")                  \
    X(ip_address, Text, filterable | groupable, "peer of the connection")                       \
    X(user_agent, Dict, filterable, "as the client named itself, cut at 256 bytes")             \
    X(request_id, Text, filterable, "X-Request-ID of the answer")                               \
    X(attributes, Map, filterable, "further details: what was changed")

}  // namespace obs
