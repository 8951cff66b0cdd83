// How a read replica stands, for whoever looks.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace service {

struct ReplicaView {
    std::string name;
    std::string_view standing;  ///< "in", or why it is not: "unknown", "behind", "no_replica"
    std::optional<std::chrono::milliseconds> lag;
    int reads;  ///< under way
};

}  // namespace service
