// Export requests as an application with many model calls would send them, made fast: encoded once as
// templates, then only ids, times and numbers are patched. The same seed gives the same requests, but for the
// times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace obs {

struct CorpusOptions {
    enum class Kind : std::uint8_t {
        lean,     // a model call with 12 attributes, about 511 bytes, no text
        content,  // the same with a prompt and an answer of about 1.5 KB together, about 2.2 KB
    };
    Kind kind = Kind::lean;
    std::size_t spans = 512;     // per request, all of one resource and scope
    std::size_t templates = 16;  // different requests, used in turns
    std::uint64_t seed = 1;
    std::string service = "";  // empty: one of eight services, by request
};

// Not thread-safe; a copy with another seed per thread.
class Corpus {
public:
    explicit Corpus(CorpusOptions options);

    // An ExportTraceServiceRequest of model calls, each in a trace of its own; one of five names a parent
    // that was sent elsewhere. Ids are unique over all calls of all corpora with different seeds. The spans
    // end within the last second before `now`. The bytes stay valid until the next call and have 64 readable
    // bytes behind them.
    std::string_view next(UnixNanos now);

    std::size_t spans_per_request() const { return options_.spans; }

private:
    // Where a span's variable fields lie in its request.
    struct Span {
        std::uint32_t trace_id, span_id, parent_id;  // parent_id 0: a root
        std::uint32_t start, end;
        std::int64_t age, duration;  // end before now, end - start
    };
    struct Template {
        std::string body;
        std::size_t size;
        std::vector<Span> spans;
    };
    Template make_template();
    std::string make_span(Span& span);
    std::uint64_t random();

    CorpusOptions options_;
    std::uint64_t state_;
    std::uint64_t ids_ = 0;
    std::vector<Template> templates_;
    std::size_t turn_ = 0;
};

}  // namespace obs
