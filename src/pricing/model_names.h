// How the same model and the same provider are called by clients, clouds and the catalogue.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace obs {

// The name in lower case and the names that it can stand for, the most faithful first: without a path
// (`models/`, publishers, ARNs), with `@` and `:latest` resolved, dates with dashes, without Bedrock's region
// and vendor, Azure's gpt-35 as gpt-3.5, gpt-4-*-preview as gpt-4-turbo, without a date. A tuned model
// (`ft:`) never becomes the model it was tuned from.
std::vector<std::string> spellings_of(std::string_view model);

// The catalogue's name for a canonical provider (`gcp.vertex_ai` is its `google`); the name itself when it
// has no other.
std::string_view catalogue_name_of(std::string_view provider);

}  // namespace obs
