#include "libcore/postgres/circuit.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using postgres::Circuit;
using State = Circuit::State;

namespace {

constexpr Circuit::Time start{1'000s};

/// Opened for the second time with nothing that succeeded in between, by a server that connects everybody and
/// answers nobody.
Circuit held() {
    Circuit circuit(5, 30s);
    for (int i = 0; i < 5; ++i) circuit.failed(false, start);
    circuit.connected();
    for (int i = 0; i < 5; ++i) circuit.failed(false, start);
    return circuit;
}

}  // namespace

TEST_CASE("the database's circuit opens after five failures in a row, and a success starts the count anew") {
    Circuit circuit(5, 30s);
    for (int i = 0; i < 4; ++i) circuit.failed(true, start);
    circuit.succeeded();
    for (int i = 0; i < 4; ++i) circuit.could_not_connect(start);
    CHECK(circuit.state() == State::closed);
    CHECK(circuit.admits(start));
    circuit.failed(true, start);
    CHECK(circuit.state() == State::open);
    CHECK_FALSE(circuit.admits(start + 1h));
}

TEST_CASE("without a server the circuit closes as soon as one lets somebody connect") {
    Circuit circuit(5, 30s);
    for (int i = 0; i < 9; ++i) circuit.could_not_connect(start);
    CHECK(circuit.lacks_server());
    circuit.connected();
    CHECK(circuit.state() == State::closed);
    CHECK(circuit.admits(start));
}

TEST_CASE(
    "a server that connects everybody and answers nobody is left alone for the hold, then probed by one") {
    Circuit circuit = held();
    CHECK_FALSE(circuit.lacks_server());
    circuit.connected();
    CHECK_FALSE(circuit.admits(start + 29s));
    REQUIRE(circuit.admits(start + 30s));
    CHECK(circuit.probe() != Circuit::none);
    CHECK_FALSE(circuit.admits(start + 30s));
    CHECK(circuit.probe() == Circuit::none);

    circuit.failed(false, start + 31s);
    CHECK_FALSE(circuit.admits(start + 60s));
    CHECK(circuit.admits(start + 61s));
    circuit.probe();
    circuit.succeeded();
    CHECK(circuit.state() == State::closed);
}

TEST_CASE("a probe that learnt nothing makes room for the next") {
    Circuit circuit = held();
    circuit.probe_ended(circuit.probe());
    CHECK(circuit.admits(start));
}

TEST_CASE("a probe that comes back when the next is out makes room for nobody") {
    Circuit circuit = held();
    const auto first = circuit.probe();
    circuit.failed(false, start);
    const auto second = circuit.probe();
    circuit.probe_ended(first);
    CHECK_FALSE(circuit.admits(start + 1h));
    circuit.probe_ended(second);
    CHECK(circuit.admits(start));
}

TEST_CASE("a server that goes away during the hold is waited for, and not for the hold") {
    Circuit circuit = held();
    circuit.could_not_connect(start + 1s);
    CHECK(circuit.lacks_server());
    circuit.connected();
    CHECK(circuit.admits(start + 2s));
}

TEST_CASE("lost connections are looked for at once, however often") {
    Circuit circuit(1, 30s);
    for (int i = 0; i < 3; ++i) {
        circuit.failed(true, start);
        CHECK(circuit.lacks_server());
        circuit.connected();
    }
}

TEST_CASE("a circuit that may fail as often as it likes stays closed") {
    Circuit circuit(0, 30s);
    for (int i = 0; i < 100; ++i) circuit.could_not_connect(start);
    CHECK(circuit.state() == State::closed);
}
