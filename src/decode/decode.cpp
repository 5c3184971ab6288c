#include "decode/decode.h"

#include "decode/readers.h"

namespace obs {

namespace {

template <class Rows, class Raw>
Result<Decoded<Raw>> decode(Encoding encoding, std::string_view body, const DecodeLimits& limits,
                            UnixNanos now, std::string_view items) {
    Decoded<Raw> decoded;
    Rows rows(decoded.rows, encoding, limits, now);
    rows.lists.expect(body.size());
    OBS_TRY_VOID(encoding == Encoding::json ? read_json(body, rows) : read_protobuf(body, rows));
    decoded.rejected = rows.refusals.total();
    decoded.message = rows.refusals.message(items);
    return decoded;
}

}  // namespace

Result<Decoded<RawSpans>> decode_traces(Encoding encoding, std::string_view body, const DecodeLimits& limits,
                                        UnixNanos now) {
    return decode<SpanRows, RawSpans>(encoding, body, limits, now, "spans");
}
Result<Decoded<RawLogs>> decode_logs(Encoding encoding, std::string_view body, const DecodeLimits& limits,
                                     UnixNanos now) {
    return decode<LogRows, RawLogs>(encoding, body, limits, now, "log records");
}
Result<Decoded<RawMetrics>> decode_metrics(Encoding encoding, std::string_view body,
                                           const DecodeLimits& limits, UnixNanos now) {
    return decode<PointRows, RawMetrics>(encoding, body, limits, now, "data points");
}

}  // namespace obs
