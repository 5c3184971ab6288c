// Prices that a person wrote down: a YAML list, in USD a million tokens. The form is in docs/prices.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pricing/catalogue.h"

namespace obs {

// All prices of one provider and model pattern.
struct UserModel {
    std::string provider_pattern;
    ModelMatch provider;
    PricedModel model;  // its name is the pattern
};

class UserPrices {
public:
    // `name` stands in rules (`<name>:<provider>/<model>@<day>`) and errors. `invalid_input` with the line
    // and the reason for anything that is not understood.
    static Result<UserPrices> parse(std::string_view yaml, std::string_view name);

    // Puts others behind these: asked where none of these holds.
    void append(const UserPrices& more);
    // The same, but those with the same provider and model become one history.
    void join(const UserPrices& more);

    // The models whose patterns fit one of these spellings, in the order of the file.
    std::vector<const PricedModel*> find(std::string_view provider,
                                         std::span<const std::string> spellings) const;
    std::size_t size() const { return models_.size(); }
    std::span<const UserModel> models() const { return models_; }

private:
    std::vector<UserModel> models_;
};

}  // namespace obs
