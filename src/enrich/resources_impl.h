// Templates of enrich/resources.h.
#pragma once

namespace obs {

template <class Batch>
void put_tenant(Batch& batch, std::size_t rows, std::string_view org, std::string_view project) {
    batch.org_id.clear();
    batch.project_id.clear();
    batch.org_id.codes_.values_.assign(rows, batch.org_id.dictionary_.code(org));
    batch.project_id.codes_.values_.assign(rows, batch.project_id.dictionary_.code(project));
}

inline void put_key(SpanBatch& batch, std::size_t rows, std::string_view key_id) {
    batch.ingest_key.clear();
    if (!key_id.empty())
        batch.ingest_key.codes_.values_.assign(rows, batch.ingest_key.dictionary_.code(key_id));
}

template <class Batch>
void put_origin(Batch& batch, std::size_t rows, const std::vector<ResourceFacts>& resources,
                const std::vector<RawScope>& scopes, const std::vector<std::uint32_t>& scope_of_row) {
    struct Codes {
        std::uint32_t service, scope, version, resource;
    };
    std::vector<Codes> codes;
    codes.reserve(scopes.size());
    for (const RawScope& scope : scopes) {
        const ResourceFacts& resource = resources[scope.resource];
        codes.push_back({batch.service_name.dictionary_.code(resource.service_name),
                         batch.scope_name.dictionary_.code(scope.name),
                         batch.scope_version.dictionary_.code(scope.version),
                         batch.resource.dictionary_.code(resource.json)});
    }
    for (std::size_t row = 0; row < rows; ++row) {
        const Codes& of = codes[scope_of_row[row]];
        batch.service_name.codes_.put(row, of.service);
        batch.scope_name.codes_.put(row, of.scope);
        batch.scope_version.codes_.put(row, of.version);
        batch.resource.codes_.put(row, of.resource);
    }
}

}  // namespace obs
