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

    Claimer(Parts parts, std::chrono::milliseconds lease);

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
    /// Runs `work`; if it throws, the hints go back to the mailbox for the next round.
    void keeping(std::vector<Hint>& hints,
                 const std::function<void(std::span<const domain::Delivery>)>& work);

    Parts parts_;
    const std::chrono::milliseconds lease_;
    prometheus::Counter& claimed_;
    prometheus::Counter& nothing_;
    prometheus::Counter& outdated_;
    prometheus::Counter& missed_;
    prometheus::Counter& unrenderable_;
    prometheus::Counter& given_back_;
    prometheus::Counter& blocked_;
};

}  // namespace worker
