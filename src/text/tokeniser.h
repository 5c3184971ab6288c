// The words of a text, for search: one function fills the index and reads the questions, so that every store
// finds the same. docs/search.md tells the rules with examples.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace obs {

// What a question and its answer have in common. Counted are terms that are no English function words, each
// once.
struct SharedTerms {
    std::size_t first = 0, second = 0, common = 0;  // of the question, of the answer, of both
    // Neighbouring sentences of the answer, and those of them that share a term.
    std::size_t neighbours = 0, linked = 0;
};

// Terms are in lower case and hold no white space. Safe to call from any thread: what is slow to make is kept
// by each thread. Invalid UTF-8 separates words.
class Tokeniser {
public:
    struct Limits {
        std::size_t text_bytes = 64 * 1024;  // of each text; what is behind is not found by search
        std::size_t term_bytes = 64;  // longer terms are cut, in texts and in questions alike; at most 64
    };

    Tokeniser() : Tokeniser(Limits{}) {}
    explicit Tokeniser(Limits limits);

    // Appends every term of the texts, each once and separated by one space, to `out` (and a space before the
    // first when `out` holds something). The texts of a row belong into one call, so that they share their
    // terms.
    void append_index_terms(std::span<const std::string_view> texts, std::string& out) const;
    void append_index_terms(std::string_view text, std::string& out) const {
        append_index_terms({&text, 1}, out);
    }

    // The same of a question and its answer, which are compared on the way.
    SharedTerms append_index_terms(std::string_view question, std::string_view answer,
                                   std::string& out) const;

    // A row is found when its terms hold all of these. Empty for a question without words (only signs and
    // spaces): such a question finds nothing.
    std::vector<std::string> query_terms(std::string_view question) const;

private:
    Limits limits_;
};

}  // namespace obs
