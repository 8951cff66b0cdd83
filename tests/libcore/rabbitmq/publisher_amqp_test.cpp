#include "libcore/rabbitmq/publisher.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "libcore/rabbitmq/error.hpp"
#include "tests/libcore/rabbitmq/frames.hpp"
#include "tests/support/amqp_fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/tcp_gate.hpp"

using namespace std::chrono_literals;
using Bodies = std::vector<std::string>;
using Kind = rabbitmq::BrokerError::Kind;
using rabbitmq::Publisher;
using support::eventually;

namespace {

struct Fixture : support::AmqpFixture {
    std::string deliveries = settings().topology.deliveries();
    support::TcpGate gate{settings().url.host, settings().url.port};

    rabbitmq::Settings through_gate() const { return settings_through(gate.port()); }
};

Bodies numbered(int count, std::size_t size = 200) {
    Bodies bodies;
    for (int i = 0; i < count; ++i) {
        bodies.push_back(std::to_string(i));
        bodies.back().resize(size, '.');
    }
    return bodies;
}

/// Why the call failed; nothing when it did not.
template <class Call>
std::optional<rabbitmq::BrokerError> failure(Call call) {
    try {
        call();
    } catch (const rabbitmq::BrokerError& error) {
        return error;
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "what was published is in the queue when the call returns") {
    Publisher publisher(settings());
    CHECK_FALSE(publisher.connected());
    publisher.publish(Bodies{"first", "second"}, 5s);
    CHECK(publisher.connected());
    CHECK(eventually([&] { return ready(deliveries) == 2u; }));
    CHECK(take(deliveries) == "first");
    publisher.publish(Bodies{}, 5s);
    publisher.publish(Bodies{"third"}, 5s);
    CHECK(take(deliveries) == "second");
    CHECK(take(deliveries) == "third");
}

TEST_CASE_METHOD(Fixture, "the depth is what is ready and who consumes") {
    Publisher publisher(settings());
    CHECK(publisher.depth(5s).ready == 0);
    publisher.publish(numbered(7), 5s);
    CHECK(eventually([&] { return publisher.depth(5s).ready == 7; }));
    CHECK(publisher.depth(5s).consumers == 0);
}

TEST_CASE_METHOD(Fixture, "ten thousand messages are confirmed in one call") {
    Publisher publisher(settings());
    publisher.publish(numbered(10000), 30s);
    CHECK(eventually([&] { return ready(deliveries) == 10000u; }));
}

TEST_CASE_METHOD(Fixture, "bodies may be empty, binary or 64 KiB long") {
    Publisher publisher(settings());
    const Bodies bodies{"", std::string("\0\xff\xfe\0", 4), std::string(4096, 'x'), std::string(65536, 'y')};
    publisher.publish(bodies, 5s);
    for (const auto& body : bodies) {
        CHECK(take(deliveries) == body);
    }
}

TEST_CASE_METHOD(Fixture, "an unroutable message is an error although the broker confirms it") {
    Publisher publisher(settings());
    publisher.publish(numbered(1), 5s);
    remove(deliveries);
    const auto error = failure([&] { publisher.publish(numbered(3), 5s); });
    REQUIRE(error);
    CHECK(error->kind() == Kind::not_taken);
    CHECK(error->reply_code() == 312);
    CHECK_FALSE(publisher.connected());

    publisher.publish(numbered(3), 5s);
    CHECK(eventually([&] { return ready(deliveries) == 3u; }));
}

TEST_CASE_METHOD(Fixture, "a broker that stops answering costs no more than the timeout") {
    Publisher publisher(through_gate());
    publisher.publish(numbered(1), 5s);
    gate.stall();
    for (const int count : {500, 100000}) {  // the second is far more than the socket's buffers hold
        const auto bodies = numbered(count);
        const auto start = std::chrono::steady_clock::now();
        const auto error = failure([&] { publisher.publish(bodies, 500ms); });
        const auto taken = std::chrono::steady_clock::now() - start;
        REQUIRE(error);
        CHECK(error->kind() == Kind::timed_out);
        CHECK(taken >= 500ms);
        CHECK(taken < 900ms);
        gate.forward();
        publisher.publish(numbered(1), 5s);
        gate.stall();
    }
}

TEST_CASE_METHOD(Fixture, "a silent server is no broker") {
    gate.stall();
    Publisher publisher(through_gate());
    const auto start = std::chrono::steady_clock::now();
    const auto error = failure([&] { publisher.depth(300ms); });
    REQUIRE(error);
    CHECK(error->kind() == Kind::timed_out);
    CHECK(std::chrono::steady_clock::now() - start < 700ms);
}

TEST_CASE_METHOD(Fixture,
                 "a connection killed in the middle of a batch is an error and the next batch is published") {
    Publisher publisher(through_gate());
    publisher.publish(numbered(1), 5s);
    gate.cut_after(50000);
    const auto error = failure([&] { publisher.publish(numbered(1000), 5s); });
    REQUIRE(error);
    CHECK(error->kind() == Kind::unreachable);

    publisher.publish(numbered(1000), 5s);
    CHECK(eventually([&] { return ready(deliveries) >= 1001u; }));
}

TEST_CASE_METHOD(Fixture, "a connection lost between batches is noticed") {
    int losses = 0;
    auto observed = through_gate();
    observed.observe = [&](const rabbitmq::ConnectionChange& change) { losses += change.connected ? 0 : 1; };
    Publisher publisher(observed);
    publisher.keep_alive();
    publisher.publish(numbered(1), 5s);
    publisher.keep_alive();
    CHECK(publisher.connected());
    gate.cut();
    CHECK(eventually([&] {
        publisher.keep_alive();
        return !publisher.connected();
    }));
    CHECK(losses == 1);
    publisher.publish(numbered(1), 5s);
    CHECK(eventually([&] { return ready(deliveries) == 2u; }));
}

TEST_CASE_METHOD(Fixture, "heartbeats keep an idle publisher connected and reveal a dead peer") {
    auto settings = through_gate();
    settings.heartbeat = 1s;
    Publisher publisher(settings);
    publisher.publish(numbered(1), 5s);
    const auto lost_within = [&](std::chrono::milliseconds within) {
        return eventually(
            [&] {
                publisher.keep_alive();
                return !publisher.connected();
            },
            within);
    };
    CHECK_FALSE(lost_within(5s));
    gate.stall();
    CHECK(lost_within(5s));
}

TEST_CASE_METHOD(Fixture, "attempts to reconnect are spaced and the pause ends at the timeout") {
    gate.refuse();
    Publisher publisher(through_gate());
    const auto until = std::chrono::steady_clock::now() + 2s;
    while (std::chrono::steady_clock::now() < until) {
        CHECK(failure([&] { publisher.publish(numbered(1), 100ms); }));
    }
    CHECK(gate.accepted() >= 2);
    CHECK(gate.accepted() <= 7);
    gate.forward();
    publisher.publish(numbered(1), 5s);
}

TEST_CASE_METHOD(Fixture, "a wrong password is refused by name and never repeated") {
    auto wrong = settings();
    wrong.url.password = "not-the-secret";
    Publisher publisher(wrong);
    const auto error = failure([&] { publisher.depth(10s); });
    REQUIRE(error);
    CHECK(error->kind() == Kind::refused);
    CHECK(error->reply_code() == 403);
    CHECK_THAT(error->what(), Catch::Contains("logging in as " + wrong.url.user));
    CHECK_THAT(error->what(), !Catch::Contains("not-the-secret"));
}

TEST_CASE_METHOD(Fixture, "a queue that exists with other properties is a clear refusal") {
    declare_plain(deliveries);
    Publisher publisher(settings());
    const auto error = failure([&] { publisher.depth(5s); });
    REQUIRE(error);
    CHECK(error->kind() == Kind::refused);
    CHECK(error->reply_code() == 406);
    CHECK_THAT(error->what(), Catch::Contains(deliveries) && Catch::Contains("inequivalent arg"));
}

TEST_CASE_METHOD(Fixture, "a broker that blocks publishing or refuses a message has not taken the batch") {
    Publisher publisher(through_gate());
    publisher.publish(numbered(1), 5s);
    gate.speak_as_server(rabbitmq::connection_blocked("low on memory"));
    const auto blocked = failure([&] { publisher.publish(numbered(3), 5s); });
    REQUIRE(blocked);
    CHECK(blocked->kind() == Kind::not_taken);
    CHECK_THAT(blocked->what(), Catch::Contains("low on memory"));

    publisher.publish(numbered(1), 5s);
    gate.speak_as_server(rabbitmq::basic_nack(2));
    const auto refused = failure([&] { publisher.publish(numbered(3), 5s); });
    REQUIRE(refused);
    CHECK(refused->kind() == Kind::not_taken);
    publisher.publish(numbered(1), 5s);
}

TEST_CASE_METHOD(Fixture,
                 "a broker that takes nothing is not called connected again before it takes something") {
    std::vector<bool> told;
    auto observed = through_gate();
    observed.observe = [&](const rabbitmq::ConnectionChange& change) { told.push_back(change.connected); };
    Publisher publisher(observed);
    publisher.publish(numbered(1), 5s);
    CHECK(told == std::vector{true});
    gate.speak_as_server(rabbitmq::connection_blocked("low on disk"));
    CHECK(failure([&] { publisher.publish(numbered(3), 5s); }));
    publisher.depth(5s);
    publisher.keep_alive();
    CHECK(publisher.connected());
    CHECK(told == std::vector{true, false});
    publisher.publish(numbered(1), 5s);
    CHECK(told == std::vector{true, false, true});
}
