#include "services/worker/claimer.hpp"

#include <algorithm>
#include <map>

#include "libcore/runtime/log.hpp"

namespace worker {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t batch_size = 256;
// Woken long before by a new hint or a hungry lane.
constexpr auto idle_pause = 1s;
constexpr auto behind_pause = 20ms;
// Shorter interruptions are waited out with the hints in hand.
constexpr auto long_interruption = 2s;

prometheus::Counter& hints_counter(runtime::Registry& registry, const char* result) {
    return registry.counter("hints_total", "Queue messages by what became of them", {{"result", result}});
}

}  // namespace

Claimer::Claimer(Parts parts, std::chrono::milliseconds lease)
    : parts_(parts),
      lease_(lease),
      claimed_(hints_counter(parts.registry, "claimed")),
      nothing_(hints_counter(parts.registry, "nothing_to_claim")),
      outdated_(hints_counter(parts.registry, "outdated")),
      missed_(hints_counter(parts.registry, "missed")),
      unrenderable_(hints_counter(parts.registry, "unrenderable")),
      given_back_(hints_counter(parts.registry, "given_back")) {}

std::chrono::milliseconds Claimer::run_once() {
    if (const auto closed = parts_.lanes.closed_for(); closed > 0ms) {
        if (closed < long_interruption) return closed;
        auto hints = parts_.hints.take(batch_size);
        if (hints.empty()) return std::min<std::chrono::milliseconds>(closed, idle_pause);
        give_back(std::move(hints), closed);
        return 0ms;
    }
    // After an outage the hint of an expired lease may be here before the success in hand is in the ledger.
    if (parts_.recorder.is_behind()) return behind_pause;
    const int room = parts_.lanes.room();
    if (room <= 0) return idle_pause;
    auto hints = parts_.hints.take(std::min(batch_size, static_cast<std::size_t>(room)));
    if (hints.empty()) return idle_pause;
    claim(std::move(hints));
    return 0ms;
}

void Claimer::claim(std::vector<Hint> hints) {
    const auto claimed_at = Clock::now();
    postgres::ClaimReport report;
    keeping(hints, [&](std::span<const domain::Delivery> deliveries) {
        report = postgres::claim(parts_.pool, deliveries, lease_);
    });

    // One message may have several hints; one of them goes with the job, the others are done.
    std::map<domain::Uuid, std::uint64_t> tags;
    for (const Hint& hint : hints) {
        const auto [known, first] = tags.emplace(hint.delivery.message_id, hint.tag);
        if (!first) parts_.consumer.ack(hint.tag);
    }
    std::vector<Job> jobs;
    jobs.reserve(report.claimed.size());
    for (postgres::Claimed& message : report.claimed) {
        const auto tag = tags.extract(message.message_id).mapped();
        jobs.push_back({tag, std::move(message), claimed_at, claimed_at + lease_});
    }
    for (const auto& [id, tag] : tags) parts_.consumer.ack(tag);

    const auto settled =
        static_cast<int>(hints.size() - jobs.size()) - report.outdated - report.missed - report.unrenderable;
    claimed_.Increment(static_cast<double>(jobs.size()));
    nothing_.Increment(std::max(0, settled));
    outdated_.Increment(report.outdated);
    missed_.Increment(report.missed);
    unrenderable_.Increment(report.unrenderable);
    if (report.unrenderable > 0) {
        runtime::log::error("messages cannot be rendered", {{"messages", report.unrenderable}});
    }
    if (!jobs.empty()) parts_.lanes.add(std::move(jobs));
}

void Claimer::give_back(std::vector<Hint> hints, std::chrono::milliseconds delay) {
    keeping(hints, [&](std::span<const domain::Delivery> deliveries) {
        postgres::give_back_hints(parts_.pool, deliveries, delay);
    });
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
