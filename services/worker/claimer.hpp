// Turns hints into jobs: claims what they point to, hands it to the lanes, and settles every other hint.
// Runs on one thread.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "libcore/postgres/claim_table.hpp"
#include "libcore/rabbitmq/consumer.hpp"
#include "libcore/runtime/metrics.hpp"
#include "services/worker/job.hpp"
#include "services/worker/lanes.hpp"
#include "services/worker/mailbox.hpp"
#include "services/worker/recorder.hpp"

namespace worker {

/// The broker redelivers and the rescuer publishes again. Attempts only grow, so of several hints for a
/// message the newest is the one that may find its row. Of equal ones it is the last to come: what came over
/// a connection that was lost since is not ours to settle any more. The others are settled.
std::vector<Hint> newest_of_each(std::vector<Hint> hints, const std::function<void(const Hint&)>& settle);

class Claimer {
public:
    struct Parts {
        postgres::Pool& pool;
        Mailbox<Hint>& hints;
        Lanes& lanes;
        const Recorder& recorder;
        rabbitmq::Consumer& consumer;
        runtime::Registry& registry;
    };

    /// While the circuit is open, hints are given back at once, then after 1 s, 2 s, 4 s, … `longest_hold`.
    Claimer(Parts parts, const postgres::Terms& terms, std::chrono::milliseconds longest_hold);

    std::chrono::milliseconds run_once();

private:
    /// Settles the rest.
    std::vector<Hint> one_for_each_message(std::vector<Hint> hints);
    /// Returns the pause before the next round.
    std::chrono::milliseconds claim(std::vector<Hint> hints);
    /// Replans the users, then settles their hints.
    void replan(const std::vector<postgres::Outdated>& outdated, std::vector<Hint> hints);
    void count(const postgres::ClaimReport& report, std::size_t hints);
    void give_back(std::vector<Hint> hints, std::chrono::milliseconds delay);
    /// What is in hand now, not what comes meanwhile. False if there is nothing.
    bool give_back_all(std::chrono::milliseconds delay);
    /// Runs `work`; if it throws, the hints go back to the mailbox for the next round.
    void keeping(std::vector<Hint>& hints,
                 const std::function<void(std::span<const domain::Delivery>)>& work);

    Parts parts_;
    const postgres::Terms terms_;
    const std::chrono::milliseconds longest_hold_;
    Clock::time_point gives_back_at_{};  ///< not before, what it holds while nothing may be sent
    std::chrono::milliseconds hold_{};
    prometheus::Counter& claimed_;
    prometheus::Counter& nothing_;
    prometheus::Counter& outdated_;
    prometheus::Counter& missed_;
    prometheus::Counter& key_expired_;
    prometheus::Counter& unrenderable_;
    prometheus::Counter& given_back_;
    prometheus::Counter& blocked_;
};

}  // namespace worker
