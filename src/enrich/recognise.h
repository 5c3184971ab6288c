// Which convention a span follows and what kind of work it is.
#pragma once

#include <string_view>

#include "enrich/found.h"

namespace obs {

struct Recognised {
    SpanMeaning meaning = SpanMeaning::other;
    std::string_view convention;  // empty for an ordinary span
    std::string_view operation;   // as the convention names it
    Field decided_by = Field::none;
};

// Scopes that say more than their attributes do; found out once per scope.
enum class ScopeKind : std::uint8_t {
    ordinary,
    langfuse,
    strands,
    pydantic_ai,
    google_adk,
    livekit,
    haystack,
};
ScopeKind scope_kind(std::string_view scope_name);

Recognised recognise(const Found& found, ScopeKind scope, std::string_view span_name);

}  // namespace obs
