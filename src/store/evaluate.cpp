#include "store/evaluate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <compare>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <re2/re2.h>

#include "store/field.h"
#include "store/fold.h"

namespace obs {

namespace {

using Selection = std::vector<std::uint32_t>;

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using TextSet = std::unordered_set<std::string, TextHash, std::equal_to<>>;

std::partial_ordering compare_numbers(auto a, auto b) {
    // Integers of 64 bits and doubles both fit, so that 2^53 + 1 is not 2^53.
    return static_cast<long double>(a) <=> static_cast<long double>(b);
}

std::partial_ordering compare_number(const Value& value, const Scalar& with) {
    return std::visit(
        [](const auto& a, const auto& b) -> std::partial_ordering {
            if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(a)>> &&
                          std::is_arithmetic_v<std::remove_cvref_t<decltype(b)>>)
                return compare_numbers(a, b);
            else
                return std::partial_ordering::unordered;
        },
        value, with);
}

// Nothing when the text is no finite number as a whole.
Value number_in(std::string_view text) {
    double number;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return {};
    return number;
}

std::partial_ordering compare(const Value& value, const Scalar& with) {
    const auto* text = std::get_if<std::string_view>(&value);
    if (text == nullptr) return compare_number(value, with);
    if (const auto* other = std::get_if<std::string>(&with)) return *text <=> std::string_view(*other);
    return compare_number(number_in(*text), with);
}

bool holds_term(std::string_view terms, std::string_view term) {
    for (std::size_t at = terms.find(term); at != std::string_view::npos; at = terms.find(term, at + 1)) {
        const std::size_t end = at + term.size();
        if ((at == 0 || terms[at - 1] == ' ') && (end == terms.size() || terms[end] == ' ')) return true;
    }
    return false;
}

bool contains(std::string_view text, std::string_view part) {
    return memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

std::string_view folded(std::string_view text) {
    thread_local std::string lower;
    fold_case(text, lower);
    return lower;
}

// One operator with its values. The negative operators are kept as the opposite of the positive ones.
class Test {
public:
    static Result<Test> compile(const Condition& condition) {
        Test test;
        test.field_ = condition.field;
        test.set_operator(condition.op);
        test.values_ = condition.values;
        OBS_TRY_VOID(test.check(), "{}", field_name(condition.field));
        test.prepare();
        if (test.op_ == Operator::regex) OBS_TRY_VOID(test.compile_regex(), "{}", field_name(test.field_));
        return test;
    }

    void keep(const AnyBatch& batch, Selection& rows) const {
        const FieldReader reader(batch, field_);
        if (const auto* dict = std::get_if<const Dict*>(&reader.column()))
            keep_by_code(**dict, rows);
        else
            std::erase_if(rows, [&](std::uint32_t row) { return holds_in(reader, row) == negated_; });
    }

private:
    void set_operator(Operator op) {
        negated_ = true;
        switch (op) {
            case Operator::ne: op_ = Operator::eq; break;
            case Operator::not_in: op_ = Operator::in; break;
            case Operator::not_contains: op_ = Operator::contains; break;
            case Operator::missing: op_ = Operator::present; break;
            default: op_ = op; negated_ = false;
        }
    }

    Result<void> check() const {
        const FieldKind kind = kind_of(field_);
        if (op_ == Operator::present) return {};
        if (kind == FieldKind::map) return fail(ErrorKind::invalid_input, "needs a key");
        const bool many = op_ == Operator::in || op_ == Operator::search;
        if (!many && values_.size() != 1) return fail(ErrorKind::invalid_input, "needs one value");
        const bool words = op_ == Operator::contains || op_ == Operator::starts_with ||
                           op_ == Operator::ends_with || op_ == Operator::regex || op_ == Operator::search;
        if (words && (kind == FieldKind::number || kind == FieldKind::id))
            return fail(ErrorKind::invalid_input, "is no text");
        for (const Scalar& value : values_) {
            const bool text = std::holds_alternative<std::string>(value);
            if (kind == FieldKind::number && text)
                return fail(ErrorKind::invalid_input, "is a number, not a text");
            if (!text &&
                (words || kind == FieldKind::id || kind == FieldKind::text || kind == FieldKind::text_list))
                return fail(ErrorKind::invalid_input, "is a text, not a number");
        }
        return {};
    }

    void prepare() {
        const bool part =
            op_ == Operator::contains || op_ == Operator::starts_with || op_ == Operator::ends_with;
        if (part && !is_membership()) fold_case(std::get<std::string>(values_.front()), text_);
        if (is_membership()) text_ = std::get<std::string>(values_.front());
        if (op_ != Operator::in) return;
        const auto numbers = std::partition(values_.begin(), values_.end(), [](const Scalar& value) {
            return !std::holds_alternative<std::string>(value);
        });
        for (auto text = numbers; text != values_.end(); ++text)
            texts_.insert(std::move(std::get<std::string>(*text)));
        values_.erase(numbers, values_.end());
    }

    Result<void> compile_regex() {
        RE2::Options options;
        options.set_case_sensitive(false);
        options.set_dot_nl(true);
        options.set_log_errors(false);
        options.set_never_capture(true);
        regex_ = std::make_shared<RE2>(std::get<std::string>(values_.front()), options);
        if (!regex_->ok()) return fail(ErrorKind::invalid_input, "invalid regex: {}", regex_->error());
        return {};
    }

    bool is_membership() const {
        return op_ == Operator::contains && kind_of(field_) == FieldKind::text_list;
    }

    // A dictionary has few texts: each is looked at once.
    void keep_by_code(const Dict& column, Selection& rows) const {
        std::vector<std::int8_t> known(column.dictionary_.size(), -1);
        std::erase_if(rows, [&](std::uint32_t row) {
            std::int8_t& holds = known[column.code(row)];
            if (holds < 0) holds = holds_for_text(column[row]) ? 1 : 0;
            return (holds == 1) == negated_;
        });
    }

    bool holds_for_text(std::string_view text) const { return !text.empty() && holds(Value(text)); }

    bool holds_in(const FieldReader& reader, std::uint32_t row) const {
        if (const auto* map = std::get_if<const Map*>(&reader.column()); map != nullptr && field_.key.empty())
            return (*map)->begin(row) != (*map)->end(row);
        bool any = false;
        reader.each(row, [&](const Value& value) { any = any || holds(value); });
        return any;
    }

    // Of a value that is there.
    bool holds(const Value& value) const {
        switch (op_) {
            case Operator::eq: return compare(value, values_.front()) == 0;
            case Operator::lt: return compare(value, values_.front()) < 0;
            case Operator::lte: return compare(value, values_.front()) <= 0;
            case Operator::gt: return compare(value, values_.front()) > 0;
            case Operator::gte: return compare(value, values_.front()) >= 0;
            case Operator::in: return is_one_of(value);
            case Operator::present: return true;
            default: return holds_for(std::get<std::string_view>(value));
        }
    }

    bool is_one_of(const Value& value) const {
        if (const auto* text = std::get_if<std::string_view>(&value);
            text != nullptr && texts_.contains(*text))
            return true;
        return std::any_of(values_.begin(), values_.end(),
                           [&](const Scalar& number) { return compare(value, number) == 0; });
    }

    bool holds_for(std::string_view text) const {
        switch (op_) {
            case Operator::contains: return is_membership() ? text == text_ : contains(folded(text), text_);
            case Operator::starts_with: return folded(text).starts_with(text_);
            case Operator::ends_with: return folded(text).ends_with(text_);
            case Operator::regex:
                return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *regex_);
            default: return false;
        }
    }

    FieldRef field_;
    Operator op_ = Operator::eq;
    bool negated_ = false;
    std::vector<Scalar> values_;  // of `in`: the numbers
    TextSet texts_;               // of `in`
    std::string text_;            // what to look for, in lower case
    std::shared_ptr<const RE2> regex_;
};

// `search` looks at the terms of the row, whatever field it was asked of.
class Search {
public:
    static Result<Search> compile(TableId table, const Condition& condition) {
        Search search;
        search.column_ = find_column(table, "search_text");
        if (search.column_ == nullptr)
            return fail(ErrorKind::invalid_input, "{} cannot be searched", table_name(table));
        for (const Scalar& value : condition.values) {
            const auto* term = std::get_if<std::string>(&value);
            if (term == nullptr) return fail(ErrorKind::invalid_input, "search terms are texts");
            search.terms_.push_back(*term);
        }
        return search;
    }

    void keep(const AnyBatch& batch, Selection& rows) const {
        const Text& column = *std::get<const Text*>(column_of(batch, *column_));
        std::erase_if(rows, [&](std::uint32_t row) { return !found_in(column[row]); });
    }

private:
    bool found_in(std::string_view text) const {
        return !terms_.empty() && std::all_of(terms_.begin(), terms_.end(), [&](const std::string& term) {
            return holds_term(text, term);
        });
    }

    const ColumnInfo* column_ = nullptr;
    std::vector<std::string> terms_;
};

}  // namespace

struct Matcher::Node {
    Filter::Kind kind = Filter::Kind::all;
    std::vector<Node> children;
    std::variant<std::monostate, Test, Search> condition;

    static Result<Node> compile(TableId table, const Filter& filter) {
        Node node;
        node.kind = filter.kind;
        for (const Filter& child : filter.children) node.children.push_back(OBS_TRY(compile(table, child)));
        if (filter.kind != Filter::Kind::condition) return node;
        if (filter.condition.op == Operator::search)
            node.condition = OBS_TRY(Search::compile(table, filter.condition));
        else
            node.condition = OBS_TRY(Test::compile(filter.condition));
        return node;
    }

    void keep(const AnyBatch& batch, Selection& rows) const {
        switch (kind) {
            case Filter::Kind::all:
                for (const Node& child : children) child.keep(batch, rows);
                return;
            case Filter::Kind::any: rows = matched(batch, rows); return;
            case Filter::Kind::none: take_out(rows, matched(batch, rows)); return;
            case Filter::Kind::condition: keep_condition(batch, rows); return;
        }
    }

private:
    void keep_condition(const AnyBatch& batch, Selection& rows) const {
        if (const auto* test = std::get_if<Test>(&condition))
            test->keep(batch, rows);
        else
            std::get<Search>(condition).keep(batch, rows);
    }

    // The rows that match one of the children, ascending.
    Selection matched(const AnyBatch& batch, const Selection& rows) const {
        Selection left = rows, found;
        for (const Node& child : children) {
            Selection hits = left;
            child.keep(batch, hits);
            take_out(left, hits);
            const auto middle = static_cast<std::ptrdiff_t>(found.size());
            found.insert(found.end(), hits.begin(), hits.end());
            std::inplace_merge(found.begin(), found.begin() + middle, found.end());
        }
        return found;
    }

    static void take_out(Selection& rows, const Selection& gone) {
        Selection left;
        std::set_difference(rows.begin(), rows.end(), gone.begin(), gone.end(), std::back_inserter(left));
        rows = std::move(left);
    }
};

Matcher::Matcher(std::unique_ptr<Node> root) : root_(std::move(root)) {}
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;
Matcher::~Matcher() = default;

Result<Matcher> Matcher::compile(TableId table, const Filter& filter) {
    return Matcher(std::make_unique<Node>(OBS_TRY(Node::compile(table, filter))));
}

void Matcher::keep(const AnyBatch& batch, std::vector<std::uint32_t>& rows) const {
    root_->keep(batch, rows);
}

void keep_scope(const Scope& scope, const AnyBatch& batch, std::vector<std::uint32_t>& rows) {
    const auto keep = [&](std::string_view name, auto&& allowed) {
        const Dict& column = *find_column_of<Dict>(batch, name);
        std::vector<std::uint8_t> visible;
        for (std::uint32_t code = 0; code < column.dictionary_.size(); ++code)
            visible.push_back(allowed(code == 0 ? std::string_view() : column.dictionary_[code]));
        std::erase_if(rows, [&](std::uint32_t row) { return visible[column.code(row)] == 0; });
    };
    keep("org_id", [&](std::string_view org) { return org == scope.org(); });
    const std::vector<std::string>& projects = scope.projects();
    if (projects.empty()) return;
    keep("project_id", [&](std::string_view project) {
        return std::find(projects.begin(), projects.end(), project) != projects.end();
    });
}

}  // namespace obs
