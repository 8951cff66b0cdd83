// The parts of the system under simulation, each of which can be let work, stopped and killed. Times are the
// ledger's; one thread.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "libcore/runtime/log.hpp"
#include "libcore/runtime/loops.hpp"
#include "services/scheduler/dispatcher.hpp"
#include "services/scheduler/guardian.hpp"
#include "services/scheduler/planner.hpp"
#include "services/scheduler/replanner.hpp"
#include "services/scheduler/rescuer.hpp"
#include "services/worker/pipeline.hpp"
#include "tests/support/amqp_fixture.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/sink/sink.hpp"
#include "tests/support/year/record.hpp"
#include "tests/support/year/world.hpp"

namespace year {

class Machinery {
public:
    explicit Machinery(Instant begin);
    ~Machinery();
    Machinery(const Machinery&) = delete;
    Machinery& operator=(const Machinery&) = delete;

    void set_clock(Instant now);
    postgres::Pool& ledger() { return scheduler_pool_; }

    /// Two planners begin a round; `finish_planning` waits for it.
    void begin_planning();
    void finish_planning();
    double planning_seconds() const { return planning_seconds_; }
    /// An edit of a type reaches all that waits.
    void replan();
    /// Partitions ahead of time.
    void guard();

    /// How the provider answers from now on: it meets workers that know nothing of before, because what they
    /// have learnt of it goes by real time.
    void set_provider(std::optional<Fault> fault);
    void start_worker();
    void stop_worker();
    /// One comes, takes up work if there is any, and dies with it.
    void kill_a_worker();
    void lose_the_queue();
    /// The database drops every connection.
    void cut_connections();

    /// Publishes all that is due.
    void dispatch();
    /// Dispatches, and waits for the worker if there is one, until nothing is left to do at this instant;
    /// false if that does not come.
    bool work(bool dispatching);
    /// When something is due next, after now.
    std::optional<Instant> next_due();

    std::vector<Row> rows();
    std::vector<sink::Entry> requests() const { return provider_.entries(0, 10'000'000); }

private:
    struct Rest {
        int in_flight = 0;
        bool due = false;
    };

    /// As the loop shell does: what fails is tried again.
    template <class Work>
    auto persistently(Work work);
    void rescue();
    Rest rest();
    double unsettled();
    void await_worker();
    worker::Settings worker_settings() const;

    const runtime::log::Session log_;
    support::TestDatabase database_;
    support::AmqpFixture broker_;
    sink::Sink provider_;
    std::optional<Fault> fault_;
    postgres::Pool scheduler_pool_;
    postgres::Pool planner_pool_;
    postgres::Pool worker_pool_;
    runtime::Registry registry_;
    runtime::Loops loops_;
    scheduler::Guardian guardian_;
    scheduler::Planner planners_[2];
    scheduler::Replanner replanner_;
    scheduler::Dispatcher dispatcher_;
    scheduler::Rescuer rescuer_;
    std::chrono::steady_clock::time_point next_rescue_{};
    std::vector<std::future<double>> planning_;
    double planning_seconds_ = 0;
    double forgiven_ = 0;  ///< hints that no worker of ours will settle
    std::unique_ptr<worker::Pipeline> worker_;
};

}  // namespace year
