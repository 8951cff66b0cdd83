#include "libcore/service/start_up.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "libcore/postgres/clock_table.hpp"
#include "libcore/postgres/migrator.hpp"
#include "libcore/postgres/server_table.hpp"
#include "libcore/runtime/command_line.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/stop_signal.hpp"

namespace service {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds first_pause = 100ms;
constexpr std::chrono::milliseconds longest_pause = 2s;
constexpr auto log_every = 10s;

struct Obstacle {
    const char* event;
    std::string reason;
};

void compare_with_server(postgres::Pool& pool, int connection_budget) {
    const int accepted = postgres::connections_accepted(pool);
    if (accepted >= connection_budget) return;
    runtime::log::warn("the database server accepts fewer connections than all programs may open",
                       {{"accepted", accepted}, {"budget", connection_budget}});
}

/// What stands in the way now and may be gone later, or nothing.
std::optional<Obstacle> obstacle(postgres::Pool& pool, runtime::AppEnv app_env, int connection_budget) {
    try {
        postgres::check_schema(pool);
        if (app_env == runtime::AppEnv::production && postgres::clock_is_shifted(pool)) {
            throw runtime::Misconfigured(
                "app_clock has a row: time is shifted, which production refuses; delete the row");
        }
        compare_with_server(pool, connection_budget);
        return std::nullopt;
    } catch (const postgres::SchemaOutdated& error) {
        return Obstacle{"waiting for the schema", error.what()};
    } catch (const postgres::SchemaMismatch& error) {
        throw runtime::Misconfigured(error.what());
    } catch (const postgres::DatabaseError& error) {
        // The program read its settings once: it takes a new start to read others.
        if (error.is_refused_login()) {
            throw runtime::Misconfigured(std::string(error.what()) +
                                         ": check user, password and database of DATABASE_URL");
        }
        return Obstacle{"waiting for the database", error.what()};
    }
}

/// Between half and all of it, so that replicas do not knock in step.
std::chrono::milliseconds jittered(std::chrono::milliseconds pause) {
    thread_local std::minstd_rand random(std::random_device{}());
    return std::chrono::milliseconds(std::uniform_int_distribution<std::chrono::milliseconds::rep>(
        pause.count() / 2, pause.count())(random));
}

}  // namespace

bool wait_for_database(postgres::Pool& pool, runtime::AppEnv app_env, int connection_budget,
                       const std::stop_token& stop) {
    runtime::log::RateLimit limit(log_every);
    std::string_view last_event;
    for (auto pause = first_pause; !stop.stop_requested(); pause = std::min(2 * pause, longest_pause)) {
        const auto met = obstacle(pool, app_env, connection_budget);
        if (!met) {
            if (!last_event.empty()) runtime::log::info("the database is there");
            return true;
        }
        if (limit.pass() || met->event != last_event) {
            runtime::log::warn(met->event, {{"reason", met->reason}});
        }
        last_event = met->event;
        runtime::sleep_until_stop(stop, jittered(pause));
    }
    return false;
}

}  // namespace service
