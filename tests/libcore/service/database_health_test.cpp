#include "libcore/service/database_health.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "libcore/service/lately.hpp"

using namespace std::chrono_literals;
using service::DatabaseFacts;
using service::Health;
using service::PoolFacts;
using Status = Health::Status;

namespace {

/// After as many rounds as it takes.
Health health_of(const DatabaseFacts& facts) {
    service::Alerts alerts;
    for (int i = 0; i < 3; ++i) alerts.look(service::signals_of(facts), {});
    return service::judge(alerts.current());
}

DatabaseFacts with_pool(const postgres::PoolState& state, bool essential = true) {
    return {.pools = {{.name = "main", .essential = essential, .state = state}}};
}

std::string reasons(const Health& health) {
    std::string text;
    for (const auto& reason : health.reasons) text += (text.empty() ? "" : "; ") + reason.text;
    return text;
}

}  // namespace

TEST_CASE("a pool at rest is as healthy as can be") {
    const auto health = health_of(with_pool({.total = 5, .idle = 5, .max = 20}));
    CHECK(health.status == Status::ok);
    CHECK(health.score == 100);
    CHECK(health.reasons.empty());
}

TEST_CASE("a pool in use is judged by how many of those it may have are in use") {
    const auto of = [](int active) { return health_of(with_pool({.active = active, .max = 20})); };
    CHECK(of(15).score == 100);
    CHECK(of(16).score == 95);
    CHECK(of(18).score == 90);
    CHECK(of(18).status == Status::ok);
    CHECK(of(19).score == 85);
    CHECK(of(19).status == Status::degraded);
    CHECK(reasons(of(20)) == "100 % of the connections are in use");
}

TEST_CASE("those who wait count, and each reason costs points of its own") {
    const auto of = [](int waiting) { return health_of(with_pool({.waiting = waiting, .max = 20})); };
    CHECK(of(1).score == 95);
    CHECK(of(6).score == 90);
    CHECK(of(11).score == 80);
    CHECK(of(11).status == Status::degraded);
    auto facts = with_pool({.active = 20, .waiting = 11, .max = 20});
    facts.pools.front().exhausted = 40;
    const auto health = health_of(facts);
    CHECK(health.score == 45);
    CHECK(reasons(health) ==
          "11 wait for a connection; 40 got no connection in the last minute; 100 % of the connections are "
          "in use");
}

TEST_CASE("a service that cannot work with its database is down, with 0") {
    DatabaseFacts away = with_pool({.max = 20});
    away.unanswered = 12s;
    CHECK(health_of(away).status == Status::down);
    CHECK(health_of(away).score == 0);
    CHECK(reasons(health_of(away)) == "the last good answer of the database is 12 s old");
    away.unanswered = 0s;
    CHECK(health_of(away).status == Status::down);

    postgres::PoolState paused{.max = 20};
    paused.paused_until = std::chrono::steady_clock::now();
    CHECK(health_of(with_pool(paused)).status == Status::down);
    const auto other = health_of(with_pool(paused, false));
    CHECK(other.status == Status::ok);
    CHECK(other.score == 90);
}

TEST_CASE("an open circuit of the pool that a service needs is its end, until one gets through") {
    using State = postgres::Circuit::State;
    CHECK(health_of(with_pool({.max = 20, .circuit = State::open})).status == Status::down);
    const auto half_open = health_of(with_pool({.max = 20, .circuit = State::half_open}));
    CHECK(half_open.score == 80);
    CHECK(half_open.status == Status::ok);
    CHECK(health_of(with_pool({.max = 20, .circuit = State::open}, false)).status == Status::ok);
}

TEST_CASE(
    "a pool that the service can do without never degrades it: however busy or broken it is, its reasons are "
    "told") {
    const auto other = [](const postgres::PoolState& state) {
        auto facts = with_pool({.max = 20});
        facts.pools.push_back({.name = "replica one:5432", .state = state});
        return facts;
    };
    CHECK(health_of(other({.active = 10, .max = 10})).score == 90);
    CHECK(health_of(other({.active = 10, .max = 10})).status == Status::ok);

    auto refusing = other({.max = 10});
    refusing.pools.back().exhausted = 10;
    CHECK(health_of(refusing).score == 90);
    CHECK(health_of(refusing).status == Status::ok);

    auto broken = other({.max = 10});
    broken.pools.back().lost = 20;
    CHECK(health_of(broken).score == 90);
    CHECK(health_of(broken).status == Status::ok);

    auto dead = other({.active = 10, .waiting = 99, .max = 10, .circuit = postgres::Circuit::State::open});
    dead.pools.back().exhausted = dead.pools.back().lost = 99;
    dead.replicas = {{"one:5432", "unknown", {}, 0}};
    const auto health = health_of(dead);
    CHECK(health.score == 80);
    CHECK(health.status == Status::ok);
    CHECK(health.reasons.size() == 6);
    dead.pools.front().lost = 20;
    CHECK(health_of(dead).status == Status::degraded);
}

TEST_CASE("however much is wrong, a service that can work is above 0") {
    auto facts = with_pool({.active = 20, .waiting = 99, .max = 20, .overdue = 9});
    facts.pools.front().exhausted = facts.pools.front().lost = 99;
    facts.pools.front().created = 99;
    facts.pools.front().connect = {.count = 9, .p95 = 5s};
    facts.statements = {.count = 1'000, .p95 = 5s};
    facts.statements_lately = 1'000;
    facts.slow = facts.critical = 9;
    facts.replicas = {{"one", "unknown", {}, 0}, {"other", "behind", 2s, 0}};
    const auto health = health_of(facts);
    CHECK(health.score == 1);
    CHECK(health.status == Status::degraded);
    CHECK(health.reasons.size() == 12);
}

TEST_CASE("slow statements degrade for a minute, and how long they take counts when there are enough") {
    DatabaseFacts facts = with_pool({.max = 20});
    facts.slow = 1;
    CHECK(health_of(facts).score == 90);
    facts.critical = 1;
    CHECK(health_of(facts).status == Status::degraded);
    facts.slow = facts.critical = 0;
    facts.statements = {.count = 1'000, .p95 = 80ms};
    CHECK(health_of(facts).score == 100);
    facts.statements_lately = 100;
    CHECK(health_of(facts).score == 90);
    CHECK(reasons(health_of(facts)) == "a statement takes 80 ms (95th percentile)");
}

TEST_CASE("a count has risen lately by what came within the span") {
    service::Lately lately(60s);
    const service::Lately::Time start{1'000s};
    CHECK(lately.rise(5, start) == 0);
    CHECK(lately.rise(7, start + 30s) == 2);
    CHECK(lately.rise(7, start + 60s) == 2);
    CHECK(lately.rise(7, start + 89s) == 2);
    CHECK(lately.rise(8, start + 91s) == 1);
}
