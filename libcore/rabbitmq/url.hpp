// Where the broker is and who we are there.
#pragma once

#include <cstdint>
#include <string>

namespace rabbitmq {

struct Url {
    std::string host = "localhost";
    std::uint16_t port = 5672;
    std::string user = "guest";
    std::string password = "guest";
    std::string virtual_host = "/";
    bool tls = false;

    friend bool operator==(const Url&, const Url&) = default;
};

/// `amqp://user:password@host:port/vhost` or `amqps://…`; user, password and virtual host are
/// percent-decoded (escapes of ASCII only: librabbitmq refuses others), and an absent or empty virtual host
/// is `/`. Throws BrokerError, without repeating the text, for anything else.
Url parse_url(const std::string& text);

}  // namespace rabbitmq
