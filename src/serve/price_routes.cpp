#include "serve/price_routes.h"

#include <algorithm>
#include <utility>

#include <simdjson.h>

#include "base/json_writer.h"
#include "pricing/catalogue.h"
#include "serve/account_json.h"
#include "serve/json_body.h"
#include "serve/list_request.h"
#include "serve/rights.h"

namespace obs::serve {

namespace {

constexpr std::size_t longest_body = 16 << 10, longest_name = 256, longest_project = 128;

constexpr std::string_view members =
    "project_id provider model service valid_from valid_until input output cached_input cache_write "
    "audio_input audio_output cached_audio image_input image_output cached_image reasoning request tiers";

constexpr ParameterInfo list_parameters[] = {
    {"retired", ParameterType::flag, "those that hold no more too", {.fallback = "false"}},
    page_limit,
    page_offset,
};
constexpr ParameterInfo lookup_parameters[] = {
    {"model", ParameterType::text, "as the client spells it", {.most = longest_name, .required = true}},
    {"provider", ParameterType::text, "canonical name", {.most = longest_name}},
    {"service", ParameterType::text, "what it is bought as: batch, flex, priority, fast", {.most = 64}},
    {"at", ParameterType::time, "when the call began; now when not said"},
    parameter::project_id,
};

// In dollars for a million tokens, as they are set.
void write_rates(JsonWriter& json, const Rates& given) {
    for (const auto& [name, rate] : rate_names)
        if (const auto& value = given.*rate)
            json.key(name).raw(PicoUsd{PicoUsd::Wide{value->picos} * 1'000'000}.dollars());
}

bool sees(const Principal& who, const SetPrice& price) {
    return price.project.empty() || sees_all_of(who, {price.project});
}

std::unexpected<ApiError> not_found() {
    return refuse(ErrorCode::resource_not_found, "price_id", "there is no such price");
}

// The price alone, without whom it is for.
std::string entry_in(std::string_view body) {
    simdjson::dom::parser parser;
    const simdjson::padded_string text(body);
    simdjson::dom::object object;
    std::string entry;
    JsonWriter json(entry);
    json.begin_object();
    if (parser.parse(text).get(object) == simdjson::SUCCESS)
        for (const auto [name, value] : object)
            if (name != "project_id" && !value.is_null())
                json.key(name).raw(std::string(simdjson::minify(value)));
    json.end_object();
    return entry;
}

ApiResult<void> check(const std::string& entry) {
    const auto understood = UserPrices::parse(fmt::format("{{\"prices\":[{}]}}", entry), "price");
    if (understood) return {};
    // What stands before the reason is about lines of a file.
    std::string_view why = understood.error().message;
    for (int prefix = 0; prefix < 2; ++prefix)
        if (const std::size_t end = why.find(": "); end != std::string_view::npos) why.remove_prefix(end + 2);
    return refuse(ErrorCode::invalid_field_value, "", "{}", why);
}

// The project that is named; empty: all of the organisation, for who may speak for all.
ApiResult<std::string> project_in(const PriceParts& parts, const Principal& who, const JsonBody& body) {
    const std::string project =
        OBS_ANSWER(body.optional_text("project_id", longest_project)).value_or(std::string());
    if (project.empty()) {
        if (who.sees_all_projects()) return project;
        return refuse(ErrorCode::project_required, "project_id",
                      "a price for all projects is set by who sees all of them; name a project");
    }
    OBS_ANSWER(scope_of(who, project));
    if (!is_id(project) || !OBS_ANSWER(parts.catalog.project_of(who.org, project)))
        return refuse(ErrorCode::invalid_field_value, "project_id", "there is no project {:?}", project);
    return project;
}

ApiResult<Reply> set_price(const PriceParts& parts, const Call& call) {
    const Principal& who = *call.principal;
    const std::string_view text = call.request.body.view();
    if (text.size() > longest_body)
        return refuse(ErrorCode::body_too_large, "", "a price has at most {} bytes", longest_body);
    const JsonBody body = OBS_ANSWER(JsonBody::read(text, members));
    SetPrice price{.org = who.org, .project = OBS_ANSWER(project_in(parts, who, body))};
    price.model = OBS_ANSWER(body.text("model", longest_name));
    for (auto [name, member] : {std::pair("provider", &price.provider), std::pair("service", &price.service),
                                std::pair("valid_from", &price.valid_from)})
        *member = OBS_ANSWER(body.optional_text(name, longest_name)).value_or(std::string());
    price.entry = entry_in(text);
    OBS_ANSWER(check(price.entry));
    if (const auto since = parse_rfc3339(price.valid_from)) price.valid_from = rfc3339(*since);
    price.set_by = who.subject;
    price.set = call.now;
    auto set = Prices(parts.catalog).set(std::move(price));
    if (!set && set.error().kind == ErrorKind::overloaded)
        return refuse(ErrorCode::limit_exceeded, "", "{}; take one back first", set.error().message);
    const SetPrice made = OBS_ANSWER(std::move(set));
    // Here at once, elsewhere within a second.
    OBS_ANSWER(parts.known.refresh());
    Reply reply{.status = 201};
    reply.headers.add("location", fmt::format("/api/v1/prices/{}", made.id));
    JsonWriter json(reply.body);
    write_json(json, made);
    return reply;
}

ApiResult<Reply> list_prices(const PriceParts& parts, const Call& call) {
    const auto given = OBS_ANSWER(Parameters::read(list_parameters, call.request.head.query, call.now));
    const Principal& who = *call.principal;
    std::vector<SetPrice> all =
        OBS_ANSWER(Prices(parts.catalog).of(who.org, {}, given.flag("retired").value_or(false)));
    std::erase_if(all, [&](const SetPrice& price) { return !sees(who, price); });
    const Page page = page_of(given);
    return list_reply("prices", page_in(std::move(all), page), page);
}

ApiResult<SetPrice> price_in_path(const PriceParts& parts, const Call& call) {
    const std::string id = OBS_ANSWER(id_of(call, "price_id"));
    auto price = OBS_ANSWER(Prices(parts.catalog).find(call.principal->org, id));
    if (!price || !sees(*call.principal, *price)) return not_found();
    return *std::move(price);
}

ApiResult<Reply> show_price(const PriceParts& parts, const Call& call) {
    Reply reply;
    JsonWriter json(reply.body);
    write_json(json, OBS_ANSWER(price_in_path(parts, call)));
    return reply;
}

ApiResult<Reply> retire_price(const PriceParts& parts, const Call& call) {
    const Principal& who = *call.principal;
    const SetPrice price = OBS_ANSWER(price_in_path(parts, call));
    if (price.project.empty() && !who.sees_all_projects())
        return refuse(ErrorCode::resource_access_denied, "price_id",
                      "a price for all projects is taken back by who sees all of them");
    if (!OBS_ANSWER(Prices(parts.catalog).retire(who.org, price.id, who.subject, call.now)))
        return refuse(ErrorCode::concurrency_conflict, "price_id", "it holds no more already");
    OBS_ANSWER(parts.known.refresh());
    return Reply{.status = 204};
}

ApiResult<Reply> look_up(const PriceParts& parts, const Call& call) {
    const auto given = OBS_ANSWER(Parameters::read(lookup_parameters, call.request.head.query, call.now));
    const std::string_view project = given.text("project_id");
    if (!project.empty()) OBS_ANSWER(scope_of(*call.principal, project));
    const UnixNanos at = OBS_ANSWER(given.time("at", call.now)).value_or(call.now);
    const PriceBoard::Table table = parts.board.prices_of(call.principal->org, project);
    const Price* price = table->find(given.text("provider"), given.text("model"), at, given.text("service"));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().field("model", given.text("model")).field("provider", given.text("provider"));
    json.field("at", rfc3339(at)).field("priced", price != nullptr);
    if (price != nullptr) {
        json.field("rule", price->rule).key("rates").begin_object();
        write_rates(json, price->base);
        json.end_object();
        if (price->request) json.key("request").raw(PicoUsd{PicoUsd::Wide{price->request->picos}}.dollars());
        json.key("tiers").begin_array();
        for (const Price::Tier& tier : price->tiers) {
            json.begin_object().field("above", tier.above.count).key("rates").begin_object();
            write_rates(json, tier.rates);
            json.end_object().end_object();
        }
        json.end_array();
    }
    json.end_object();
    return reply;
}

}  // namespace

std::vector<Route> price_routes(const PriceParts& parts) {
    std::vector<Route> routes;
    const auto add = [&](std::string_view method, std::string_view pattern, std::string_view permission,
                         ApiResult<Reply> (*answer)(const PriceParts&, const Call&), RouteDocs docs) {
        docs.tag = "prices";
        routes.push_back({method, pattern, Access::token, permission,
                          [&parts, answer](const Call& call) { return answer(parts, call); },
                          std::move(docs)});
    };
    add("POST", "/api/v1/prices", "manage:prices", set_price,
        {.summary = "Set the price of a model, from now on",
         .body = "PriceBody",
         .answer = "SetPrice",
         .status = 201,
         .refusals = {403},
         .description =
             "It goes before the server's file and the catalogue, for calls that arrive from now on and that "
             "began while it is valid; what is stored is priced anew by `POST /api/v1/prices/reprice`. A "
             "price for the same project, provider, model, service and `valid_from` takes the place of the "
             "one before."});
    add("GET", "/api/v1/prices", "read:costs", list_prices,
        {.summary = "Prices that were set, newest first",
         .parameters = list_parameters,
         .answer = "PriceList"});
    add("GET", "/api/v1/prices/lookup", "read:costs", look_up,
        {.summary = "What a model costs, and by which rule",
         .parameters = lookup_parameters,
         .answer = "PriceLookup",
         .description = "With all that holds: prices that were set, the server's file, the catalogue."});
    add("GET", "/api/v1/prices/:price_id", "read:costs", show_price,
        {.summary = "One price that was set", .answer = "SetPrice"});
    add("DELETE", "/api/v1/prices/:price_id", "manage:prices", retire_price,
        {.summary = "Take a price back",
         .status = 204,
         .refusals = {403, 409},
         .description = "It prices nothing more. What it priced keeps its cost, and is still explained."});
    return routes;
}

}  // namespace obs::serve
