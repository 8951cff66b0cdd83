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

NewKey make_key() {
    const auto prefix = random_text<prefix_bytes>();
    const auto secret = random_text<secret_bytes>();
    return {.text = std::string(marker) + prefix + "_" + secret,
            .identity = {.id = new_uuid(), .prefix = prefix, .secret_sha256 = sha256(secret)}};
}

LiveKey live_key(postgres::ApiKey row, LiveKey::Clock::time_point asked_at) {
    LiveKey key;
    // A text that is not understood grants nothing: the defaults hold.
    if (const auto limits = parse_limits(row.limits.value_or("")); limits) key.limits = *limits;
    // By then the row has been read again, and so far the sum cannot overflow.
    constexpr std::chrono::microseconds far = std::chrono::hours(1);
    if (row.expires_in) key.ends_at = asked_at + std::min(*row.expires_in, far);
    key.row = std::move(row);
    return key;
}

const LiveKey* authenticate(std::string_view authorization, std::span<const LiveKey> keys,
                            LiveKey::Clock::time_point now) {
    constexpr std::size_t scheme_size = 7;
    constexpr std::size_t key_size = marker.size() + 2 * prefix_bytes + 1 + 2 * secret_bytes;
    // What a key is compared with when nobody has its prefix; no secret has this hash.
    static const std::string nobody(2 * SHA256_DIGEST_LENGTH, '-');
    if (authorization.size() != scheme_size + key_size) return nullptr;
    if (!is_bearer(authorization.substr(0, scheme_size))) return nullptr;
    const auto text = authorization.substr(scheme_size);
    const auto prefix = text.substr(marker.size(), 2 * prefix_bytes);
    if (!text.starts_with(marker) || text[marker.size() + prefix.size()] != '_') return nullptr;

    const auto found =
        std::find_if(keys.begin(), keys.end(), [&](const LiveKey& key) { return key.row.prefix == prefix; });
    const auto& expected = found == keys.end() ? nobody : found->row.secret_sha256;
    const auto digest = sha256(text.substr(marker.size() + prefix.size() + 1));
    const bool same =
        digest.size() == expected.size() && CRYPTO_memcmp(digest.data(), expected.data(), digest.size()) == 0;
    if (!same || found == keys.end()) return nullptr;
    const bool ended = found->ends_at && *found->ends_at <= now;
    return ended ? nullptr : &*found;
}

bool allows(const LiveKey& key, std::string_view scope) {
    return std::find(key.row.scopes.begin(), key.row.scopes.end(), scope) != key.row.scopes.end();
}

}  // namespace api
