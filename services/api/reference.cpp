#include "services/api/reference.hpp"

#include <utility>

#include "libcore/domain/text.hpp"

namespace api {

namespace {

constexpr std::chrono::milliseconds refresh_interval{1000};
// A revoked key opens nothing after this long, whatever the database does.
constexpr std::chrono::seconds oldest_snapshot{5};
constexpr std::chrono::hours oldest_zones{1};

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
    auto snapshot = read(pool_, snapshot_.get(), zones_too);
    std::set<std::string> used;
    {
        const std::lock_guard lock(mutex_);
        snapshot_ = std::move(snapshot);
        used.swap(used_prefixes_);
    }
    postgres::touch_api_keys(pool_, {used.begin(), used.end()});
    return refresh_interval;
}

}  // namespace api
