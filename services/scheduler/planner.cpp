#include "services/scheduler/planner.hpp"

#include <algorithm>
#include <random>

#include "libcore/postgres/plan_table.hpp"
#include "libcore/runtime/log.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

// Long enough that the transaction does not matter, short enough that a stop never waits.
constexpr int users_per_chunk = 10'000;
constexpr auto pause = 1s;

}  // namespace

Planner::Planner(postgres::Pool& pool, runtime::Registry& registry, std::chrono::milliseconds horizon,
                 std::stop_token stop)
    : pool_(pool),
      horizon_(horizon),
      stop_(std::move(stop)),
      messages_(registry.counter("messages_planned_total", "Messages that the planner created")),
      units_(registry.counter("plan_units_total", "Planned units: one type, zone and date")) {}

std::chrono::milliseconds Planner::run_once() {
    auto units = postgres::units_due(pool_, horizon_);
    // Replicas see the same list; each starts somewhere else in every day, so that they do not queue up at
    // the same unit. Day by day, because a zone's days are planned in order.
    if (!units.empty()) {
        thread_local std::minstd_rand random(std::random_device{}());
        std::ranges::rotate(units, units.begin() + static_cast<std::ptrdiff_t>(random() % units.size()));
        std::ranges::stable_sort(units, {}, &postgres::Unit::delivery_date);
    }
    int planned = 0;
    for (const postgres::Unit& unit : units) {
        if (stop_.stop_requested()) return 0ms;
        const int rows = postgres::plan_unit(pool_, unit, users_per_chunk);
        messages_.Increment(rows);
        units_.Increment();
        planned += rows;
    }
    if (planned > 0) {
        runtime::log::info("planned messages", {{"messages", planned}, {"units", std::ssize(units)}});
    }
    return pause;
}

}  // namespace scheduler
