#include <string_view>

#include "decode/protobuf.h"
#include "decode/protobuf_envelopes.h"
#include "decode/readers.h"

namespace obs {

namespace {

class LogRequest {
public:
    LogRequest(std::string_view body, LogRows& rows) : body_(body), rows_(rows), reader_(body, rows.lists) {}

    bool read() {
        const auto read_item = [this](std::string_view message) {
            rows_.open_record();
            return record(message);
        };
        return ProtobufEnvelopes(rows_, reader_, {"resource_logs", "scope_logs", "log_records"}, read_item)
            .read(body_);
    }
    Error error() const { return reader_.error(); }

private:
    bool record(std::string_view message) {
        LogFields fields;
        ProtobufReader::Any body;
        std::size_t attributes = 0;
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::fixed64): fields.time = in.fixed64(); break;
                case wire_tag(2, Wire::varint): fields.severity_number = in.varint32(); break;
                case wire_tag(3, Wire::length): fields.severity_text = in.bytes(); break;
                case wire_tag(5, Wire::length):
                    if (!reader_.read_any(in.bytes(), body)) return reader_.in("body");
                    break;
                case wire_tag(6, Wire::length):
                    if (!reader_.attribute(in.bytes(), rows_.attributes()))
                        return reader_.in("attributes", attributes);
                    ++attributes;
                    break;
                case wire_tag(7, Wire::varint): fields.dropped_attributes = in.varint32(); break;
                case wire_tag(9, Wire::length): fields.trace_id = in.bytes(); break;
                case wire_tag(10, Wire::length): fields.span_id = in.bytes(); break;
                case wire_tag(11, Wire::fixed64): fields.observed_time = in.fixed64(); break;
                case wire_tag(12, Wire::length): fields.event_name = in.bytes(); break;
                default: in.skip();
            }
        }
        if (!reader_.done(in)) return false;
        if (!reader_.value(body, fields.body)) return reader_.in("body");
        rows_.close_record(fields);
        return true;
    }

    std::string_view body_;
    LogRows& rows_;
    ProtobufReader reader_;
};

}  // namespace

Result<void> read_protobuf(std::string_view body, LogRows& rows) {
    LogRequest request(body, rows);
    if (!request.read()) return std::unexpected(request.error());
    return {};
}

}  // namespace obs
