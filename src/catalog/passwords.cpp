#include "catalog/passwords.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <new>

#include <sodium.h>

namespace obs {

struct Passwords::State {
    explicit State(Options chosen) : options(chosen) {}

    const Options options;
    std::mutex mutex;
    std::condition_variable free;
    unsigned running = 0, waiting = 0;
    std::string nobody;  // hash of a password that was thrown away
};

// One of the hashes at a time, for as long as it lives.
class Passwords::Turn {
public:
    static Result<Turn> take(State& state) {
        std::unique_lock lock(state.mutex);
        if (state.running >= state.options.at_once) {
            if (state.waiting >= state.options.waiting)
                return fail(ErrorKind::overloaded, "too many people sign in at once");
            ++state.waiting;
            state.free.wait(lock, [&] { return state.running < state.options.at_once; });
            --state.waiting;
        }
        ++state.running;
        return Turn(state);
    }
    Turn(Turn&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
        if (state_ == nullptr) return;
        {
            const std::lock_guard lock(state_->mutex);
            --state_->running;
        }
        state_->free.notify_one();
    }

private:
    explicit Turn(State& state) : state_(&state) {}
    State* state_;
};

namespace {

// The library's own text form, which carries the parameters: hashes of other parameters stay readable.
std::string hashed(const std::string& password, const Passwords::Options& options) {
    std::array<char, crypto_pwhash_STRBYTES> text;
    if (crypto_pwhash_str_alg(text.data(), password.data(), password.size(), options.passes, options.memory,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        throw std::bad_alloc();
    return text.data();
}

}  // namespace

Passwords::Passwords(Options options) : state_(std::make_unique<State>(options)) {
    if (sodium_init() < 0) throw std::bad_alloc();
    std::array<char, 32> random;
    randombytes_buf(random.data(), random.size());
    state_->nobody = hashed(std::string(random.data(), random.size()), options);
}
Passwords::~Passwords() = default;

Result<std::string> Passwords::hash(const Secret& password) const {
    const std::size_t size = password.reveal().size();
    if (size < shortest_password || size > longest_password)
        return fail(ErrorKind::invalid_input, "a password has {} to {} bytes", shortest_password,
                    longest_password);
    const Turn turn = OBS_TRY(Turn::take(*state_));
    return hashed(password.reveal(), state_->options);
}

Result<bool> Passwords::matches(const Secret& password, std::string_view kept) const {
    const Turn turn = OBS_TRY(Turn::take(*state_));
    const std::string& text = password.reveal();
    const bool somebody = !kept.empty() && text.size() <= longest_password;
    const std::string against = somebody ? std::string(kept) : state_->nobody;
    const std::size_t size = std::min(text.size(), longest_password);
    return crypto_pwhash_str_verify(against.c_str(), text.data(), size) == 0 && somebody;
}

}  // namespace obs
