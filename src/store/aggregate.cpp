#include "store/aggregate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "store/evaluate.h"
#include "store/field.h"

namespace obs {

namespace {

using Function = Aggregate::Function;
__extension__ using Wide = __int128;

std::int64_t clamped(Wide sum) {
    constexpr Wide low = std::numeric_limits<std::int64_t>::min();
    constexpr Wide high = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(std::clamp(sum, low, high));
}

std::string as_text(const Value& value) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return std::string(*text);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *number);
    return fmt::format("{}", std::get<double>(value));
}

double as_double(const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
    return std::get<double>(value);
}

// Empty cells behind all others, whatever the way.
std::partial_ordering compare_cells(const Cell& a, const Cell& b) {
    const bool no_a = a.index() == 0, no_b = b.index() == 0;
    if (no_a || no_b) return no_a <=> no_b;
    return a <=> b;
}

double quantile(std::vector<double>& samples, double level) {
    std::sort(samples.begin(), samples.end());
    const double rank = std::clamp(level, 0.0, 1.0) * static_cast<double>(samples.size() - 1);
    const auto low = static_cast<std::size_t>(rank);
    const std::size_t high = std::min(low + 1, samples.size() - 1);
    return samples[low] + (rank - static_cast<double>(low)) * (samples[high] - samples[low]);
}

// What is known so far of one aggregate in one group.
struct Figure {
    std::int64_t count = 0;
    Wide sum = 0;
    double real_sum = 0;
    bool real = false;
    Cell least, greatest;
    std::vector<double> samples;
    std::set<std::string> texts;

    void add(Function function, const Value& value) {
        ++count;
        switch (function) {
            case Function::count: break;
            case Function::sum:
            case Function::avg: add_number(value); break;
            case Function::min: take(least, value, std::partial_ordering::less); break;
            case Function::max: take(greatest, value, std::partial_ordering::greater); break;
            case Function::quantile: samples.push_back(as_double(value)); break;
            case Function::distinct:
            case Function::values: texts.insert(as_text(value)); break;
        }
    }

    Cell cell(const Aggregate& aggregate) {
        switch (aggregate.function) {
            case Function::count: return count;
            case Function::distinct: return static_cast<std::int64_t>(texts.size());
            case Function::values: return std::vector<std::string>(texts.begin(), texts.end());
            default: break;
        }
        if (count == 0) return {};
        switch (aggregate.function) {
            case Function::sum: return real ? Cell(real_sum) : Cell(clamped(sum));
            case Function::avg:
                return (real ? real_sum : static_cast<double>(sum)) / static_cast<double>(count);
            case Function::min: return least;
            case Function::max: return greatest;
            default: return quantile(samples, aggregate.level);
        }
    }

private:
    void add_number(const Value& value) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) {
            sum += *number;
            return;
        }
        real = true;
        real_sum += std::get<double>(value);
    }

    static void take(Cell& kept, const Value& value, std::partial_ordering way) {
        Cell candidate = cell_of(value);
        if (kept.index() == 0 || (candidate <=> kept) == way) kept = std::move(candidate);
    }
};

struct Group {
    std::vector<Cell> cells;
    std::vector<Figure> figures;
};

// A pair for every group that a row belongs to.
struct Member {
    std::uint32_t row;
    std::uint32_t group;
};

void append_key(std::string& key, const Value& value) {
    key += static_cast<char>(value.index());
    if (const auto* text = std::get_if<std::string_view>(&value)) {
        const auto size = static_cast<std::uint32_t>(text->size());
        key.append(reinterpret_cast<const char*>(&size), sizeof size);
        key += *text;
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
        key.append(reinterpret_cast<const char*>(number), sizeof *number);
    } else if (const auto* real = std::get_if<double>(&value)) {
        key.append(reinterpret_cast<const char*>(real), sizeof *real);
    }
}

std::int64_t bucket_of(UnixNanos at, Nanos interval) {
    const std::int64_t rest = at.since_epoch % interval.count;
    return at.since_epoch - rest - (rest < 0 ? interval.count : 0);
}

Result<void> check(const Aggregate& aggregate) {
    if (aggregate.function == Function::count) return {};
    const FieldKind kind = kind_of(aggregate.field);
    const bool words = aggregate.function == Function::distinct || aggregate.function == Function::values;
    const bool ends = aggregate.function == Function::min || aggregate.function == Function::max;
    const bool single = kind != FieldKind::text_list && kind != FieldKind::map;
    if (kind == FieldKind::map || !(kind == FieldKind::number || words || (ends && single)))
        return fail(ErrorKind::invalid_input, "{} does not fit {}", aggregate.name,
                    field_name(aggregate.field));
    return {};
}

bool is_duration(const FieldRef& field) {
    return field.column != nullptr && field.column->type == ColumnType::duration;
}

}  // namespace

struct Grouping::State {
    const GroupQuestion& question;
    std::vector<Matcher> only;  // of each aggregate
    std::unordered_map<std::string, std::uint32_t> index;
    std::vector<Group> groups;
    std::vector<Member> members;
    std::string key;

    void find_members(const AnyBatch& batch, const std::vector<std::uint32_t>& rows) {
        members.clear();
        const column::Time& ts = *find_column_of<column::Time>(batch, "ts");
        std::vector<FieldReader> readers;
        for (const FieldRef& field : question.group_by) readers.emplace_back(batch, field);
        std::vector<Value> values;
        for (const std::uint32_t row : rows) {
            values.clear();
            if (question.interval) values.emplace_back(bucket_of(ts[row], *question.interval));
            add_members(row, readers, values);
        }
    }

    // Goes through every choice of one element from each list.
    void add_members(std::uint32_t row, const std::vector<FieldReader>& readers, std::vector<Value>& values) {
        const std::size_t next = values.size() - (question.interval ? 1 : 0);
        if (next == readers.size()) {
            members.push_back({row, group_of(values)});
            return;
        }
        std::vector<Value> elements;
        readers[next].each(row, [&](const Value& value) {
            if (std::find(elements.begin(), elements.end(), value) == elements.end())
                elements.push_back(value);
        });
        if (elements.empty()) elements.emplace_back();
        for (const Value& element : elements) {
            values.push_back(element);
            add_members(row, readers, values);
            values.pop_back();
        }
    }

    std::uint32_t group_of(const std::vector<Value>& values) {
        key.clear();
        for (const Value& value : values) append_key(key, value);
        const auto [found, is_new] = index.try_emplace(key, static_cast<std::uint32_t>(groups.size()));
        if (is_new) {
            Group& group = groups.emplace_back();
            for (const Value& value : values) group.cells.push_back(cell_of(value));
            group.figures.resize(question.aggregates.size());
        }
        return found->second;
    }

    void add_figures(const AnyBatch& batch, const std::vector<std::uint32_t>& rows, std::size_t which) {
        const Aggregate& aggregate = question.aggregates[which];
        std::vector<std::uint32_t> counted = rows;
        only[which].keep(batch, counted);
        auto next = counted.begin();
        const auto is_counted = [&](std::uint32_t row) {
            while (next != counted.end() && *next < row) ++next;
            return next != counted.end() && *next == row;
        };
        if (aggregate.function == Function::count) {
            for (const Member& member : members)
                if (is_counted(member.row)) ++groups[member.group].figures[which].count;
            return;
        }
        const FieldReader reader(batch, aggregate.field);
        const bool duration = is_duration(aggregate.field);
        for (const Member& member : members) {
            if (!is_counted(member.row)) continue;
            reader.each(member.row, [&](const Value& value) {
                if (duration && std::get<std::int64_t>(value) < 0) return;
                groups[member.group].figures[which].add(aggregate.function, value);
            });
        }
    }

    std::vector<std::string> columns() const {
        std::vector<std::string> names;
        if (question.interval) names.push_back("bucket");
        for (const FieldRef& field : question.group_by) names.push_back(field_name(field));
        for (const Aggregate& aggregate : question.aggregates) names.push_back(aggregate.name);
        return names;
    }

    // The column of the answer that orders it; nothing for the groups.
    std::optional<std::size_t> ordering_column() const {
        const std::size_t before = question.group_by.size() + (question.interval ? 1 : 0);
        for (std::size_t i = 0; i < question.aggregates.size(); ++i)
            if (!question.order_by.empty() && question.aggregates[i].name == question.order_by)
                return before + i;
        return std::nullopt;
    }

    void sort(Table& table) const {
        const std::optional<std::size_t> by = ordering_column();
        const std::size_t cells = question.group_by.size() + (question.interval ? 1 : 0);
        std::sort(table.rows.begin(), table.rows.end(), [&](const auto& a, const auto& b) {
            if (by) {
                const bool last_a = a[*by].index() == 0, last_b = b[*by].index() == 0;
                if (last_a != last_b) return last_b;
                const auto way = compare_cells(a[*by], b[*by]);
                if (way != 0) return question.descending ? way > 0 : way < 0;
            }
            for (std::size_t i = 0; i < cells; ++i)
                if (const auto way = compare_cells(a[i], b[i]); way != 0) return way < 0;
            return false;
        });
    }
};

Grouping::Grouping(std::unique_ptr<State> state) : state_(std::move(state)) {}
Grouping::Grouping(Grouping&&) noexcept = default;
Grouping& Grouping::operator=(Grouping&&) noexcept = default;
Grouping::~Grouping() = default;

Result<Grouping> Grouping::start(const GroupQuestion& question) {
    auto state = std::unique_ptr<State>(new State{question, {}, {}, {}, {}, {}});
    for (const Aggregate& aggregate : question.aggregates) {
        OBS_TRY_VOID(check(aggregate));
        state->only.push_back(OBS_TRY(Matcher::compile(question.table, aggregate.only)));
    }
    for (const FieldRef& field : question.group_by)
        if (kind_of(field) == FieldKind::map)
            return fail(ErrorKind::invalid_input, "{} needs a key", field_name(field));
    if (question.interval && question.interval->count <= 0)
        return fail(ErrorKind::invalid_input, "the interval must be positive");
    if (!question.order_by.empty() && !state->ordering_column())
        return fail(ErrorKind::invalid_input, "no aggregate is called {}", question.order_by);
    if (question.group_by.empty() && !question.interval) state->group_of({});
    return Grouping(std::move(state));
}

void Grouping::add(const AnyBatch& batch, const std::vector<std::uint32_t>& rows) {
    if (rows.empty()) return;
    state_->find_members(batch, rows);
    for (std::size_t i = 0; i < state_->question.aggregates.size(); ++i) state_->add_figures(batch, rows, i);
}

Table Grouping::finish() {
    Table table{state_->columns(), {}};
    for (Group& group : state_->groups) {
        std::vector<Cell>& row = table.rows.emplace_back(std::move(group.cells));
        for (std::size_t i = 0; i < group.figures.size(); ++i)
            row.push_back(group.figures[i].cell(state_->question.aggregates[i]));
    }
    state_->sort(table);
    if (table.rows.size() > state_->question.limit) table.rows.resize(state_->question.limit);
    return table;
}

}  // namespace obs
