#include "libcore/runtime/spelling.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace runtime {
namespace {

std::string bare(std::string_view name) {
    std::string bare;
    for (const char c : name)
        if (c != '_') bare += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return bare;
}

/// How many letters to insert, delete or replace until one is the other.
std::size_t distance(std::string_view one, std::string_view other) {
    std::vector<std::size_t> row(other.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < one.size(); ++i) {
        auto diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < other.size(); ++j) {
            const auto replaced = diagonal + (one[i] == other[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

bool is_near(std::string_view name, std::string_view setting) {
    const auto given = bare(name);
    const auto meant = bare(setting);
    if (meant.size() < 6) return false;
    return distance(given, meant) <= (meant.size() < 9 ? 1u : 2u);
}

}  // namespace runtime
