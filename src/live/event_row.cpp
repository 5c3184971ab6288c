#include "live/event_row.h"

#include <cmath>
#include <string_view>

#include <simdjson.h>

#include "query/fields.h"

namespace obs::live {

namespace {

class Members {
public:
    explicit Members(std::string_view json) : padded_(json) {
        known_ = parser_.parse(padded_).get(root_) == simdjson::SUCCESS;
    }
    std::string_view text(std::string_view name) const {
        std::string_view value;
        return known_ && root_[name].get(value) == simdjson::SUCCESS ? value : std::string_view();
    }
    std::optional<double> number(std::string_view name) const {
        double value = 0;
        if (!known_ || root_[name].get(value) != simdjson::SUCCESS) return std::nullopt;
        return value;
    }

private:
    simdjson::padded_string padded_;
    simdjson::dom::parser parser_;
    simdjson::dom::object root_;
    bool known_ = false;
};

}  // namespace

AnyBatch row_of(const LiveEvent& event) {
    const Members data(event.data);
    AnyBatch batch = SpanBatch();
    auto& row = std::get<SpanBatch>(batch);
    row.ts.put(0, event.at);
    row.org_id.put(0, event.org);
    row.project_id.put(0, event.project);
    row.provider.put(0, data.text("provider"));
    row.model.put(0, data.text("model"));
    row.environment.put(0, data.text("environment"));
    row.service_name.put(0, data.text("service_name"));
    row.user_id.put(0, data.text("user_id"));
    row.session_id.put(0, data.text("session_id"));
    if (const auto dollars = data.number("cost_usd")) row.total_cost.put(0, usd_from_dollars(*dollars));
    constexpr double longest = 9e12;  // milliseconds that fit
    if (const auto duration = data.number("duration_ms"); duration && std::abs(*duration) < longest)
        row.duration.put(0, Nanos{std::llround(*duration * 1e6)});
    if (const auto status = query::status_from(data.text("status_code"))) row.status_code.put(0, *status);
    return batch;
}

}  // namespace obs::live
