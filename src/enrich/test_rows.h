// What tests share: rows shown under the names of the API and compared with what JSON expects.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "enrich/json_reader.h"
#include "model/batches.h"
#include "model/intake.h"

namespace obs::testing_rows {

// Values as JSON, without those that are missing, empty or 0 by default.
using Shown = std::map<std::string, std::string, std::less<>>;
std::vector<Shown> shown(const SpanBatch& spans);
std::vector<Shown> shown(const ScoreBatch& scores);

// How a row differs from the expected values: null means missing, "*" any value. `names` maps the
// expectation's names to ours where they differ.
std::vector<std::string> differences(const JsonObject& expected, const Shown& row);

// Decodes and enriches, with the catalogue's prices.
struct Understood {
    SpanBatch spans, pending, content;
    LogBatch logs;
    ScoreBatch scores;
};
void understand(Signal signal, Encoding encoding, std::string_view body, Understood& understood);

// What ingest/ does with a finished trace: log events are joined to their spans, and a call above a call with
// usage gives its usage up.
void settle(Understood& understood);

}  // namespace obs::testing_rows
