// The two queues. Publisher and consumer both declare them whenever they connect, so neither must start
// first.
#pragma once

#include <string>

namespace rabbitmq {

struct Topology {
    std::string prefix = "tidings";

    std::string deliveries() const { return prefix + ".deliveries"; }
    std::string dead() const { return prefix + ".dead"; }
};

}  // namespace rabbitmq
