// Passwords are kept as Argon2id hashes (RFC 9106): 32 MiB of memory, 3 passes, one lane, 16 bytes of salt.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace obs {

inline constexpr std::size_t shortest_password = 10, longest_password = 256;  // bytes

// Thread-safe. A hash takes some 50 ms and its memory: few are made at a time, and few callers wait.
class Passwords {
public:
    struct Options {
        unsigned at_once = 2;
        unsigned waiting = 1;  // callers that wait for one of them; more are refused
        // Of tests alone: what is above keeps its cost for whoever guesses.
        std::size_t memory = 32 << 20;
        unsigned passes = 3;
    };
    explicit Passwords(Options options);
    Passwords() : Passwords(Options()) {}
    ~Passwords();

    // What is kept: parameters, salt and hash in one text. Fails with `invalid_input` (too short or too long)
    // or `overloaded`.
    Result<std::string> hash(const Secret& password) const;
    // Takes as long for an empty `kept` (nobody of that name, or without a password), and is false then.
    // Fails with `overloaded`.
    Result<bool> matches(const Secret& password, std::string_view kept) const;

private:
    class Turn;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace obs
