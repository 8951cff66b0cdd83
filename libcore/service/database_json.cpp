// What the routes of the database show, as JSON.

#include <cmath>

#include "libcore/postgres/lending_names.hpp"
#include "libcore/service/database_monitor.hpp"

namespace service {

namespace {

using Wall = std::chrono::system_clock;

/// To the microsecond.
double milliseconds(std::chrono::nanoseconds duration) {
    return std::round(static_cast<double>(duration.count()) / 1e3) / 1e3;
}

double rounded(double number) {
    return std::round(number * 1e3) / 1e3;
}

domain::Instant instant(Wall::time_point time) {
    return std::chrono::floor<std::chrono::microseconds>(time);
}

/// By the wall clock, what a clock that only goes on has shown.
domain::Instant instant(std::chrono::steady_clock::time_point time) {
    return instant(Wall::now() +
                   std::chrono::duration_cast<Wall::duration>(time - std::chrono::steady_clock::now()));
}

std::optional<std::string> place(const std::source_location& from) {
    auto text = to_string(from);
    return text.empty() ? std::nullopt : std::optional(std::move(text));
}

const char* to_string(postgres::Observation::Outcome outcome) {
    switch (outcome) {
        case postgres::Observation::Outcome::done:
            return "done";
        case postgres::Observation::Outcome::failed:
            return "failed";
        case postgres::Observation::Outcome::timed_out:
            return "timed_out";
        case postgres::Observation::Outcome::connection_lost:
            return "connection_lost";
    }
    std::abort();
}

void write(json::Writer& writer, const char* name, const Percentiles& times) {
    writer.key(name)
        .begin_object()
        .member("count", times.count)
        .member("p50Ms", milliseconds(times.p50))
        .member("p95Ms", milliseconds(times.p95))
        .member("p99Ms", milliseconds(times.p99))
        .member("maxMs", milliseconds(times.max))
        .end_object();
}

void write_members(json::Writer& writer, const postgres::PoolState& state) {
    writer.member("total", state.total)
        .member("idle", state.idle)
        .member("active", state.active)
        .member("waiting", state.waiting)
        .member("max", state.max)
        .member("min", state.min)
        .member("limit", state.limit)
        .member("circuit", postgres::to_string(state.circuit))
        .member("utilization", rounded(static_cast<double>(state.active) / state.max))
        .member("overdue", state.overdue)
        .key("pausedUntil");
    if (state.paused_until)
        writer.value(instant(*state.paused_until));
    else
        writer.value(std::optional<bool>());
}

void write_members(json::Writer& writer, const Alert& alert) {
    writer.member("alert", alert.name)
        .member("pool", alert.pool.empty() ? std::nullopt : std::optional(alert.pool))
        .member("severity", to_string(alert.severity))
        .member("value", rounded(alert.value))
        .member("since", instant(alert.since));
}

void write(json::Writer& writer, const char* name, const std::map<std::string_view, double>& counts) {
    writer.key(name).begin_object();
    for (const auto& [reason, count] : counts) writer.member(reason, static_cast<std::int64_t>(count));
    writer.end_object();
}

}  // namespace

void DatabaseMonitor::write_health(json::Writer& writer, const Health& health, const Answer& answer) const {
    writer.member("status", to_string(health.status)).member("score", health.score);
    writer.key("reasons").begin_array();
    for (const auto& [alert, points, text] : health.reasons) {
        writer.begin_object();
        write_members(writer, alert);
        writer.member("points", points).member("text", text).end_object();
    }
    writer.end_array();

    writer.key("check")
        .begin_object()
        .member("ok", answer.good)
        .member("lastOk", answer.good_at ? std::optional(instant(*answer.good_at)) : std::nullopt)
        .member("tookMs", milliseconds(answer.took))
        .member("problem", answer.good ? std::nullopt : std::optional(answer.problem))
        .end_object();

    writer.key("pools").begin_array();
    for (const auto& watched : watched_) {
        writer.begin_object().member("name", watched.name);
        write_members(writer, watched.pool->state());
        writer.end_object();
    }
    writer.end_array();

    writer.key("latencies").begin_object();
    write(writer, "query", statements_.latest());
    write(writer, "acquire", watched_.front().meter.acquire());
    write(writer, "connect", watched_.front().meter.connect());
    writer.end_object();

    writer.key("replicas").begin_array();
    for (const auto& replica : replicas_ ? replicas_() : std::vector<ReplicaView>())
        writer.begin_object()
            .member("name", replica.name)
            .member("standing", replica.standing)
            .member("lagMs", replica.lag ? std::optional(replica.lag->count()) : std::nullopt)
            .member("reads", replica.reads)
            .end_object();
    writer.end_array();
}

void DatabaseMonitor::write_pools(json::Writer& writer) const {
    writer.key("pools").begin_array();
    for (const auto& watched : watched_) {
        const auto& meter = watched.meter;
        writer.begin_object().member("name", watched.name);
        write_members(writer, watched.pool->state());
        write(writer, "acquire", meter.acquire());
        write(writer, "use", meter.use());
        write(writer, "connect", meter.connect());
        writer.key("sinceStart").begin_object();
        writer.member("created", static_cast<std::int64_t>(meter.created()));
        write(writer, "closed", meter.closed());
        writer.member("timeouts", static_cast<std::int64_t>(meter.timeouts()));
        write(writer, "shed", meter.shed());
        writer.member("exhausted", static_cast<std::int64_t>(meter.exhausted()))
            .member("leaks", static_cast<std::int64_t>(meter.leaks()))
            .end_object()
            .end_object();
    }
    writer.end_array();

    const std::lock_guard lock(mutex_);
    writer.key("alerts").begin_array();
    for (const auto& alert : alerts_.current()) {
        writer.begin_object();
        write_members(writer, alert);
        writer.member("threshold", rounded(alert.threshold)).end_object();
    }
    writer.end_array().key("alertHistory").begin_array();
    for (auto it = alerts_.changes().rbegin(); it != alerts_.changes().rend(); ++it) {
        writer.begin_object();
        write_members(writer, it->alert);
        writer.member("before", to_string(it->before)).end_object();
    }
    writer.end_array();
}

void DatabaseMonitor::write_connections(json::Writer& writer) const {
    writer.key("pools").begin_array();
    for (const auto& watched : watched_) {
        writer.begin_object().member("name", watched.name).key("connections").begin_array();
        for (const auto& each : watched.pool->connections()) {
            const bool open = each.backend_pid != 0;
            writer.begin_object()
                .member("state", each.state)
                .member("since", instant(each.since))
                .member("backendPid", open ? std::optional(each.backend_pid) : std::nullopt)
                .member("openedAt", open ? std::optional(instant(each.opened_at)) : std::nullopt)
                .member("uses", each.uses)
                .member("from", place(each.from))
                .member("overdue", each.overdue)
                .end_object();
        }
        writer.end_array().key("history").begin_array();
        for (const auto& event : watched.meter.history())
            writer.begin_object()
                .member("at", instant(event.at))
                .member("event", event.event)
                .member("reason", event.reason.empty() ? std::nullopt : std::optional(event.reason))
                .member("backendPid",
                        event.backend_pid == 0 ? std::nullopt : std::optional(event.backend_pid))
                .member(event.event == "closed" ? "ageMs" : "tookMs", milliseconds(event.duration))
                .end_object();
        writer.end_array().end_object();
    }
    writer.end_array();
}

void DatabaseMonitor::write_queries(json::Writer& writer, std::size_t top) const {
    const auto report = statements_.report(top);
    write(writer, "lastThousand", report.window);
    writer.key("speeds").begin_object();
    for (std::size_t i = 0; i < report.speeds.size(); ++i)
        writer.member(to_string(static_cast<Speed>(i)), report.speeds.at(i));
    writer.end_object().key("slowest").begin_array();
    for (const auto& it : report.slowest)
        writer.begin_object()
            .member("statement", it.statement)
            .member("queryType", it.query_type)
            .member("parameters", it.parameters)
            .member("from", place(it.slowest_from))
            .member("count", it.count)
            .member("meanMs", milliseconds(it.mean))
            .member("maxMs", milliseconds(it.max))
            .end_object();
    writer.end_array().key("listed").begin_array();
    for (const auto& it : report.listed)
        writer.begin_object()
            .member("at", instant(it.at))
            .member("statement", it.statement)
            .member("level", to_string(speed_of(it.duration)))
            .member("durationMs", milliseconds(it.duration))
            .member("outcome", to_string(it.outcome))
            .member("parameters", it.parameters)
            .member("from", place(it.from))
            .end_object();
    writer.end_array();
}

}  // namespace service
