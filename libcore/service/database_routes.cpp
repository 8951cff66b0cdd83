// `/health/database`, `/performance…` and `/pool/…` on the operations port. What is shown is in memory:
// nobody who looks waits for the database.

#include <algorithm>
#include <charconv>
#include <utility>

#include "libcore/json/problem.hpp"
#include "libcore/service/database_monitor.hpp"

namespace service {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t usual_top = 5;
constexpr std::size_t most_top = 100;

/// Of `name=value` in a query; empty if it is not there.
std::string_view parameter(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const auto pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
            return pair.substr(name.size() + 1);
    }
    return {};
}

std::size_t top_of(std::string_view query) {
    const auto text = parameter(query, "top");
    std::size_t top = usual_top;
    std::from_chars(text.data(), text.data() + text.size(), top);
    return std::min(top, most_top);
}

runtime::Reply refusal(const domain::Errors& errors) {
    std::string text;
    for (const auto& error : errors)
        text += (text.empty() ? "" : "; ") + error.field + (error.field.empty() ? "" : " ") + error.text;
    return {.status = 400,
            .content_type = "application/problem+json",
            .body = json::encode({400, "validation_failed", text, errors}, "")};
}

template <class Write>
runtime::Reply object(const Write& write) {
    json::Writer writer;
    writer.begin_object();
    write(writer);
    writer.end_object();
    return {.body = writer.take()};
}

}  // namespace

std::vector<runtime::OpsRoute> DatabaseMonitor::routes() {
    const auto look_at = [](std::string path, auto show) {
        return runtime::OpsRoute{.path = std::move(path), .get = std::move(show)};
    };
    return {look_at("/health/database", [this](const auto& request) { return health(request); }),
            look_at("/performance", [this](const auto&) { return everything(); }),
            look_at("/performance/pool",
                    [this](const auto&) { return object([&](auto& writer) { write_pools(writer); }); }),
            look_at("/performance/connections",
                    [this](const auto&) { return object([&](auto& writer) { write_connections(writer); }); }),
            look_at("/performance/queries",
                    [this](const auto& request) {
                        const auto top = top_of(request.query);
                        return object([&](auto& writer) { write_queries(writer, top); });
                    }),
            command_route("/pool/pause", PoolCommand::Kind::pause),
            command_route("/pool/resume", PoolCommand::Kind::resume),
            command_route("/pool/reconnect", PoolCommand::Kind::reconnect),
            command_route("/pool/resize", PoolCommand::Kind::resize)};
}

runtime::Reply DatabaseMonitor::health(const runtime::Request& request) const {
    const auto [health, answer] = [&] {
        const std::lock_guard lock(mutex_);
        return std::pair(health_, answer_);
    }();
    auto reply = object(
        [&, &health = health, &answer = answer](auto& writer) { write_health(writer, health, answer); });
    const bool strict = parameter(request.query, "strict") == "1";
    const auto least = strict ? Health::Status::degraded : Health::Status::down;
    if (health.status >= least) reply.status = 503;
    return reply;
}

runtime::Reply DatabaseMonitor::everything() const {
    return object([&](json::Writer& writer) {
        {
            const std::lock_guard lock(mutex_);
            writer.key("health").begin_object();
            write_health(writer, health_, answer_);
            writer.end_object();
        }
        writer.key("pool").begin_object();
        write_pools(writer);
        writer.end_object().key("connections").begin_object();
        write_connections(writer);
        writer.end_object().key("queries").begin_object();
        write_queries(writer, usual_top);
        writer.end_object();
    });
}

runtime::OpsRoute DatabaseMonitor::command_route(const char* path, PoolCommand::Kind kind) {
    return {.path = path,
            .get = [this](const auto&) { return object([&](auto& writer) { write_pools(writer); }); },
            .post = [this, kind](const auto& request) { return answer(kind, request.body); }};
}

runtime::Reply DatabaseMonitor::answer(PoolCommand::Kind kind, std::string_view body) {
    const auto command = decode_pool_command(kind, body);
    if (!command) return refusal(command.errors());
    const auto meant = meant_by(kind, *command);
    if (meant.empty()) return refusal({{"unknown", "pool", "is none of this service's"}});
    const std::lock_guard lock(command_);
    for (Watched* watched : meant)
        if (const auto error = carry_out(kind, *command, *watched)) return refusal({*error});
    return object([&](json::Writer& writer) { write_pools(writer); });
}

std::vector<DatabaseMonitor::Watched*> DatabaseMonitor::meant_by(PoolCommand::Kind kind,
                                                                 const PoolCommand& command) {
    std::vector<Watched*> meant;
    for (auto& watched : watched_) {
        const bool chosen = command.pool.empty() ? kind != PoolCommand::Kind::resize || meant.empty()
                                                 : command.pool == watched.name;
        if (chosen) meant.push_back(&watched);
    }
    return meant;
}

std::optional<domain::Error> DatabaseMonitor::carry_out(PoolCommand::Kind kind, const PoolCommand& command,
                                                        Watched& watched) {
    namespace log = runtime::log;
    auto& pool = *watched.pool;
    switch (kind) {
        case PoolCommand::Kind::pause:
            if (stop_.stop_requested())
                return domain::Error{"stopping", "", "the service is stopping: it needs its connections"};
            pool.pause(Clock::now() + command.length);
            log::warn("an operator has paused a database pool",
                      {{"pool", watched.name}, {"for_ms", command.length.count()}});
            break;
        case PoolCommand::Kind::resume:
            pool.resume();
            log::warn("an operator has resumed a database pool", {{"pool", watched.name}});
            break;
        case PoolCommand::Kind::reconnect:
            pool.renew();
            log::warn("an operator has renewed the connections of a database pool", {{"pool", watched.name}});
            break;
        case PoolCommand::Kind::resize: {
            const auto before = pool.state();
            const int max = command.max.value_or(before.max);
            const int min = command.min.value_or(std::min(before.min, max));
            if (min > max) return domain::Error{"invalid", "min", "is above max"};
            pool.resize(max, min);
            log::warn("an operator has resized a database pool", {{"pool", watched.name},
                                                                  {"max", max},
                                                                  {"min", min},
                                                                  {"max_before", before.max},
                                                                  {"min_before", before.min}});
        }
    }
    return std::nullopt;
}

}  // namespace service
