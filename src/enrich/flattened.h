// Lists that were flattened into attributes, put together again. Items are in numeric order, whatever their
// indexes are.
#pragma once

#include <span>
#include <string>

#include "enrich/found.h"
#include "enrich/messages.h"
#include "model/batches.h"

namespace obs {

// The items of one list.
std::span<const FlatItem> items_of(const Found& found, FlatList list);

void read_flat_messages(std::span<const FlatItem> items, Conversation& conversation);
// JSON list of the tools offered.
std::string read_flat_tools(std::span<const FlatItem> items);
// The texts, a line each.
std::string read_flat_texts(std::span<const FlatItem> items);

struct FlatScore {
    std::string_view name, label, comment, source, id;
    std::optional<double> value;
};
std::vector<FlatScore> read_flat_scores(std::span<const FlatItem> items);

}  // namespace obs
