#include "services/scheduler/planner.hpp"

#include <algorithm>
#include <random>

#include "libcore/postgres/plan_table.hpp"
#include "libcore/runtime/log.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

// Long enough that the transaction does not matter, short enough that a stop never waits.
constexpr int users_per_chunk = 5'000;  // a change of one of them waits for the whole chunk
constexpr auto pause = 1s;
// A backlog of days is planned in rounds of this length, so that a round which hangs can be told from a long
// one.
constexpr auto longest_round = 10s;

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
    const auto started = std::chrono::steady_clock::now();
    int messages = 0;
    std::size_t planned = 0;
    while (planned < units.size() && !stop_.stop_requested() &&
           std::chrono::steady_clock::now() - started < longest_round) {
        const int rows = postgres::plan_unit(pool_, units[planned], users_per_chunk);
        messages_.Increment(rows);
        units_.Increment();
        messages += rows;
        ++planned;
    }
    if (messages > 0) runtime::log::info("planned messages", {{"messages", messages}, {"units", planned}});
    return planned < units.size() ? 0ms : pause;
}

}  // namespace scheduler
