#include "libcore/service/database_monitor.hpp"

#include <utility>

#include "libcore/postgres/migrator.hpp"

namespace service {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds look_every = 1s;
// A check that hangs says as much as one that fails.
constexpr auto patience = 3s;
// The next check asks over another connection.
constexpr auto longest_check = 1500ms;

std::string text_of(const Health& health) {
    std::string text;
    for (const auto& [alert, points, reason] : health.reasons) {
        if (!text.empty()) text += "; ";
        if (!alert.pool.empty()) text += alert.pool + ": ";
        text += reason;
    }
    return text;
}

}  // namespace

DatabaseMonitor::DatabaseMonitor(runtime::Registry& registry, std::stop_token stop)
    : registry_(registry),
      stop_(std::move(stop)),
      statements_(registry),
      errors_(registry),
      score_(registry.gauge("database_health_score", "What /health/database says, from 0 to 100")) {
    on_stop_.emplace(stop_, [this] {
        const std::lock_guard lock(command_);
        for (auto& watched : watched_) watched.pool->resume();
    });
}

postgres::Observe DatabaseMonitor::observe(Watched& watched) {
    return [this, &watched](const postgres::Observation& seen) {
        using Kind = postgres::Observation::Kind;
        if (seen.kind == Kind::statement || seen.kind == Kind::transaction)
            statements_.count(seen);
        else
            watched.meter.count(seen);
        errors_.count(seen);
    };
}

postgres::Pool DatabaseMonitor::open(const std::string& name, postgres::PoolSettings settings) {
    const std::lock_guard lock(command_);
    auto& watched = watched_.emplace_back(registry_, name);
    auto& pool = watched.pool.emplace(std::move(settings), observe(watched));
    show_pool(registry_, name, pool);
    return pool;
}

runtime::Check DatabaseMonitor::check() {
    return {"database", [this, reserve = watched_.front().pool->reserved()]() mutable {
                const auto asked = Clock::now();
                const auto tell = [&](const char* problem) {
                    const std::lock_guard lock(mutex_);
                    answer_.took = Clock::now() - asked;
                    answer_.good = problem == nullptr;
                    answer_.problem = problem == nullptr ? "" : problem;
                    if (answer_.good) answer_.good_at = Clock::now();
                    answer_.asked_at.reset();
                };
                {
                    const std::lock_guard lock(mutex_);
                    answer_.asked_at = asked;
                }
                try {
                    auto hurried = reserve.until(asked + longest_check);
                    postgres::check_schema(hurried);
                } catch (const std::exception& error) {
                    tell(error.what());
                    throw;
                }
                tell(nullptr);
                return runtime::CheckResult{};
            }};
}

DatabaseFacts DatabaseMonitor::facts(Clock::time_point now) {
    DatabaseFacts facts;
    const bool hangs = answer_.asked_at && now - *answer_.asked_at > patience;
    if (!answer_.good || hangs)
        facts.unanswered =
            std::chrono::floor<std::chrono::milliseconds>(now - answer_.good_at.value_or(began_));
    for (auto& watched : watched_) {
        const auto& meter = watched.meter;
        const double created = watched.created.rise(meter.created(), now);
        facts.pools.push_back({.name = watched.name,
                               .essential = &watched == &watched_.front(),
                               .state = watched.pool->state(),
                               .connect = created > 0 ? meter.connect() : Percentiles{},
                               .exhausted = watched.exhausted.rise(meter.exhausted(), now),
                               .lost = watched.lost.rise(meter.lost(), now),
                               .created = created / 10});
    }
    if (replicas_) facts.replicas = replicas_();
    facts.statements = statements_.latest();
    facts.statements_lately = statements_lately_.rise(statements_.all(), now);
    facts.critical = critical_.rise(statements_.awaited_at(Speed::critical), now);
    facts.slow = slow_.rise(statements_.awaited_at(Speed::slow), now) + facts.critical;
    return facts;
}

std::chrono::milliseconds DatabaseMonitor::look() {
    const std::lock_guard lock(mutex_);
    const auto signals = signals_of(facts(Clock::now()));
    alerts_.look(signals, std::chrono::system_clock::now());
    auto health = judge(alerts_.current());
    score_.Set(health.score);
    if (health.status != health_.status) tell(health);
    health_ = std::move(health);
    return look_every;
}

void DatabaseMonitor::tell(const Health& health) {
    const bool well = health.status == Health::Status::ok;
    // That it is not there yet at the start is somebody else's line.
    if (!std::exchange(was_well_, was_well_ || well)) return;
    const auto suppressed = health_logged_.pass();
    if (!suppressed) return;
    const auto reasons = text_of(health);
    (well ? runtime::log::info : runtime::log::warn)("the database's health has changed",
                                                     {{"status", to_string(health.status)},
                                                      {"score", health.score},
                                                      {"reasons", reasons},
                                                      {"suppressed", *suppressed}});
}

}  // namespace service
