#include "libcore/service/statement_times.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

namespace service {

using namespace std::chrono_literals;
using postgres::Observation;

namespace {

std::size_t hash_of(const void* key) {
    return std::hash<const void*>{}(key)*0x9E3779B97F4A7C15U >> 40;
}

double seconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::string_view query_type_of(const Observation& seen) {
    if (seen.statement == nullptr) return seen.name == "ping" || seen.name == "commit" ? seen.name : "script";
    return seen.statement->access == postgres::Access::read ? "read" : "write";
}

Speed speed_of(std::chrono::nanoseconds duration) {
    if (duration > 5s) return Speed::critical;
    if (duration > 1s) return Speed::slow;
    if (duration > 100ms) return Speed::listed;
    return duration < 50ms ? Speed::fast : Speed::usual;
}

const char* to_string(Speed speed) {
    constexpr std::array names{"fast", "usual", "listed", "slow", "critical"};
    return names.at(static_cast<std::size_t>(speed));
}

/// Without the folders of the machine where it was compiled.
std::string to_string(const std::source_location& place) {
    std::string_view file = place.file_name();
    for (const std::string_view folder : {"/tests/", "/services/", "/libcore/"}) {
        const auto at = file.rfind(folder);
        if (at == std::string_view::npos) continue;
        file.remove_prefix(at + 1);
        break;
    }
    return file.empty() ? "" : fmt::format("{}:{}", file, place.line());
}

StatementTimes::StatementTimes(runtime::Registry& registry)
    : registry_(registry),
      transactions_(registry.histogram("database_transaction_duration_seconds",
                                       "Time from the begin of a transaction to its end")) {
    for (const auto speed : {Speed::listed, Speed::slow, Speed::critical})
        by_speed_.at(static_cast<std::size_t>(speed)) = &registry.counter(
            "database_slow_queries_total",
            "Statements that took more than 100 ms (listed), 1 s (slow), 5 s (critical): each is one of them",
            {{"level", to_string(speed)}});
}

void StatementTimes::count(const Observation& seen) {
    if (seen.kind == Observation::Kind::transaction) return transactions_.Observe(seconds(seen.duration));
    Known& it = known(seen);
    it.histogram->Observe(seconds(seen.duration));
    if (it.query_type == "ping") return;
    window_.add(seen.duration, it.tag);
    counted_.fetch_add(1, std::memory_order_relaxed);
    if (const auto speed = speed_of(seen.duration); speed >= Speed::listed) {
        list(seen, speed);
        if (it.query_type != "script") ++awaited_.at(static_cast<std::size_t>(speed));
    }
    if (seen.duration.count() > it.slowest.load(std::memory_order_relaxed)) {
        const std::lock_guard lock(mutex_);
        // Another may have come first.
        if (seen.duration.count() <= it.slowest) return;
        it.slowest = seen.duration.count();
        it.slowest_from = seen.from;
    }
}

/// By the name's address: names are constants. One that has several is known several times, which harms
/// nobody.
StatementTimes::Known& StatementTimes::known(const Observation& seen) {
    const auto hash = hash_of(seen.name.data());
    for (std::size_t i = 0; i < table_size; ++i) {
        Known* const it = table_[(hash + i) % table_size].load(std::memory_order_acquire);
        if (it == nullptr) break;
        if (it->key == seen.name.data()) return *it;
    }
    return get_to_know(seen, hash);
}

StatementTimes::Known& StatementTimes::get_to_know(const Observation& seen, std::size_t hash) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < table_size; ++i) {
        auto& place = table_[(hash + i) % table_size];
        Known* it = place.load(std::memory_order_relaxed);
        if (it != nullptr && it->key == seen.name.data()) return *it;
        if (it != nullptr) continue;
        // Later ones are one: a table that is full must not become slow, nor grow for ever.
        if (known_.size() > table_size / 2) return known_.back();
        auto& made = known_.emplace_back();
        made.key = seen.name.data();
        made.name = seen.name;
        made.query_type = query_type_of(seen);
        made.parameters = seen.parameters;
        made.tag = static_cast<std::uint16_t>(known_.size() - 1);
        made.histogram = &registry_.histogram(
            "database_query_duration_seconds", "Time of one statement, as its caller saw it",
            {{"query_type", std::string(made.query_type)}, {"statement", std::string(made.name)}});
        place.store(&made, std::memory_order_release);
        return made;
    }
    return known_.back();
}

void StatementTimes::list(const Observation& seen, Speed speed) {
    by_speed_.at(static_cast<std::size_t>(speed))->Increment();
    {
        const std::lock_guard lock(mutex_);
        listed_.push_front({std::chrono::system_clock::now(), seen.name, seen.duration, seen.outcome,
                            seen.parameters, seen.from});
        if (listed_.size() > most_listed) listed_.pop_back();
    }
    if (speed < Speed::slow) return;
    if (const auto suppressed = slow_logged_.pass())
        runtime::log::warn(
            "slow statement",
            {{"statement", seen.name},
             {"level", to_string(speed)},
             {"duration_ms", std::chrono::floor<std::chrono::milliseconds>(seen.duration).count()},
             {"parameters", seen.parameters},
             {"from", to_string(seen.from)},
             {"suppressed", *suppressed}});
}

StatementTimes::Report StatementTimes::report(std::size_t top) const {
    Report report;
    std::vector<std::chrono::nanoseconds> durations;
    std::map<std::uint16_t, std::vector<std::chrono::nanoseconds>> by_statement;
    for (const auto& [duration, tag] : window_.entries()) {
        durations.push_back(duration);
        by_statement[tag].push_back(duration);
        ++report.speeds.at(static_cast<std::size_t>(speed_of(duration)));
    }
    report.window = percentiles(std::move(durations));
    const std::lock_guard lock(mutex_);
    for (const auto& [tag, times] : by_statement) {
        const Known& it = known_.at(tag);
        std::chrono::nanoseconds sum{};
        for (const auto time : times) sum += time;
        report.slowest.push_back({it.name, it.query_type, it.parameters, it.slowest_from, times.size(),
                                  sum / times.size(), *std::ranges::max_element(times)});
    }
    std::ranges::sort(report.slowest, std::ranges::greater{}, &Recent::max);
    report.slowest.resize(std::min(report.slowest.size(), top));
    report.listed.assign(listed_.begin(), listed_.end());
    return report;
}

}  // namespace service
