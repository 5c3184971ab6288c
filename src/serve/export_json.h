// Exports as the API shows them (contract 1.12).
#pragma once

#include <string>

#include "base/json_writer.h"
#include "catalog/jobs.h"
#include "serve/export_request.h"

namespace obs::serve {

// What of a job depends on who looks, and when.
struct ShownExport {
    const Job& job;
    ExportWords words;
    int progress = 0;
    bool here = true;  // its file lies with this server
};

// The members of one job, in an object that the caller began.
void write_export(JsonWriter& json, const ShownExport& shown);
// `metadata`: what can be done with it.
void write_export_metadata(JsonWriter& json, const ShownExport& shown, UnixNanos now);

// `traces-2f1c0a3b.csv.gz`
std::string export_file_name(const Job& job, const ExportWords& words);
std::string_view export_content_type(const ExportWords& words);

}  // namespace obs::serve
