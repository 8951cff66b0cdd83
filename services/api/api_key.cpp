#include "services/api/api_key.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "services/api/random.hpp"

namespace api {

namespace {

constexpr std::string_view marker = "tdg_";
constexpr std::size_t prefix_bytes = 6;
constexpr std::size_t secret_bytes = 32;

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

template <std::size_t size>
std::string random_text() {
    std::array<std::uint8_t, size> bytes{};
    fill_random(bytes);
    return hexadecimal(bytes);
}

std::string sha256(std::string_view text) {
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), digest.data());
    return hexadecimal(digest);
}

bool is_bearer(std::string_view scheme) {
    constexpr std::string_view bearer = "bearer ";
    return std::equal(scheme.begin(), scheme.end(), bearer.begin(), bearer.end(),
                      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

}  // namespace

NewKey make_key(std::string name, std::vector<std::string> scopes) {
    const auto prefix = random_text<prefix_bytes>();
    const auto secret = random_text<secret_bytes>();
    return {.text = std::string(marker) + prefix + "_" + secret,
            .row = {.name = std::move(name),
                    .prefix = prefix,
                    .secret_sha256 = sha256(secret),
                    .scopes = std::move(scopes)}};
}

const postgres::ApiKey* authenticate(std::string_view authorization,
                                     const std::vector<postgres::ApiKey>& keys) {
    constexpr std::size_t scheme_size = 7;
    constexpr std::size_t key_size = marker.size() + 2 * prefix_bytes + 1 + 2 * secret_bytes;
    if (authorization.size() != scheme_size + key_size) return nullptr;
    if (!is_bearer(authorization.substr(0, scheme_size))) return nullptr;
    const auto text = authorization.substr(scheme_size);
    const auto prefix = text.substr(marker.size(), 2 * prefix_bytes);
    if (!text.starts_with(marker) || text[marker.size() + prefix.size()] != '_') return nullptr;

    const auto key =
        std::find_if(keys.begin(), keys.end(), [&](const postgres::ApiKey& k) { return k.prefix == prefix; });
    if (key == keys.end()) return nullptr;
    const auto digest = sha256(text.substr(marker.size() + prefix.size() + 1));
    const bool same = digest.size() == key->secret_sha256.size() &&
                      CRYPTO_memcmp(digest.data(), key->secret_sha256.data(), digest.size()) == 0;
    return same ? &*key : nullptr;
}

bool allows(const postgres::ApiKey& key, std::string_view scope) {
    return std::find(key.scopes.begin(), key.scopes.end(), scope) != key.scopes.end();
}

}  // namespace api
