// What the OTLP service counted since it was made. Counters only grow; any thread may read them at any time.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/intake.h"

namespace obs::receive {

enum class Transport : std::uint8_t { http, grpc };
// Why a request was refused, and `none` for one that was accepted.
enum class Refusal : std::uint8_t {
    none,
    route,            // no such path, method or content type
    unauthenticated,  // unknown key
    forbidden,        // known key, or a browser's origin, without the right
    quota,            // the key's share is used up
    invalid,          // cannot be decoded
    too_large,
    overloaded,   // no room in the byte budget or a queue
    unavailable,  // disk or engine
    late,         // the client's deadline, or too slow a body
    internal,
};

inline constexpr std::array<std::string_view, 3> signal_names{"traces", "logs", "metrics"};
inline constexpr std::array<std::string_view, 2> transport_names{"http", "grpc"};
inline constexpr std::array<std::string_view, 2> encoding_names{"protobuf", "json"};
inline constexpr std::array<std::string_view, 11> refusal_names{
    "none",      "route",      "unauthenticated", "forbidden", "quota",   "invalid",
    "too_large", "overloaded", "unavailable",     "late",      "internal"};

class ReceiveMetrics {
public:
    using Counter = std::atomic<std::uint64_t>;

    // Requests whose signal is known, by what became of them.
    Counter& requests(Signal signal, Transport transport, Encoding encoding, Refusal outcome) {
        return requests_[index(signal)][index(transport)][index(encoding)][index(outcome)];
    }
    // Calls back with (signal, transport, encoding, outcome, count) for every combination that occurred.
    template <class Visit>
    void each_request_count(Visit visit) const {
        for (std::size_t s = 0; s < signal_names.size(); ++s)
            for (std::size_t t = 0; t < transport_names.size(); ++t)
                for (std::size_t e = 0; e < encoding_names.size(); ++e)
                    for (std::size_t o = 0; o < refusal_names.size(); ++o)
                        if (const std::uint64_t count = requests_[s][t][e][o].load(std::memory_order_relaxed))
                            visit(signal_names[s], transport_names[t], encoding_names[e], refusal_names[o],
                                  count);
    }

    Counter unrouted{0};            // requests for none of the signals: unknown paths and methods
    Counter received_bytes{0};      // bodies as they came
    Counter decompressed_bytes{0};  // the same bodies, decompressed
    Counter rejected_items{0};      // spans, log records and points refused one by one

private:
    template <class Enum>
    static constexpr std::size_t index(Enum value) {
        return static_cast<std::size_t>(value);
    }

    std::array<std::array<std::array<std::array<Counter, 11>, 2>, 2>, 3> requests_{};
};

}  // namespace obs::receive
