#include "text/function_words.h"

#include <unordered_set>

namespace obs {

namespace {

constexpr std::string_view english[] = {
    "the",     "of",     "and",   "to",      "is",    "it",     "that",  "you",   "for",    "are",
    "with",    "they",   "be",    "this",    "have",  "from",   "by",    "not",   "what",   "we",
    "when",    "your",   "can",   "which",   "their", "if",     "will",  "how",   "would",  "there",
    "been",    "has",    "had",   "who",     "its",   "did",    "does",  "could", "should", "them",
    "these",   "those",  "then",  "than",    "she",   "his",    "him",   "my",    "our",    "us",
    "because", "about",  "into",  "only",    "other", "where",  "while", "were",  "here",   "any",
    "some",    "please", "each",  "very",    "but",   "or",     "he",    "i'm",   "it's",   "don't",
    "i've",    "you're", "can't", "doesn't", "isn't", "that's", "i'll",  "i'd",   "let's",  "we're",
    "wasn't",  "didn't", "won't", "at",      "just",  "really", "too",   "why",
};

constexpr std::string_view foreign[] = {
    // German
    "der",
    "das",
    "und",
    "ist",
    "nicht",
    "ein",
    "eine",
    "einen",
    "ich",
    "wir",
    "ihr",
    "mit",
    "dem",
    "den",
    "von",
    "zu",
    "auf",
    "f\u00fcr",
    "sich",
    "auch",
    "wie",
    "bei",
    "nach",
    "aus",
    "wenn",
    "oder",
    "nur",
    "noch",
    "kann",
    "dass",
    "haben",
    "hat",
    "sind",
    "wird",
    "sehr",
    "bitte",
    "danke",
    "warum",
    "aber",
    // French
    "le",
    "la",
    "les",
    "est",
    "et",
    "une",
    "dans",
    "que",
    "qui",
    "pas",
    "vous",
    "nous",
    "pour",
    "avec",
    "sur",
    "ce",
    "cette",
    "sont",
    "je",
    "il",
    "elle",
    "mais",
    "tr\u00e8s",
    "bien",
    "merci",
    "c'est",
    "ne",
    "du",
    "aux",
    // Spanish, Portuguese, Italian
    "el",
    "los",
    "las",
    "una",
    "por",
    "para",
    "pero",
    "muy",
    "esta",
    "este",
    "est\u00e1",
    "como",
    "gracias",
    "es",
    "lo",
    "del",
    "yo",
    "uma",
    "n\u00e3o",
    "com",
    "mas",
    "muito",
    "isso",
    "voc\u00ea",
    "os",
    "em",
    "eu",
    "\u00e9",
    "il",
    "di",
    "che",
    "sono",
    "della",
    "molto",
    "questo",
    "grazie",
    "gli",
    "nel",
    "anche",
    // Dutch
    "het",
    "een",
    "dat",
    "niet",
    "voor",
    "zijn",
    "ik",
    "je",
    "deze",
    "ook",
    "maar",
    "wij",
    "heeft",
    "bij",
    // Scandinavian languages
    "och",
    "att",
    "det",
    "som",
    "inte",
    "jag",
    "p\u00e5",
    "av",
    "ikke",
    "og",
    "jeg",
    "til",
    "er",
    "meget",
    "takk",
    // Polish, Czech
    "jest",
    "nie",
    "si\u0119",
    "\u017ce",
    "jak",
    "bardzo",
    "dla",
    "je\u017celi",
    "jsem",
    "je",
    "\u017ee",
    // Turkish, Indonesian
    "bir",
    "ve",
    "bu",
    "i\u00e7in",
    "\u00e7ok",
    "de\u011fil",
    "yang",
    "tidak",
    "dengan",
    "untuk",
    "ini",
    "itu",
    "saya",
};

// Beside those of `english`.
constexpr std::string_view also_english[] = {
    "a",    "an",      "i",      "in",    "on",      "as",    "was",    "so",    "no",    "do",
    "me",   "am",      "all",    "out",   "up",      "also",  "more",   "most",  "such",  "own",
    "same", "both",    "her",    "may",   "might",   "must",  "shall",  "over",  "under", "again",
    "once", "through", "before", "after", "between", "being", "having", "doing", "yes",   "s",
    "t",    "re",      "ve",     "ll",    "d",       "m",     "don",    "im",    "one",   "get",
    "got",  "make",    "want",   "need",  "know",    "like",  "use",    "let",   "now",   "well",
};

}  // namespace

std::span<const std::string_view> english_words() {
    return english;
}

std::span<const std::string_view> foreign_words() {
    return foreign;
}

bool is_function_word(std::string_view lower_case) {
    static const auto all = [] {
        std::unordered_set<std::string_view> words(std::begin(english), std::end(english));
        words.insert(std::begin(also_english), std::end(also_english));
        return words;
    }();
    return all.contains(lower_case);
}

}  // namespace obs
