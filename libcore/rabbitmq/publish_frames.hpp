// Messages as they go over the wire (AMQP 0-9-1, 4.2): many behind each other in one piece of memory, where
// rabbitmq-c makes three system calls of each. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rabbitmq {

/// Persistent and mandatory, to the default exchange.
class PublishFrames {
public:
    PublishFrames(std::uint16_t channel, std::string_view queue);

    /// The body must fit into one frame.
    void append(std::string& wire, std::string_view body) const;

private:
    const std::uint16_t channel_;
    std::string method_;      ///< the whole frame
    std::string properties_;  ///< the end of the header's payload
};

}  // namespace rabbitmq
