#include "jobs/parquet_columns.h"

#include <span>
#include <string_view>

namespace obs::jobs {

namespace {

using query::FieldKind;
using Words = std::vector<std::string_view>;

// All words of a code, which begin at 0.
template <class Word>
Words all_words(Word word) {
    Words words;
    for (std::uint8_t code = 0; !word(code).empty(); ++code) words.push_back(word(code));
    return words;
}

std::span<const std::string_view> words_of(FieldKind kind) {
    static const Words statuses = all_words(query::status_word), kinds = all_words(query::span_kind_word),
                       repairs = query::repair_words(~std::uint32_t{0});
    switch (kind) {
        case FieldKind::status: return statuses;
        case FieldKind::span_kind: return kinds;
        case FieldKind::repairs: return repairs;
        default: return {};
    }
}

ParquetColumn::As shown_as(FieldKind kind) {
    switch (kind) {
        case FieldKind::status:
        case FieldKind::span_kind: return ParquetColumn::As::word;
        case FieldKind::repairs: return ParquetColumn::As::words;
        case FieldKind::flag: return ParquetColumn::As::flag;
        case FieldKind::whole_milliseconds: return ParquetColumn::As::whole_milliseconds;
        default: return ParquetColumn::As::value;
    }
}

std::vector<FieldRef> fields_of(const query::Selection::Member& member, TableId table) {
    if (member.field->kind != FieldKind::parameters)
        return {{member.field->column, member.key, member.field->derived}};
    std::vector<FieldRef> fields;
    for (const std::string_view name : query::parameter_columns())
        fields.push_back({find_column(table, name)});
    return fields;
}

}  // namespace

Result<std::vector<ParquetColumn>> parquet_columns(const query::Selection& selection) {
    std::vector<ParquetColumn> columns;
    for (const auto& member : selection.members()) {
        if (!is_parquet_name(member.name))
            return fail(
                ErrorKind::invalid_input,
                "a Parquet column cannot be called \"{}\": letters, digits, _ . and - alone, at most {}",
                std::string_view(member.name).substr(0, 100), ParquetColumn::longest_name);
        const FieldKind kind = member.field->kind;
        columns.push_back(
            {member.name, fields_of(member, selection.table()), shown_as(kind), words_of(kind)});
    }
    return columns;
}

}  // namespace obs::jobs
