// A key or password. It has no formatter and no stream operator, so it cannot reach a log by accident.
#pragma once

#include <string>
#include <utility>

namespace obs {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    const std::string& reveal() const { return value_; }
    bool empty() const { return value_.empty(); }

private:
    std::string value_;
};

}  // namespace obs
