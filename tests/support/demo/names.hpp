// Names that people have where a time zone is, in their own scripts.
#pragma once

#include <random>
#include <string>
#include <string_view>

namespace demo {

struct Name {
    std::string first;
    std::string last;
};

/// One that is usual in the zone; a zone where nobody lives (UTC, Etc/GMT+3) has names from anywhere.
Name name_in(std::string_view zone, std::mt19937_64& random);

}  // namespace demo
