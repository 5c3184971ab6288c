// The levels of an export request around its items: resources, scopes. The same for traces, logs and metrics.
#pragma once

#include <string_view>

#include "decode/protobuf.h"

namespace obs {

// What the levels are called, for errors.
struct EnvelopeNames {
    std::string_view resource, scope, item;
};

// `item(bytes)` reads one item; false when its bytes cannot be read.
template <class Rows, class Item>
class ProtobufEnvelopes {
public:
    ProtobufEnvelopes(Rows& rows, ProtobufReader& reader, EnvelopeNames names, Item item)
        : rows_(rows), reader_(reader), names_(names), item_(item) {}

    bool read(std::string_view body) {
        WireReader in(body);
        while (in.next()) {
            if (in.tag() != wire_tag(1, Wire::length)) {
                in.skip();
                continue;
            }
            rows_.envelopes.open_resource();
            if (!resource(in.bytes())) return reader_.in(names_.resource, rows_.envelopes.resource_index());
            rows_.envelopes.close_resource();
        }
        return reader_.done(in);
    }

private:
    bool resource(std::string_view message) {
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::length):
                    if (!reader_.resource(in.bytes(), rows_.envelopes.resource_attributes()))
                        return reader_.in("resource");
                    break;
                case wire_tag(2, Wire::length):
                    rows_.envelopes.open_scope();
                    if (!scope(in.bytes())) return reader_.in(names_.scope, rows_.envelopes.scope_index());
                    rows_.envelopes.close_scope();
                    break;
                default: in.skip();
            }
        }
        return reader_.done(in);
    }

    bool scope(std::string_view message) {
        WireReader in(message);
        while (in.next()) {
            switch (in.tag()) {
                case wire_tag(1, Wire::length):
                    if (!reader_.scope(in.bytes(), rows_.envelopes.scope())) return reader_.in("scope");
                    break;
                case wire_tag(2, Wire::length):
                    if (!item_(in.bytes())) return reader_.in(names_.item, rows_.envelopes.item_index());
                    break;
                case wire_tag(3, Wire::length):
                    rows_.envelopes.scope().schema_url = rows_.lists.text(in.bytes());
                    break;
                default: in.skip();
            }
        }
        return reader_.done(in);
    }

    Rows& rows_;
    ProtobufReader& reader_;
    const EnvelopeNames names_;
    Item item_;
};

}  // namespace obs
