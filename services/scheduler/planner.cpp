#include "services/scheduler/planner.hpp"

#include <algorithm>
#include <exception>
#include <random>

#include "libcore/postgres/error.hpp"
#include "libcore/runtime/log.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

constexpr auto pause = 1s;
// A backlog of days is planned in rounds of this length, so that one which hangs can be told from a long one.
constexpr auto longest_round = 10s;

}  // namespace

Planner::Planner(postgres::Pool& pool, runtime::Registry& registry, std::chrono::milliseconds horizon,
                 std::stop_token stop)
    : pool_(pool),
      horizon_(horizon),
      stop_(std::move(stop)),
      messages_(registry.counter("messages_planned_total", "Messages that the planner created")),
      units_(registry.counter("plan_units_total", "Units begun or gone on with: one type, zone and date")) {}

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
    const auto keep_going = [&] {
        return !stop_.stop_requested() && std::chrono::steady_clock::now() - started < longest_round;
    };
    int messages = 0;
    std::exception_ptr failed;
    for (const postgres::Unit& unit : units) {
        if (!keep_going()) break;
        // One that cannot be planned must not keep all those behind it, day after day, from being planned.
        try {
            messages += plan(unit, keep_going);
        } catch (const postgres::DatabaseError& error) {
            if (error.got_no_answer() || error.is_read_only()) throw;
            failed = std::current_exception();
            runtime::log::error("a unit cannot be planned",
                                {{"message_type", unit.message_type},
                                 {"timezone", unit.timezone},
                                 {"delivery_date", domain::to_string(unit.delivery_date)},
                                 {"reason", error.what()}});
        }
    }
    if (messages > 0) runtime::log::info("planned messages", {{"messages", messages}});
    if (failed) std::rethrow_exception(failed);
    return keep_going() ? pause : 0ms;
}

int Planner::plan(const postgres::Unit& unit, const postgres::KeepGoing& keep_going) {
    const int messages = postgres::plan_unit(pool_, unit, chunk_size_, keep_going);
    messages_.Increment(messages);
    units_.Increment();
    return messages;
}

}  // namespace scheduler
