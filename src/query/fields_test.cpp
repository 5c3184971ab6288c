#include "query/fields.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace obs::query {
namespace {

// Contract 1.5 and 1.9.
const std::string_view filterable_names[] = {"ts",
                                             "timestamp",
                                             "trace_id",
                                             "span_id",
                                             "parent_span_id",
                                             "project_id",
                                             "session_id",
                                             "user_id",
                                             "provider",
                                             "model",
                                             "operation_type",
                                             "input_text",
                                             "output_text",
                                             "prompt_tokens",
                                             "completion_tokens",
                                             "total_tokens",
                                             "input_cost_usd",
                                             "output_cost_usd",
                                             "total_cost_usd",
                                             "duration_ms",
                                             "latency_ms",
                                             "time_to_first_token_ms",
                                             "tokens_per_second",
                                             "status_code",
                                             "error_message",
                                             "environment",
                                             "tags",
                                             "metadata",
                                             "model_parameters",
                                             "service_name",
                                             "span_name",
                                             "error_code",
                                             "ttft_ms",
                                             "prompt_cost_usd",
                                             "completion_cost_usd",
                                             "attributes.x",
                                             "metadata.x"};
const std::string_view sortable_names[] = {
    "ts",      "timestamp",      "trace_id",     "span_id",     "provider",    "model",       "duration_ms",
    "ttft_ms", "total_cost_usd", "total_tokens", "status_code", "environment", "service_name"};

TEST(Fields, knowsEveryFilterOfTheContract) {
    for (const std::string_view name : filterable_names) {
        const auto field = find_field(TableId::spans, name);
        ASSERT_TRUE(field) << name;
        EXPECT_TRUE(field->field->filterable) << name;
    }
}

TEST(Fields, knowsEverySortOfTheContract) {
    for (const std::string_view name : sortable_names) {
        const auto field = find_field(TableId::spans, name);
        ASSERT_TRUE(field) << name;
        EXPECT_TRUE(field->field->sortable) << name;
    }
}

TEST(Fields, showsNothingInternal) {
    for (const TableId table : all_tables)
        for (const Field& field : fields_of(table)) {
            EXPECT_FALSE(field.column != nullptr && field.column->has(internal)) << field.name;
            EXPECT_FALSE(field.meaning.empty()) << field.name;
        }
    EXPECT_FALSE(find_field(TableId::spans, "search_text"));
    EXPECT_FALSE(find_field(TableId::spans, "org_id"));
}

TEST(Fields, hasAnOperatorForWhateverCanBeFiltered) {
    for (const Field& field : fields_of(TableId::spans))
        EXPECT_EQ(operators_of(field).empty(), !field.filterable || field.kind == FieldKind::parameters)
            << field.name;
}

TEST(Fields, usesEachNameOnce) {
    for (const TableId table : all_tables) {
        std::vector<std::string> names;
        for (const Field& field : fields_of(table)) {
            names.push_back(field.name);
            names.insert(names.end(), field.aliases.begin(), field.aliases.end());
        }
        std::ranges::sort(names);
        EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
    }
}

TEST(Fields, namesTheRepairs) {
    using testing::ElementsAre;
    EXPECT_THAT(repair_words(flag_negative_duration | flag_content_joined),
                ElementsAre("negative_duration", "content_joined"));
    EXPECT_THAT(repair_words(flag_value_truncated), ElementsAre("value_truncated"));
    EXPECT_THAT(repair_words(0), ElementsAre());
}

}  // namespace
}  // namespace obs::query
