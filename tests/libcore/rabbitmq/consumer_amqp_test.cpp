#include "libcore/rabbitmq/consumer.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>
#include <vector>

#include "libcore/rabbitmq/publisher.hpp"
#include "tests/libcore/rabbitmq/frames.hpp"
#include "tests/libcore/rabbitmq/running_consumer.hpp"
#include "tests/support/amqp_fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/tcp_gate.hpp"

using namespace std::chrono_literals;
using Bodies = std::vector<std::string>;
using rabbitmq::Publisher;
using rabbitmq::RunningConsumer;
using support::eventually;

namespace {

struct Fixture : support::AmqpFixture {
    std::string deliveries = settings().topology.deliveries();
    std::string dead = settings().topology.dead();
    support::TcpGate gate{settings().url.host, settings().url.port};
    Publisher publisher{settings()};

    rabbitmq::Settings through_gate() const { return settings_through(gate.port()); }

    void publish(int count) {
        Bodies bodies;
        for (int i = 0; i < count; ++i) {
            bodies.push_back(std::to_string(i));
        }
        publisher.publish(bodies, 30s);
    }
};

std::set<std::string> bodies_of(const std::vector<rabbitmq::Received>& received) {
    std::set<std::string> bodies;
    for (const auto& message : received) {
        bodies.insert(message.body);
    }
    return bodies;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a message arrives as it was published") {
    const Bodies bodies{"plain", "", std::string("\0\xff\0", 3), std::string(4096, 'x'),
                        std::string(65536, 'y')};
    publisher.publish(bodies, 5s);
    RunningConsumer consumer(settings());
    REQUIRE(eventually([&] { return consumer.count() == bodies.size(); }));
    for (std::size_t i = 0; i < bodies.size(); ++i) {
        CHECK(consumer.received()[i].body == bodies[i]);
        CHECK_FALSE(consumer.received()[i].redelivered);
    }
}

TEST_CASE_METHOD(Fixture, "twenty thousand messages are consumed once each and acked") {
    RunningConsumer consumer(settings(), RunningConsumer::Mode::ack, 500);
    for (int batch = 0; batch < 20; ++batch) {
        publish(1000);
    }
    REQUIRE(eventually([&] { return consumer.count() >= 20000; }, 30s));
    consumer.stop();
    CHECK(consumer.count() == 20000);
    CHECK(bodies_of(consumer.received()).size() == 1000);
    CHECK(eventually([&] { return ready(deliveries) == 0u; }));
    RunningConsumer second(settings());
    REQUIRE(eventually([&] { return second->connected(); }));
    publish(1);
    REQUIRE(eventually([&] { return second.count() > 0; }));
    CHECK(second.count() == 1);
}

TEST_CASE_METHOD(Fixture, "no more than the prefetch is in hand") {
    publish(10);
    RunningConsumer consumer(settings(), RunningConsumer::Mode::keep, 4);
    REQUIRE(eventually([&] { return consumer.count() == 4 && ready(deliveries) == 6u; }));
    consumer->ack(consumer.received()[2].tag);
    REQUIRE(eventually([&] { return consumer.count() == 5 && ready(deliveries) == 5u; }));
    CHECK(consumer.count() == 5);
}

TEST_CASE_METHOD(Fixture, "acks out of order settle exactly what was acked") {
    publish(6);
    RunningConsumer consumer(settings());
    REQUIRE(eventually([&] { return consumer.count() == 6; }));
    const auto received = consumer.received();
    for (const std::size_t index : {5u, 0u, 3u, 1u}) {
        consumer->ack(received[index].tag);
    }
    consumer.stop();
    CHECK(eventually([&] { return ready(deliveries) == 2u; }));
    CHECK(take(deliveries) == "2");
    CHECK(take(deliveries) == "4");
}

TEST_CASE_METHOD(Fixture, "a rejected message is in the dead queue with its body") {
    publisher.publish(Bodies{"good", "bad", "good"}, 5s);
    RunningConsumer consumer(settings());
    REQUIRE(eventually([&] { return consumer.count() == 3; }));
    for (const auto& message : consumer.received()) {
        message.body == "bad" ? consumer->reject(message.tag) : consumer->ack(message.tag);
    }
    REQUIRE(eventually([&] { return ready(dead) == 1u; }));
    CHECK(take(dead) == "bad");
    consumer.stop();
    CHECK(ready(deliveries) == 0u);
}

TEST_CASE_METHOD(Fixture, "a lost connection brings unacked messages again and old tags settle nothing") {
    publish(3);
    RunningConsumer consumer(through_gate());
    REQUIRE(eventually([&] { return consumer.count() == 3; }));
    const auto first = consumer.received();
    consumer->ack(first[0].tag);
    REQUIRE(eventually([&] { return publisher.depth(5s).ready == 0; }));

    gate.cut();
    REQUIRE(eventually([&] { return consumer.connects() == 2 && consumer.count() >= 5; }));
    for (const auto& message : first) {
        consumer->ack(message.tag);
    }
    consumer.stop();

    const auto again = consumer.received();
    for (std::size_t i = 3; i < again.size(); ++i) {
        CHECK(again[i].redelivered);
        CHECK(again[i].tag > first.back().tag);
    }
    CHECK(eventually([&] { return ready(deliveries) == again.size() - 3; }));
}

TEST_CASE_METHOD(Fixture, "a consumer outlives its queue") {
    publish(1);
    RunningConsumer consumer(settings(), RunningConsumer::Mode::ack);
    REQUIRE(eventually([&] { return consumer.count() == 1; }));
    remove(deliveries);
    // More than once when it comes back while the broker still clears the old queue away: 541 INTERNAL_ERROR.
    REQUIRE(eventually([&] { return consumer.connects() >= 2; }));
    CHECK_THAT(consumer.first_reason(), Catch::Contains("cancelled the consumer"));
    put(deliveries, "after");
    REQUIRE(eventually([&] { return consumer.count() == 2; }));
}

TEST_CASE_METHOD(Fixture, "a channel that the broker closes is replaced and its messages come again") {
    publish(1);
    RunningConsumer consumer(through_gate());
    REQUIRE(eventually([&] { return consumer.count() == 1; }));
    gate.speak_as_server(
        rabbitmq::channel_close(406, "PRECONDITION_FAILED - delivery acknowledgement timed out"));
    REQUIRE(eventually([&] { return consumer.count() == 2; }));
    CHECK(consumer.received()[1].redelivered);
    CHECK_THAT(consumer.first_reason(), Catch::Contains("acknowledgement timed out"));
}

TEST_CASE_METHOD(Fixture, "a consumer that starts before its broker connects when it comes") {
    publish(1);
    gate.refuse();
    RunningConsumer consumer(through_gate());
    REQUIRE(eventually([&] { return gate.accepted() >= 2; }));
    CHECK_FALSE(consumer->connected());
    gate.forward();
    REQUIRE(eventually([&] { return consumer.count() == 1; }));
    CHECK(consumer->connected());
}

TEST_CASE_METHOD(Fixture, "a consumer notices a peer that has gone silent") {
    auto settings = through_gate();
    settings.heartbeat = 1s;
    RunningConsumer consumer(settings);
    REQUIRE(eventually([&] { return consumer->connected(); }));
    CHECK_FALSE(eventually([&] { return !consumer->connected(); }, 4s));
    gate.stall();
    CHECK(eventually([&] { return !consumer->connected(); }, 5s));
    gate.forward();
    CHECK(eventually([&] { return consumer->connected(); }, 20s));
}

TEST_CASE_METHOD(Fixture, "after stop_consuming nothing new arrives") {
    RunningConsumer consumer(settings());
    REQUIRE(eventually([&] { return publisher.depth(5s).consumers == 1; }));
    consumer->stop_consuming();
    REQUIRE(eventually([&] { return publisher.depth(5s).consumers == 0; }));
    publish(3);
    consumer.stop();
    CHECK(consumer.count() == 0);
    CHECK(eventually([&] { return ready(deliveries) == 3u; }));
}

TEST_CASE_METHOD(Fixture, "stopping settles what was acked before") {
    publish(100);
    RunningConsumer consumer(settings());
    REQUIRE(eventually([&] { return consumer.count() == 100; }));
    for (const auto& message : consumer.received()) {
        consumer->ack(message.tag);
    }
    consumer.stop();
    CHECK_FALSE(consumer->connected());
    CHECK(ready(deliveries) == 0u);
    CHECK(eventually([&] { return publisher.depth(5s).consumers == 0; }));
}

TEST_CASE_METHOD(Fixture, "stopping settles acks in quick succession, which the broker holds back") {
    const bool stops_consuming_first = GENERATE(false, true);
    CAPTURE(stops_consuming_first);
    publish(2000);
    RunningConsumer consumer(settings(), RunningConsumer::Mode::keep, 2000);
    REQUIRE(eventually([&] { return consumer.count() == 2000; }));
    if (stops_consuming_first) {
        consumer->stop_consuming();
    }
    for (const auto& message : consumer.received()) {
        consumer->ack(message.tag);
        std::this_thread::sleep_for(20us);  // a frame for each few
    }
    consumer.stop();
    REQUIRE(eventually([&] { return publisher.depth(5s).consumers == 0; }));
    CHECK(ready(deliveries) == 0u);
}

TEST_CASE_METHOD(Fixture, "stopping does not wait for an absent broker") {
    gate.refuse();
    RunningConsumer consumer(through_gate());
    REQUIRE(eventually([&] { return gate.accepted() >= 4; }));
    const auto start = std::chrono::steady_clock::now();
    consumer.stop();
    CHECK(std::chrono::steady_clock::now() - start < 500ms);
}
