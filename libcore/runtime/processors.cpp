#include "libcore/runtime/processors.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace runtime {

namespace {

/// Nothing of a file that is not there.
std::string first_line(const char* path) {
    std::string line;
    std::ifstream file(path);
    std::getline(file, line);
    return line;
}

/// As cgroup version 2 says it, or else version 1, of the group that a container sees as its root.
std::string limit_of_container() {
    auto limit = first_line("/sys/fs/cgroup/cpu.max");
    if (!limit.empty()) return limit;
    return first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + ' ' +
           first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
}

}  // namespace

int processors_within(std::string_view limit, int present) {
    std::istringstream words{std::string(limit)};
    std::int64_t quota = 0, period = 0;
    if (!(words >> quota >> period) || !(words >> std::ws).eof() || quota <= 0 || period <= 0) return present;
    const auto whole = quota / period + (quota % period == 0 ? 0 : 1);
    return static_cast<int>(std::min<std::int64_t>(whole, present));
}

int processors() {
    const auto present = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
    return processors_within(limit_of_container(), present);
}

}  // namespace runtime
