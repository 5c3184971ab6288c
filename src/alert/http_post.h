// One POST to an address that a user chose.
#pragma once

#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace obs::alert {

enum class Targets : bool {
    public_only,  // nothing that only this machine and its network can reach
    all,
};

struct Post {
    std::string url, body;
    std::vector<std::pair<std::string, std::string>> headers{};
};

// Whether something could be posted there: http or https, a host, no user and password. An address that is
// written out is checked here; a name when it is known what it stands for. Fails with `invalid_input`.
Result<void> check_target(const std::string& url, Targets targets);

// The status of the answer, whatever it is; redirections are not followed, and the answer is not read.
// `forbidden` when the host is not a public one; `unavailable` for everything else that goes wrong.
Result<int> http_post(const Post& post, Targets targets, Nanos within, const std::stop_token& stop);

}  // namespace obs::alert
