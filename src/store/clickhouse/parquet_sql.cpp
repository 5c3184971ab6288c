#include "store/clickhouse/parquet_sql.h"

#include <cassert>

#include <fmt/format.h>

#include "store/field.h"
#include "store/sql/render.h"

namespace obs {

namespace {

std::string sql_text(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out += '\'';
}

std::string listed(std::span<const std::string_view> words) {
    std::string out = "[";
    for (const std::string_view word : words) out += (out.size() > 1 ? ", " : "") + sql_text(word);
    return out += ']';
}

std::string_view codec_name(ParquetCodec codec) {
    switch (codec) {
        case ParquetCodec::gzip: return "gzip";
        case ParquetCodec::zstd: return "zstd";
        case ParquetCodec::none: break;
    }
    return "none";
}

// Of a field that is shown as it is.
std::string plain(StatementParts& parts, const FieldRef& field) {
    const std::string value = parts.value_of(field);
    if (field.column == nullptr) return value;
    switch (field.column->type) {
        case ColumnType::text:
        case ColumnType::dict: return fmt::format("nullIf(CAST({}, 'String'), '')", value);
        case ColumnType::map:
            return field.key.empty() ? fmt::format("CAST({}, 'Map(String, String)')", value)
                                     : fmt::format("nullIf({}, '')", value);
        case ColumnType::trace_id:
        case ColumnType::span_id: return fmt::format("if({0} = '', NULL, lower(hex({0})))", value);
        case ColumnType::duration: return fmt::format("{} / 1e6", value);
        // As they are kept, and not as integers.
        case ColumnType::time:
        case ColumnType::usd: return std::string(field.column->name);
        case ColumnType::text_list:
        case ColumnType::f64: return value;
        default: return fmt::format("toInt64({})", value);
    }
}

std::string object_of(StatementParts& parts, const std::vector<FieldRef>& fields) {
    std::vector<std::string> members;
    for (const FieldRef& field : fields) {
        const std::string value = parts.value_of(field);
        members.push_back(fmt::format("if(isNull({0}), '', concat('\"{1}\":', ifNull(toString({0}), '')))",
                                      value, field.column->api_name()));
    }
    const std::string there = fmt::format("arrayFilter(m -> m != '', [{}])", fmt::join(members, ", "));
    return fmt::format("nullIf(concat('{{', arrayStringConcat({}, ','), '}}'), '{{}}')", there);
}

std::string cell(StatementParts& parts, const ParquetColumn& column) {
    if (column.fields.size() > 1) return object_of(parts, column.fields);
    const FieldRef& field = column.fields.front();
    switch (column.as) {
        case ParquetColumn::As::value: return plain(parts, field);
        case ParquetColumn::As::whole_milliseconds: {
            const std::string shifted = fmt::format("({} + 500000)", parts.value_of(field));
            return fmt::format("intDiv({0} - positiveModulo({0}, 1000000), 1000000)", shifted);
        }
        case ParquetColumn::As::flag:
            return fmt::format("CAST({} != 0, '{}')", parts.value_of(field),
                               field.column->optional ? "Nullable(Bool)" : "Bool");
        case ParquetColumn::As::word:
            return fmt::format("nullIf(arrayElement({}, {} + 1), '')", listed(column.words),
                               parts.value_of(field));
        case ParquetColumn::As::words:
            return fmt::format("arrayFilter((word, bit) -> bitTest({}, bit), {}, range({}))",
                               parts.value_of(field), listed(column.words), column.words.size());
    }
    return {};
}

}  // namespace

Statement parquet_statement(const RowQuestion& question, const ParquetFile& file) {
    StatementParts parts(clickhouse_dialect);
    std::vector<std::string> columns;
    for (const ParquetColumn& column : file.columns) {
        assert(is_parquet_name(column.name) && !column.fields.empty());
        columns.push_back(fmt::format("{} AS `{}`", cell(parts, column), column.name));
    }
    std::string where = parts.belongs_to(question.scope);
    if (question.window.from) where += fmt::format(" AND ts >= {}", parts.moment(*question.window.from));
    if (question.window.to) where += fmt::format(" AND ts < {}", parts.moment(*question.window.to));
    if (question.up_to_seq)
        where += fmt::format(" AND seq <= {}", parts.bind(static_cast<std::int64_t>(*question.up_to_seq)));
    if (!question.filter.always()) where += fmt::format(" AND {}", parts.matches(question.filter));
    std::string order = "project_id DESC, ts DESC";
    if (find_column(question.table, "trace_id") != nullptr) order += ", trace_id DESC, span_id DESC";
    std::string sql = fmt::format("SELECT {} FROM {} WHERE {} ORDER BY {}", fmt::join(columns, ", "),
                                  table_name(question.table), where, order);
    if (question.limit != 0) sql += fmt::format(" LIMIT {}", question.limit);
    sql += fmt::format(" INTO OUTFILE {} TRUNCATE FORMAT Parquet", sql_text(file.path.string()));
    Statement statement = parts.put_together(std::move(sql));
    statement.settings = {
        fmt::format("output_format_parquet_compression_method = '{}'", codec_name(file.codec))};
    return statement;
}

}  // namespace obs
