#include "services/api/random.hpp"

#include <sys/random.h>

#include <array>
#include <bit>
#include <cerrno>
#include <system_error>

namespace api {

void fill_random(std::span<std::uint8_t> bytes) {
    // Up to 256 bytes come in one piece; only an interruption can make it fail.
    while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        if (errno != EINTR) throw std::system_error(errno, std::system_category(), "getrandom");
    }
}

std::uint64_t random_number() {
    std::array<std::uint8_t, sizeof(std::uint64_t)> bytes{};
    fill_random(bytes);
    return std::bit_cast<std::uint64_t>(bytes);
}

domain::Uuid new_uuid() {
    using namespace std::chrono;
    std::array<std::uint8_t, 10> random{};
    fill_random(random);
    return domain::uuid_v7(floor<milliseconds>(system_clock::now()), random);
}

}  // namespace api
