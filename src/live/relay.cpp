#include "live/relay.h"

#include <cstdint>
#include <cstring>

#include "live/events.h"
#include "model/record.h"

namespace obs::live {

namespace {

// First byte of a message; 'L' and a version before it, so that instances of another version are not misread.
constexpr std::string_view mark = "L1";
enum class Kind : char { spans = 's', settled = 't', event = 'e' };

void append_number(std::string& out, std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(number >> shift);
}
void append_text(std::string& out, std::string_view text) {
    append_number(out, text.size());
    out += text;
}
template <class Id>
void append_id(std::string& out, const Id& id) {
    out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

// Reads from the front; what is missing makes all of it wrong.
class Reader {
public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    bool good() const { return good_; }
    std::string_view rest() const { return bytes_; }

    std::string_view take(std::uint64_t size) {
        if (size > bytes_.size()) {
            good_ = false;
            bytes_ = {};
            return {};
        }
        const std::string_view taken = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return taken;
    }
    std::uint64_t number() {
        const std::string_view bytes = take(8);
        std::uint64_t number = 0;
        for (std::size_t at = bytes.size(); at-- > 0;)
            number = number << 8 | static_cast<unsigned char>(bytes[at]);
        return number;
    }
    std::string text() { return std::string(take(number())); }
    template <class Id>
    Id id() {
        return Id::from_bytes(take(sizeof(Id))).value_or(Id{});
    }

private:
    std::string_view bytes_;
    bool good_ = true;
};

std::vector<SettledTrace> settled_from(Reader& reader) {
    std::vector<SettledTrace> traces;
    for (std::uint64_t left = reader.number(); left > 0 && reader.good(); --left) {
        SettledTrace trace{reader.text(), reader.text(), reader.id<TraceId>()};
        if (reader.number() != 0) {
            trace.calls.emplace();
            for (std::uint64_t calls = reader.number(); calls > 0 && reader.good(); --calls)
                trace.calls->push_back(reader.id<SpanId>());
        }
        traces.push_back(std::move(trace));
    }
    return traces;
}

void append(std::string& out, const std::vector<SettledTrace>& traces) {
    append_number(out, traces.size());
    for (const SettledTrace& trace : traces) {
        append_text(out, trace.org);
        append_text(out, trace.project);
        append_id(out, trace.id);
        append_number(out, trace.calls ? 1 : 0);
        if (!trace.calls) continue;
        append_number(out, trace.calls->size());
        for (const SpanId& call : *trace.calls) append_id(out, call);
    }
}

}  // namespace

std::string message_of(const Told& told) {
    std::string out(mark);
    if (const auto* rows = std::get_if<AnyBatch>(&told)) {
        out += static_cast<char>(Kind::spans);
        append_record(out, *rows);
    } else if (const auto* traces = std::get_if<std::vector<SettledTrace>>(&told)) {
        out += static_cast<char>(Kind::settled);
        append(out, *traces);
    } else if (const auto* event = std::get_if<LiveEvent>(&told)) {
        out += static_cast<char>(Kind::event);
        append_number(out, index_of(event->type));
        append_text(out, event->org);
        append_text(out, event->project);
        append_number(out, static_cast<std::uint64_t>(event->at.since_epoch));
        append_text(out, event->data);
    }
    return out;
}

Result<Told> told_by(std::string_view message) {
    if (!message.starts_with(mark) || message.size() <= mark.size())
        return fail(ErrorKind::corrupt, "not a message of this version");
    const auto kind = static_cast<Kind>(message[mark.size()]);
    message.remove_prefix(mark.size() + 1);
    if (kind == Kind::spans) {
        AnyBatch rows = OBS_TRY(read_record(message));
        if (table_of(rows) != TableId::spans) return fail(ErrorKind::corrupt, "rows that are no spans");
        return rows;
    }
    Reader reader(message);
    Told told;
    if (kind == Kind::settled) {
        told = settled_from(reader);
    } else if (kind == Kind::event) {
        const std::uint64_t type = reader.number();
        if (type >= all_event_types.size()) return fail(ErrorKind::corrupt, "an unknown event");
        LiveEvent event{all_event_types[type], reader.text(), reader.text(), {}, {}};
        event.at.since_epoch = static_cast<std::int64_t>(reader.number());
        event.data = reader.text();
        told = std::move(event);
    } else {
        return fail(ErrorKind::corrupt, "a message of an unknown kind");
    }
    if (!reader.good() || !reader.rest().empty())
        return fail(ErrorKind::corrupt, "a message that is cut off");
    return told;
}

}  // namespace obs::live
