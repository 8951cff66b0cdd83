#include "libcore/service/database_health.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>
#include <string_view>

namespace service {

namespace {

constexpr double never = Signal::never;
// What is asked once a second must differ three times before it is told.
constexpr int lasting = 3;
// All that is minor costs no more: a service that needs nothing else is well.
constexpr int most_minor_points = 20;
// Fewer say nothing about how long statements take.
constexpr double enough_statements = 20;

struct Kind {
    std::string_view name;
    std::array<int, 3> points;  ///< by severity
    bool unusable;              ///< the service cannot work when it is critical
    double scale;               ///< of the value in the text
    const char* text;
};

// clang-format off
constexpr std::array kinds{
    Kind{"unanswered",       {0, 0, 100},   true,  1,    "the last good answer of the database is {:.0f} s old"},
    Kind{"paused",           {0, 10, 100},  true,  1,    "an operator lets nobody have a connection"},
    Kind{"circuit",          {0, 20, 100},  true,  1,    "the server has failed so often that nobody is let through"},
    Kind{"utilization",      {5, 10, 15},   false, 100,  "{:.0f} % of the connections are in use"},
    Kind{"waiting",          {5, 10, 20},   false, 1,    "{:.0f} wait for a connection"},
    Kind{"exhausted",        {0, 10, 20},   false, 1,    "{:.0f} got no connection in the last minute"},
    Kind{"lost",             {5, 10, 15},   false, 1,    "{:.0f} connections broke or were not made in the last minute"},
    Kind{"leaks",            {0, 10, 15},   false, 1,    "{:.0f} connections are lent for too long"},
    Kind{"churn",            {0, 10, 10},   false, 1,    "{:.1f} connections are made a second"},
    Kind{"connect_p95",      {0, 5, 10},    false, 1000, "making a connection takes {:.0f} ms (95th percentile)"},
    Kind{"query_p95",        {0, 10, 20},   false, 1000, "a statement takes {:.0f} ms (95th percentile)"},
    Kind{"slow_queries",     {0, 10, 10},   false, 1,    "{:.0f} statements took more than 1 s in the last minute"},
    Kind{"critical_queries", {0, 0, 20},    false, 1,    "{:.0f} statements took more than 5 s in the last minute"},
    Kind{"replica_out",      {0, 5, 5},     false, 1,    "it is not read from"},
};
// clang-format on

const Kind& kind_of(std::string_view name) {
    const auto found = std::ranges::find(kinds, name, &Kind::name);
    assert(found != kinds.end());
    return *found;
}

double seconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

void add_signals(std::vector<Signal>& signals, const PoolFacts& pool) {
    const auto& state = pool.state;
    const auto add = [&](const char* name, double value, std::array<double, 3> thresholds, int rounds = 1) {
        if (!pool.essential) thresholds.back() = never;
        signals.push_back({name, pool.name, value, thresholds, rounds, !pool.essential});
    };
    add("paused", state.paused_until ? 1 : 0, {never, 1, 1});
    add("circuit", circuit_state(state.circuit), {never, 1, 2});
    add("utilization", state.max == 0 ? 0 : static_cast<double>(state.active) / state.max, {.80, .90, .95},
        lasting);
    add("waiting", state.waiting, {1, 6, 11}, lasting);
    add("exhausted", pool.exhausted, {never, 1, 10});
    add("lost", pool.lost, {1, 5, 20});
    add("leaks", state.overdue, {never, 1, never});
    add("churn", pool.created, {never, 10, never});
    add("connect_p95", seconds(pool.connect.p95), {never, .1, 1});
}

}  // namespace

int circuit_state(postgres::Circuit::State state) {
    switch (state) {
        case postgres::Circuit::State::closed:
            return 0;
        case postgres::Circuit::State::half_open:
            return 1;
        case postgres::Circuit::State::open:
            return 2;
    }
    std::abort();
}

std::vector<Signal> signals_of(const DatabaseFacts& facts) {
    std::vector<Signal> signals;
    // Whatever its age, the answer that is missing is the last one.
    const double unanswered = facts.unanswered ? std::max(seconds(*facts.unanswered), 1.) : 0;
    signals.push_back({"unanswered", "", unanswered, {never, never, 1}});
    for (const auto& pool : facts.pools) add_signals(signals, pool);
    const bool enough = facts.statements_lately >= enough_statements;
    signals.push_back(
        {"query_p95", "", enough ? seconds(facts.statements.p95) : 0, {never, .075, 1}, lasting});
    signals.push_back({"slow_queries", "", facts.slow, {never, 1, never}});
    signals.push_back({"critical_queries", "", facts.critical, {never, never, 1}});
    for (const auto& replica : facts.replicas)
        signals.push_back({"replica_out",
                           replica.name,
                           replica.standing == "in" ? 0. : 1.,
                           {never, 1, never},
                           lasting,
                           true});
    return signals;
}

const char* to_string(Health::Status status) {
    constexpr std::array names{"ok", "degraded", "down"};
    return names.at(static_cast<std::size_t>(status));
}

Health judge(const std::vector<Alert>& alerts) {
    constexpr int good_enough = 80;
    Health health;
    bool usable = true, critical = false;
    int major_points = 0, minor_points = 0;
    for (const auto& alert : alerts) {
        const auto& kind = kind_of(alert.name);
        const bool worst = alert.severity == Severity::critical;
        const int points = kind.points.at(static_cast<std::size_t>(alert.severity) - 1);
        (alert.minor ? minor_points : major_points) += points;
        usable = usable && !(kind.unusable && worst);
        critical = critical || worst;
        health.reasons.push_back(
            {alert, points, fmt::format(fmt::runtime(kind.text), alert.value * kind.scale)});
    }
    const int score = 100 - major_points - std::min(minor_points, most_minor_points);
    health.score = usable ? std::max(score, 1) : 0;
    if (!usable)
        health.status = Health::Status::down;
    else if (critical || health.score < good_enough)
        health.status = Health::Status::degraded;
    std::ranges::stable_sort(health.reasons, std::ranges::greater{}, &Health::Reason::points);
    return health;
}

}  // namespace service
