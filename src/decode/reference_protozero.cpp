#include <bit>
#include <vector>

#include <protozero/pbf_reader.hpp>

#include "decode/reference_decode.h"
#include "decode/span_rows.h"

namespace obs {

namespace {

using protozero::pbf_reader;

std::string_view view_of(pbf_reader& in) {
    const auto view = in.get_view();
    return {view.data(), view.size()};
}
pbf_reader reader_of(std::string_view message) {
    return pbf_reader{message.data(), message.size()};
}

struct Any {
    std::uint32_t field = 0;
    std::string_view content;
    std::uint64_t bits = 0;
};

Any any_of(std::string_view message) {
    Any any;
    pbf_reader in = reader_of(message);
    while (in.next()) {
        switch (in.tag()) {
            case 1:
            case 5:
            case 6:
            case 7: any = {in.tag(), view_of(in), 0}; break;
            case 2: any = {2, {}, in.get_bool()}; break;
            case 3: any = {3, {}, static_cast<std::uint64_t>(in.get_int64())}; break;
            case 4: any = {4, {}, std::bit_cast<std::uint64_t>(in.get_double())}; break;
            default: in.skip();
        }
    }
    return any;
}

void write(ValueJson& json, const Any& any);

void write_map(ValueJson& json, std::string_view message) {
    pbf_reader in = reader_of(message);
    while (in.next(1)) {
        std::string_view key, value;
        pbf_reader pair = in.get_message();
        while (pair.next()) {
            if (pair.tag() == 1) {
                key = view_of(pair);
            } else if (pair.tag() == 2) {
                value = view_of(pair);
            } else {
                pair.skip();
            }
        }
        if (!json.begin_entry()) continue;
        json.key(key);
        write(json, any_of(value));
        json.end_entry();
    }
}

void write(ValueJson& json, const Any& any) {
    switch (any.field) {
        case 1: json.text(any.content); break;
        case 2: json.boolean(any.bits != 0); break;
        case 3: json.integer(static_cast<std::int64_t>(any.bits)); break;
        case 4: json.number(std::bit_cast<double>(any.bits)); break;
        case 5:
            if (json.begin_list()) {
                pbf_reader in = reader_of(any.content);
                while (in.next(1)) write(json, any_of(view_of(in)));
                json.end_list();
            }
            break;
        case 6:
            if (json.begin_map()) {
                write_map(json, any.content);
                json.end_map();
            }
            break;
        case 7: json.bytes(any.content); break;
        default: json.empty();
    }
}

RawValue value_of(AttributeLists& lists, const Any& any) {
    switch (any.field) {
        case 1: return RawValue::of_text(lists.text(any.content));
        case 2: return RawValue::of_boolean(any.bits != 0);
        case 3: return RawValue::of_integer(static_cast<std::int64_t>(any.bits));
        case 4: return RawValue::of_number(std::bit_cast<double>(any.bits));
        case 5:
        case 6: write(lists.reset_json(), any); return lists.take_json();
        case 7: return lists.bytes(any.content);
        default: return {};
    }
}

void attribute(AttributeLists& lists, pbf_reader pair, RawRange& list) {
    if (!lists.has_room(list)) return;
    std::string_view key;
    Any value;
    while (pair.next()) {
        if (pair.tag() == 1) {
            key = view_of(pair);
        } else if (pair.tag() == 2) {
            value = any_of(view_of(pair));
        } else {
            pair.skip();
        }
    }
    lists.add(list, key) = value_of(lists, value);
}

void status(pbf_reader in, SpanFields& fields) {
    while (in.next()) {
        if (in.tag() == 2) {
            fields.status_message = view_of(in);
        } else if (in.tag() == 3) {
            fields.status_code = static_cast<std::uint32_t>(in.get_enum());
        } else {
            in.skip();
        }
    }
}

void event(SpanRows& rows, pbf_reader in) {
    RawRange list = rows.lists.begin_list();
    std::uint64_t time = 0;
    std::string_view name;
    bool dropped = false;
    while (in.next()) {
        switch (in.tag()) {
            case 1: time = in.get_fixed64(); break;
            case 2: name = view_of(in); break;
            case 3: attribute(rows.lists, in.get_message(), list); break;
            case 4: dropped = in.get_uint32() != 0; break;
            default: in.skip();
        }
    }
    rows.add_event(time, name, list, dropped);
}

void link(SpanRows& rows, pbf_reader in) {
    RawRange list = rows.lists.begin_list();
    LinkFields fields;
    while (in.next()) {
        switch (in.tag()) {
            case 1: fields.trace_id = view_of(in); break;
            case 2: fields.span_id = view_of(in); break;
            case 4: attribute(rows.lists, in.get_message(), list); break;
            case 5: fields.dropped = in.get_uint32() != 0; break;
            default: in.skip();
        }
    }
    rows.add_link(fields, list);
}

void span(SpanRows& rows, pbf_reader in, std::vector<pbf_reader>& events, std::vector<pbf_reader>& links) {
    SpanFields fields;
    events.clear();
    links.clear();
    rows.open_span();
    while (in.next()) {
        switch (in.tag()) {
            case 1: fields.trace_id = view_of(in); break;
            case 2: fields.span_id = view_of(in); break;
            case 3: fields.trace_state = view_of(in); break;
            case 4: fields.parent_span_id = view_of(in); break;
            case 5: fields.name = view_of(in); break;
            case 6: fields.kind = static_cast<std::uint32_t>(in.get_enum()); break;
            case 7: fields.start = in.get_fixed64(); break;
            case 8: fields.end = in.get_fixed64(); break;
            case 9: attribute(rows.lists, in.get_message(), rows.attributes()); break;
            case 10: fields.dropped_attributes = in.get_uint32(); break;
            case 11: events.push_back(in.get_message()); break;
            case 12: fields.dropped_events = in.get_uint32(); break;
            case 13: links.push_back(in.get_message()); break;
            case 14: fields.dropped_links = in.get_uint32(); break;
            case 15: status(in.get_message(), fields); break;
            default: in.skip();
        }
    }
    for (std::size_t i = 0; i < events.size() && rows.has_room_for_event(); ++i) event(rows, events[i]);
    for (std::size_t i = 0; i < links.size() && rows.has_room_for_link(); ++i) link(rows, links[i]);
    rows.close_span(fields);
}

void resource(SpanRows& rows, pbf_reader in) {
    while (in.next()) {
        if (in.tag() == 1) {
            attribute(rows.lists, in.get_message(), rows.envelopes.resource_attributes());
        } else if (in.tag() == 2) {
            if (in.get_uint32() != 0) rows.lists.raise(flag_attributes_dropped);
        } else {
            in.skip();
        }
    }
}

void scope(SpanRows& rows, pbf_reader in) {
    RawScope& scope = rows.envelopes.scope();
    while (in.next()) {
        switch (in.tag()) {
            case 1: scope.name = rows.lists.text(view_of(in)); break;
            case 2: scope.version = rows.lists.text(view_of(in)); break;
            case 3: attribute(rows.lists, in.get_message(), scope.attributes); break;
            case 4:
                if (in.get_uint32() != 0) rows.lists.raise(flag_attributes_dropped);
                break;
            default: in.skip();
        }
    }
}

void scope_spans(SpanRows& rows, pbf_reader in) {
    std::vector<pbf_reader> events, links;
    rows.envelopes.open_scope();
    while (in.next()) {
        switch (in.tag()) {
            case 1: scope(rows, in.get_message()); break;
            case 2: span(rows, in.get_message(), events, links); break;
            case 3: rows.envelopes.scope().schema_url = rows.lists.text(view_of(in)); break;
            default: in.skip();
        }
    }
    rows.envelopes.close_scope();
}

}  // namespace

std::optional<Decoded<RawSpans>> protozero_traces(std::string_view body, const DecodeLimits& limits,
                                                  UnixNanos now) {
    Decoded<RawSpans> decoded;
    SpanRows rows(decoded.rows, Encoding::protobuf, limits, now);
    try {
        pbf_reader in = reader_of(body);
        while (in.next(1)) {
            rows.envelopes.open_resource();
            pbf_reader spans = in.get_message();
            while (spans.next()) {
                if (spans.tag() == 1) {
                    resource(rows, spans.get_message());
                } else if (spans.tag() == 2) {
                    scope_spans(rows, spans.get_message());
                } else {
                    spans.skip();
                }
            }
            rows.envelopes.close_resource();
        }
    } catch (const protozero::exception&) {
        return std::nullopt;
    }
    decoded.rejected = rows.refusals.total();
    decoded.message = rows.refusals.message("spans");
    return decoded;
}

}  // namespace obs
