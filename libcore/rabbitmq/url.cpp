#include "libcore/rabbitmq/url.hpp"

#include <amqp.h>

#include "libcore/rabbitmq/error.hpp"

namespace rabbitmq {

Url parse_url(const std::string& text) {
    // librabbitmq reads up to the first NUL, and takes "[]" for a host.
    const bool cut_short = text.find('\0') != std::string::npos || text.find("%00") != std::string::npos;
    std::string buffer = text;  // amqp_parse_url decodes in place, and its results point into the buffer
    amqp_connection_info info{};
    amqp_default_connection_info(&info);
    if (cut_short || amqp_parse_url(buffer.data(), &info) != AMQP_STATUS_OK || info.port < 1 ||
        info.port > 65535 || *info.host == '\0') {
        throw BrokerError(BrokerError::Kind::refused,
                          "the broker's URL is not of the form amqp://user:password@host:port/vhost");
    }
    const std::string virtual_host = info.vhost;
    return Url{.host = info.host,
               .port = static_cast<std::uint16_t>(info.port),
               .user = info.user,
               .password = info.password,
               .virtual_host = virtual_host.empty() ? "/" : virtual_host,
               .tls = info.ssl != 0};
}

}  // namespace rabbitmq
