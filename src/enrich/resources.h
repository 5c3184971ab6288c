// What a resource and a scope say, read once each and used by all their rows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/raw_batches.h"

namespace obs {

struct ResourceFacts {
    std::string service_name, environment, release;
    std::string json;  // the attributes that have no column; empty without any
};
std::vector<ResourceFacts> read_resources(const RawAttributes& raw,
                                          const std::vector<RawResource>& resources);

// The columns service_name, scope_name, scope_version and resource of rows whose scopes are given, and
// org_id and project_id.
template <class Batch>
void put_origin(Batch& batch, std::size_t rows, const std::vector<ResourceFacts>& resources,
                const std::vector<RawScope>& scopes, const std::vector<std::uint32_t>& scope_of_row);
template <class Batch>
void put_tenant(Batch& batch, std::size_t rows, std::string_view org, std::string_view project);
// The column ingest_key; nothing for an empty id.
void put_key(SpanBatch& batch, std::size_t rows, std::string_view key_id);

// The last attribute with this key; null without one.
const RawValue* find_attribute(const RawAttributes& raw, RawRange range, std::string_view key);
std::string_view find_text(const RawAttributes& raw, RawRange range, std::string_view key);

// {"key": value, ...} with the values' own types. Of a key that comes twice the last one is written.
void append_attributes_json(std::string& out, const RawAttributes& raw, RawRange range);
void append_value_json(std::string& out, const RawValue& value);

}  // namespace obs

#include "enrich/resources_impl.h"
