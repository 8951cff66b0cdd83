#include "libcore/service/pool_meter.hpp"

#include <array>

#include "libcore/postgres/lending_names.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/service/database_health.hpp"
#include "libcore/service/statement_times.hpp"

namespace service {

using postgres::Observation;

namespace {

constexpr std::array<std::string_view, 4> broken{"broken", "dead", "unhealthy", "unanswered"};
// What is refused before its time.
constexpr std::array<std::string_view, 3> shed_reasons{"full", "shed", "circuit"};

}  // namespace

PoolMeter::PoolMeter(runtime::Registry& registry, std::string pool)
    : registry_(registry),
      pool_(std::move(pool)),
      acquire_{histogram("db_pool_acquire_duration_seconds",
                         "Time that callers waited for their turn, without that of connecting")},
      use_{histogram("db_pool_use_duration_seconds", "Time that a connection was lent")},
      connect_{histogram("db_pool_connect_duration_seconds", "Time to make a connection")},
      created_(counter("db_pool_connections_created_total", "Connections made")),
      failed_(counter("db_pool_connections_failed_total", "Connections that could not be made")),
      timeouts_(counter("db_pool_timeouts_total", "Callers whose time was up before they were lent one")),
      exhausted_(counter("db_pool_exhausted_total",
                         "Callers refused because there were too few connections: timeouts and shed, but for "
                         "a pause, the circuit, and those whose time was up while connecting")),
      leaks_(counter("db_pool_leaks_total", "Connections that were lent for longer than DB_LEAK_AFTER")) {
    for (int each = 0; each <= static_cast<int>(postgres::CloseReason::closed); ++each) {
        const auto reason = postgres::to_string(static_cast<postgres::CloseReason>(each));
        closed_[reason] = &counter("db_pool_connections_closed_total", "Connections closed, by why",
                                   {{"reason", std::string(reason)}});
    }
    for (const auto reason : shed_reasons)
        shed_[reason] = &counter("db_pool_shed_total", "Callers refused before their time was up",
                                 {{"reason", std::string(reason)}});
}

void PoolMeter::Times::add(std::chrono::nanoseconds duration) {
    histogram.Observe(std::chrono::duration<double>(duration).count());
    window.add(duration);
}

void PoolMeter::count(const Observation& seen) {
    const bool done = seen.outcome == Observation::Outcome::done;
    switch (seen.kind) {
        case Observation::Kind::acquire:
            return done ? acquire_.add(seen.duration) : refused(seen.name);
        case Observation::Kind::use:
            return use_.add(seen.duration);
        case Observation::Kind::connect:
            (done ? created_ : failed_).Increment();
            if (done) connect_.add(seen.duration);
            return remember(seen, done ? "opened" : "failed", seen.error ? seen.error->what() : "");
        case Observation::Kind::close:
            closed_.at(seen.name)->Increment();
            return remember(seen, "closed", std::string(seen.name));
        case Observation::Kind::leak:
            leaks_.Increment();
            return runtime::log::warn(
                "a database connection is lent for too long",
                {{"pool", pool_},
                 {"from", to_string(seen.from)},
                 {"lent_ms", std::chrono::floor<std::chrono::milliseconds>(seen.duration).count()},
                 {"backend_pid", seen.backend_pid}});
        case Observation::Kind::statement:
        case Observation::Kind::transaction:
            return;
    }
}

void PoolMeter::refused(std::string_view reason) {
    if (reason == "late" || reason == "paused" || reason == "connecting") timeouts_.Increment();
    const auto shed = shed_.find(reason);
    if (shed != shed_.end()) shed->second->Increment();
    if (reason == "late" || reason == "full" || reason == "shed") exhausted_.Increment();
}

void PoolMeter::remember(const Observation& seen, std::string_view event, std::string reason) {
    const std::lock_guard lock(mutex_);
    history_.push_front(
        {std::chrono::system_clock::now(), event, std::move(reason), seen.backend_pid, seen.duration});
    if (history_.size() > most_events) history_.pop_back();
}

std::map<std::string_view, double> PoolMeter::closed() const {
    std::map<std::string_view, double> counts;
    for (const auto& [reason, counter] : closed_) counts[reason] = counter->Value();
    return counts;
}

std::map<std::string_view, double> PoolMeter::shed() const {
    std::map<std::string_view, double> counts;
    for (const auto& [reason, counter] : shed_) counts[reason] = counter->Value();
    return counts;
}

double PoolMeter::lost() const {
    double count = failed_.Value();
    for (const auto reason : broken) count += closed(reason);
    return count;
}

std::vector<ConnectionEvent> PoolMeter::history() const {
    const std::lock_guard lock(mutex_);
    return {history_.begin(), history_.end()};
}

prometheus::Counter& PoolMeter::counter(const char* name, const char* help, runtime::Labels labels) const {
    labels["pool"] = pool_;
    return registry_.counter(name, help, labels);
}

prometheus::Histogram& PoolMeter::histogram(const char* name, const char* help) const {
    return registry_.histogram(name, help, {{"pool", pool_}});
}

void show_pool(runtime::Registry& registry, const std::string& name, const postgres::Pool& pool) {
    const auto gauge = [&](const char* metric, const char* help, auto read, runtime::Labels labels = {}) {
        labels["pool"] = name;
        // A copy would keep the connections for longer than the observer that hears of their end.
        registry.sampled_gauge(metric, help, labels,
                               [&pool, read] { return static_cast<double>(read(pool.state())); });
    };
    using State = postgres::PoolState;
    const auto size = [&](const char* state, int State::*count) {
        gauge("db_pool_size", "Connections of the pool, and callers waiting for one",
              [count](const State& it) { return it.*count; }, {{"state", state}});
    };
    size("total", &State::total);
    size("idle", &State::idle);
    size("active", &State::active);
    size("waiting", &State::waiting);
    const auto active = [](const State& it) { return it.active; };
    gauge("database_connection_pool_active", "Connections lent or being made for a caller", active);
    gauge("database_pool_connections_active", "The same, by another name", active);
    gauge("database_connection_pool_idle", "Connections that can be lent at once",
          [](const State& it) { return it.idle; });
    gauge("db_pool_max", "Connections the pool may have", [](const State& it) { return it.max; });
    gauge("db_pool_min", "Connections kept when idle", [](const State& it) { return it.min; });
    gauge("db_pool_limit", "Connections the server allows at present, at most db_pool_max",
          [](const State& it) { return it.limit; });
    gauge("db_pool_circuit_state", "0: callers are let through, 1: one of them is, 2: nobody is",
          [](const State& it) { return circuit_state(it.circuit); });
    gauge("db_pool_utilization_ratio", "Active connections of those the pool may have",
          [](const State& it) { return static_cast<double>(it.active) / it.max; });
    gauge("db_pool_overdue", "Connections lent for longer than DB_LEAK_AFTER",
          [](const State& it) { return it.overdue; });
    gauge("db_pool_paused", "1 while an operator lets nobody have a connection",
          [](const State& it) { return it.paused_until.has_value(); });
}

}  // namespace service
