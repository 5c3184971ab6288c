// What one acknowledged request puts into the journal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "journal/journal.h"
#include "model/batches.h"
#include "model/intake.h"

namespace obs {

struct Payload {
    Fingerprint request;
    Tenant tenant;
    SpanBatch spans;
    SpanBatch running;  // never stored
    SpanBatch content;  // of log events, to be joined to their spans
    std::vector<AnyBatch> others;

    std::size_t rows() const;   // to be stored
    std::size_t bytes() const;  // of all columns
};

void append_payload(std::string& out, const Payload& payload);
Result<Payload> read_payload(std::string_view bytes);
// Of a payload or a boundary so many bytes tell which request or which records it is.
inline constexpr std::size_t payload_head = 16;
Result<Fingerprint> read_request(std::string_view head);

// The boundary of one write (decision 7): the records it covers. No more than payload_head bytes.
struct Boundary {
    Sequence first = 0, last = 0;
};
std::string encode_boundary(const Boundary& boundary);
Result<Boundary> read_boundary(std::string_view bytes);

}  // namespace obs
