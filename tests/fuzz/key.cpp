// The Authorization header: only the very key opens, and only with the case of its scheme left free.

#include <algorithm>
#include <utility>
#include <vector>

#include "services/api/api_key.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

const std::string prefix = "0123456789ab";
const std::string secret(64, '0');
const std::string text = "tdg_" + prefix + "_" + secret;

/// Of 64 zeros.
const std::string digest = "60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55";

bool is_the_key(std::string header) {
    std::transform(header.begin(), header.begin() + std::min<std::ptrdiff_t>(6, std::ssize(header)),
                   header.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return header == "bearer " + text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto key_with = [](const std::string& of_prefix, const std::string& hash) {
        postgres::ApiKey row;
        row.prefix = of_prefix;
        row.secret_sha256 = hash;
        return api::live_key(std::move(row), {});
    };
    static const std::vector<api::LiveKey> keys{key_with("ffffffffffff", std::string(64, 'f')),
                                                key_with(prefix, digest)};
    const auto header = fuzz::text_of(data, size);
    const auto* const key = api::authenticate(header, keys, {});
    MUST_HOLD((key != nullptr) == is_the_key(std::string(header)));
    MUST_HOLD(key == nullptr || key == &keys.back());

    static std::vector<api::LiveKey> ended = keys;
    for (auto& old : ended) old.ends_at = api::LiveKey::Clock::time_point{};
    MUST_HOLD(api::authenticate(header, ended, {}) == nullptr);
    return 0;
}
