// One spelling for every provider, and who it is when only a framework named itself.
#pragma once

#include <string>
#include <string_view>

namespace obs {

struct ProviderWord {
    std::string_view canonical;  // empty if the word is not known; then it is kept as the client spelled it
    bool is_framework = false;   // `canonical` is a framework and no provider
};
ProviderWord read_provider(std::string_view word);

// Empty if the name fits no single provider.
std::string_view provider_of_model(std::string_view model);
std::string_view provider_of_host(std::string_view host);

}  // namespace obs
