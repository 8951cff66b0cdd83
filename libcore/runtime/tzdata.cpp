#include "libcore/runtime/tzdata.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>

namespace runtime {

namespace {

/// "2025b", "2024a-rearguard": it becomes the value of a metric's label.
bool is_release(const std::string& word) {
    return word.size() >= 5 && word.size() <= 32 &&
           std::all_of(word.begin(), word.begin() + 4, [](unsigned char c) { return std::isdigit(c); }) &&
           std::ranges::all_of(word, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.'; });
}

}  // namespace

std::string tzdata_version(const std::filesystem::path& zones) {
    std::string hash, word, release;
    // "# version 2025b", as zic writes it and Debian ships it.
    std::ifstream(zones / "tzdata.zi") >> hash >> word >> release;
    if (hash == "#" && word == "version" && is_release(release)) return release;
    release.clear();
    std::ifstream(zones / "+VERSION") >> release;
    return is_release(release) ? release : "unknown";
}

}  // namespace runtime
