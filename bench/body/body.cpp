// bench_body: one export request of the corpus on standard output, as a gRPC message with --grpc.
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "base/time.h"
#include "corpus/corpus.h"

int main(int argc, char** argv) {
    std::size_t spans = 100;
    std::string kind = "lean";
    bool grpc = false;
    CLI::App app("Writes one OTLP export request");
    app.add_option("--spans", spans)->capture_default_str();
    app.add_option("--kind", kind)->check(CLI::IsMember({"lean", "content"}))->capture_default_str();
    app.add_flag("--grpc", grpc, "with the five bytes of gRPC's framing before it");
    CLI11_PARSE(app, argc, argv);

    using Kind = obs::CorpusOptions::Kind;
    obs::Corpus corpus(
        {.kind = kind == "content" ? Kind::content : Kind::lean, .spans = spans, .templates = 1});
    const std::string_view body = corpus.next(obs::system_now());
    if (grpc) {
        std::fputc(0, stdout);  // not compressed
        for (int shift = 24; shift >= 0; shift -= 8)
            std::fputc(static_cast<int>(body.size() >> shift & 0xFF), stdout);
    }
    return std::fwrite(body.data(), 1, body.size(), stdout) == body.size() ? 0 : 1;
}
