// The addresses of provider, broker and Redis, as an operator may mistype them.

#include "libcore/http/url.hpp"
#include "libcore/rabbitmq/error.hpp"
#include "libcore/rabbitmq/url.hpp"
#include "libcore/redis/url.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void check_provider(std::string_view text) {
    const auto url = http::parse_url(text);
    if (!url) return;
    MUST_HOLD(!url->host.empty() && url->port != 0 && !url->path.ends_with('/'));
    const auto header = http::host_header(*url);
    MUST_HOLD(header.find_first_of(std::string_view("\r\n\0 @", 5)) == std::string::npos);
    MUST_HOLD(http::parse_url((url->tls ? "https://" : "http://") + header + url->path) == url);
}

/// librabbitmq refuses escapes of bytes beyond ASCII, and takes the bytes themselves.
std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text)
        result += static_cast<signed char>(c) < 0 ? std::string(1, c) : fuzz::percent_encoded({&c, 1});
    return result;
}

const std::string& refusal() {
    static const std::string text = [] {
        try {
            rabbitmq::parse_url("");
        } catch (const rabbitmq::BrokerError& error) {
            return std::string(error.what());
        }
        return std::string();
    }();
    return text;
}

void check_broker(const std::string& text) {
    rabbitmq::Url url;
    try {
        url = rabbitmq::parse_url(text);
    } catch (const rabbitmq::BrokerError& error) {
        MUST_HOLD(error.what() == refusal());  // the same for every text, so that none is repeated
        return;
    }
    MUST_HOLD(url.port != 0 && !url.virtual_host.empty());
    if (url.host.find(':') != std::string::npos) return;  // an IPv6 address stands in brackets
    const auto again = (url.tls ? "amqps://" : "amqp://") + escaped(url.user) + ':' + escaped(url.password) +
                       '@' + escaped(url.host) + ':' + std::to_string(url.port) + '/' +
                       escaped(url.virtual_host);
    MUST_HOLD(rabbitmq::parse_url(again) == url);
}

void check_redis(std::string_view text) {
    const auto url = redis::parse_url(text);
    if (!url) return;
    MUST_HOLD(!url->host.empty() && url->port != 0 && url->database >= 0);
    MUST_HOLD(url->user.empty() || !url->password.empty());
    const bool is_ipv6 = url->host.find(':') != std::string::npos;
    std::string again = "redis://";
    if (!url->password.empty()) {
        again += fuzz::percent_encoded(url->user) + ':' + fuzz::percent_encoded(url->password) + '@';
    }
    again += (is_ipv6 ? '[' + url->host + ']' : url->host) + ':' + std::to_string(url->port) + '/' +
             std::to_string(url->database);
    MUST_HOLD(redis::parse_url(again) == url);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    check_provider(text);
    check_broker(std::string(text));
    check_redis(text);
    return 0;
}
