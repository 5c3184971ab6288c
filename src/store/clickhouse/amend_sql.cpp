#include "store/clickhouse/amend_sql.h"

#include <fmt/format.h>

namespace obs {

namespace {

// own column, rolled-up column
constexpr std::pair<std::string_view, std::string_view> moved[] = {
    {"prompt_tokens", "rollup_prompt_tokens"},
    {"completion_tokens", "rollup_completion_tokens"},
    {"total_cost", "rollup_cost"},
};
constexpr std::string_view details[] = {
    "total_tokens",       "cached_input_tokens", "cache_write_tokens", "reasoning_tokens",
    "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens",
    "prompt_cost",        "completion_cost",
};

std::vector<std::string> to_rollup() {
    std::vector<std::string> changes;
    for (const auto& [own, rolled_up] : moved) {
        changes.push_back(fmt::format("{1} = coalesce({0}, {1})", own, rolled_up));
        changes.push_back(fmt::format("{} = NULL", own));
    }
    for (const std::string_view detail : details) changes.push_back(fmt::format("{} = NULL", detail));
    changes.emplace_back("is_call = 0");
    return changes;
}

std::vector<std::string> to_own() {
    std::vector<std::string> changes;
    for (const auto& [own, rolled_up] : moved) {
        changes.push_back(fmt::format("{0} = coalesce({1}, {0})", own, rolled_up));
        changes.push_back(fmt::format("{} = NULL", rolled_up));
    }
    changes.emplace_back(
        "total_tokens = if(rollup_prompt_tokens IS NULL AND rollup_completion_tokens IS NULL, total_tokens, "
        "coalesce(rollup_prompt_tokens, prompt_tokens, 0) + "
        "coalesce(rollup_completion_tokens, completion_tokens, 0))");
    changes.emplace_back("is_call = 1");
    return changes;
}

std::vector<std::string> new_content() {
    std::vector<std::string> changes;
    for (const ColumnInfo& column : columns_of(TableId::spans))
        if (column.comes_with_content())
            changes.push_back(
                fmt::format("{0} = joinGet('amended_content', '{0}', ts, trace_id, span_id)", column.name));
    return changes;
}

std::vector<std::string> new_costs() {
    std::vector<std::string> changes;
    for (const std::string_view column :
         {"prompt_cost", "completion_cost", "total_cost", "cost_source", "price_rule"})
        changes.push_back(
            fmt::format("{0} = joinGet('amended_costs', '{0}', ts, trace_id, span_id, seq)", column));
    return changes;
}

std::vector<std::string> changes_of(Amendment what) {
    switch (what) {
        case Amendment::to_rollup: return to_rollup();
        case Amendment::to_own: return to_own();
        case Amendment::to_root: return {"is_root = 1"};
        case Amendment::not_root: return {"is_root = 0"};
        case Amendment::content: return new_content();
        case Amendment::costs: return new_costs();
    }
    return {};
}

}  // namespace

Statement rows_to_forget(const Forget& forget) {
    Statement where;
    const auto add = [&](std::string_view text, std::string_view type, Bound value) {
        if (!where.sql.empty()) where.sql += " AND ";
        where.sql += fmt::format("{} {{p{}:{}}}", text, where.values.size(), type);
        where.values.push_back(std::move(value));
    };
    if (!forget.org.empty()) add("org_id =", "String", forget.org);
    if (!forget.project.empty()) add("project_id =", "String", forget.project);
    if (forget.user_id) add("user_id =", "String", *forget.user_id);
    if (forget.before) {
        add("toUnixTimestamp64Nano(ts) <", "Int64", forget.before->since_epoch);
        // Said once more by day, so that younger parts are not looked at.
        where.sql +=
            fmt::format(" AND ts < fromUnixTimestamp64Nano({{p{}:Int64}}, 'UTC')", where.values.size() - 1);
    }
    if (where.sql.empty()) where.sql = "1";
    return where;
}

Statement amend_statement(Amendment what, const Amendments& amendments) {
    std::vector<std::string> changes = changes_of(what);
    changes.emplace_back("amended_seq = {p0:UInt64}");
    const bool by_seq = what == Amendment::costs;
    return {
        fmt::format("UPDATE spans SET {0} WHERE org_id = {{p1:String}} AND project_id = {{p2:String}} AND "
                    "{1}(ts, trace_id, span_id{2}) IN (SELECT ts, trace_id, span_id{2} FROM amended_keys)",
                    fmt::join(changes, ", "), by_seq ? "is_call = 1 AND " : "", by_seq ? ", seq" : ""),
        {amendments.seq, amendments.org, amendments.project},
        {}};
}

Statement remove_repeated_statement(const Amendments& amendments) {
    return {
        "DELETE FROM spans WHERE org_id = {p0:String} AND project_id = {p1:String} AND "
        "(ts, trace_id, span_id, seq) IN (SELECT ts, trace_id, span_id, seq FROM amended_keys) "
        "SETTINGS lightweight_delete_mode = 'lightweight_update_force'",
        {amendments.org, amendments.project},
        {}};
}

Statement forget_statement(const Forget& forget) {
    Statement statement = rows_to_forget(forget);
    std::string change = "DELETE";
    if (forget.what == Forget::What::content) {
        std::vector<std::string> emptied, filled;
        for (const ColumnInfo& column : columns_of(forget.table)) {
            if (column.has(content)) {
                emptied.push_back(fmt::format("{} = ''", column.name));
                filled.push_back(fmt::format("{} != ''", column.name));
            } else if (column.has(with_content) && column.optional) {
                emptied.push_back(fmt::format("{} = NULL", column.name));
                filled.push_back(fmt::format("{} IS NOT NULL", column.name));
            }
        }
        if (emptied.empty()) return {};
        change = fmt::format("UPDATE {}", fmt::join(emptied, ", "));
        statement.sql = fmt::format("({}) AND ({})", statement.sql, fmt::join(filled, " OR "));
    }
    statement.sql =
        fmt::format("ALTER TABLE {} {} WHERE {}", table_name(forget.table), change, statement.sql);
    return statement;
}

}  // namespace obs
