// Everything that delivers one herd: one scheduler-svc, the broker, one worker-svc and the sink, each a
// process of its own.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "tests/bench/cost.hpp"
#include "tests/bench/herd.hpp"
#include "tests/bench/sink_process.hpp"
#include "tests/support/amqp_fixture.hpp"
#include "tests/support/process.hpp"

namespace bench {

class DeliverySystem {
public:
    DeliverySystem(const Herd::Due& due, int lanes);

    Herd& herd() { return herd_; }
    SinkProcess& sink() { return sink_; }
    const support::Service& scheduler() const { return scheduler_; }
    const support::Service& worker() const { return worker_; }

    /// Lets the clock run. Seconds from the instant when the first is due to the moment when the last row is
    /// seen as SENT, or when patience ends. `watch` is called all the while with the number of e-mails so
    /// far.
    double deliver(const std::function<void(std::int64_t)>& watch = {});

    /// Counts from now on.
    Cost cost();

    /// Whether both services ended as they should.
    bool stop() { return scheduler_.stop() + worker_.stop() == 0; }

private:
    support::Environment environment(support::Environment more = {}) const;

    Herd herd_;
    support::AmqpFixture broker_;
    SinkProcess sink_;
    support::Service scheduler_;
    support::Service worker_;
};

}  // namespace bench
