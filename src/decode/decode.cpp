#include "decode/decode.h"

#include "decode/readers.h"

namespace obs {

Result<Decoded<RawSpans>> decode_traces(Encoding encoding, std::string_view body, const DecodeLimits& limits,
                                        UnixNanos now) {
    Decoded<RawSpans> decoded;
    SpanRows rows(decoded.rows, encoding, limits, now);
    if (encoding == Encoding::json) return fail(ErrorKind::invalid_input, "JSON is not read yet");
    OBS_TRY_VOID(read_protobuf(body, rows));
    decoded.rejected = rows.refusals.total();
    decoded.message = rows.refusals.message("spans");
    return decoded;
}

}  // namespace obs
