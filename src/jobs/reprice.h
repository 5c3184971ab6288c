// What stored model calls would cost by the prices of now.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "base/money.h"
#include "base/result.h"
#include "base/time.h"
#include "pricing/price_board.h"
#include "store/span_store.h"

namespace obs::jobs {

// Which calls; nothing said means all.
struct RepriceAsked {
    Scope scope;
    Window window{};
    std::vector<std::string> providers{}, models{};  // models that answered or were asked for
};
// Model calls with tokens. Its order and limit do not matter.
RowQuestion reprice_question(const RepriceAsked& asked);

// Of some calls: what they cost as they are stored, and what by the prices of now.
struct RepriceSums {
    std::int64_t calls = 0;
    std::int64_t changed = 0;  // cost, its parts, or the rule
    Usd before{}, after{};
    std::int64_t unpriced_before = 0,
                 unpriced_after = 0;  // no price of the server; a client's claim may count

    void add(const RepriceSums& more);
    bool operator==(const RepriceSums&) const = default;
};

struct RepriceDiff {
    struct Part {
        std::string project, provider, model;
        UnixNanos day;  // its start, UTC
        auto operator<=>(const Part&) const = default;
    };
    // Beyond, calls are added to a part without names.
    static constexpr std::size_t most_parts = 20'000;

    RepriceSums total;
    std::map<Part, RepriceSums> parts;

    void add(Part part, const RepriceSums& sums);
};
// Members of an object that the caller began: the sums, and the `most` parts that change the most.
void write_diff(JsonWriter& json, const RepriceDiff& diff, std::size_t most = 1'000);

// Gets the rows of one project that cost something else, with what they cost now: Amendments::costs. Returns
// what is wrong, to end it.
using RepriceSink = std::function<Result<void>(const std::string& project, SpanBatch costs)>;
// How many calls were looked at.
using RepriceProgress = std::function<void(std::int64_t calls)>;

enum class Reader : bool {
    question,  // as quick as a question may be
    job,       // nobody waits for it, and it takes no more than its share
};

// Looks at every row once. The service that a call was bought as is the one in the rule that priced it, if
// there is one; else the standard one. A call that has a price costs what the server says; without one it
// costs what the client claims, or nothing that is known.
Result<RepriceDiff> reprice(SpanStore& store, const RowQuestion& question, const PriceBoard& prices,
                            Reader reader, const RepriceSink& sink, const RepriceProgress& progress,
                            const Cancel& cancel);

}  // namespace obs::jobs
