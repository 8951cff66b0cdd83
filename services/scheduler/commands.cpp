#include "services/scheduler/commands.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "libcore/domain/pause.hpp"
#include "libcore/postgres/dispatch_table.hpp"
#include "libcore/postgres/pause_table.hpp"
#include "libcore/postgres/plan_table.hpp"
#include "libcore/postgres/retention_table.hpp"
#include "libcore/runtime/health.hpp"
#include "services/scheduler/zone_command.hpp"

namespace scheduler {

namespace {

using runtime::Arguments;

// In audit_log, where the API's callers stand with the names of their keys.
constexpr const char* actor = "operator (command line)";

postgres::Pool open_pool(const Settings& settings) {
    auto database = settings.database;
    database.max = 1;
    database.min = 0;
    return postgres::Pool(std::move(database));
}

void show(const domain::Pause& pause) {
    fmt::print("paused      by {}, since {}\nuntil       {}\nreason      {}\n", pause.by,
               domain::to_string(pause.since), pause.until ? domain::to_string(*pause.until) : "resumed",
               pause.reason);
}

int refused(const domain::Errors& errors) {
    for (const auto& error : errors) fmt::print(stderr, "--{} {}\n", error.field, error.text);
    return runtime::exit_configuration;
}

int pause(const Settings& settings, const Arguments& arguments) {
    const auto reason = domain::pause_reason(arguments.at("reason"));
    if (!reason) return refused(reason.errors());
    std::optional<domain::Instant> until;
    if (const auto given = arguments.find("until"); given != arguments.end()) {
        const auto valid = domain::pause_end(given->second);
        if (!valid) return refused(valid.errors());
        until = *valid;
    }
    auto pool = open_pool(settings);
    const auto paused = postgres::pause_deliveries(pool, actor, *reason, until);
    if (!paused) return refused(paused.errors());
    show(*paused);
    return runtime::exit_ok;
}

int resume(const Settings& settings, const Arguments& arguments) {
    std::optional<std::string> reason;
    if (const auto given = arguments.find("reason"); given != arguments.end()) {
        const auto valid = domain::pause_reason(given->second);
        if (!valid) return refused(valid.errors());
        reason = *valid;
    }
    auto pool = open_pool(settings);
    fmt::print("{}\n", postgres::resume_deliveries(pool, actor, reason) ? "resumed" : "was not paused");
    return runtime::exit_ok;
}

int show_status(const Settings& settings) {
    auto pool = open_pool(settings);
    if (const auto pause = postgres::current_pause(pool)) {
        show(*pause);
    } else {
        fmt::print("not paused\n");
    }
    const auto backlog = postgres::due_backlog(pool);
    fmt::print("due         {}, the first of them for {} s\n", backlog.due,
               std::chrono::floor<std::chrono::seconds>(backlog.oldest_due).count());
    return runtime::exit_ok;
}

std::string name_of(const domain::Date& month) {
    return domain::to_string(month).substr(0, 7);
}

// Of the expired: those that retention drops, or those that it has to keep.
std::string months_of(const std::vector<postgres::PartitionReport>& partitions, bool unfinished) {
    std::string months;
    for (const auto& partition : partitions) {
        if (!partition.expired || (partition.waiting + partition.in_flight > 0) != unfinished) continue;
        months += (months.empty() ? "" : ", ") + name_of(partition.month);
    }
    return months;
}

int show_partitions(const Settings& settings) {
    auto pool = open_pool(settings);
    const auto partitions = postgres::report_partitions(pool, settings.retention_months);
    fmt::print(
        "month    state           rows (about)         size  instants                  waiting  in flight  "
        "attention\n");
    for (const auto& p : partitions) {
        fmt::print("{:<8} {:<14} {:>13} {:>9.1f} MB  {:<24} {:>8} {:>10} {:>10}\n", name_of(p.month), p.state,
                   p.rows, static_cast<double>(p.bytes) / 1e6,
                   p.first ? domain::to_string(*p.first) + " to " + domain::to_string(*p.last) : "none",
                   p.waiting, p.in_flight, p.attention);
    }
    fmt::print("\nahead       {} months\n", postgres::partitions_ahead(pool));
    if (settings.retention_months == 0) {
        fmt::print("kept        everything (RETENTION_MONTHS is 0)\n");
        return runtime::exit_ok;
    }
    fmt::print("kept        from {} on (RETENTION_MONTHS is {})\n",
               domain::to_string(postgres::kept_from(pool, settings.retention_months)),
               settings.retention_months);
    const auto dropped = months_of(partitions, false);
    fmt::print("next drop   {}\n", dropped.empty() ? "nothing" : dropped);
    if (const auto held = months_of(partitions, true); !held.empty()) {
        fmt::print("held back   {}: messages there are not final\n", held);
    }
    return runtime::exit_ok;
}

}  // namespace

std::vector<runtime::Command> commands(const Settings& settings) {
    using Option = runtime::CommandOption;
    return {
        {{"pause"},
         "Stop all deliveries, everywhere, until they are resumed.",
         {{"reason", "Why, for whoever looks next", Option::required},
          {"until", "When they go on by themselves, such as 2027-03-01T12:00:00Z", Option::optional}},
         [&](const Arguments& arguments) { return pause(settings, arguments); }},
        {{"resume"},
         "Let deliveries go on.",
         {{"reason", "Why, for the audit log", Option::optional}},
         [&](const Arguments& arguments) { return resume(settings, arguments); }},
        {{"pause-status"},
         "Show whether deliveries are paused, and what waits.",
         {},
         [&](const Arguments&) { return show_status(settings); }},
        {{"partitions"},
         "Show the months of the ledger, and which of them retention drops next.",
         {},
         [&](const Arguments&) { return show_partitions(settings); }},
        replan_zones_command(settings),
        runtime::health_command(settings.ops),
    };
}

}  // namespace scheduler
