// Patterns over model and provider names, as the catalogue and the user's file write them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace obs {

// A tree of tests in prefix order, one field a node: `=text` equal, `^text` begins with, `$text` ends with,
// `*text` contains, `~regex` (ECMAScript, anywhere), `?glob` (`*` is any run of characters), and `|N` any,
// `&N` all of the N nodes that follow. All but regexes ignore ASCII case.
class ModelMatch {
public:
    // `invalid_input` for an unknown operator, a bad regex, too few or too many fields.
    static Result<ModelMatch> parse(std::span<const std::string_view> fields);
    static ModelMatch glob(std::string_view pattern);

    // The name must be in lower case.
    bool matches(std::string_view name) const;

private:
    struct Regex;
    struct Node {
        char test;
        std::size_t children = 0;
        std::string text{};
        std::shared_ptr<const Regex> regex{};
    };
    static Result<Node> parse_node(std::string_view field);
    static bool leaf_matches(const Node& node, std::string_view name);
    bool matches_from(std::size_t& at, std::string_view name) const;

    std::vector<Node> nodes_;
};

std::string lower_ascii(std::string_view text);

}  // namespace obs
