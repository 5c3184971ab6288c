#include "catalog/sha256.h"

#include <array>
#include <cstddef>
#include <span>

#include <openssl/sha.h>

#include "base/ids.h"

namespace obs {

std::string sha256_hex(std::string_view text) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return to_hex(std::as_bytes(std::span(digest)));
}

}  // namespace obs
