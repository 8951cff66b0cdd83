// Fresh queue names on the broker of TEST_AMQP_URL, removed again at the end, and a view of the queues that
// is independent of the code under test.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/rabbitmq/settings.hpp"

namespace support {

class AmqpFixture {
public:
    /// Throws when TEST_AMQP_URL is missing or nothing answers there.
    AmqpFixture();
    /// On another broker.
    explicit AmqpFixture(std::string url);
    ~AmqpFixture();
    AmqpFixture(const AmqpFixture&) = delete;
    AmqpFixture& operator=(const AmqpFixture&) = delete;

    /// Whether a broker lets us in there.
    static bool answers(const std::string& url);

    const std::string& url() const { return url_; }
    const std::string& prefix() const { return settings_.topology.prefix; }
    const rabbitmq::Settings& settings() const { return settings_; }
    /// The same broker through a port of this machine, as a TcpGate offers one.
    rabbitmq::Settings settings_through(std::uint16_t port) const;

    /// Messages ready in a queue; nothing when it does not exist.
    std::optional<std::uint32_t> ready(const std::string& queue) const;
    /// Takes one message out of a queue.
    std::optional<std::string> take(const std::string& queue) const;
    void put(const std::string& queue, const std::string& body) const;
    void remove(const std::string& queue) const;
    /// A classic queue without arguments: what a mistaken operator would leave behind.
    void declare_plain(const std::string& queue) const;

private:
    std::string url_;
    rabbitmq::Settings settings_;
};

}  // namespace support
