// Where SQL stores differ, the difference is data: a question is rendered once, by render.h.
#pragma once

#include <string_view>

namespace obs {

// Templates. `{x}` is an expression, `{v}` a bound value, `{k}` a bound key of a map, `{c}` a condition.
struct Dialect {
    // `{n}` is the number of a bound value, `{type}` one of the types below.
    std::string_view placeholder;
    std::string_view text, integer, unsigned_integer, number, trace_id, span_id, list_of;
    std::string_view time;  // bound as text, `2026-01-09 12:00:00.123456789` in UTC

    // What is kept in another form, as the integer it means, and back for bounds on ts.
    std::string_view time_as_integer, usd_as_integer, integer_as_time;
    std::string_view saturated_sum;  // of the integers {x} and {v}

    // The condition {c}, kept from the analysis of indexes, which would only lose time with it.
    std::string_view not_for_indexes;
    std::string_view if_null_false;  // a condition that is null for missing values
    std::string_view is_nan;
    std::string_view lower, contains, starts_with, ends_with, regex;  // of texts in lower case but the last
    std::string_view search;                                          // `{v}` is a list of terms
    std::string_view is_in;                                           // `{v}` is a list
    std::string_view id_is_zero;
    std::string_view list_is_empty, list_has, list_has_any, list_any;  // of the last {c} speaks of `element`
    std::string_view map_value;                                        // empty when there is no such key
    std::string_view number_in;  // null when the text {x} is no finite number as a whole
    std::string_view prefix;     // the first {v} bytes

    // Over the rows for which {c} holds; null, but for count, distinct and values, when there is none.
    std::string_view count, sum_of_integers, sum_of_numbers, avg_of_integers, avg_of_numbers, min, max,
        quantile, distinct, distinct_elements, values, values_of_elements;
    std::string_view bucket;        // start of the interval of {v} nanoseconds that the integer {x} is in
    std::string_view each_element;  // a row for each distinct element; one with null when there is none
    std::string_view as_text, as_integer, null_if_empty, null_if_zero_id;
    std::string_view nulls_last;  // behind a direction
};

extern const Dialect clickhouse_dialect;

}  // namespace obs
