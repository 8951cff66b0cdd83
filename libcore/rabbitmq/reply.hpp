// What rabbitmq-c and the broker answer, as BrokerError. Includes <amqp.h>.
#pragma once

#include <amqp.h>

#include <string>

namespace rabbitmq {

/// Throws unless the library's status, or the answer to a request, is good; `action` says what was attempted.
void check(const std::string& action, int status);
void check(const std::string& action, const amqp_rpc_reply_t& reply);

[[noreturn]] void fail(const std::string& action, int status);

/// Throws for what the broker said unasked: every method but a confirm or a delivery ends a connection of
/// ours.
[[noreturn]] void object(const amqp_method_t& method);

}  // namespace rabbitmq
