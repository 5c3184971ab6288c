#include "ingest/payload.h"

#include <cstring>

#include "model/record.h"

namespace obs {

namespace {

enum class Part : std::uint8_t { spans = 1, running = 2, content = 3, others = 4 };

template <class T>
void put(std::string& out, const T& value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint16_t>(text.size()));
    out += text;
}

template <class T>
bool take(std::string_view& bytes, T& value) {
    if (bytes.size() < sizeof value) return false;
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes.remove_prefix(sizeof value);
    return true;
}

bool take_text(std::string_view& bytes, std::string& text) {
    std::uint16_t size = 0;
    if (!take(bytes, size) || bytes.size() < size) return false;
    text.assign(bytes.substr(0, size));
    bytes.remove_prefix(size);
    return true;
}

void append_part(std::string& out, Part part, const AnyBatch& batch) {
    if (size_of(batch) == 0) return;
    put(out, part);
    append_record(out, batch);
}

}  // namespace

std::size_t Payload::rows() const {
    std::size_t sum = spans.size();
    for (const AnyBatch& batch : others) sum += size_of(batch);
    return sum;
}

std::size_t Payload::bytes() const {
    std::size_t sum = bytes_of(spans) + bytes_of(running) + bytes_of(content);
    for (const AnyBatch& batch : others) sum += bytes_of(batch);
    return sum;
}

void append_payload(std::string& out, const Payload& payload) {
    put(out, payload.request.high);
    put(out, payload.request.low);
    put_text(out, payload.tenant.org);
    put_text(out, payload.tenant.project);
    append_part(out, Part::spans, payload.spans);
    append_part(out, Part::running, payload.running);
    append_part(out, Part::content, payload.content);
    for (const AnyBatch& batch : payload.others) append_part(out, Part::others, batch);
}

Result<Payload> read_payload(std::string_view bytes) {
    Payload payload;
    if (!take(bytes, payload.request.high) || !take(bytes, payload.request.low) ||
        !take_text(bytes, payload.tenant.org) || !take_text(bytes, payload.tenant.project))
        return fail(ErrorKind::corrupt, "the head of a payload is cut");
    while (!bytes.empty()) {
        Part part{};
        take(bytes, part);
        AnyBatch batch = OBS_TRY(read_record(bytes));
        auto* spans = std::get_if<SpanBatch>(&batch);
        if (part == Part::others)
            payload.others.push_back(std::move(batch));
        else if (spans == nullptr)
            return fail(ErrorKind::corrupt, "a payload has {} where spans belong",
                        table_name(table_of(batch)));
        else if (part == Part::spans)
            payload.spans = std::move(*spans);
        else if (part == Part::running)
            payload.running = std::move(*spans);
        else if (part == Part::content)
            payload.content = std::move(*spans);
        else
            return fail(ErrorKind::corrupt, "a payload has the unknown part {}", static_cast<int>(part));
    }
    return payload;
}

Result<Fingerprint> read_request(std::string_view head) {
    Fingerprint request;
    if (!take(head, request.high) || !take(head, request.low))
        return fail(ErrorKind::corrupt, "the head of a payload is cut");
    return request;
}

std::string encode_boundary(const Boundary& boundary) {
    std::string out;
    put(out, boundary.first);
    put(out, boundary.last);
    return out;
}

Result<Boundary> read_boundary(std::string_view bytes) {
    Boundary boundary;
    if (!take(bytes, boundary.first) || !take(bytes, boundary.last) || !bytes.empty() ||
        boundary.first > boundary.last)
        return fail(ErrorKind::corrupt, "a boundary is not readable");
    return boundary;
}

}  // namespace obs
