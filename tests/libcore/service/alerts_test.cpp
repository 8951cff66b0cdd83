#include "libcore/service/alerts.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using service::Alerts;
using service::Severity;
using service::Signal;

namespace {

constexpr Alerts::Time start{1'000s};

struct Watch {
    void look(double waiting, int rounds = 1) {
        now += 1s;
        const std::vector<Signal> signals{{"waiting", "main", waiting, {1, 6, 11}, rounds}};
        alerts.look(signals, now);
    }
    Severity severity() const {
        return alerts.current().empty() ? Severity::none : alerts.current().front().severity;
    }

    Alerts alerts;
    Alerts::Time now = start;
};

}  // namespace

TEST_CASE("an alert is as severe as the highest threshold that its value reaches") {
    for (const auto& [value, severity] : {std::pair{0., Severity::none},
                                          {1., Severity::info},
                                          {5., Severity::info},
                                          {6., Severity::warning},
                                          {11., Severity::critical},
                                          {99., Severity::critical}}) {
        Watch watch;
        watch.look(value);
        CHECK(watch.severity() == severity);
    }
}

TEST_CASE("what must last is told when it has, and no more than what all rounds agreed on") {
    Watch watch;
    watch.look(20, 3);
    watch.look(7, 3);
    CHECK(watch.severity() == Severity::none);
    watch.look(20, 3);
    CHECK(watch.severity() == Severity::warning);
    watch.look(0, 3);
    watch.look(20, 3);
    watch.look(0, 3);
    watch.look(0, 3);
    CHECK(watch.severity() == Severity::warning);
    watch.look(0, 3);
    CHECK(watch.severity() == Severity::none);
}

TEST_CASE("changes are kept with their time, the last hundred of them") {
    Watch watch;
    watch.look(7);
    watch.look(7);
    watch.look(0);
    const auto& changes = watch.alerts.changes();
    REQUIRE(changes.size() == 2);
    CHECK(changes[0].alert.severity == Severity::warning);
    CHECK(changes[0].alert.since == start + 1s);
    CHECK(changes[0].alert.threshold == 6);
    CHECK(changes[1].alert.severity == Severity::none);
    CHECK(changes[1].before == Severity::warning);
    for (int i = 0; i < 200; ++i) watch.look(i % 2 == 0 ? 7 : 0);
    CHECK(changes.size() == Alerts::most_changes);
    CHECK(changes.back().alert.since == watch.now);
}

TEST_CASE("a signal that is not looked at any more is over, and the severe ones come first") {
    Alerts alerts;
    const std::vector<Signal> both{{"waiting", "main", 1, {1, 6, 11}}, {"leaks", "main", 1, {0, 0, 1}}};
    alerts.look(both, start);
    REQUIRE(alerts.current().size() == 2);
    CHECK(alerts.current().front().name == "leaks");
    alerts.look(std::vector<Signal>(), start + 1s);
    CHECK(alerts.current().empty());
    CHECK(alerts.changes().size() == 4);
}
