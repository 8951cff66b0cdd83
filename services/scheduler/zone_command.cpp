#include "services/scheduler/zone_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <thread>

#include "services/scheduler/zone_keeper.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

using runtime::Arguments;
using Clock = std::chrono::steady_clock;

constexpr int users_per_chunk = 1'000;
// Nobody else begins with it while this command lives.
constexpr auto lease = 1min;
constexpr auto look_every = 200ms;
constexpr auto tell_every = 2s;
constexpr int longest_wait = 3'600;

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
    fmt::print(format, std::forward<Args>(args)...);
    std::fflush(stdout);
}

/// "+03:30".
std::string signed_time(std::chrono::microseconds time) {
    const auto seconds = std::chrono::abs(std::chrono::floor<std::chrono::seconds>(time)).count();
    return fmt::format("{}{:02}:{:02}{}", time < 0us ? '-' : '+', seconds / 3600, seconds / 60 % 60,
                       seconds % 60 == 0 ? "" : fmt::format(":{:02}", seconds % 60));
}

std::string clock_of(const std::optional<std::chrono::microseconds>& ahead) {
    return ahead ? "UTC" + signed_time(*ahead) : "skipped";
}

struct ZoneSummary {
    int messages = 0;
    std::chrono::microseconds least = std::chrono::microseconds::max();
    std::chrono::microseconds most = std::chrono::microseconds::min();
    std::string planned;
    std::string present;
};

void show(const std::vector<postgres::OutdatedUnit>& units) {
    std::map<std::string, ZoneSummary> zones;
    int messages = 0;
    for (const auto& unit : units) {
        auto& zone = zones[unit.timezone];
        messages += unit.messages;
        zone.messages += unit.messages;
        zone.planned = clock_of(unit.planned_ahead);
        zone.present = clock_of(unit.ahead);
        if (!unit.instant) continue;
        zone.least = std::min(zone.least, *unit.instant - unit.planned);
        zone.most = std::max(zone.most, *unit.instant - unit.planned);
    }
    say("{} pending messages of {} time zones were planned by other rules\n", messages, zones.size());
    for (const auto& [name, zone] : zones) {
        const auto shift = zone.least > zone.most ? std::string("removed")
                           : zone.least == zone.most
                               ? "by " + signed_time(zone.least)
                               : fmt::format("by {} to {}", signed_time(zone.least), signed_time(zone.most));
        say("  {:<32} {:>8}  {} -> {}  {}\n", name, zone.messages, zone.planned, zone.present, shift);
    }
}

/// Who is left when the time is over.
std::vector<postgres::Session> wait_for_old_sessions(postgres::Pool& pool, std::chrono::seconds longest) {
    const auto deadline = Clock::now() + longest;
    std::vector<postgres::Session> told;
    for (;;) {
        auto sessions = postgres::outdated_sessions(pool);
        if (sessions.empty()) {
            say("every session is new\n");
            return sessions;
        }
        if (sessions != told)
            say("waiting for {} sessions to end: {}\n", sessions.size(), to_string(sessions));
        if (Clock::now() >= deadline) return sessions;
        told = std::move(sessions);
        postgres::keep_zone_generation(pool, lease);
        std::this_thread::sleep_for(look_every);
    }
}

/// How many users could not be replanned.
int move(postgres::Pool& fresh, const std::vector<postgres::OutdatedUnit>& units) {
    postgres::Replanned total;
    auto told_at = Clock::now();
    for (const auto& unit : units) {
        total += postgres::replan_outdated(fresh, unit, users_per_chunk, [&](const auto& so_far) {
            postgres::keep_zone_generation(fresh, lease);
            if (Clock::now() - told_at > tell_every) {
                told_at = Clock::now();
                say("{} moved so far\n", total.moved + so_far.moved);
            }
            return true;
        });
    }
    postgres::reopen_skipped_days(fresh);
    say("{} moved, {} removed, {} inserted\n", total.moved, total.removed, total.inserted);
    return total.failed;
}

/// A new one, unless the look has just begun one.
int begin_generation(postgres::Pool& pool, bool changed) {
    if (changed) {
        if (const auto taken = postgres::take_zone_generation(pool, lease)) return *taken;
    }
    return postgres::new_zone_generation(pool, lease);
}

int replan_zones(const Settings& settings, std::chrono::seconds longest_wait_for_sessions) {
    const auto database = for_zones(settings.unpooled);
    int generation = 0;
    std::vector<postgres::Session> old;
    {
        postgres::Pool pool(database);
        const auto changes = postgres::look_at_zone_rules(pool);
        say("{} time zones have other rules than at the last look\n", changes.size());
        generation = begin_generation(pool, !changes.empty());
    }
    {
        postgres::Pool pool(database);
        old = wait_for_old_sessions(pool, longest_wait_for_sessions);
    }
    postgres::Pool fresh(database);
    const auto units = postgres::outdated_units(fresh);
    show(units);
    const int failed = move(fresh, units);
    if (failed > 0) say("not finished: the database refuses to replan {} users\n", failed);
    if (!old.empty()) {
        say("not finished: {} sessions may still plan by the rules of before: {}\n"
            "End them (restart the program, RECONNECT in the pooler) and run this again; "
            "a running scheduler-svc looks again by itself until they are gone.\n",
            old.size(), to_string(old));
    }
    if (failed > 0 || !old.empty()) {
        postgres::leave_zone_generation(fresh);
        return runtime::exit_failure;
    }
    postgres::settle_zone_generation(fresh, generation);
    say("all pending messages follow the present rules\n");
    return runtime::exit_ok;
}

int dry_run(const Settings& settings) {
    postgres::Pool fresh(for_zones(settings.unpooled));
    show(postgres::outdated_units(fresh));
    return runtime::exit_ok;
}

int run(const Settings& settings, const Arguments& arguments) {
    int wait = 60;
    if (const auto given = arguments.find("wait"); given != arguments.end()) {
        const auto& text = given->second;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wait);
        if (error != std::errc() || end != text.data() + text.size() || wait < 0 || wait > longest_wait) {
            fmt::print(stderr, "--wait must be a number of seconds from 0 to {}\n", longest_wait);
            return runtime::exit_configuration;
        }
    }
    return arguments.contains("dry-run") ? dry_run(settings)
                                         : replan_zones(settings, std::chrono::seconds(wait));
}

}  // namespace

runtime::Command replan_zones_command(const Settings& settings) {
    using Option = runtime::CommandOption;
    return {{"replan-zones"},
            "Bring pending messages in line with the database server's present time zone rules.",
            {{"dry-run", "Only say what differs", Option::flag},
             {"wait", "Seconds to wait until sessions with older rules have ended, 60 unless given",
              Option::optional}},
            [&](const Arguments& arguments) { return run(settings, arguments); }};
}

}  // namespace scheduler
