// The one exception of this adapter: the broker cannot be reached, refuses, or did not confirm in time.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace rabbitmq {

/// `what()` says what was attempted and why it failed, and never contains a password.
class BrokerError : public std::runtime_error {
public:
    enum class Kind {
        unreachable,  ///< not connected, or the connection was lost
        refused,      ///< the broker said no: credentials, virtual host, a queue declared differently
        not_taken,    ///< a message was returned or refused, or publishing is blocked by an alarm
        timed_out,    ///< no answer within the deadline: what was published is in doubt
    };

    BrokerError(Kind kind, const std::string& text, std::uint16_t reply_code = 0)
        : std::runtime_error(text), kind_(kind), reply_code_(reply_code) {}

    Kind kind() const { return kind_; }
    /// The AMQP reply code (403, 404, 406, …), 0 when the broker gave none.
    std::uint16_t reply_code() const { return reply_code_; }

private:
    Kind kind_;
    std::uint16_t reply_code_;
};

}  // namespace rabbitmq
