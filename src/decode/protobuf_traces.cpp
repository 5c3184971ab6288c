#include <string_view>
#include <vector>

#include "decode/protobuf.h"
#include "decode/protobuf_envelopes.h"
#include "decode/readers.h"
#include "decode/span_rows.h"

namespace obs {

namespace {

class TraceRequest {
public:
    TraceRequest(std::string_view body, SpanRows& rows)
        : body_(body), rows_(rows), reader_(body, rows.lists) {}

    bool read() {
        const auto read_item = [this](std::string_view message) {
            rows_.open_span();
            return span(message);
        };
        return ProtobufEnvelopes(rows_, reader_, {"resource_spans", "scope_spans", "spans"}, read_item)
            .read(body_);
    }
    Error error() const { return reader_.error(); }

private:
    bool span(std::string_view message) {
        SpanFields fields;
        std::size_t attributes = 0;
        events_.clear();
        links_.clear();
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::length): fields.trace_id = in.bytes(); break;
                case wire_tag(2, Wire::length): fields.span_id = in.bytes(); break;
                case wire_tag(3, Wire::length): fields.trace_state = in.bytes(); break;
                case wire_tag(4, Wire::length): fields.parent_span_id = in.bytes(); break;
                case wire_tag(5, Wire::length): fields.name = in.bytes(); break;
                case wire_tag(6, Wire::varint): fields.kind = in.varint32(); break;
                case wire_tag(7, Wire::fixed64): fields.start = in.fixed64(); break;
                case wire_tag(8, Wire::fixed64): fields.end = in.fixed64(); break;
                case wire_tag(9, Wire::length):
                    if (!reader_.attribute(in.bytes(), rows_.attributes()))
                        return reader_.in("attributes", attributes);
                    ++attributes;
                    break;
                // Lists must not interleave, so these wait until the span's own attributes are complete.
                case wire_tag(11, Wire::length): events_.push_back(in.bytes()); break;
                case wire_tag(13, Wire::length): links_.push_back(in.bytes()); break;
                case wire_tag(10, Wire::varint): fields.dropped_attributes = in.varint32(); break;
                case wire_tag(12, Wire::varint): fields.dropped_events = in.varint32(); break;
                case wire_tag(14, Wire::varint): fields.dropped_links = in.varint32(); break;
                case wire_tag(15, Wire::length):
                    if (!status(in.bytes(), fields)) return reader_.in("status");
                    break;
                default: in.skip();
            }
        }
        if (!reader_.done(in)) return false;
        for (std::size_t i = 0; i < events_.size() && rows_.has_room_for_event(); ++i)
            if (!event(events_[i])) return reader_.in("events", i);
        for (std::size_t i = 0; i < links_.size() && rows_.has_room_for_link(); ++i)
            if (!link(links_[i])) return reader_.in("links", i);
        rows_.close_span(fields);
        return true;
    }

    bool status(std::string_view message, SpanFields& fields) {
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(2, Wire::length): fields.status_message = in.bytes(); break;
                case wire_tag(3, Wire::varint): fields.status_code = in.varint32(); break;
                default: in.skip();
            }
        }
        return reader_.done(in);
    }

    bool event(std::string_view message) {
        std::uint64_t time = 0;
        std::string_view name;
        bool dropped = false;
        std::size_t index = 0;
        RawRange attributes = rows_.lists.begin_list();
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::fixed64): time = in.fixed64(); break;
                case wire_tag(2, Wire::length): name = in.bytes(); break;
                case wire_tag(3, Wire::length):
                    if (!reader_.attribute(in.bytes(), attributes)) return reader_.in("attributes", index);
                    ++index;
                    break;
                case wire_tag(4, Wire::varint): dropped = in.varint32() != 0; break;
                default: in.skip();
            }
        }
        if (!reader_.done(in)) return false;
        rows_.add_event(time, name, attributes, dropped);
        return true;
    }

    bool link(std::string_view message) {
        LinkFields fields;
        std::size_t index = 0;
        RawRange attributes = rows_.lists.begin_list();
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::length): fields.trace_id = in.bytes(); break;
                case wire_tag(2, Wire::length): fields.span_id = in.bytes(); break;
                case wire_tag(4, Wire::length):
                    if (!reader_.attribute(in.bytes(), attributes)) return reader_.in("attributes", index);
                    ++index;
                    break;
                case wire_tag(5, Wire::varint): fields.dropped = in.varint32() != 0; break;
                default: in.skip();
            }
        }
        if (!reader_.done(in)) return false;
        rows_.add_link(fields, attributes);
        return true;
    }

    std::string_view body_;
    SpanRows& rows_;
    ProtobufReader reader_;
    std::vector<std::string_view> events_, links_;
};

}  // namespace

Result<void> read_protobuf(std::string_view body, SpanRows& rows) {
    TraceRequest request(body, rows);
    if (!request.read()) return std::unexpected(request.error());
    return {};
}

}  // namespace obs
