// What the drills of outside faults share: work that falls due hour by hour, and the note of what was broken
// when.
#pragma once

#include <catch2/catch.hpp>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/drill/cast.hpp"
#include "tests/drill/play.hpp"
#include "tests/drill/verdict.hpp"
#include "tests/services/drill.hpp"

namespace drill {

using Provider = System::Provider;

/// For providers that count every request: no lease runs out and no request is given up because the machine
/// is slow.
inline const Environment patient{{"PROVIDER_TIMEOUT", "10s"}, {"DELIVERY_LEASE", "30s"}};

/// People whose nine o'clock comes hour by hour, so that each fault finds work of its own under way.
class Hours {
public:
    Hours(System& system, int hours, int people) : system_(system), people_(people) {
        for (int hour = 0; hour < hours; ++hour)
            system.add({.count = people, .zone = hour == 0 ? "UTC" : "Etc/GMT+" + std::to_string(hour)});
    }

    /// It is nine o'clock for the next ones.
    void strike() {
        const auto hour = std::to_string(9 + struck_++);
        system_.set_clock("2027-03-10T" + (hour.size() == 1 ? "0" + hour : hour) + ":00:00Z");
    }

    /// Of those for whom it has struck.
    int people() const { return struck_ * people_; }
    /// Strikes, and returns in the middle of their deliveries; they take a second at the least with this
    /// provider.
    bool under_way() {
        system_.provider.play(R"({"rules": [{"delay_ms": 50}]})");
        const int before = people();
        strike();
        return system_.delivered(before + people_ / 10);
    }

private:
    System& system_;
    const int people_;
    int struck_ = 0;
};

/// What was broken, and the verdict on what came of it.
class Faults {
public:
    explicit Faults(System& system, Provider kind = Provider::naive) : system_(system), kind_(kind) {}

    /// While `fault` runs, the provider's word may not reach the ledger.
    template <class Fault>
    void excuse(const std::string& what, Fault fault) {
        const auto from = now();
        fault();
        interruptions_.push_back({.client = {}, .from = from - margin, .to = now() + margin, .what = what});
    }

    /// Shows it, too.
    Verdict verdict() {
        auto verdict = judge(gather(system_, kind_, interruptions_));
        const auto title = Catch::getResultCapture().getCurrentTestName();
        std::cout << text(Result{.title = title, .verdict = verdict, .trouble = {}}) << std::flush;
        return verdict;
    }

private:
    // What was sent a lease before may wait for its record yet.
    static constexpr auto margin = 5s;

    static domain::Instant now() {
        return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    }

    System& system_;
    Provider kind_;
    std::vector<Interruption> interruptions_;
};

/// What a service's readiness says, whichever its status.
inline std::string readiness(const support::Service& service) {
    return support::http_get(service.ops_port(), "/readyz").body;
}

inline bool is_ready(const support::Service& service) {
    return support::http_get(service.ops_port(), "/readyz").status == 200;
}

constexpr postgres::Statement attempts_made{"attempts_made",
                                            "SELECT coalesce(sum(attempt), 0)::int FROM message_logs"};

/// Every hint that was published was claimed, or was lost and then published again once: never a storm. False
/// if more were published.
inline bool hints_are_accounted_for(System& system, const support::Service& scheduler) {
    const double lost = metric(scheduler, R"(messages_rescued_total{what="hint_lost"})");
    return metric(scheduler, "messages_dispatched_total") <=
           system.sql.run(attempts_made).front().get<int>(0) + lost;
}

}  // namespace drill
