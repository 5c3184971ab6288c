#include "enrich/enrich.h"

#include <algorithm>

#include "base/json_writer.h"
#include "enrich/event_messages.h"
#include "enrich/price_calls.h"
#include "enrich/rate_texts.h"
#include "enrich/redact.h"
#include "enrich/resources.h"
#include "enrich/sample.h"
#include "enrich/scores.h"
#include "enrich/span_reader.h"
#include "enrich/stop_reasons.h"
#include "enrich/values.h"

namespace obs {

namespace {

struct ScopeFacts {
    ScopeKind kind;
    const ResourceFacts* resource;
};

std::vector<ScopeFacts> read_scopes(const std::vector<RawScope>& scopes,
                                    const std::vector<ResourceFacts>& resources) {
    std::vector<ScopeFacts> facts;
    facts.reserve(scopes.size());
    for (const RawScope& scope : scopes)
        facts.push_back({scope_kind(scope.name), &resources[scope.resource]});
    return facts;
}

std::span<const RawEvent> events_of(const RawSpans& raw, std::size_t row) {
    const std::uint32_t begin = row == 0 ? 0 : raw.events_end[row - 1];
    return std::span(raw.events).subspan(begin, raw.events_end[row] - begin);
}

std::span<const RawLink> links_of(const RawSpans& raw, std::size_t row) {
    const std::uint32_t begin = row == 0 ? 0 : raw.links_end[row - 1];
    return std::span(raw.links).subspan(begin, raw.links_end[row] - begin);
}

void write_links(SpanBatch& batch, std::size_t row, std::span<const RawLink> links,
                 const RawAttributes& raw) {
    if (links.empty()) return;
    std::string json, attributes;
    JsonWriter writer(json);
    writer.begin_array();
    for (const RawLink& link : links) {
        attributes.clear();
        append_attributes_json(attributes, raw, link.attributes);
        writer.begin_object().field("trace_id", link.trace_id.hex()).field("span_id", link.span_id.hex());
        writer.key("attributes").raw(attributes).end_object();
    }
    writer.end_array();
    batch.links.put(row, json);
}

// Post-hoc feedback is a span of its own whose single link names what is scored.
ScoreTarget target_of(const RawSpans& raw, std::size_t row) {
    const std::span<const RawLink> links = links_of(raw, row);
    const std::string_view session = raw.batch.session_id[row];
    if (links.size() == 1) return {links[0].trace_id, links[0].span_id, session};
    return {raw.batch.trace_id[row], raw.batch.span_id[row], session};
}

void read_scores(ScoreBatch& scores, const RawSpans& raw, std::size_t row, const Found& found) {
    add_span_scores(scores, found, target_of(raw, row), raw.batch.ts[row]);
    for (const RawEvent& event : events_of(raw, row))
        if (event.name == "gen_ai.evaluation.result")
            add_evaluation(scores, raw.raw, event.attributes,
                           {raw.batch.trace_id[row], raw.batch.span_id[row], {}}, event.time);
}

bool is_pending(const Found& found) {
    const RawValue* type = found.slot(Field::logfire_span_type);
    return type != nullptr && type->text() == "pending_span";
}

// Logfire's placeholder has an id of its own below the span that it announces.
void name_announced_span(RawSpans& raw, std::size_t row) {
    SpanBatch& batch = raw.batch;
    const std::string_view parent = find_text(raw.raw, raw.attributes[row], "logfire.pending_parent_id");
    batch.span_id.set(row, batch.parent_span_id[row]);
    batch.parent_span_id.set(row, SpanId::from_hex(parent).value_or(SpanId{}));
}

// Steps that every batch takes once its rows are read.
void finish(SpanBatch& batch, const CostNotes& notes, const PriceTable& prices, EnrichedSpans& result) {
    Priced priced = price_calls(batch, notes, prices);
    result.unknown = std::move(priced.unknown);
    result.cost_disagreements = priced.disagreements;
    redact(batch);
    sample(batch);
}

void separate_pending(EnrichedSpans& result, const std::vector<std::size_t>& pending) {
    if (pending.empty()) return;
    SpanBatch all = std::move(result.spans);
    result.spans = {};
    for (std::size_t row = 0, next = 0; row < all.size(); ++row) {
        const bool is_next = next < pending.size() && pending[next] == row;
        append_row(is_next ? result.pending : result.spans, all, row);
        if (is_next) ++next;
    }
}

// Attributes that are all kept, as they came.
class AttributeWriter {
public:
    AttributeWriter(const RawAttributes& raw, Map& map) : raw_(raw), map_(map), last_(raw.keys.size()) {}
    void write(std::size_t row, RawRange range) {
        for (std::uint32_t at = range.begin; at < range.end; ++at) last_[raw_.list[at].key] = at;
        for (std::uint32_t at = range.begin; at < range.end; ++at) {
            const RawAttribute& attribute = raw_.list[at];
            if (last_[attribute.key] != at) continue;
            map_.put(row, raw_.key(attribute), text_of(attribute.value, scratch_), attribute.value.type);
        }
    }

private:
    const RawAttributes& raw_;
    Map& map_;
    std::vector<std::uint32_t> last_;
    std::string scratch_;
};

constexpr std::string_view details_event = "gen_ai.client.inference.operation.details";

// What the event says about a span, as the next row of `content`.
class EventReader {
public:
    EventReader(RawLogs& raw, SpanBatch& content, CostNotes& notes)
        : raw_(raw), content_(content), reader_(raw.raw, content, notes) {}

    void read(std::size_t log_row) {
        const std::string_view event = raw_.batch.event_name[log_row];
        if (event == details_event) {
            if (begin(log_row, event)) reader_.read_details(row_, raw_.attributes[log_row]);
        } else if (is_message_event(event)) {
            read_message(log_row, event);
        }
    }

private:
    bool begin(std::size_t log_row, std::string_view event) {
        const SpanId span = raw_.batch.span_id[log_row];
        const bool names_answer =
            !find_text(raw_.raw, raw_.attributes[log_row], "gen_ai.response.id").empty();
        if (span.is_zero() && !names_answer) return false;
        row_ = content_.size();
        content_.ts.put(row_, raw_.batch.ts[log_row]);
        content_.trace_id.put(row_, raw_.batch.trace_id[log_row]);
        content_.span_id.put(row_, span);
        content_.span_name.put(row_, event);
        content_.flags.put(row_, flag_content_joined | flag_answer_joined);
        return true;
    }

    void read_message(std::size_t log_row, std::string_view event) {
        input_.clear();
        output_.clear();
        const RawValue& body = raw_.body[log_row];
        std::string attributes;
        std::string_view document = body.text();
        if (body.type == AttributeType::empty || document.empty()) {
            append_attributes_json(attributes, raw_.raw, raw_.attributes[log_row]);
            document = attributes;
        }
        read_message_event(event, document, input_, output_);
        if ((input_.empty() && output_.empty()) || !begin(log_row, event)) return;
        const std::string system = input_.take_instructions({});
        if (!system.empty()) content_.system_prompt.put(row_, system);
        if (!input_.is_plain()) content_.input_messages.put(row_, input_.json());
        if (!output_.is_plain()) content_.output_messages.put(row_, output_.json());
        if (const auto text = input_.main_text(); !text.empty()) content_.input_text.put(row_, text);
        if (const auto text = output_.main_text(); !text.empty()) content_.output_text.put(row_, text);
        if (const std::string calls = output_.tool_calls(); !calls.empty())
            content_.tool_calls.put(row_, calls);
        content_.stop_reason.put(row_, canonical_stop_reason(output_.first_finish_reason()));
        if (const auto id = find_text(raw_.raw, raw_.attributes[log_row], "gen_ai.response.id"); !id.empty())
            content_.response_id.put(row_, id);
    }

    RawLogs& raw_;
    SpanBatch& content_;
    SpanReader reader_;
    Conversation input_{Side::input}, output_{Side::output};
    std::size_t row_ = 0;
};

void write_body(LogBatch& batch, std::size_t row, const RawValue& body) {
    if (body.type == AttributeType::empty) return;
    std::string scratch;
    if (const std::string_view text = text_of(body, scratch); !text.empty()) batch.body.put(row, text);
}

void put_environment(column::Dict& column, const std::vector<ResourceFacts>& resources,
                     const std::vector<RawScope>& scopes, const std::vector<std::uint32_t>& scope_of_row) {
    for (std::size_t row = 0; row < scope_of_row.size(); ++row)
        column.put(row, resources[scopes[scope_of_row[row]].resource].environment);
}

}  // namespace

std::uint64_t UnknownModels::spans() const {
    std::uint64_t sum = 0;
    for (const Model& model : models) sum += model.spans;
    return sum;
}

void UnknownModels::add(std::string_view provider, std::string_view model) {
    for (Model& known : models)
        if (known.provider == provider && known.model == model) {
            ++known.spans;
            return;
        }
    // The rest of a flood of names is counted without them.
    if (models.size() >= most_models && !(provider.empty() && model.empty())) {
        add({}, {});
        return;
    }
    models.push_back({std::string(provider), std::string(model), 1});
}

EnrichedSpans Enricher::spans(RawSpans&& raw, const Tenant& tenant) const {
    EnrichedSpans result;
    SpanBatch& batch = raw.batch;
    const std::size_t rows = batch.size();
    const std::vector<ResourceFacts> resources = read_resources(raw.raw, raw.resources);
    const std::vector<ScopeFacts> scopes = read_scopes(raw.scopes, resources);
    put_tenant(batch, rows, tenant.org, tenant.project);
    put_key(batch, rows, tenant.key_id);
    put_origin(batch, rows, resources, raw.scopes, raw.scope);
    CostNotes notes;
    std::vector<std::size_t> pending;
    SpanReader reader(raw.raw, batch, notes);
    for (std::size_t row = 0; row < rows; ++row) {
        const ScopeFacts& scope = scopes[raw.scope[row]];
        reader.read_span(row, {.attributes = raw.attributes[row],
                               .events = events_of(raw, row),
                               .scope = scope.kind,
                               .environment = scope.resource->environment,
                               .release = scope.resource->release,
                               .is_root = batch.parent_span_id[row].is_zero()});
        write_links(batch, row, links_of(raw, row), raw.raw);
        if (is_pending(reader.found())) {
            pending.push_back(row);
            name_announced_span(raw, row);
        } else {
            read_scores(result.scores, raw, row, reader.found());
        }
    }
    batch.error_message = reader.take_error_messages();
    put_tenant(result.scores, result.scores.size(), tenant.org, tenant.project);
    finish(batch, notes, *prices_.prices_of(tenant.org, tenant.project), result);
    read_texts(batch, 0, rows);
    result.spans = std::move(batch);
    separate_pending(result, pending);
    return result;
}

EnrichedLogs Enricher::logs(RawLogs&& raw, const Tenant& tenant) const {
    EnrichedLogs result;
    LogBatch& batch = raw.batch;
    const std::size_t rows = batch.size();
    const std::vector<ResourceFacts> resources = read_resources(raw.raw, raw.resources);
    put_tenant(batch, rows, tenant.org, tenant.project);
    put_origin(batch, rows, resources, raw.scopes, raw.scope);
    put_environment(batch.environment, resources, raw.scopes, raw.scope);
    CostNotes notes;
    EventReader events(raw, result.content, notes);
    AttributeWriter attributes(raw.raw, batch.attributes);
    std::string terms;
    for (std::size_t row = 0; row < rows; ++row) {
        write_body(batch, row, raw.body[row]);
        attributes.write(row, raw.attributes[row]);
        events.read(row);
        if (batch.event_name[row] == "gen_ai.evaluation.result")
            add_evaluation(result.scores, raw.raw, raw.attributes[row],
                           {batch.trace_id[row], batch.span_id[row], {}}, batch.ts[row]);
    }
    const std::size_t told = result.content.size();
    put_tenant(result.content, told, tenant.org, tenant.project);
    put_tenant(result.scores, result.scores.size(), tenant.org, tenant.project);
    price_calls(result.content, notes, *prices_.prices_of(tenant.org, tenant.project));
    redact(result.content);
    redact(batch);
    for (std::size_t row = 0; row < rows; ++row) {
        terms.clear();
        tokeniser_.append_index_terms(batch.body[row], terms);
        if (!terms.empty()) batch.search_text.put(row, terms);
    }
    result.logs = std::move(batch);
    return result;
}

MetricBatch Enricher::metrics(RawMetrics&& raw, const Tenant& tenant) const {
    MetricBatch& batch = raw.batch;
    const std::size_t rows = batch.size();
    const std::vector<ResourceFacts> resources = read_resources(raw.raw, raw.resources);
    put_tenant(batch, rows, tenant.org, tenant.project);
    put_origin(batch, rows, resources, raw.scopes, raw.scope);
    put_environment(batch.environment, resources, raw.scopes, raw.scope);
    AttributeWriter attributes(raw.raw, batch.attributes);
    for (std::size_t row = 0; row < rows; ++row) attributes.write(row, raw.attributes[row]);
    return std::move(batch);
}

void Enricher::read_texts(SpanBatch& spans, std::size_t begin, std::size_t end) const {
    Text made;
    std::string terms;
    const std::size_t stored = std::max(spans.search_text.stored(), end);
    for (std::size_t row = 0; row < stored; ++row) {
        if (row < begin || row >= end) {
            if (const std::string_view kept = spans.search_text[row]; !kept.empty()) made.put(row, kept);
            continue;
        }
        const std::string_view input = spans.input_text[row], output = spans.output_text[row];
        if (input.empty() && output.empty()) continue;
        terms.clear();
        const SharedTerms shared = tokeniser_.append_index_terms(input, output, terms);
        if (!terms.empty()) made.put(row, terms);
        rate_texts(spans, row, shared);
    }
    spans.search_text = std::move(made);
}

}  // namespace obs
