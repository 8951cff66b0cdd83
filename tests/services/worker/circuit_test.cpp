#include "services/worker/circuit.hpp"

#include <catch2/catch.hpp>

#include "libcore/json/parser.hpp"

using namespace std::chrono_literals;
using domain::Breaker;

namespace {

domain::Result<worker::CircuitOrder> decode(const char* text) {
    return worker::decode_circuit_order(json::parse(text).value());
}

std::string field_at_fault(const char* text) {
    const auto order = decode(text);
    return order ? "none" : order.errors().front().field;
}

}  // namespace

TEST_CASE("a circuit is held open or closed for some time, or left to itself") {
    const auto open = decode(R"({"state": "open", "for": "10m"})");
    REQUIRE(open);
    CHECK(open->hold == Breaker::State::open);
    CHECK(open->length == 10min);
    CHECK(decode(R"({"state": "closed", "for": "1s"})")->hold == Breaker::State::closed);
    CHECK_FALSE(decode(R"({"state": "auto"})")->hold);
}

TEST_CASE("an order that is none names what is at fault") {
    CHECK(field_at_fault("[]").empty());
    CHECK(field_at_fault("{}") == "state");
    CHECK(field_at_fault(R"({"state": "half_open", "for": "10m"})") == "state");
    CHECK(field_at_fault(R"({"state": 1})") == "state");
    CHECK(field_at_fault(R"({"state": "auto", "for": "10m"})") == "for");
    for (const auto* length : {R"({"state": "open"})", R"({"state": "open", "for": ""})",
                               R"({"state": "open", "for": "999ms"})", R"({"state": "open", "for": "25h"})",
                               R"({"state": "open", "for": 10})", R"({"state": "open", "for": null})"})
        CHECK(field_at_fault(length) == "for");
    CHECK(field_at_fault(R"({"state": "auto", "until": "tomorrow"})") == "until");
}

TEST_CASE("a report tells states and instants by the wall clock") {
    const auto now = Breaker::Clock::time_point(1000s);
    const domain::Instant wall = domain::parse_instant("2027-03-10T09:00:00Z").value();
    worker::CircuitReport report{.now = now, .breaker = {}, .paused_until = {}, .width = 5};
    report.breaker.since = now - 1min;
    CHECK(
        worker::encode(report, wall) ==
        R"({"state":"closed","since":"2027-03-10T08:59:00Z","until":null,"openedLastBy":null,)"
        R"("heldUntil":null,"callsInWindow":0,"failuresInWindow":0,"outagesInARow":0,"pausedUntil":null,"width":5})");
    report.breaker = {.state = Breaker::State::open,
                      .since = now,
                      .until = now + 30s,
                      .cause = Breaker::Cause::outages_in_a_row,
                      .hold = Breaker::Hold{Breaker::State::open, now + 10min},
                      .calls = 12,
                      .failures = 7,
                      .outages = 5};
    report.paused_until = now + 2s;
    CHECK(worker::encode(report, wall) ==
          R"({"state":"open","since":"2027-03-10T09:00:00Z","until":"2027-03-10T09:00:30Z",)"
          R"("openedLastBy":"outages_in_a_row","heldUntil":"2027-03-10T09:10:00Z","callsInWindow":12,)"
          R"("failuresInWindow":7,"outagesInARow":5,"pausedUntil":"2027-03-10T09:00:02Z","width":5})");
}

TEST_CASE(
    "without lanes there is nothing to show and nothing to hold, and the worker is ready for all that") {
    worker::CircuitDesk desk;
    const auto route = desk.route();
    CHECK(route.get({}).status == 503);
    CHECK(route.post({.method = "POST", .path = "/circuit", .body = R"({"state": "auto"})"}).status == 503);
    CHECK(desk.check().run().ok);
}

TEST_CASE("orders reach the lanes while there are some") {
    worker::CircuitDesk desk;
    std::optional<worker::CircuitOrder> heard;
    const auto route = desk.route();
    const auto post = [&](const char* body) {
        return route.post({.method = "POST", .path = "/circuit", .body = body}).status;
    };
    {
        const worker::CircuitDesk::Service service(desk, [&](const auto& order) {
            heard = order;
            return worker::CircuitReport{
                .now = Breaker::Clock::now(), .breaker = {}, .paused_until = {}, .width = 1};
        });
        CHECK(post(R"({"state": "open", "for": "10m"})") == 200);
        REQUIRE(heard);
        CHECK(heard->length == 10min);
        CHECK(post(R"({"state": "ajar"})") == 400);
        CHECK(post("{") == 400);
        CHECK(route.get({}).status == 200);
        CHECK_FALSE(heard);
    }
    CHECK(post(R"({"state": "auto"})") == 503);
}
