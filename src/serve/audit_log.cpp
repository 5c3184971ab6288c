#include "serve/audit_log.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/utf8.h"

namespace obs::serve {

namespace {

constexpr std::size_t longest_agent = 256, longest_id = 200;

// `/api/v1/traces/:trace_id` is about `traces`.
std::string_view resource_of(const Route* route) {
    if (route == nullptr) return {};
    std::string_view path = route->pattern;
    for (const std::string_view prefix : {"/api/v1/", "/"})
        if (path.starts_with(prefix)) {
            path.remove_prefix(prefix.size());
            break;
        }
    return path.substr(0, path.find('/'));
}

std::string_view action_of(const AuditedCall& call) {
    const std::string_view method = call.head.method;
    const std::string_view path = call.route == nullptr ? std::string_view() : call.route->pattern;
    if (path.ends_with("/login") || path.ends_with("/auth/token")) return "login";
    if (path.ends_with("/download")) return "export";
    if (path.ends_with("/search") || path.ends_with("/query")) return "search";
    if (method == "POST") return path.contains("/export") ? "export" : "create";
    if (method == "PUT" || method == "PATCH") return "update";
    if (method == "DELETE") return "delete";
    return "read";
}

std::string_view known_method(std::string_view method) {
    constexpr std::string_view known[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};
    return std::ranges::find(known, method) != std::end(known) ? method : "other";
}

}  // namespace

bool is_audited(const AuditedCall& call) {
    if (call.principal != nullptr || call.status == 401 || call.status == 403) return true;
    return action_of(call) == "login";
}

AuditLog::AuditLog(AuditSink sink, Options options) : sink_(std::move(sink)), options_(std::move(options)) {
    if (sink_) worker_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

AuditLog::~AuditLog() {
    if (!worker_.joinable()) return;
    worker_.request_stop();
    worker_.join();
}

void AuditLog::note(const AuditedCall& call) {
    if (!sink_ || !is_audited(call)) return;
    const std::lock_guard lock(mutex_);
    const std::size_t row = rows_.size();
    if (row + on_the_way_->rows >= options_.rows) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    rows_.org_id.put(row, call.principal == nullptr ? options_.home_org : call.principal->org);
    rows_.project_id.put(row, call.project.substr(0, longest_id));
    rows_.ts.put(row, call.at);
    if (call.principal != nullptr) {
        rows_.user_id.put(row, call.principal->subject);
        rows_.role.put(row, call.principal->role_text());
    }
    rows_.action.put(row, action_of(call));
    rows_.resource_type.put(row, resource_of(call.route));
    rows_.resource_id.put(row, call.resource_id.substr(0, longest_id));
    rows_.method.put(row, known_method(call.head.method));
    rows_.route.put(row, call.route == nullptr ? std::string_view("unmatched") : call.route->pattern);
    rows_.http_status.put(row, static_cast<std::uint16_t>(call.status));
    rows_.success.put(row, call.status < 400 ? 1 : 0);
    rows_.error_code.put(row, call.error_code);
    rows_.duration.put(row, call.took);
    rows_.ip_address.put(row, call.head.peer);
    rows_.user_agent.put(row, call.head.headers.get("user-agent").substr(0, longest_agent));
    rows_.request_id.put(row, call.request_id);
    if (row + 1 == options_.group) gathered_.notify_one();
}

void AuditLog::run(const std::stop_token& stop) {
    while (true) {
        AuditBatch group;
        bool last = false;
        {
            std::unique_lock lock(mutex_);
            gathered_.wait_for(lock, stop, options_.gather,
                               [this] { return rows_.size() >= options_.group; });
            std::swap(group, rows_);
            last = stop.stop_requested();
        }
        if (!group.empty()) hand_on(std::move(group));
        if (last) return;
    }
}

void AuditLog::hand_on(AuditBatch rows) {
    const std::size_t count = rows.size();
    on_the_way_->rows += count;
    sink_(std::move(rows), [way = on_the_way_, count](bool kept) {
        way->rows -= count;
        (kept ? way->kept : way->lost) += count;
        if (!kept) log::warning("audit: {} calls could not be written down", count);
    });
}

void AuditLog::write(MetricsText& out) const {
    if (!sink_) return;
    const auto count = [](std::uint64_t number) { return static_cast<double>(number); };
    out.counter("audit_records_total", "Calls of the API that were written down, or not.",
                {{"outcome", "kept"}}, count(on_the_way_->kept));
    out.counter("audit_records_total", "Calls of the API that were written down, or not.",
                {{"outcome", "lost"}}, count(on_the_way_->lost));
    out.counter("audit_records_total", "Calls of the API that were written down, or not.",
                {{"outcome", "dropped"}}, count(dropped_));
}

}  // namespace obs::serve
