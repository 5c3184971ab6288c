#include "model/schema.h"

#include <array>

namespace obs {

namespace {

struct Kind {
    ColumnType type;
    bool optional;
};

// What the type names of the column lists mean.
namespace kind {
constexpr Kind Text{ColumnType::text, false};
constexpr Kind Dict{ColumnType::dict, false};
constexpr Kind TextList{ColumnType::text_list, false};
constexpr Kind Map{ColumnType::map, false};
constexpr Kind U8{ColumnType::u8, false};
constexpr Kind U16{ColumnType::u16, false};
constexpr Kind U32{ColumnType::u32, false};
constexpr Kind U64{ColumnType::u64, false};
constexpr Kind Time{ColumnType::time, false};
constexpr Kind Duration{ColumnType::duration, false};
constexpr Kind TraceIds{ColumnType::trace_id, false};
constexpr Kind SpanIds{ColumnType::span_id, false};
constexpr Kind OptU8{ColumnType::u8, true};
constexpr Kind OptI64{ColumnType::i64, true};
constexpr Kind OptF64{ColumnType::f64, true};
constexpr Kind OptTokens{ColumnType::tokens, true};
constexpr Kind OptUsd{ColumnType::usd, true};
constexpr Kind OptDuration{ColumnType::duration, true};
}  // namespace kind

#define OBS_DESCRIBE_COLUMN(name, Type, flags, meaning) \
    ColumnInfo{#name, kind::Type.type, kind::Type.optional, flags, meaning},
constexpr ColumnInfo span_columns[] = {OBS_SPAN_COLUMNS(OBS_DESCRIBE_COLUMN)};
constexpr ColumnInfo log_columns[] = {OBS_LOG_COLUMNS(OBS_DESCRIBE_COLUMN)};
constexpr ColumnInfo metric_columns[] = {OBS_METRIC_COLUMNS(OBS_DESCRIBE_COLUMN)};
constexpr ColumnInfo score_columns[] = {OBS_SCORE_COLUMNS(OBS_DESCRIBE_COLUMN)};
constexpr ColumnInfo audit_columns[] = {OBS_AUDIT_COLUMNS(OBS_DESCRIBE_COLUMN)};
#undef OBS_DESCRIBE_COLUMN

}  // namespace

std::string ColumnInfo::api_name() const {
    std::string shown(name);
    if (type == ColumnType::duration) shown += "_ms";
    if (type == ColumnType::usd) shown += "_usd";
    return shown;
}

std::string_view table_name(TableId table) {
    switch (table) {
        case TableId::spans: return "spans";
        case TableId::logs: return "logs";
        case TableId::metric_points: return "metric_points";
        case TableId::scores: return "scores";
        case TableId::audit: return "audit";
    }
    return {};
}

std::span<const ColumnInfo> columns_of(TableId table) {
    switch (table) {
        case TableId::spans: return span_columns;
        case TableId::logs: return log_columns;
        case TableId::metric_points: return metric_columns;
        case TableId::scores: return score_columns;
        case TableId::audit: return audit_columns;
    }
    return {};
}

const ColumnInfo* find_column(TableId table, std::string_view name) {
    for (const ColumnInfo& column : columns_of(table))
        if (column.name == name) return &column;
    return nullptr;
}

std::vector<const ColumnInfo*> find_columns(TableId table, std::span<const std::string_view> names) {
    std::vector<const ColumnInfo*> columns;
    for (const std::string_view name : names) columns.push_back(find_column(table, name));
    return columns;
}

}  // namespace obs
