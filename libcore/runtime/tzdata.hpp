// Which release of the time zone data this machine has. A database server elsewhere may have another.
#pragma once

#include <filesystem>
#include <string>

namespace runtime {

/// "2025b", from the first line of `tzdata.zi` or from `+VERSION`; "unknown" where neither says so.
std::string tzdata_version(const std::filesystem::path& zones = "/usr/share/zoneinfo");

}  // namespace runtime
