#include "services/scheduler/zone_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/runtime/log.hpp"
#include "libcore/runtime/tzdata.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

// A look costs the server a quarter of a second; until then messages go by rules that changed.
constexpr auto look_every = 10min;
// The others look twice a second, and end the statement in hand first.
constexpr auto patience = 60s;
constexpr auto look_at_sessions_every = 1s;
// While an old session stays, what it may have planned since is looked for again.
constexpr auto again_after = 2min;
constexpr auto lease = 1min;
constexpr auto look_at_others_every = 30s;
// No round goes on for so long that it looks like one that hangs.
constexpr auto longest_round = 60s;
// A transaction short enough that a client who changes one of these users does not notice.
constexpr int users_per_chunk = 200;
constexpr std::size_t most_names = 10;

std::string listed(const std::vector<std::string>& names) {
    const auto shown = std::min(names.size(), most_names);
    return fmt::format("{}{}",
                       fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                       shown < names.size() ? fmt::format(" and {} more", names.size() - shown) : "");
}

}  // namespace

postgres::PoolSettings for_zones(postgres::PoolSettings settings) {
    settings.max = 1;
    settings.min = 0;
    settings.connection.statement_timeout = 4min;
    settings.connection.query_timeout = settings.connection.statement_timeout + 1s;
    return settings;
}

std::string to_string(const std::vector<postgres::Session>& sessions) {
    std::vector<std::string> names;
    for (const auto& session : sessions)
        names.push_back(fmt::format("{} (pid {})", session.application_name, session.pid));
    return listed(names);
}

ZoneKeeper::ZoneKeeper(const postgres::PoolSettings& database, runtime::Registry& registry,
                       std::stop_token stop)
    : database_(for_zones(database)),
      stop_(std::move(stop)),
      registry_(registry),
      unsettled_(registry.gauge("zone_rules_unsettled",
                                "1 while pending messages are brought in line with changed time zone rules")),
      unknown_zones_(
          registry.gauge("zones_unknown", "Time zones in use that the database server does not know")),
      unknown_users_(registry.gauge("zones_unknown_users",
                                    "Users who keep a date in such a zone: nothing is planned for them")),
      changes_(registry.counter("zone_rules_changes_total", "Time zones whose rules were seen to change")),
      moved_(registry.counter("zone_messages_moved_total",
                              "Pending messages moved or removed because time zone rules changed")) {}

std::chrono::milliseconds ZoneKeeper::run_once() {
    if (Clock::now() >= look_at_) {
        look();
        look_at_ = Clock::now() + look_every;
    }
    postgres::Pool pool(database_);
    if (const auto generation = postgres::take_zone_generation(pool, lease)) return work_on(*generation);
    const bool settled = postgres::zones_are_settled(pool);
    unsettled_.Set(settled ? 0 : 1);
    if (!settled) return look_at_others_every;
    return std::chrono::ceil<std::chrono::milliseconds>(look_at_ - Clock::now());
}

/// Another pool than the one that works afterwards: this session is older than the generation it begins.
void ZoneKeeper::look() {
    postgres::Pool fresh(database_);
    const auto changes = postgres::look_at_zone_rules(fresh);
    if (!changes.empty()) {
        std::vector<std::string> names;
        for (const auto& change : changes) names.push_back(change.timezone);
        changes_.Increment(static_cast<double>(changes.size()));
        runtime::log::warn("time zone rules have changed",
                           {{"zones", names.size()}, {"names", listed(names)}});
    }
    show_rules(postgres::zone_rules_digest(fresh));
    show_unknown(postgres::unknown_zones(fresh));
}

void ZoneKeeper::show_rules(const std::string& digest) {
    if (digest == digest_) return;
    digest_ = digest;
    if (rules_ != nullptr) rules_->Set(0);
    rules_ = &registry_.gauge("tzdata_info",
                              "1 for the present time zone data: this machine's release, and a digest of the "
                              "database server's rules",
                              {{"version", runtime::tzdata_version()}, {"rules", digest.substr(0, 8)}});
    rules_->Set(1);
}

void ZoneKeeper::show_unknown(const postgres::UnknownZones& unknown) {
    unknown_zones_.Set(static_cast<double>(unknown.names.size()));
    unknown_users_.Set(unknown.users);
    if (unknown.names == unknown_) return;
    unknown_ = unknown.names;
    if (unknown_.empty()) {
        runtime::log::info("the database server knows all time zones in use");
    } else {
        runtime::log::error(
            "the database server does not know a time zone in use",
            {{"zones", unknown_.size()}, {"names", listed(unknown_)}, {"users", unknown.users}});
    }
}

std::chrono::milliseconds ZoneKeeper::work_on(int generation) {
    unsettled_.Set(1);
    if (generation_ != generation) {
        generation_ = generation;
        worked_on_since_ = Clock::now();
    }
    postgres::Pool pool(database_);
    const auto old = postgres::outdated_sessions(pool);
    if (!old.empty() && Clock::now() - worked_on_since_ < patience) {
        postgres::leave_zone_generation(pool);
        return look_at_sessions_every;
    }
    const Pass pass = replan();
    if (pass == Pass::interrupted) {
        postgres::leave_zone_generation(pool);
        return 0ms;
    }
    if (!old.empty()) {
        runtime::log::warn("sessions still go by the time zone rules of before",
                           {{"sessions", old.size()}, {"names", to_string(old)}});
    }
    if (!old.empty() || pass == Pass::failed) {
        postgres::keep_zone_generation(pool, again_after);
        return again_after;
    }
    if (!postgres::settle_zone_generation(pool, generation)) return 0ms;
    unsettled_.Set(0);
    runtime::log::info("all pending messages follow the present time zone rules",
                       {{"zone_generation", generation}});
    return 0ms;
}

ZoneKeeper::Pass ZoneKeeper::replan() {
    postgres::Pool fresh(database_);
    const auto began = Clock::now();
    const auto keep_going = [&] { return !stop_.stop_requested() && Clock::now() - began < longest_round; };
    int failed = 0;
    for (const auto& unit : postgres::outdated_units(fresh)) {
        const auto done = postgres::replan_outdated(fresh, unit, users_per_chunk, [&](const auto&) {
            postgres::keep_zone_generation(fresh, lease);
            return keep_going();
        });
        moved_.Increment(done.moved + done.removed);
        failed += done.failed;
        runtime::log::warn("moved messages to the present time zone rules",
                           {{"timezone", unit.timezone},
                            {"message_type", unit.message_type},
                            {"delivery_date", domain::to_string(unit.delivery_date)},
                            {"messages", unit.messages},
                            {"moved", done.moved},
                            {"removed", done.removed}});
        if (!keep_going()) return Pass::interrupted;
    }
    postgres::reopen_skipped_days(fresh);
    if (failed == 0) return Pass::whole;
    runtime::log::error("users cannot be brought in line with time zone rules", {{"users", failed}});
    return Pass::failed;
}

}  // namespace scheduler
