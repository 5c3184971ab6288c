// The description of the API is complete and says what the router does.
#include <set>

#include <gtest/gtest.h>

#include "serve/openapi.h"
#include "serve/openapi_pieces.h"
#include "serve/test_api.h"
#include "serve/yaml_writer.h"

namespace obs::serve::test {
namespace {

TEST(YamlWriter, writesBlocks) {
    std::string out;
    YamlWriter yaml(out);
    yaml.field("a", "1").key("200").begin_object().field("x", 1.5).field("z", 1e18).end_object();
    yaml.key("list").begin_array().value("p: q").begin_object().field("b", true).key("c").begin_array();
    yaml.end_array().end_object().begin_object().end_object().end_array();
    yaml.key("none").begin_object().end_object().lines("d:\n  e: {f: g}\n");
    EXPECT_EQ(out,
              "a: \"1\"\n\"200\":\n  x: 1.5\n  z: 1000000000000000000\n"
              "list:\n  - \"p: q\"\n  - b: true\n    c: []\n  - {}\nnone: {}\nd:\n  e: {f: g}");
}

TEST(OpenApi, describesEveryRoute) {
    TestApi api;
    std::set<std::string> ids;
    for (const Route& route : api.service->routes()) {
        EXPECT_FALSE(route.docs.summary.empty()) << route.method << " " << route.pattern << " has no summary";
        EXPECT_FALSE(route.docs.tag.empty()) << route.method << " " << route.pattern << " has no tag";
        EXPECT_TRUE(ids.insert(operation_id(route)).second) << operation_id(route) << " is there twice";
        std::set<std::string_view> names;
        for (const ParameterInfo& info : route.docs.parameters)
            EXPECT_TRUE(names.insert(info.name).second) << route.pattern << ": " << info.name << " twice";
    }
}

TEST(OpenApi, hasEverySchemaThatItSpeaksOf) {
    TestApi api;
    EXPECT_EQ(missing_schemas(api.service->routes()), std::vector<std::string>{});
    const Route wrong{"GET", "/x", Access::open, "", {}, {.summary = "s", .answer = "NoSuchThing"}};
    EXPECT_EQ(missing_schemas(std::span(&wrong, 1)), std::vector<std::string>{"NoSuchThing"});
}

TEST(OpenApi, saysWhatARouteTakes) {
    TestApi api;
    const std::string document = api.ask("GET", "/api/v1/openapi.yaml", "", {}).body;
    for (const char* part :
         {"openapi: \"3.0.3\"", "\"/api/v1/traces/{trace_id}\":", "operationId: \"get_traces_trace_id\"",
          "name: \"limit\"", "maximum: 1000", "x-aliases:", "total_cost_usd:", "MISSING_AUTHORIZATION"})
        EXPECT_NE(document.find(part), std::string::npos) << part;
}

TEST(OpenApi, isAPageThatNeedsNoScript) {
    TestApi api;
    const Answer page = api.ask("GET", "/api/docs", "", {});
    EXPECT_EQ(page.headers.get("content-type"), "text/html; charset=utf-8");
    EXPECT_NE(page.body.find("<code>/api/v1/traces/{trace_id}</code>"), std::string::npos);
    EXPECT_NE(page.body.find("id=\"schema-SearchBody\""), std::string::npos);
    EXPECT_EQ(page.body.find("<script"), std::string::npos);
    EXPECT_EQ(page.body.find("style="), std::string::npos);
    EXPECT_EQ(page.body.find("src="), std::string::npos);
    EXPECT_NE(api.ask("GET", "/api/docs/style.css", "", {}).body, "");
}

}  // namespace
}  // namespace obs::serve::test
