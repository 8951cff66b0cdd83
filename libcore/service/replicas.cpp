#include "libcore/service/replicas.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "libcore/postgres/replica_table.hpp"
#include "libcore/runtime/log.hpp"

namespace service {

using namespace std::chrono_literals;
using postgres::ReplicaChoice;

namespace {

namespace log = runtime::log;

// Four looks to the second that a replica may lag by: what is written between two of them counts as lacking
// since the first.
constexpr auto look_every = 250ms;
// Who has not answered a look after this will not answer a read either.
constexpr auto look_patience = 500ms;

std::string_view to_string(ReplicaChoice::Standing standing) {
    switch (standing) {
        case ReplicaChoice::Standing::in:
            return "in";
        case ReplicaChoice::Standing::unknown:
            return "unknown";
        case ReplicaChoice::Standing::behind:
            return "behind";
        case ReplicaChoice::Standing::no_replica:
            return "no_replica";
    }
    std::abort();
}

postgres::ConnectionSettings settings_of_looks(postgres::ConnectionSettings settings) {
    settings.connect_timeout = look_patience;
    settings.statement_timeout = look_patience;
    settings.query_timeout = look_patience;
    return settings;
}

double seconds(const std::optional<ReplicaChoice::Duration>& lag) {
    return lag ? std::chrono::duration<double>(*lag).count() : std::numeric_limits<double>::quiet_NaN();
}

prometheus::Counter& count_reads(runtime::Registry& registry, const std::string& target) {
    return registry.counter("db_reads_total", "Reads that may go to a replica, by who answered",
                            {{"target", target}});
}

}  // namespace

struct Replicas::Replica {
    Replica(const ReplicaSettings& settings, runtime::Registry& registry, const Open& open)
        : name(settings.name),
          looks(settings_of_looks(settings.pool.connection)),
          pool(open("replica " + settings.name, settings.pool)),
          patience(settings.pool.connection.query_timeout),
          answered(count_reads(registry, settings.name)) {}

    const std::string name;
    const postgres::ConnectionSettings looks;
    postgres::Pool pool;
    const std::chrono::milliseconds patience;
    prometheus::Counter& answered;
    // Its watch's alone.
    std::optional<postgres::Connection> session{};
    std::optional<ReplicaChoice::Standing> told{};
};

/// Reads of the primary, by why no replica answered.
struct Replicas::Fallbacks {
    enum Reason { none_in, not_new_enough, missing, exhausted, lost, timed_out, conflict, refused };

    explicit Fallbacks(runtime::Registry& registry) : reads(count_reads(registry, "primary")) {
        constexpr std::array names{"none_in", "not_new_enough", "missing",  "exhausted",
                                   "lost",    "timed_out",      "conflict", "refused"};
        for (const char* name : names)
            reasons.push_back(&registry.counter("db_read_fallbacks_total",
                                                "Reads of the primary, by why no replica answered",
                                                {{"reason", name}}));
    }

    void count(Reason reason) const {
        reads.Increment();
        reasons[reason]->Increment();
    }

    prometheus::Counter& reads;
    std::vector<prometheus::Counter*> reasons;
};

Replicas::Replicas(const std::vector<ReplicaSettings>& settings, const postgres::Pool& primary,
                   runtime::Loops& loops, const Open& open)
    : primary_(primary), choice_(static_cast<int>(settings.size())) {
    if (settings.empty()) return;
    auto& registry = loops.registry();
    fallbacks_ = std::make_unique<const Fallbacks>(registry);
    for (const auto& each : settings) {
        const int number = static_cast<int>(replicas_.size());
        replicas_.push_back(std::make_unique<Replica>(each, registry, open));
        registry.sampled_gauge(
            "db_replica_lag_seconds", "Age of the oldest change that a read replica lacks, at the last look",
            {{"replica", each.name}}, [this, number] { return seconds(view(number).lag); });
        registry.sampled_gauge(
            "db_replica_in", "1 while a read replica answers reads", {{"replica", each.name}},
            [this, number] { return view(number).standing == ReplicaChoice::Standing::in ? 1 : 0; });
    }
    const runtime::Periodic::Backoff backoff{.first = 100ms, .longest = look_every};
    watches_.emplace_back(
        "primary_watch", loops, [this] { return look_at_primary(); }, backoff);
    for (int number = 0; number < static_cast<int>(replicas_.size()); ++number)
        watches_.emplace_back(
            "replica_watch", loops, [this, number] { return look_at(number); }, backoff);
}

Replicas::~Replicas() = default;

/// While it is away nothing is known of it, which it is for others to tell.
std::chrono::milliseconds Replicas::look_at_primary() {
    try {
        const auto asked = Clock::now();
        const auto place = postgres::log_place(*primary_.reserved().until(asked + look_patience).lease());
        if (place.in_recovery || !place.position) return look_every;
        const std::scoped_lock lock(mutex_);
        system_ = place.system;
        choice_.primary_at(*place.position, asked);
    } catch (const postgres::DatabaseError&) {
    }
    return look_every;
}

std::chrono::milliseconds Replicas::look_at(int number) {
    tell(number, look(number));
    return look_every;
}

/// What is in the way, or nothing.
std::string Replicas::look(int number) {
    auto& session = at(number).session;
    try {
        if (!session) session.emplace(at(number).looks);
        const auto place = postgres::log_place(*session);
        const std::scoped_lock lock(mutex_);
        if (!place.in_recovery || !place.position || (!system_.empty() && place.system != system_)) {
            choice_.no_replica(number);
            return place.in_recovery ? "it follows another primary" : "it follows no primary";
        }
        choice_.replica_at(number, *place.position, Clock::now());
        return {};
    } catch (const postgres::DatabaseError& error) {
        session.reset();
        const std::scoped_lock lock(mutex_);
        choice_.forget(number);
        return error.what();
    }
}

ReplicaChoice::View Replicas::view(int number) const {
    const std::scoped_lock lock(mutex_);
    return choice_.view(number, Clock::now());
}

void Replicas::tell(int number, const std::string& reason) {
    const auto now = view(number);
    Replica& replica = at(number);
    // At first nothing is known of the primary.
    const bool too_early =
        !replica.told && now.standing == ReplicaChoice::Standing::unknown && reason.empty();
    if (now.standing == replica.told || too_early) return;
    replica.told = now.standing;
    if (now.standing == ReplicaChoice::Standing::in)
        log::info("a read replica answers reads", {{"replica", replica.name}});
    else
        log::warn("a read replica is out: the primary answers its reads",
                  {{"replica", replica.name},
                   {"standing", to_string(now.standing)},
                   {"lag_ms", std::chrono::floor<std::chrono::milliseconds>(now.lag.value_or(0s)).count()},
                   {"reason", reason}});
}

ReplicaChoice::Choice Replicas::choose(const std::optional<postgres::LogPosition>& after) {
    if (none()) return {};
    const auto choice = [&] {
        const std::scoped_lock lock(mutex_);
        return choice_.choose(after, Clock::now());
    }();
    if (!choice.replica)
        fallbacks_->count(choice.none == ReplicaChoice::None::in ? Fallbacks::none_in
                                                                 : Fallbacks::not_new_enough);
    return choice;
}

void Replicas::renew() {
    for (auto& replica : replicas_) replica->pool.renew();
}

std::vector<ReplicaView> Replicas::views() const {
    std::vector<ReplicaView> views;
    for (const auto& replica : replicas_) {
        const auto seen = view(static_cast<int>(views.size()));
        ReplicaView shown{replica->name, to_string(seen.standing), {}, seen.reads};
        if (seen.lag) shown.lag = std::chrono::floor<std::chrono::milliseconds>(*seen.lag);
        views.push_back(std::move(shown));
    }
    return views;
}

Replicas::Read::Read(Replicas& replicas, const ReplicaChoice::Choice& choice)
    : replicas_(replicas),
      replica_(*choice.replica),
      seen_(choice.seen),
      pool_(replicas.at(replica_).pool.until(Clock::now() + replicas.at(replica_).patience)) {}

Replicas::Read::~Read() {
    if (served_) replicas_.at(replica_).answered.Increment();
    const std::scoped_lock lock(replicas_.mutex_);
    replicas_.choice_.done(replica_);
}

void Replicas::Read::failed(const postgres::DatabaseError& error) {
    served_ = false;
    const auto reason = [&] {
        if (dynamic_cast<const postgres::PoolExhausted*>(&error) != nullptr) return Fallbacks::exhausted;
        if (error.timed_out()) return Fallbacks::timed_out;
        if (error.may_rerun_transaction()) return Fallbacks::conflict;
        return error.got_no_answer() ? Fallbacks::lost : Fallbacks::refused;
    }();
    replicas_.fallbacks_->count(reason);
    if (reason != Fallbacks::lost) return;
    // Others need not find out one by one, should it be gone: the next look is near.
    const std::scoped_lock lock(replicas_.mutex_);
    replicas_.choice_.forget(replica_);
}

void Replicas::Read::missed() {
    served_ = false;
    replicas_.fallbacks_->count(Fallbacks::missing);
}

bool Replicas::Read::may_be_too_old() {
    const auto connections = pool_.connections();
    if (std::ranges::all_of(connections, [&](const auto& each) { return each.opened_at < seen_; }))
        return false;
    served_ = false;
    replicas_.fallbacks_->count(Fallbacks::not_new_enough);
    return true;
}

}  // namespace service
