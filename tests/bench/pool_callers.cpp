#include "tests/bench/pool_callers.hpp"

#include <atomic>
#include <barrier>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/bench/machine.hpp"
#include "tests/bench/report.hpp"

namespace bench {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto warm_up = 500ms;

double milliseconds(Clock::duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

/// Rethrows the first error of them all at the end.
void with_threads(int count, const std::function<void(int)>& work) {
    std::exception_ptr error;
    std::mutex mutex;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < count; ++i) {
            threads.emplace_back([&, i] {
                try {
                    work(i);
                } catch (...) {
                    const std::scoped_lock lock(mutex);
                    if (!error) error = std::current_exception();
                }
            });
        }
    }
    if (error) std::rethrow_exception(error);
}

template <class T>
std::vector<T> joined(std::vector<std::vector<T>>& parts) {
    std::vector<T> all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

}  // namespace

ClosedLoop closed_loop(int callers, std::chrono::milliseconds time, const std::function<bool(int)>& ask) {
    std::vector<std::vector<double>> took(static_cast<std::size_t>(callers));
    const auto begin = Clock::now() + warm_up, end = begin + time;
    std::chrono::microseconds spent{};
    with_threads(callers + 1, [&](int caller) {
        if (caller == callers) {
            std::this_thread::sleep_until(begin);
            spent -= own_processor_time();
            std::this_thread::sleep_until(end);
            spent += own_processor_time();
            return;
        }
        auto& mine = took[static_cast<std::size_t>(caller)];
        for (auto asked = Clock::now(); asked < end;) {
            if (!ask(caller)) throw std::runtime_error("an answer to another question");
            const auto answered = Clock::now();
            if (asked >= begin && answered < end) mine.push_back(milliseconds(answered - asked));
            asked = answered;
        }
    });
    auto all = joined(took);
    const auto count = static_cast<double>(all.size());
    return {.per_second = count / std::chrono::duration<double>(time).count(),
            .p50 = percentile(all, 0.5),
            .p99 = percentile(all, 0.99),
            .processor = static_cast<double>(spent.count()) / count};
}

OpenLoop open_loop(int callers, double per_second, std::chrono::milliseconds time,
                   const std::function<Outcome(int)>& ask) {
    std::vector<std::vector<double>> took(static_cast<std::size_t>(callers));
    std::atomic<std::int64_t> next = 0, refused = 0, failed = 0;
    const auto between =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / per_second));
    const auto begin = Clock::now() + warm_up;
    const auto count = static_cast<std::int64_t>(time / between);
    with_threads(callers, [&](int caller) {
        for (std::int64_t question; (question = next++) < count;) {
            const auto due = begin + question * between;
            std::this_thread::sleep_until(due);
            switch (ask(caller)) {
                case Outcome::served:
                    took[static_cast<std::size_t>(caller)].push_back(milliseconds(Clock::now() - due));
                    break;
                case Outcome::refused:
                    ++refused;
                    break;
                case Outcome::failed:
                    ++failed;
                    break;
            }
        }
    });
    OpenLoop load{.refused = refused, .failed = failed, .took = joined(took)};
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    load.offered = static_cast<double>(count) / seconds;
    load.served = static_cast<double>(load.took.size()) / seconds;
    return load;
}

}  // namespace bench
