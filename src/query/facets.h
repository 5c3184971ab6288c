// Which values the rows of a list have and how often, and how the rows lie in time: what stands beside a
// list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/question.h"
#include "query/fields.h"
#include "query/figures.h"
#include "query/traces.h"
#include "store/span_store.h"

namespace obs::query {

struct FacetQuestion {
    explicit FacetQuestion(Scope whose) : scope(std::move(whose)) {}

    Scope scope;
    View view = View::calls;
    Filter filter{};
    Window window{};
    UnixNanos now;
    // With values of their own (has_facet). Of `attributes` itself the keys are meant.
    std::vector<NamedField> fields{};
    std::string prefix{};    // of texts: only values that begin with it, case ignored
    std::size_t limit = 20;  // values of each field
};

// Whether the values of the field can be counted: it is a column, and one can filter or group by it.
bool has_facet(const NamedField& field);

struct FacetValue {
    Scalar value;  // in the unit of the column
    std::int64_t count = 0;
};

// The rows are those of the list as they would be without its conditions on this field.
struct Facet {
    NamedField field;
    std::vector<FacetValue> values;     // the most frequent ones first
    std::size_t more = 0;               // values that were found beside them
    std::int64_t rows = 0;              // that were counted; of a prefix: those that have such a value
    std::int64_t missing = 0;           // of them, without a value
    std::optional<Scalar> least, most;  // of numbers and times
    DataSource source = DataSource::raw;
    // Only the newest rows were looked at, those from there on.
    bool sampled = false;
    std::optional<UnixNanos> sampled_from{};
};

struct HistogramQuestion {
    explicit HistogramQuestion(Scope whose) : scope(std::move(whose)) {}

    Scope scope;
    View view = View::calls;
    Filter filter{};
    UnixNanos from, to, now;
    std::vector<UnixNanos> edges{};  // as bucket_edges makes them: the window lies between the outer ones
};

struct HistogramBar {
    UnixNanos at;
    std::int64_t count = 0, errors = 0;
};

struct Histogram {
    std::vector<HistogramBar> bars;  // each step, also those without rows
    DataSource source = DataSource::raw;
};

// Thread-safe. Errors are those of the store.
class Facets {
public:
    struct Limits {
        std::size_t rows = 20'000;      // of a sample
        std::size_t map_rows = 4'000;   // of a sample that reads attributes
        std::size_t value_bytes = 256;  // longer values cannot be chosen and are left out
        Nanos patience = Nanos::seconds(1);
        // Rollups are read where at most so much of the window is left to spans.
        Nanos spans_beside_rollups = Nanos::seconds(180);
    };

    // Outlives this.
    explicit Facets(const Figures& figures) : Facets(figures, Limits{}) {}
    Facets(const Figures& figures, Limits limits) : figures_(figures), limits_(limits) {}

    // In the order of the fields.
    Result<std::vector<Facet>> count(const FacetQuestion& question, const Cancel& cancel) const;
    Result<Histogram> histogram(const HistogramQuestion& question, const Cancel& cancel) const;

private:
    Result<std::vector<Facet>> from_rollups(const FacetQuestion& question, const Filter& filter,
                                            const std::vector<NamedField>& fields,
                                            const Cancel& cancel) const;
    Result<std::vector<Facet>> from_rows(const FacetQuestion& question, const Filter& filter,
                                         const std::vector<NamedField>& fields, const Cancel& cancel) const;
    bool rolled_up(const FigureQuestion& figure, const Window& window, UnixNanos now) const;

    const Figures& figures_;
    const Limits limits_;
};

// The filter without its conditions on the field, as far as all rows must meet them.
Filter without_conditions_on(const Filter& filter, const FieldRef& field);

}  // namespace obs::query
