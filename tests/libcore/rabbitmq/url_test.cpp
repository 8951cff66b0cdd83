#include "libcore/rabbitmq/url.hpp"

#include <catch2/catch.hpp>

#include "libcore/rabbitmq/error.hpp"

using rabbitmq::parse_url;
using rabbitmq::Url;

TEST_CASE("a broker URL names user, password, host, port and virtual host") {
    CHECK(parse_url("amqp://tidings:secret@broker:5673/mail") == Url{.host = "broker",
                                                                     .port = 5673,
                                                                     .user = "tidings",
                                                                     .password = "secret",
                                                                     .virtual_host = "mail",
                                                                     .tls = false});
}

TEST_CASE("an absent or empty virtual host is the default one") {
    CHECK(parse_url("amqp://broker") == Url{.host = "broker"});
    CHECK(parse_url("amqp://broker/").virtual_host == "/");
    CHECK(parse_url("amqp://broker/%2f").virtual_host == "/");
}

TEST_CASE("credentials and virtual host are percent-decoded") {
    const auto url = parse_url("amqp://a%40b:p%3Aq%2Fr@broker/v%20h");
    CHECK(url.user == "a@b");
    CHECK(url.password == "p:q/r");
    CHECK(url.virtual_host == "v h");
}

TEST_CASE("amqps means TLS on its own port") {
    CHECK(parse_url("amqps://broker").tls);
    CHECK(parse_url("amqps://broker").port == 5671);
}

TEST_CASE("a text that is no broker URL is refused without repeating it") {
    for (const auto* text : {"", "http://u:secret@broker", "amqp://u:secret@broker:port",
                             "amqp://u:secret@broker:70000", "amqp://u:secret%zz@broker", "u:secret@broker",
                             "amqp://u:secret%00x@broker", "amqp://u:secret@[]"}) {
        CAPTURE(text);
        try {
            parse_url(text);
            FAIL_CHECK("accepted");
        } catch (const rabbitmq::BrokerError& error) {
            CHECK_THAT(error.what(), !Catch::Contains("secret"));
        }
    }
}
