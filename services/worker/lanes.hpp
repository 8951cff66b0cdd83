// The delivery lanes: N coroutines on one thread, each with a kept-alive connection to the provider. When
// they may send is decided by the gate, which they share.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "libcore/domain/outcome.hpp"
#include "libcore/http/exchange.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/metrics.hpp"
#include "services/worker/gate.hpp"
#include "services/worker/job.hpp"
#include "services/worker/settings.hpp"

namespace http {
struct Origin;
}

namespace worker {

class Lanes {
public:
    struct Ports {
        std::function<void(Finished)> finished;  ///< called on the lanes' thread for each job, once
        std::function<void()> hungry;            ///< called there when half of the room is free
    };

    /// `rate` may be null: there is no limit. It outlives the lanes.
    Lanes(const Settings& settings, ProviderRate* rate, runtime::Registry& registry, Ports ports);
    Lanes(const Lanes&) = delete;
    Lanes& operator=(const Lanes&) = delete;
    ~Lanes();

    /// Gives back the jobs that have not started, and returns when the requests in flight are answered. No
    /// job may be added after this.
    void drain();

    /// Any thread.
    void add(std::vector<Job> jobs);

    /// Deliveries were paused at that moment: gives back what was claimed before it and has not started. A
    /// later claim has seen for itself that they go on. Any thread.
    void recall(Clock::time_point paused_at);

    /// How many more jobs can start before their leases run short, at the provider's present pace and at the
    /// rate. Any thread.
    int room() const;
    /// How long nothing will be sent: the circuit is open or the provider asked for a pause. Any thread.
    std::chrono::milliseconds closed_for() const { return gate_.closed_for(); }
    /// Does as ordered, if there is an order; how things are then. Nothing if the lanes' thread does not take
    /// it up, and then it never will. Any thread but that one.
    std::optional<CircuitReport> circuit(const std::optional<CircuitOrder>& order);
    /// Since when the lanes' thread has not come to look at a question of this function, which asks one each
    /// time that none is open. Any thread.
    std::optional<Clock::time_point> busy_since();

private:
    friend boost::asio::awaitable<void> run_lane(Lanes* lanes, std::shared_ptr<http::Origin> origin);

    /// What a lane should do with a job, decided each time it looks at it.
    struct Decision {
        enum class Kind { send, wait, give_back, suppress };
        Kind kind;
        std::chrono::nanoseconds delay{0};
    };

    std::chrono::milliseconds longest_send() const;
    void start(std::vector<Job>& jobs);
    std::optional<Job> next_job();
    void wake_another();
    void give_back_waiting(Clock::time_point claimed_until);
    Decision decide(const Job& job);
    http::Request request_for(const Job& job) const;
    void answered(Job job, const http::Answer& answer, Clock::time_point sent_at, Clock::time_point deadline);
    void give_back(Job job, std::chrono::milliseconds delay);
    void suppress(Job job);
    void job_done();
    void obey(const CircuitOrder& order);
    void tell_of_refusal(int http_status);

    const ProviderSettings provider_;
    const domain::Allowlist recipients_;
    const int lane_count_;
    ProviderRate* const rate_;
    const std::chrono::milliseconds lease_;
    const domain::RetryPolicy retry_;
    const Ports ports_;

    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::deque<Job> waiting_;
    std::vector<boost::asio::steady_timer*> idle_;  ///< one for each lane that has nothing to do
    bool lane_at_gate_ = false;                     ///< one waits there; the others take no job meanwhile
    Gate gate_;
    boost::asio::steady_timer hold_ends_;
    std::optional<Clock::time_point> last_success_;
    Clock::time_point recalled_until_{};
    bool draining_ = false;
    std::minstd_rand random_{std::random_device{}()};

    std::atomic<int> backlog_{0};                                   ///< jobs not finished
    std::atomic<Clock::time_point> asked_at_{Clock::time_point{}};  ///< zero: no question is open
    std::atomic<double> seconds_per_job_;

    prometheus::Histogram& duration_;
    prometheus::Gauge& in_flight_;
    prometheus::Counter& credentials_refused_;
    runtime::log::RateLimit refusal_limit_{std::chrono::seconds(10)};
    std::jthread thread_;
};

}  // namespace worker
