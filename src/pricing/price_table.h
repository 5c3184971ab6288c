// Which price holds for a model of a provider at a time: the catalogue compiled into the program, the older
// names that it lacks, above both the user's file, and above all the prices that were set. docs/prices.md
// tells the order and the rules.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "pricing/price.h"

namespace obs {

class UserPrices;

// Immutable: any thread may ask. Prices live as long as the table.
class PriceTable {
public:
    // The built-in catalogue and, above it, the prices of a YAML file. `invalid_input` with line and reason
    // when the file is wrong; none of it is used then.
    static Result<PriceTable> load(const std::optional<std::filesystem::path>& user_prices = std::nullopt);
    // The same with the file's text; `name` stands in rules and errors.
    static Result<PriceTable> with_user_prices(std::string_view yaml, std::string_view name);

    // The same with `set` above everything, in its order; shares what is below.
    PriceTable under(UserPrices set) const;

    PriceTable(PriceTable&&) noexcept;
    PriceTable& operator=(PriceTable&&) noexcept;
    ~PriceTable();

    // Nothing for a model without a known price; it is never guessed. `provider` is a canonical name (openai,
    // aws.bedrock, ...) or empty: then there is an answer only when all providers that know the model ask the
    // same price. `model` is as the client spelled it. `service` is what the request was bought as (batch,
    // flex, priority, fast) or empty; a service without prices of its own costs the standard price. Repeated
    // questions are answered from a small table of the thread.
    const Price* find(std::string_view provider, std::string_view model, UnixNanos at,
                      std::string_view service = {}) const;

    // Every price that has this rule (Price::rule), whoever sells it; prices of different hours may share
    // one. Empty for rules of other catalogues. Looks at all prices.
    std::vector<const Price*> with_rule(std::string_view rule) const;

    // Models with a price, over all sources.
    std::size_t models() const;
    // The catalogue's package and version: `genai-prices/0.2.3`.
    std::string_view catalogue() const;

private:
    struct Parts;
    explicit PriceTable(std::unique_ptr<const Parts> parts);
    std::unique_ptr<const Parts> parts_;
};

}  // namespace obs
