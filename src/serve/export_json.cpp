#include "serve/export_json.h"

#include <algorithm>

#include <fmt/format.h>

namespace obs::serve {

namespace {

void write_time(JsonWriter& json, std::string_view name, const std::optional<UnixNanos>& at) {
    if (at) json.field(name, rfc3339(*at));
}

bool can_download(const ShownExport& shown) {
    return shown.here && shown.job.status == JobStatus::completed;
}

}  // namespace

void write_export(JsonWriter& json, const ShownExport& shown) {
    const Job& job = shown.job;
    json.field("job_id", job.id).field("org_id", job.org).field("status", name_of(job.status));
    json.field("table", shown.words.table).field("format", name_of(shown.words.format));
    json.field("compression", name_of(shown.words.compression)).field("created_by", job.created_by);
    json.field("created_at", rfc3339(job.created));
    write_time(json, "started_at", job.started);
    write_time(json, "completed_at", job.completed);
    write_time(json, "expires_at", job.expires);
    if (job.rows) json.field("trace_count", *job.rows);
    if (job.bytes) json.field("file_size_bytes", *job.bytes);
    if (can_download(shown)) json.field("download_url", fmt::format("/api/v1/exports/{}/download", job.id));
    if (!job.error.empty()) json.field("error_message", job.error);
    if (!job.has_right("read:content")) json.field("content", "hidden");
    json.field("progress_percent", shown.progress);
}

void write_export_metadata(JsonWriter& json, const ShownExport& shown, UnixNanos now) {
    const Job& job = shown.job;
    json.key("metadata").begin_object();
    json.field("can_cancel", !job.over()).field("can_download", can_download(shown));
    json.field("is_expired", job.status == JobStatus::expired);
    if (job.expires)
        json.field("seconds_until_expiration",
                   std::max<std::int64_t>(0, (*job.expires - now).count / 1'000'000'000));
    json.end_object();
}

std::string export_file_name(const Job& job, const ExportWords& words) {
    return fmt::format("{}-{}{}", words.table, job.id.substr(0, 8),
                       jobs::extension_of(words.format, words.compression));
}

std::string_view export_content_type(const ExportWords& words) {
    if (words.format == jobs::ExportFormat::parquet) return "application/vnd.apache.parquet";
    switch (words.compression) {
        case jobs::Compression::gzip: return "application/gzip";
        case jobs::Compression::zstd: return "application/zstd";
        case jobs::Compression::none: break;
    }
    switch (words.format) {
        case jobs::ExportFormat::json: return "application/json";
        case jobs::ExportFormat::jsonl: return "application/x-ndjson";
        default: return "text/csv";
    }
}

}  // namespace obs::serve
