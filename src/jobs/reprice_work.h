// Prices applied to history: the costs of stored model calls are computed again and written in place.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "jobs/lane.h"
#include "jobs/reprice.h"

namespace obs::jobs {

class RepriceWork final : public Work {
public:
    // What a job asked for, in the words of the API; the same each time.
    using PlanOf = std::function<Result<RepriceAsked>(const Job&)>;
    struct Parts {
        SpanStore& store;
        Jobs& jobs;
        const PriceBoard& prices;
        PlanOf plan;
        // StoreWriter::change.
        std::function<Result<void>(Amendments)> change;
        // Costs are others now; answers that were kept are not right any more.
        std::function<void()> changed;
    };
    // What the parts name outlives this.
    explicit RepriceWork(Parts parts) : parts_(std::move(parts)) {}

    // Its result has two members. `planned` is the diff before anything was changed: of the first try,
    // however often it was begun. `stored` is what calls cost when it was done, and what they would cost: the
    // same. What was changed stays so when it is cancelled.
    Result<JobEnd> run(const Job& job, Progress& progress, const Cancel& cancel) override;
    void clear(const Job&) override {}

private:
    Result<std::string> planned(const Job& job, const RowQuestion& question, const Cancel& cancel,
                                const RepriceProgress& progress);

    const Parts parts_;
};

// A member of such a result, JSON; empty when it is not there yet.
std::string reprice_result(std::string_view result, std::string_view member);

}  // namespace obs::jobs
