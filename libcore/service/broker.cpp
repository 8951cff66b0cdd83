#include "libcore/service/broker.hpp"

#include "libcore/rabbitmq/error.hpp"
#include "libcore/runtime/log.hpp"

namespace service {

rabbitmq::Settings read_broker_settings(runtime::Environment& environment, const std::string& application) {
    rabbitmq::Settings settings;
    const std::string url = environment.required_url("AMQP_URL");
    try {
        if (!url.empty()) settings.url = rabbitmq::parse_url(url);
    } catch (const rabbitmq::BrokerError& error) {
        environment.reject("AMQP_URL", error.what());
    }
    settings.topology.prefix = environment.text("QUEUE_PREFIX", "tidings");
    settings.client_name = application;
    return settings;
}

void watch_broker(rabbitmq::Settings& settings, runtime::Registry& registry) {
    const auto counter = [&](const char* change) -> prometheus::Counter& {
        return registry.counter("broker_connections_total", "Connections to the broker made and lost",
                                {{"change", change}});
    };
    settings.observe = [&made = counter("made"), &lost = counter("lost"),
                        limit = std::make_shared<runtime::log::RateLimit>(std::chrono::seconds(5))](
                           const rabbitmq::ConnectionChange& change) {
        (change.connected ? made : lost).Increment();
        if (change.connected) {
            runtime::log::info("connected to the broker");
        } else if (change.reason.empty()) {
            runtime::log::info("closed the connection to the broker");
        } else if (limit->pass()) {
            runtime::log::warn("no connection to the broker", {{"reason", change.reason}});
        }
    };
}

}  // namespace service
