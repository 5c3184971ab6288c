#include "pricing/model_match.h"

#include <algorithm>
#include <charconv>
#include <regex>

namespace obs {

struct ModelMatch::Regex {
    std::regex pattern;
};

namespace {

bool glob_matches(std::string_view pattern, std::string_view name) {
    std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
    while (n < name.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = n;
        } else if (p < pattern.size() && pattern[p] == name[n]) {
            ++p, ++n;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++resume;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

std::string lower_ascii(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

Result<ModelMatch::Node> ModelMatch::parse_node(std::string_view field) {
    if (field.size() < 2) return fail(ErrorKind::invalid_input, "'{}' is no pattern", field);
    const std::string_view operand = field.substr(1);
    Node node{.test = field[0]};
    switch (field[0]) {
        case '|':
        case '&': {
            const auto [end, error] =
                std::from_chars(operand.data(), operand.data() + operand.size(), node.children);
            if (error != std::errc{} || end != operand.data() + operand.size() || node.children == 0)
                return fail(ErrorKind::invalid_input, "'{}' must count its patterns", field);
            return node;
        }
        case '~': try { node.regex = std::make_shared<Regex>(std::regex(operand.begin(), operand.end()));
            } catch (const std::regex_error& error) {
                return fail(ErrorKind::invalid_input, "bad regex '{}': {}", operand, error.what());
            }
            return node;
        case '=':
        case '^':
        case '$':
        case '*':
        case '?': node.text = lower_ascii(operand); return node;
        default: return fail(ErrorKind::invalid_input, "'{}' begins with no known test", field);
    }
}

Result<ModelMatch> ModelMatch::parse(std::span<const std::string_view> fields) {
    ModelMatch match;
    std::size_t wanted = 1;
    for (std::string_view field : fields) {
        if (wanted == 0) return fail(ErrorKind::invalid_input, "'{}' belongs to no pattern", field);
        match.nodes_.push_back(OBS_TRY(parse_node(field)));
        wanted += match.nodes_.back().children;
        --wanted;
    }
    if (wanted != 0) return fail(ErrorKind::invalid_input, "{} patterns are missing", wanted);
    return match;
}

ModelMatch ModelMatch::glob(std::string_view pattern) {
    ModelMatch match;
    const bool plain = pattern.find('*') == std::string_view::npos;
    match.nodes_.push_back(Node{.test = plain ? '=' : '?', .text = lower_ascii(pattern)});
    return match;
}

bool ModelMatch::leaf_matches(const Node& node, std::string_view name) {
    switch (node.test) {
        case '=': return name == node.text;
        case '^': return name.starts_with(node.text);
        case '$': return name.ends_with(node.text);
        case '*': return name.find(node.text) != std::string_view::npos;
        case '?': return glob_matches(node.text, name);
        default: return std::regex_search(name.begin(), name.end(), node.regex->pattern);
    }
}

// Walks over the whole subtree even when the answer is known: `at` must end behind it.
bool ModelMatch::matches_from(std::size_t& at, std::string_view name) const {
    const Node& node = nodes_[at++];
    if (node.children == 0) return leaf_matches(node, name);
    std::size_t matched = 0;
    for (std::size_t child = 0; child < node.children; ++child) matched += matches_from(at, name) ? 1 : 0;
    return node.test == '|' ? matched > 0 : matched == node.children;
}

bool ModelMatch::matches(std::string_view name) const {
    std::size_t at = 0;
    return !nodes_.empty() && matches_from(at, name);
}

}  // namespace obs
