// The two queues. Publisher and consumer both declare them whenever they connect, so neither must start
// first.
#pragma once

#include <cstdint>
#include <string>

namespace rabbitmq {

struct Topology {
    std::string prefix = "tidings";

    std::string deliveries() const { return prefix + ".deliveries"; }
    std::string dead() const { return prefix + ".dead"; }
};

struct QueueDepth {
    std::uint32_t ready = 0;  ///< messages not in any consumer's hands
    std::uint32_t consumers = 0;
};

}  // namespace rabbitmq
