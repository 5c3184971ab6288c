// The two levels around every item: resources and scopes. Their parts may come in any order, also behind the
// items; empty ones leave nothing. What had to be repaired in a resource or a scope is flagged on all of its
// rows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include "decode/attribute_lists.h"
#include "decode/refusals.h"

namespace obs {

template <class Raw>
class Envelopes {
public:
    Envelopes(Raw& out, AttributeLists& lists) : out_(out), lists_(lists) {}

    void open_resource() {
        lists_.take_flags();
        resource_flags_ = 0;
        resource_row_ = out_.batch.size();
        resource_list_ = lists_.size();
        scope_index_ = 0;
        out_.resources.push_back({lists_.begin_list()});
    }
    RawRange& resource_attributes() { return out_.resources.back().attributes; }
    void close_resource() {
        resource_flags_ |= lists_.take_flags();
        flag_rows(resource_row_, resource_flags_);
        if (out_.batch.size() == resource_row_) {
            out_.resources.pop_back();
            lists_.drop_from(resource_list_);
        }
        ++resource_index_;
    }

    void open_scope() {
        resource_flags_ |= lists_.take_flags();
        scope_flags_ = 0;
        scope_row_ = out_.batch.size();
        scope_list_ = lists_.size();
        item_index_ = 0;
        RawScope& scope = out_.scopes.emplace_back();
        scope.resource = static_cast<std::uint32_t>(out_.resources.size() - 1);
        scope.attributes = lists_.begin_list();
    }
    RawScope& scope() { return out_.scopes.back(); }
    void close_scope() {
        scope_flags_ |= lists_.take_flags();
        flag_rows(scope_row_, scope_flags_);
        if (out_.batch.size() == scope_row_) {
            out_.scopes.pop_back();
            lists_.drop_from(scope_list_);
        }
        ++scope_index_;
    }
    std::uint32_t scope_code() const { return static_cast<std::uint32_t>(out_.scopes.size() - 1); }

    // From here on flags belong to an item, until it takes them.
    void open_item() { scope_flags_ |= lists_.take_flags(); }
    void close_item() { ++item_index_; }

    std::size_t resource_index() const { return resource_index_; }
    std::size_t scope_index() const { return scope_index_; }
    std::size_t item_index() const { return item_index_; }

private:
    void flag_rows(std::size_t first_row, std::uint32_t flags) {
        // The flags of metric points are OTLP's own.
        if constexpr (std::is_same_v<Raw, RawMetrics>) return;
        if (flags == 0) return;
        for (std::size_t row = first_row; row < out_.batch.size(); ++row)
            out_.batch.flags.set(row, out_.batch.flags[row] | flags);
    }

    Raw& out_;
    AttributeLists& lists_;
    std::size_t resource_index_ = 0, scope_index_ = 0, item_index_ = 0;
    std::size_t resource_row_ = 0, scope_row_ = 0;
    std::uint32_t resource_list_ = 0, scope_list_ = 0;
    std::uint32_t resource_flags_ = 0, scope_flags_ = 0;
};

}  // namespace obs
