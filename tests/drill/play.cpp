#include "tests/drill/play.hpp"

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/drill/cast.hpp"

namespace drill {

using namespace std::chrono_literals;
using support::System;

namespace {

constexpr int messages = 6;
// More than one lane can start within a lease, so that hints remain with the worker that are not claimed.
constexpr int messages_of_a_closing_provider = 40;
constexpr int plays_at_a_time = 4;
constexpr auto patience = 60s;

// The first requests are answered late, when others are claimed and wait (on a busy machine the first one
// comes alone); with a pause longer than a lane waits with a lease.
constexpr const char* closing =
    R"({"rules": [{"times": 2, "delay_ms": 600, "status": 429, "headers": {"Retry-After": "3"}}]})";

/// Each stage has messages of its own, due at 09:00 in a zone of their own.
std::string zone_of(std::size_t stage) {
    return stage == 0 ? "UTC" : "Etc/GMT+" + std::to_string(stage);
}

/// A moment before, so that what is early shows.
std::string before_nine_of(std::size_t stage) {
    return std::string("2027-03-10T") + (stage < 2 ? "0" : "") + std::to_string(8 + stage) + ":59:59.5Z";
}

class Performance {
public:
    explicit Performance(const Play& play) : play_(play), system_(play.provider), cast_(system_) {}

    Verdict perform() {
        for (std::size_t stage = 0; stage < play_.stages.size(); ++stage) {
            const int count = play_.stages[stage].provider_closes ? messages_of_a_closing_provider : messages;
            system_.add({.count = count, .zone = zone_of(stage)});
            owed_ += count;
        }
        for (std::size_t stage = 0; stage < play_.stages.size(); ++stage) perform(stage);
        await("all are sent", [&] {
            cast_.is_dead(scheduler_);
            cast_.is_dead(worker_);
            return std::cmp_greater_equal(system_.provider.summary().distinct_keys, owed_) &&
                   system_.count(domain::Status::sent) == owed_;
        });
        return judge(gather(system_, play_.provider, cast_.interruptions()));
    }

private:
    void perform(std::size_t number) {
        const Stage& stage = play_.stages[number];
        if (stage.provider_closes) system_.provider.play(closing);
        const support::Environment lanes{{"QUEUE_CONCURRENCY", stage.provider_closes ? "1" : "5"}};
        if (number == 0) {
            scheduler_ = cast_.hire("scheduler-svc", stage.scheduler);
            worker_ = cast_.hire("worker-svc", stage.worker, lanes);
        } else {
            if (!stage.scheduler.empty()) cast_.replace(scheduler_, stage.scheduler);
            if (!stage.worker.empty()) cast_.replace(worker_, stage.worker, lanes);
        }
        system_.set_clock(before_nine_of(number));

        bool scheduler_died = stage.scheduler.empty();
        bool worker_died = stage.worker.empty();
        const bool last = number + 1 == play_.stages.size();
        // The other goes on, for it may have to come by its point yet.
        const auto look = [&](std::size_t role, bool& died, bool has_next_part) {
            if (died || !cast_.is_dead(role)) return;
            died = true;
            if (!has_next_part) cast_.replace(role);
        };
        await("they die at " + stage.scheduler + " " + stage.worker, [&] {
            const Stage next = last ? Stage{} : play_.stages[number + 1];
            look(scheduler_, scheduler_died, !next.scheduler.empty() && worker_died);
            look(worker_, worker_died, !next.worker.empty() && scheduler_died);
            return scheduler_died && worker_died;
        });
    }

    template <class Condition>
    void await(const std::string& what, Condition condition) {
        if (!support::eventually(condition, patience)) throw std::runtime_error("in vain: " + what);
    }

    const Play& play_;
    System system_;
    Cast cast_;
    std::size_t scheduler_ = 0;
    std::size_t worker_ = 0;
    int owed_ = 0;
};

}  // namespace

Result perform(const Play& play) {
    Result result{.title = play.title, .verdict = {}, .trouble = {}};
    try {
        result.verdict = Performance(play).perform();
    } catch (const std::exception& error) {
        result.trouble = error.what();
    }
    return result;
}

std::vector<Result> perform_all(const std::vector<Play>& plays) {
    std::vector<Result> results(plays.size());
    std::atomic<std::size_t> next = 0;
    std::mutex showing;
    std::vector<std::jthread> threads;
    for (int i = 0; i < plays_at_a_time; ++i) {
        threads.emplace_back([&] {
            for (auto mine = next++; mine < plays.size(); mine = next++) {
                results[mine] = perform(plays[mine]);
                const std::lock_guard lock(showing);
                std::cout << text(results[mine]) << std::flush;
            }
        });
    }
    threads.clear();
    return results;
}

std::uint64_t chosen_seed(std::uint64_t usual) {
    const char* seed = std::getenv("DRILL_SEED");
    return seed == nullptr ? usual : std::stoull(seed);
}

std::string text(const Result& result) {
    std::ostringstream lines;
    lines << "drill \"" << result.title << "\" " << result.verdict << "\n";
    for (const auto& complaint : result.verdict.complaints) lines << "  " << complaint << "\n";
    if (!result.trouble.empty()) lines << "  " << result.trouble << "\n";
    return lines.str();
}

}  // namespace drill
