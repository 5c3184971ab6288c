// Questions that can be asked by what stands behind `?` and, the same, by a tree of conditions in a body.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/list_request.h"
#include "serve/router.h"

namespace obs::serve {

struct TwoWays {
    std::string_view get{}, search{};  // paths
    std::string_view permission{};
    RouteDocs docs{};  // of the GET
    // Of the POST, whose tag and answer are those of the other.
    std::span<const ParameterInfo> search_parameters{};
    std::string_view search_body = "SearchBody", search_summary = "The same with a tree of conditions",
                     search_description{};
    CacheRule cache{};
};

// Whether a question was asked by its body.
inline bool is_search(const Call& call) {
    return call.request.head.method == "POST";
}

// Of the list of spans, as it was asked.
inline ApiResult<ListRequest> list_request(const Call& call) {
    const net::Request& request = call.request;
    if (is_search(call)) return search_request(request.body.view(), *call.principal, call.now);
    return list_request(request.head.query, *call.principal, call.now);
}

// `handler` answers both.
inline std::vector<Route> two_ways(TwoWays of, Handler handler) {
    Route search{"POST", of.search, Access::token, of.permission, handler};
    search.docs = {.summary = of.search_summary,
                   .tag = of.docs.tag,
                   .parameters = of.search_parameters,
                   .body = of.search_body,
                   .answer = of.docs.answer,
                   .description = of.search_description};
    search.cache.keep = of.cache.keep;
    Route get{"GET", of.get, Access::token, of.permission, std::move(handler), std::move(of.docs), of.cache};
    std::vector<Route> both;
    both.push_back(std::move(get));
    both.push_back(std::move(search));
    return both;
}

}  // namespace obs::serve
