// Rates the texts that it reads, one a line, so that a test in another language can compare: `mood_of
// sentence` or `mood_of text`. Answers a number a line, or `none`.
#include <iostream>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "text/sentiment.h"

int main(int count, char** arguments) {
    const bool whole = count == 2 && std::string_view(arguments[1]) == "text";
    if (!whole && (count != 2 || std::string_view(arguments[1]) != "sentence")) {
        std::cerr << "mood_of sentence|text\n";
        return 1;
    }
    for (std::string line; std::getline(std::cin, line);) {
        const auto mood = whole ? obs::mood_of(line) : obs::mood_of_sentence(line);
        std::cout << (mood ? fmt::format("{}", *mood) : "none") << '\n';
    }
    return 0;
}
