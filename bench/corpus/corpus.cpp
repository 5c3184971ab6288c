#include "corpus/corpus.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "base/buffer.h"

namespace obs {

namespace {

// Protobuf's wire format, as much of it as is needed here.
void put_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
}
void put_bytes(std::string& out, unsigned field, std::string_view content) {
    put_varint(out, field << 3 | 2);
    put_varint(out, content.size());
    out += content;
}
void put_number(std::string& out, unsigned field, std::uint64_t value) {
    put_varint(out, field << 3);
    put_varint(out, value);
}
template <class T>
void put_fixed64(std::string& out, unsigned field, T value) {
    put_varint(out, field << 3 | 1);
    char raw[8];
    std::memcpy(raw, &value, sizeof raw);
    out.append(raw, sizeof raw);
}
void put_attribute(std::string& out, unsigned field, std::string_view key, std::string_view any_value) {
    std::string pair;
    put_bytes(pair, 1, key);
    put_bytes(pair, 2, any_value);
    put_bytes(out, field, pair);
}
void put_text(std::string& out, unsigned field, std::string_view key, std::string_view text) {
    std::string value;
    put_bytes(value, 1, text);
    put_attribute(out, field, key, value);
}
void put_integer(std::string& out, unsigned field, std::string_view key, std::int64_t integer) {
    std::string value;
    put_number(value, 3, static_cast<std::uint64_t>(integer));
    put_attribute(out, field, key, value);
}
void put_double(std::string& out, unsigned field, std::string_view key, double number) {
    std::string value;
    put_fixed64(value, 4, number);
    put_attribute(out, field, key, value);
}

// A list of one text.
void put_list(std::string& out, unsigned field, std::string_view key, std::string_view text) {
    std::string element, list, value;
    put_bytes(element, 1, text);
    put_bytes(list, 1, element);
    put_bytes(value, 5, list);
    put_attribute(out, field, key, value);
}

struct Model {
    std::string_view provider, asked, answered;
    unsigned share;  // of a hundred calls
};
constexpr std::array<Model, 7> models = {{
    {"openai", "gpt-4o", "gpt-4o-2024-08-06", 34},
    {"openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", 26},
    {"anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", 18},
    {"gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash", 9},
    {"openai", "gpt-4.1", "gpt-4.1-2025-04-14", 7},
    {"anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001", 4},
    {"mistral_ai", "mistral-large-latest", "mistral-large-2411", 2},
}};
constexpr std::array<std::string_view, 8> services = {"chat-api",     "support-bot", "search-rag",
                                                      "summarizer",   "agents",      "code-review",
                                                      "email-triage", "translator"};
constexpr std::array<std::string_view, 48> words = {
    "the",     "customer", "order",    "refund",    "please", "invoice",      "model",  "answer",
    "with",    "for",      "delivery", "address",   "change", "account",      "of",     "a",
    "and",     "to",       "payment",  "is",        "not",    "available",    "today",  "shipping",
    "label",   "was",      "sent",     "yesterday", "status", "tracking",     "number", "could",
    "you",     "explain",  "policy",   "days",      "return", "item",         "in",     "original",
    "package", "thank",    "help",     "with",      "my",     "subscription", "cancel", "plan"};

}  // namespace

Corpus::Corpus(CorpusOptions options)
    : options_(std::move(options)), state_(options_.seed * 0x9e3779b97f4a7c15 + 1) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options_.templates, 1); ++i)
        templates_.push_back(make_template());
}

// SplitMix64.
std::uint64_t Corpus::random() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

Corpus::Template Corpus::make_template() {
    Template made;
    std::string scope;
    put_bytes(scope, 1, "opentelemetry.instrumentation.openai_v2");
    put_bytes(scope, 2, "2.1b0");
    std::string spans;
    put_bytes(spans, 1, scope);
    for (std::size_t i = 0; i < options_.spans; ++i) {
        Span at{};
        const std::string span = make_span(at);
        std::string head;
        put_varint(head, 2 << 3 | 2);
        put_varint(head, span.size());
        const auto begin = static_cast<std::uint32_t>(spans.size() + head.size());
        for (std::uint32_t* offset : {&at.trace_id, &at.span_id, &at.start, &at.end}) *offset += begin;
        if (at.parent_id != 0) at.parent_id += begin;
        made.spans.push_back(at);
        spans += head;
        spans += span;
    }
    const std::string_view service = options_.service.empty() ? services[templates_.size() % services.size()]
                                                              : std::string_view(options_.service);
    std::string attributes;
    put_text(attributes, 1, "service.name", service);
    put_text(attributes, 1, "service.version", "3.14.2");
    put_text(attributes, 1, "deployment.environment.name",
             templates_.size() % 4 == 3 ? "staging" : "production");
    put_text(attributes, 1, "telemetry.sdk.language", "python");
    put_text(attributes, 1, "telemetry.sdk.version", "1.38.0");
    std::string resource_spans;
    put_bytes(resource_spans, 1, attributes);
    put_varint(resource_spans, 2 << 3 | 2);
    put_varint(resource_spans, spans.size());
    const auto inner = static_cast<std::uint32_t>(resource_spans.size());
    resource_spans += spans;
    put_varint(made.body, 1 << 3 | 2);
    put_varint(made.body, resource_spans.size());
    const auto outer = inner + static_cast<std::uint32_t>(made.body.size());
    made.body += resource_spans;
    made.size = made.body.size();
    made.body.resize(made.size + Buffer::padding);
    for (Span& at : made.spans) {
        for (std::uint32_t* offset : {&at.trace_id, &at.span_id, &at.start, &at.end}) *offset += outer;
        if (at.parent_id != 0) at.parent_id += outer;
    }
    return made;
}

std::string Corpus::make_span(Span& at) {
    const Model* model = models.data();
    for (std::uint64_t draw = random() % 100; draw >= model->share; ++model) draw -= model->share;
    const auto text_of = [&](std::size_t bytes) {
        std::string text;
        while (text.size() < bytes) {
            if (!text.empty()) text += random() % 12 == 0 ? ". " : " ";
            text += words[random() % words.size()];
        }
        return text;
    };
    // Log-normal, as token counts and durations are.
    const auto log_normal = [&](double median, double spread) {
        double sum = 0;
        for (int i = 0; i < 12; ++i) sum += static_cast<double>(random() >> 11) * 0x1p-53;
        return median * std::exp(spread * (sum - 6));
    };
    std::string span;
    const auto patch = [&](unsigned field, std::size_t size) {
        put_bytes(span, field, std::string(size, '\1'));
        return static_cast<std::uint32_t>(span.size() - size);
    };
    at.trace_id = patch(1, 16);
    at.span_id = patch(2, 8);
    if (random() % 5 == 0) at.parent_id = patch(4, 8);
    put_bytes(span, 5, fmt::format("chat {}", model->asked));
    put_number(span, 6, 3);
    put_fixed64(span, 7, std::uint64_t{1});
    at.start = static_cast<std::uint32_t>(span.size() - 8);
    put_fixed64(span, 8, std::uint64_t{2});
    at.end = static_cast<std::uint32_t>(span.size() - 8);
    at.age = static_cast<std::int64_t>(random() % 1'000'000'000);
    at.duration = static_cast<std::int64_t>(log_normal(1.1e9, 0.7));

    const double prompt_tokens = std::ceil(log_normal(650, 0.9));
    const double completion_tokens = std::ceil(log_normal(180, 0.8));
    put_text(span, 9, "gen_ai.operation.name", "chat");
    put_text(span, 9, "gen_ai.provider.name", model->provider);
    put_text(span, 9, "gen_ai.request.model", model->asked);
    put_text(span, 9, "gen_ai.response.model", model->answered);
    put_text(span, 9, "gen_ai.response.id", fmt::format("resp_{:08x}", random() >> 32));
    put_integer(span, 9, "gen_ai.usage.input_tokens", static_cast<std::int64_t>(prompt_tokens));
    put_integer(span, 9, "gen_ai.usage.output_tokens", static_cast<std::int64_t>(completion_tokens));
    put_double(span, 9, "gen_ai.request.temperature", 0.1 * static_cast<double>(random() % 11));
    put_integer(span, 9, "gen_ai.request.max_tokens", 1024);
    put_list(span, 9, "gen_ai.response.finish_reasons", random() % 20 == 0 ? "length" : "stop");
    put_text(span, 9, "user.id", fmt::format("user-{:06}", random() % 20'000));
    put_text(span, 9, "session.id", fmt::format("s-{:08x}", random() % 200'000));
    if (options_.kind == CorpusOptions::Kind::content) {
        const auto message = [&](std::string_view role, std::size_t bytes) {
            return fmt::format(R"([{{"role":"{}","parts":[{{"type":"text","content":"{}"}}]}}])", role,
                               text_of(bytes));
        };
        put_text(span, 9, "gen_ai.input.messages", message("user", 900 + random() % 200));
        put_text(span, 9, "gen_ai.output.messages", message("assistant", 420 + random() % 160));
    }
    if (random() % 50 == 0) {
        put_text(span, 9, "error.type", "RateLimitError");
        std::string status;
        put_bytes(status, 2, "429 Too Many Requests");
        put_number(status, 3, 2);
        put_bytes(span, 15, status);
    }
    return span;
}

std::string_view Corpus::next(UnixNanos now) {
    Template& request = templates_[turn_++ % templates_.size()];
    char* const body = request.body.data();
    // Unique by counting, spread by an invertible mix.
    const auto id = [&] {
        std::uint64_t z = (options_.seed << 40) + ++ids_;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    };
    const auto put = [&](std::uint32_t at, auto value) { std::memcpy(body + at, &value, sizeof value); };
    for (const Span& span : request.spans) {
        const std::uint64_t own = id();
        put(span.trace_id, own);
        put(span.trace_id + 8, own ^ 0x5bd1e995a5a5a5a5);
        put(span.span_id, own);
        if (span.parent_id != 0) put(span.parent_id, own ^ 0x1d872b41f0f0f0f0);
        const std::int64_t end = now.since_epoch - span.age;
        put(span.end, end);
        put(span.start, end - span.duration);
    }
    return {body, request.size};
}

}  // namespace obs
