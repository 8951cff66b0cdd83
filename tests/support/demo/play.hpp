// The whole demo from the first person to the verdict.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace demo {

struct Options {
    std::string api;
    std::string api_key_file;
    std::string database;
    std::string sink;
    std::size_t users = 2400;
    int hours = 50;
    int seconds = 120;
    std::uint64_t seed = 1;
};

/// Returns the exit code: 0 when everything arrived as it should, 1 when not, 130 when interrupted. Throws
/// when the system cannot be reached or refuses.
int play(const Options& options);

}  // namespace demo
