#include "services/api/reference.hpp"

#include <utility>

#include "libcore/domain/text.hpp"
#include "libcore/runtime/log.hpp"

namespace api {

namespace {

constexpr std::chrono::milliseconds refresh_interval{1000};
// A revoked key opens nothing after this long, whatever the database does.
constexpr std::chrono::seconds oldest_snapshot{5};
constexpr std::chrono::hours oldest_zones{1};
// Over another connection there is time for a second attempt before the snapshot is too old.
constexpr std::chrono::milliseconds longest_read{2000};
// That a key is used is worth little waiting: as long as it is written, nothing is read.
constexpr std::chrono::milliseconds longest_touch{500};

/// Zones are taken over from the snapshot before while they are recent.
std::shared_ptr<const Snapshot> read(postgres::Pool& pool, const Snapshot* before, bool zones_too) {
    auto snapshot = std::make_shared<Snapshot>();
    // Counted from before the questions, so that the answers are never older than they say.
    snapshot->read_at = Snapshot::Clock::now();
    for (auto& row : postgres::live_api_keys(pool))
        snapshot->keys.push_back(live_key(std::move(row), snapshot->read_at));
    snapshot->keys_exist = !snapshot->keys.empty() || postgres::any_api_key(pool);
    snapshot->latest_today = postgres::latest_today(pool);
    if (before != nullptr && !zones_too && snapshot->read_at - before->zones_read_at < oldest_zones) {
        snapshot->zones = before->zones;
        snapshot->zones_read_at = before->zones_read_at;
    } else {
        snapshot->zones = std::make_shared<const Zones>(postgres::zone_names(pool));
        snapshot->zones_read_at = snapshot->read_at;
    }
    return snapshot;
}

}  // namespace

Zones::Zones(std::vector<postgres::ZoneName> names) {
    for (auto& zone : names) by_lower_case_.emplace(domain::lower_case(zone.name), std::move(zone.stored));
}

std::optional<std::string> Zones::canonical(std::string_view name) const {
    const auto found = by_lower_case_.find(domain::lower_case(name));
    if (found == by_lower_case_.end()) return std::nullopt;
    return found->second;
}

Reference::Reference(const postgres::Pool& pool, runtime::Loops& loops)
    : pool_(pool.reserved()),
      snapshot_(read(pool_, nullptr, true)),
      refresher_("refresh_reference", loops, [this] { return refresh(); },
                 {.first = std::chrono::milliseconds(100), .longest = refresh_interval}) {}

std::shared_ptr<const Snapshot> Reference::current() const {
    const std::lock_guard lock(mutex_);
    if (Snapshot::Clock::now() - snapshot_->read_at > oldest_snapshot) {
        throw StaleReference("keys and zones could not be read for 5 seconds");
    }
    return snapshot_;
}

void Reference::note_use(const LiveKey& key) {
    const std::lock_guard lock(mutex_);
    used_prefixes_.insert(key.row.prefix);
}

/// Only this thread writes `snapshot_`, so it may read it without the lock.
std::chrono::milliseconds Reference::refresh() {
    const bool zones_too = zones_forgotten_.exchange(false);
    std::shared_ptr<const Snapshot> snapshot;
    try {
        auto hurried = pool_.until(Snapshot::Clock::now() + longest_read);
        snapshot = read(hurried, snapshot_.get(), zones_too);
    } catch (...) {
        if (zones_too) zones_forgotten_ = true;
        throw;
    }
    std::set<std::string> used;
    {
        const std::lock_guard lock(mutex_);
        snapshot_ = std::move(snapshot);
        used.swap(used_prefixes_);
    }
    record_use(std::move(used));
    return refresh_interval;
}

void Reference::record_use(std::set<std::string> prefixes) {
    try {
        auto hurried = pool_.until(Snapshot::Clock::now() + longest_touch);
        postgres::touch_api_keys(hurried, {prefixes.begin(), prefixes.end()});
    } catch (const postgres::DatabaseError& error) {
        if (const auto suppressed = use_logged_.pass())
            runtime::log::warn("the last use of keys could not be recorded",
                               {{"reason", error.what()}, {"suppressed", *suppressed}});
        const std::lock_guard lock(mutex_);
        used_prefixes_.merge(prefixes);
    }
}

}  // namespace api
