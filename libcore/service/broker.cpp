#include "libcore/service/broker.hpp"

#include <memory>
#include <mutex>

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

namespace {

/// What is known of the connection: told on its own thread, asked on any.
class BrokerState {
public:
    void change(const rabbitmq::ConnectionChange& change) {
        const std::lock_guard lock(mutex_);
        state_ = {change.connected, change.connected ? "" : change.reason};
    }

    runtime::CheckResult state() const {
        const std::lock_guard lock(mutex_);
        return state_;
    }

private:
    mutable std::mutex mutex_;
    runtime::CheckResult state_{false, "not connected yet"};
};

}  // namespace

runtime::Check watch_broker(rabbitmq::Settings& settings, runtime::Registry& registry) {
    const auto counter = [&](const char* change) -> prometheus::Counter& {
        return registry.counter("broker_connections_total", "Connections to the broker made and lost",
                                {{"change", change}});
    };
    const auto state = std::make_shared<BrokerState>();
    auto& ready =
        registry.gauge("broker_ready", "1 while connected to a broker that takes what is published");
    settings.observe = [state, &ready, &made = counter("made"), &lost = counter("lost"),
                        limit = std::make_shared<runtime::log::RateLimit>(std::chrono::seconds(5))](
                           const rabbitmq::ConnectionChange& change) {
        state->change(change);
        ready.Set(change.connected ? 1 : 0);
        (change.connected ? made : lost).Increment();
        if (change.connected) {
            runtime::log::info("connected to the broker");
        } else if (change.reason.empty()) {
            runtime::log::info("closed the connection to the broker");
        } else if (limit->pass()) {
            runtime::log::warn("no connection to the broker", {{"reason", change.reason}});
        }
    };
    return {"broker", [state] { return state->state(); }};
}

}  // namespace service
