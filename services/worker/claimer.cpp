#include "services/worker/claimer.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "libcore/killpoint/killpoint.hpp"
#include "libcore/postgres/plan_table.hpp"
#include "libcore/runtime/log.hpp"

namespace worker {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t batch_size = 256;
// Woken long before by a new hint or a hungry lane.
constexpr auto idle_pause = 1s;
constexpr auto behind_pause = 20ms;
// Somebody holds a row; the other hints went their way.
constexpr auto blocked_pause = 100ms;
// Shorter interruptions are waited out with the hints in hand.
constexpr auto long_interruption = 2s;
// The circuits of other workers may be closed: what this one cannot send is theirs. But giving back is faster
// than sending, and makes room for more: without a pause it would take them their work, and while no circuit
// is closed the ledger would be written for nothing, by every worker. The pause doubles, until there was
// nothing to give back for long.
constexpr std::chrono::milliseconds first_hold = 1s;

prometheus::Counter& hints_counter(runtime::Registry& registry, const char* result) {
    return registry.counter("hints_total", "Queue messages by what became of them", {{"result", result}});
}

}  // namespace

std::vector<Hint> newest_of_each(std::vector<Hint> hints, const std::function<void(const Hint&)>& settle) {
    const auto age = [](const Hint& hint) { return std::pair(hint.delivery.attempt, hint.tag); };
    std::vector<Hint> kept;
    std::map<domain::Uuid, std::size_t> places;
    for (Hint& hint : hints) {
        const auto [place, first] = places.emplace(hint.delivery.message_id, kept.size());
        if (first) {
            kept.push_back(std::move(hint));
            continue;
        }
        Hint& other = kept[place->second];
        if (age(other) < age(hint)) std::swap(other, hint);
        settle(hint);
    }
    return kept;
}

Claimer::Claimer(Parts parts, const postgres::Terms& terms, std::chrono::milliseconds longest_hold)
    : parts_(parts),
      terms_(terms),
      longest_hold_(longest_hold),
      claimed_(hints_counter(parts.registry, "claimed")),
      nothing_(hints_counter(parts.registry, "nothing_to_claim")),
      outdated_(hints_counter(parts.registry, "outdated")),
      missed_(hints_counter(parts.registry, "missed")),
      key_expired_(hints_counter(parts.registry, "key_expired")),
      unrenderable_(hints_counter(parts.registry, "unrenderable")),
      given_back_(hints_counter(parts.registry, "given_back")),
      blocked_(parts.registry.counter("claims_blocked_total",
                                      "Times that a row stayed locked and was not claimed")) {}

std::chrono::milliseconds Claimer::run_once() {
    if (const auto closed = parts_.lanes.closed_for(); closed > 0ms) {
        if (closed < long_interruption) return closed;
        const auto now = Clock::now();
        const auto held_for = std::chrono::ceil<std::chrono::milliseconds>(gives_back_at_ - now);
        if (held_for > 0ms) return std::min(closed, held_for);
        if (give_back_all(closed)) {
            const bool anew = now - gives_back_at_ > longest_hold_;
            hold_ = std::min(anew ? first_hold : 2 * hold_, longest_hold_);
            gives_back_at_ = now + hold_;
        }
        return std::min<std::chrono::milliseconds>(closed, idle_pause);
    }
    // After an outage the hint of an expired lease may be here before the success in hand is in the ledger.
    if (parts_.recorder.is_behind()) return behind_pause;
    const int room = parts_.lanes.room();
    if (room <= 0) return idle_pause;
    auto hints =
        one_for_each_message(parts_.hints.take(std::min(batch_size, static_cast<std::size_t>(room))));
    if (hints.empty()) return idle_pause;
    return claim(std::move(hints));
}

std::vector<Hint> Claimer::one_for_each_message(std::vector<Hint> hints) {
    return newest_of_each(std::move(hints), [this](const Hint& other) {
        parts_.consumer.ack(other.tag);
        nothing_.Increment();
    });
}

std::chrono::milliseconds Claimer::claim(std::vector<Hint> hints) {
    KILLPOINT("claim.begins");
    const auto claimed_at = Clock::now();
    postgres::ClaimReport report;
    keeping(hints, [&](std::span<const domain::Delivery> deliveries) {
        report = postgres::claim(parts_.pool, deliveries, terms_);
    });
    if (!report.claimed.empty()) KILLPOINT("claim.committed");

    std::map<domain::Uuid, std::uint64_t> tags;
    for (const Hint& hint : hints) tags.emplace(hint.delivery.message_id, hint.tag);
    const auto tag_of = [&](const domain::Uuid& id) { return tags.extract(id).mapped(); };

    std::vector<Job> jobs;
    jobs.reserve(report.claimed.size());
    for (postgres::Claimed& message : report.claimed) {
        const auto tag = tag_of(message.message_id);
        jobs.push_back({tag, std::move(message), claimed_at, claimed_at + terms_.lease});
    }
    count(report, hints.size());
    if (!jobs.empty()) parts_.lanes.add(std::move(jobs));
    for (const domain::Uuid& failed : report.unrenderable) parts_.consumer.reject(tag_of(failed));
    for (domain::Delivery& blocked : report.blocked) {
        const auto tag = tag_of(blocked.message_id);
        parts_.hints.put({tag, std::move(blocked)});
    }
    // Last: if it fails, nothing else is lost, and the hints come again.
    std::vector<Hint> outdated;
    for (const postgres::Outdated& one : report.outdated) {
        const auto hint =
            std::ranges::find(hints, one.message_id, [](const Hint& h) { return h.delivery.message_id; });
        outdated.push_back({tag_of(one.message_id), hint->delivery});
    }
    for (const auto& [id, tag] : tags) parts_.consumer.ack(tag);
    replan(report.outdated, std::move(outdated));
    return report.blocked.empty() ? 0ms : blocked_pause;
}

void Claimer::replan(const std::vector<postgres::Outdated>& outdated, std::vector<Hint> hints) {
    if (outdated.empty()) return;
    std::set<domain::Uuid> users;
    for (const postgres::Outdated& one : outdated) users.insert(one.user_id);
    keeping(hints, [&](std::span<const domain::Delivery>) {
        postgres::replan(parts_.pool, std::vector(users.begin(), users.end()));
    });
    for (const Hint& hint : hints) parts_.consumer.ack(hint.tag);
}

void Claimer::count(const postgres::ClaimReport& report, std::size_t hints) {
    const std::size_t accounted =
        report.claimed.size() + report.outdated.size() + report.blocked.size() + report.unrenderable.size() +
        static_cast<std::size_t>(report.missed + report.key_expired + report.given_back);
    claimed_.Increment(static_cast<double>(report.claimed.size()));
    outdated_.Increment(static_cast<double>(report.outdated.size()));
    missed_.Increment(report.missed);
    key_expired_.Increment(report.key_expired);
    blocked_.Increment(static_cast<double>(report.blocked.size()));
    unrenderable_.Increment(static_cast<double>(report.unrenderable.size()));
    given_back_.Increment(report.given_back);
    nothing_.Increment(static_cast<double>(hints - std::min(hints, accounted)));
    if (report.missed > 0) {
        runtime::log::error("messages are later than their type allows", {{"missed", report.missed}});
    }
    if (report.key_expired > 0) {
        runtime::log::error("messages in doubt are older than the provider's memory of their keys",
                            {{"messages", report.key_expired}});
    }
    if (!report.unrenderable.empty()) {
        runtime::log::error("messages cannot be rendered",
                            {{"messages", static_cast<int>(report.unrenderable.size())}});
    }
}

bool Claimer::give_back_all(std::chrono::milliseconds delay) {
    const std::size_t in_hand = parts_.hints.size();
    for (std::size_t left = in_hand; left > 0; left -= std::min(left, batch_size)) {
        auto hints = one_for_each_message(parts_.hints.take(std::min(left, batch_size)));
        if (!hints.empty()) give_back(std::move(hints), delay);
    }
    return in_hand > 0;
}

void Claimer::give_back(std::vector<Hint> hints, std::chrono::milliseconds delay) {
    keeping(hints, [&](std::span<const domain::Delivery> deliveries) {
        postgres::give_back_hints(parts_.pool, deliveries, delay);
    });
    KILLPOINT("hints.given_back");
    for (const Hint& hint : hints) parts_.consumer.ack(hint.tag);
    given_back_.Increment(static_cast<double>(hints.size()));
}

void Claimer::keeping(std::vector<Hint>& hints,
                      const std::function<void(std::span<const domain::Delivery>)>& work) {
    std::vector<domain::Delivery> deliveries;
    deliveries.reserve(hints.size());
    for (const Hint& hint : hints) deliveries.push_back(hint.delivery);
    try {
        work(deliveries);
    } catch (...) {
        parts_.hints.put_back(std::move(hints));
        throw;
    }
}

}  // namespace worker
