#include "libcore/rabbitmq/queue_watch.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "libcore/rabbitmq/error.hpp"
#include "libcore/rabbitmq/publisher.hpp"
#include "tests/libcore/rabbitmq/running_consumer.hpp"
#include "tests/support/amqp_fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/tcp_gate.hpp"

using namespace std::chrono_literals;
using rabbitmq::BrokerError;
using rabbitmq::QueueWatch;
using rabbitmq::RunningConsumer;
using support::AmqpFixture;
using support::eventually;

TEST_CASE_METHOD(AmqpFixture, "a watch sees what is ready in the queue and how many consume it") {
    QueueWatch watch(settings());
    CHECK(watch.look(5s).consumers == 0);
    rabbitmq::Publisher publisher(settings());
    publisher.publish(std::vector<std::string>(7, "hint"), 5s);
    CHECK(eventually([&] { return watch.look(5s).ready == 7; }));
    {
        const RunningConsumer one(settings());
        const RunningConsumer other(settings());
        CHECK(eventually([&] { return watch.look(5s).consumers == 2; }));
    }
    CHECK(eventually([&] { return watch.look(5s).consumers == 0; }));
}

TEST_CASE_METHOD(AmqpFixture, "a watch that gets no answer costs the consumer nothing, and asks anew") {
    support::TcpGate gate(settings().url.host, settings().url.port);
    QueueWatch watch(settings_through(gate.port()));
    const RunningConsumer consumer(settings_through(gate.port()));
    REQUIRE(eventually([&] { return watch.look(5s).consumers == 1; }));
    REQUIRE(gate.open() == 2);
    // Two who declare a queue at once may cost one of them a connection: 541 INTERNAL_ERROR.
    const int connects = consumer.connects();

    gate.stall();
    CHECK_THROWS_AS(watch.look(100ms), BrokerError);
    CHECK_THROWS_AS(watch.look(100ms), BrokerError);
    gate.forward();
    CHECK(watch.look(5s).consumers == 1);
    rabbitmq::Publisher publisher(settings());
    publisher.publish(std::vector<std::string>{"hint"}, 5s);
    CHECK(eventually([&] { return consumer.count() == 1; }));
    CHECK(consumer.connects() == connects);
}

TEST_CASE_METHOD(AmqpFixture, "a watch that was cut off connects again when it is asked") {
    support::TcpGate gate(settings().url.host, settings().url.port);
    QueueWatch watch(settings_through(gate.port()));
    watch.look(5s);
    gate.cut();
    CHECK_THROWS_AS(watch.look(5s), BrokerError);
    CHECK(watch.look(5s).ready == 0);
}
