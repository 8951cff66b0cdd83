#include "tests/drill/storm.hpp"

#include <stdexcept>

#include "tests/drill/cast.hpp"
#include "tests/support/tcp_gate.hpp"

namespace drill {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t schedulers = 2;
constexpr std::size_t workers = 3;
constexpr auto patience = 90s;

// Two lanes have at most 100 hints in hand (their prefetch). With more, a message would be likely to meet its
// fourth killed worker, and be left to a person.
const support::Environment few_in_hand{{"QUEUE_CONCURRENCY", "2"}};
// At some 300 messages a second and worker, so that those who are killed have time to come back between.
constexpr const char* steady = R"({"rules": [{"delay_ms": 5}]})";
constexpr const char* slow = R"({"rules": [{"times": 100, "delay_ms": 200}, {"delay_ms": 5}]})";

class Weather {
public:
    explicit Weather(const Storm& storm)
        : storm_(storm),
          system_(storm.provider),
          broker_("127.0.0.1", system_.broker_port()),
          database_("127.0.0.1", system_.database.port()),
          cast_(system_, settings()) {}

    Evidence endure() {
        system_.provider.play(steady);
        system_.add({.count = storm_.chances.messages});
        for (std::size_t i = 0; i < schedulers; ++i) cast_.hire("scheduler-svc");
        for (std::size_t i = 0; i < workers; ++i) cast_.hire("worker-svc", {}, few_in_hand);
        system_.set_clock("2027-03-10T08:59:59Z");

        Chances chances = storm_.chances;
        chances.cast = cast_.size();
        for (const Blow& blow : write_script(chances)) {
            await(text(blow), [&] { return reached() >= blow.after; });
            strike(blow);
        }
        await("all are sent", [&] {
            return reached() >= storm_.chances.messages &&
                   system_.count(domain::Status::sent) == storm_.chances.messages;
        });
        return gather(system_, storm_.provider, cast_.interruptions());
    }

private:
    support::Environment settings() const {
        support::Environment gated;
        gated["AMQP_URL"] = system_.amqp_url_through(broker_.port());
        gated["DATABASE_URL"] = support::through(system_.database.url(), database_.port());
        return gated;
    }

    int reached() const { return static_cast<int>(system_.provider.summary().distinct_keys); }

    void strike(const Blow& blow) {
        switch (blow.kind) {
            case Blow::Kind::kill:
                cast_.kill(blow.victim);
                cast_.replace(blow.victim, {},
                              blow.victim < schedulers ? support::Environment{} : few_in_hand);
                return;
            case Blow::Kind::cut_broker:
                return broker_.cut();
            case Blow::Kind::cut_database:
                return database_.cut();
            case Blow::Kind::slow_provider:
                return system_.provider.play(slow);
        }
    }

    template <class Condition>
    void await(const std::string& what, Condition condition) {
        const bool came = support::eventually(
            [&] {
                for (std::size_t role = 0; role < cast_.size(); ++role) cast_.is_dead(role);
                return condition();
            },
            patience);
        if (!came)
            throw std::runtime_error("in vain: " + what + "; " + std::to_string(reached()) +
                                     " reached the provider, " +
                                     std::to_string(system_.count(domain::Status::sent)) + " are sent");
    }

    const Storm& storm_;
    support::System system_;
    support::TcpGate broker_;
    support::TcpGate database_;
    Cast cast_;
};

}  // namespace

Evidence weather(const Storm& storm) {
    return Weather(storm).endure();
}

}  // namespace drill
