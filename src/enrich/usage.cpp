#include "enrich/usage.h"

namespace obs {

namespace {

bool cache_is_beside(const TokenCounts& counts, Tokens cache, CacheCount source) {
    if (source == CacheCount::inside || !counts.prompt || cache.count == 0) return false;
    if (cache > *counts.prompt) return true;
    // Counts are at most 2^40: the sums cannot overflow.
    const Tokens inclusive = *counts.prompt + counts.completion.value_or(Tokens{});
    if (counts.total && *counts.total == inclusive) return false;
    if (counts.total && *counts.total == inclusive + cache) return true;
    return source == CacheCount::beside;
}

}  // namespace

TokenCounts canonical_counts(TokenCounts counts, CacheCount cache, ReasoningCount reasoning) {
    const Tokens beside = counts.cached.value_or(Tokens{}) + counts.cache_write.value_or(Tokens{});
    if (cache_is_beside(counts, beside, cache)) counts.prompt = *counts.prompt + beside;
    if (counts.reasoning && counts.completion &&
        (reasoning == ReasoningCount::beside || *counts.reasoning > *counts.completion))
        counts.completion = *counts.completion + *counts.reasoning;
    if (counts.prompt || counts.completion)
        counts.total = counts.prompt.value_or(Tokens{}) + counts.completion.value_or(Tokens{});
    return counts;
}

}  // namespace obs
