// What scheduler and worker need of the broker: settings, and the log and metrics of its connections.
#pragma once

#include <string>

#include "libcore/rabbitmq/settings.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/readiness.hpp"
#include "libcore/runtime/settings.hpp"

namespace service {

/// From AMQP_URL and QUEUE_PREFIX.
rabbitmq::Settings read_broker_settings(runtime::Environment& environment, const std::string& application);

/// Logs every change of the connection and counts it as `broker_connections_total{change}`. The check says
/// whether there is one, and if not, why.
runtime::Check watch_broker(rabbitmq::Settings& settings, runtime::Registry& registry);

}  // namespace service
