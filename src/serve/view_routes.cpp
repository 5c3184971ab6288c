#include "serve/view_routes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/json_writer.h"
#include "catalog/saved_views.h"
#include "serve/account_json.h"
#include "serve/json_body.h"
#include "serve/list_request.h"

namespace obs::serve {

namespace {

constexpr std::size_t longest_name = 100, longest_project = 128, longest_question = 16 << 10;

constexpr std::array list_parameters{parameter::project_id, page_limit, page_offset};

struct Asked {
    Catalog& catalog;
    SavedViews views;
    const Call& call;
    const Principal& who;

    Asked(Catalog& of, const Call& asked) : catalog(of), views(of), call(asked), who(*asked.principal) {}

    std::string owner() const { return who.user.empty() ? who.subject : who.user; }
};

std::unexpected<ApiError> not_found() {
    return refuse(ErrorCode::resource_not_found, "view_id", "there is no such view");
}

ApiResult<void> check(ViewChange change) {
    switch (change) {
        case ViewChange::done: return {};
        case ViewChange::taken:
            return refuse(ErrorCode::resource_already_exists, "name", "you have a view of this name");
        case ViewChange::too_many:
            return refuse(ErrorCode::limit_exceeded, "", "you have {} views; delete one first",
                          SavedViews::most_of_an_owner);
        case ViewChange::gone: break;
    }
    return not_found();
}

void write_json(JsonWriter& json, const SavedView& view) {
    json.begin_object().field("id", view.id).field("project_id", view.project);
    json.field("owner", view.owner).field("name", view.name).field("shared", view.shared);
    json.key("question").raw(view.question);
    json.field("created_at", rfc3339(view.created)).field("changed_at", rfc3339(view.changed));
    json.end_object();
}

bool sees(const Principal& who, const SavedView& view) {
    return who.sees_all_projects() || std::ranges::find(who.projects, view.project) != who.projects.end();
}

// One that the caller may see.
ApiResult<SavedView> view_in_path(const Asked& asked) {
    const std::string id = OBS_ANSWER(id_of(asked.call, "view_id"));
    std::optional<SavedView> view = OBS_ANSWER(asked.views.view_of(asked.who.org, id));
    if (!view || !sees(asked.who, *view) || (!view->shared && view->owner != asked.owner()))
        return not_found();
    return *std::move(view);
}

// One that the caller may change: their own, or a shared one for who manages projects.
ApiResult<SavedView> own_view_in_path(const Asked& asked) {
    SavedView view = OBS_ANSWER(view_in_path(asked));
    if (view.owner != asked.owner() && !asked.who.may("manage:projects"))
        return refuse(ErrorCode::resource_access_denied, "view_id",
                      "this view is another's; save it under a name of your own");
    return view;
}

// What stands in it besides is the page's business: columns, charts.
ApiResult<void> check_question(const Asked& asked, std::string_view question) {
    const auto understood = search_request(question, asked.who, asked.call.now);
    if (!understood) {
        ApiError error = understood.error();
        error.field = error.field.empty() ? "question" : "question." + error.field;
        return std::unexpected(std::move(error));
    }
    if (understood->question.cursor)
        return refuse(ErrorCode::invalid_field_value, "question.cursor", "a view has no page");
    return {};
}

// The project that is named, or the only one that the caller sees.
ApiResult<std::string> project_in(const Asked& asked, const JsonBody& body) {
    std::string project =
        OBS_ANSWER(body.optional_text("project_id", longest_project)).value_or(std::string());
    if (project.empty() && asked.who.projects.size() == 1) project = asked.who.projects.front();
    if (project.empty())
        return refuse(ErrorCode::missing_required_field, "project_id", "say which project the view is of");
    OBS_ANSWER(scope_of(asked.who, project));
    if (!is_id(project) || !OBS_ANSWER(asked.catalog.project_of(asked.who.org, project)))
        return refuse(ErrorCode::invalid_field_value, "project_id", "there is no project {:?}", project);
    return project;
}

Reply view_reply(const SavedView& view, int status = 200) {
    Reply reply{.status = status};
    JsonWriter json(reply.body);
    write_json(json, view);
    return reply;
}

ApiResult<Reply> list_views(Asked asked) {
    const Parameters given =
        OBS_ANSWER(Parameters::read(list_parameters, asked.call.request.head.query, asked.call.now));
    const Scope scope = OBS_ANSWER(scope_of(asked.who, given.text("project_id")));
    const Page page = page_of(given);
    const std::vector<SavedView> all =
        OBS_ANSWER(asked.views.visible(asked.who.org, asked.owner(), scope.projects()));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("views").begin_array();
    const std::size_t end = std::min(all.size(), page.offset + page.limit);
    for (std::size_t at = page.offset; at < end; ++at) write_json(json, all[at]);
    json.end_array().key("pagination").begin_object().field("total", std::uint64_t{all.size()});
    json.field("limit", std::uint64_t{page.limit}).field("offset", std::uint64_t{page.offset});
    json.field("has_more", end < all.size()).end_object().end_object();
    return reply;
}

ApiResult<Reply> create_view(Asked asked) {
    const JsonBody body =
        OBS_ANSWER(JsonBody::read(asked.call.request.body.view(), "name project_id shared question"));
    SavedView view{.id = {},
                   .org = asked.who.org,
                   .project = OBS_ANSWER(project_in(asked, body)),
                   .owner = asked.owner(),
                   .name = OBS_ANSWER(body.text("name", longest_name)),
                   .shared = OBS_ANSWER(body.optional_flag("shared")).value_or(false),
                   .question = {},
                   .created = asked.call.now,
                   .changed = asked.call.now};
    const auto question = OBS_ANSWER(body.optional_object("question", longest_question));
    if (!question)
        return refuse(ErrorCode::missing_required_field, "question",
                      "question is missing: an object like the body of a search");
    view.question = *question;
    OBS_ANSWER(check_question(asked, view.question));
    const ViewChange change = OBS_ANSWER(asked.views.create(view));
    OBS_ANSWER(check(change));
    return view_reply(view, 201);
}

ApiResult<Reply> show_view(Asked asked) {
    return view_reply(OBS_ANSWER(view_in_path(asked)));
}

ApiResult<Reply> change_view(Asked asked) {
    SavedView view = OBS_ANSWER(own_view_in_path(asked));
    const JsonBody body = OBS_ANSWER(JsonBody::read(asked.call.request.body.view(), "name shared question"));
    if (auto name = OBS_ANSWER(body.optional_text("name", longest_name))) view.name = *std::move(name);
    view.shared = OBS_ANSWER(body.optional_flag("shared")).value_or(view.shared);
    if (auto question = OBS_ANSWER(body.optional_object("question", longest_question))) {
        view.question = *std::move(question);
        OBS_ANSWER(check_question(asked, view.question));
    }
    view.changed = asked.call.now;
    const ViewChange change = OBS_ANSWER(asked.views.change(view));
    OBS_ANSWER(check(change));
    return view_reply(view);
}

ApiResult<Reply> delete_view(Asked asked) {
    const SavedView view = OBS_ANSWER(own_view_in_path(asked));
    const ViewChange change = OBS_ANSWER(asked.views.remove(view));
    OBS_ANSWER(check(change));
    return Reply{.status = 204};
}

}  // namespace

std::vector<Route> view_routes(Catalog& catalog) {
    std::vector<Route> routes;
    const auto add = [&](std::string_view method, std::string_view pattern, ApiResult<Reply> (*answer)(Asked),
                         RouteDocs docs) {
        docs.tag = "views";
        routes.push_back({method, pattern, Access::token, "read:traces",
                          [&catalog, answer](const Call& call) { return answer(Asked(catalog, call)); },
                          std::move(docs)});
    };
    add("GET", "/api/v1/views", list_views,
        {.summary = "Your views, and those that others share",
         .parameters = list_parameters,
         .answer = "ViewList"});
    add("POST", "/api/v1/views", create_view,
        {.summary = "Save a view",
         .body = "ViewBody",
         .answer = "View",
         .status = 201,
         .refusals = {403, 409},
         .description =
             "`question` is an object like the body of `POST /api/v1/traces/search`, of at most 16 "
             "KiB; members that a search does not know (columns, charts) are kept as they are."});
    add("GET", "/api/v1/views/:view_id", show_view,
        {.summary = "One view", .answer = "View", .refusals = {404}});
    add("PATCH", "/api/v1/views/:view_id", change_view,
        {.summary = "Change a view of your own",
         .body = "ViewChange",
         .answer = "View",
         .refusals = {403, 404, 409},
         .description = "Shared ones can also be changed by who has `manage:projects`."});
    add("DELETE", "/api/v1/views/:view_id", delete_view,
        {.summary = "Delete a view of your own", .status = 204, .refusals = {403, 404}});
    return routes;
}

}  // namespace obs::serve
