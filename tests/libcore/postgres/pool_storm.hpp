// A pool under load while something happens to its server or to the way there: callers that know their
// answers, a count of its sessions at the server, and how soon it works again.
#pragma once

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/libcore/postgres/pool_fixture.hpp"
#include "tests/support/eventually.hpp"

namespace postgres {

inline constexpr Statement nap{"nap", "SELECT $1::bigint FROM pg_sleep($2)", Access::read};
inline constexpr Statement slow_insert{"slow_insert", "INSERT INTO t SELECT $1 FROM pg_sleep($2)"};
inline constexpr Statement count{"count_t", "SELECT count(*) FROM t", Access::read};
inline constexpr Statement napping{"napping",
                                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                                   "AND wait_event = 'PgSleep'"};
inline constexpr Statement terminate_all{"terminate_all",
                                         "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                         "WHERE datname = current_database() AND application_name = 'pool'"};

/// With a table that counts what was written.
struct StormFixture : PoolFixture {
    StormFixture() { database.connection().execute("CREATE TABLE t (n bigint)"); }

    PoolSettings settings(int max) const { return unhindered(PoolFixture::settings(max)); }
    PoolSettings settings(int max, const support::TcpGate& gate) const {
        return unhindered(PoolFixture::settings(max, gate));
    }
    int number(const Statement& statement) const {
        return database.connection().run(statement).front().get<int>(0);
    }
};

template <class Work>
std::chrono::steady_clock::duration time_of(const Work& work) {
    const auto started = std::chrono::steady_clock::now();
    work();
    return std::chrono::steady_clock::now() - started;
}

inline bool works(Pool& pool) {
    try {
        return pool.until(std::chrono::steady_clock::now() + std::chrono::seconds(5))
                   .run(echo, 1)
                   .front()
                   .get<int>(0) == 1;
    } catch (const DatabaseError&) {
        return false;
    }
}

/// From now until the pool answers.
inline std::chrono::milliseconds until_it_works(Pool& pool) {
    const auto took =
        time_of([&] { support::eventually([&] { return works(pool); }, std::chrono::seconds(20)); });
    return std::chrono::duration_cast<std::chrono::milliseconds>(took);
}

/// What is promised: a second after the server accepts again. A loaded machine may spoil a try, a defect
/// spoils all three, each from the end of its disturbance.
template <class Disturb>
void check_that_it_works_within_a_second_of(const std::string& what, Pool& pool, const Disturb& disturb) {
    auto soonest = std::chrono::milliseconds::max();
    for (int attempt = 0; attempt < 3 && soonest >= std::chrono::seconds(1); ++attempt) {
        disturb();
        soonest = std::min(soonest, until_it_works(pool));
    }
    WARN(what << ": works again after " << soonest.count() << " ms");
    CHECK(soonest < std::chrono::seconds(1));
}

/// Callers that ask for tokens, each for so long at most, as long as it lives.
class Crowd {
public:
    Crowd(Pool& pool, int callers, std::chrono::milliseconds patience, double longest_nap) {
        for (int caller = 0; caller < callers; ++caller)
            threads_.emplace_back([=, this](const std::stop_token& stop) mutable {
                for (std::int64_t i = 0; !stop.stop_requested(); ++i) {
                    const std::int64_t token = caller * 1'000'000'000LL + i;
                    const double seconds = longest_nap * static_cast<double>(i % 10) / 10;
                    ask(pool, token, seconds, patience);
                }
            });
    }

    void leave() {
        for (auto& thread : threads_) thread.request_stop();
        threads_.clear();
    }
    /// So many more have their answer.
    bool gets(int answers) const {
        const int before = right_;
        return support::eventually([&] { return right_ > before + answers; });
    }
    int right() const { return right_; }
    int wrong() const { return wrong_; }
    int failed() const { return failed_; }
    int stopped() const { return stopped_; }
    std::chrono::milliseconds longest() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(longest_.load());
    }

private:
    using Clock = std::chrono::steady_clock;

    void ask(Pool& pool, std::int64_t token, double seconds, std::chrono::milliseconds patience) {
        const auto started = Clock::now();
        try {
            Pool mine = pool.until(started + patience);
            ++(mine.run(nap, token, seconds).front().get<std::int64_t>(0) == token ? right_ : wrong_);
        } catch (const DatabaseError& error) {
            if (error.sqlstate() == "57014") ++stopped_;
            ++failed_;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        const auto took = Clock::now() - started;
        for (auto seen = longest_.load(); seen < took && !longest_.compare_exchange_weak(seen, took);)
            continue;
    }

    std::atomic<int> right_ = 0, wrong_ = 0, failed_ = 0, stopped_ = 0;
    std::atomic<Clock::duration> longest_{};
    std::vector<std::jthread> threads_;
};

/// Counts the pool's sessions at the server, all the time.
class Census {
public:
    Census(const support::TestDatabase& database, int max)
        : thread_([this, settings = database.settings(), max](const std::stop_token& stop) {
              while (!stop.stop_requested()) {
                  try {
                      look(Connection(settings), max, stop);
                  } catch (const DatabaseError&) {  // the server is away, and so are its sessions
                      std::this_thread::sleep_for(std::chrono::milliseconds(10));
                  }
              }
          }) {}

    int most() const { return most_; }
    /// For how long there were more than may be.
    std::chrono::milliseconds longest_excess() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(longest_excess_.load());
    }

private:
    using Clock = std::chrono::steady_clock;

    void look(Connection connection, int max, const std::stop_token& stop) {
        for (auto too_many_since = Clock::time_point::max(); !stop.stop_requested();) {
            const int now = connection.run(sessions).size();
            most_ = std::max(most_.load(), now);
            if (now <= max) too_many_since = Clock::time_point::max();
            too_many_since = std::min(too_many_since, Clock::now());
            longest_excess_ = std::max(longest_excess_.load(), Clock::now() - too_many_since);
        }
    }

    std::atomic<int> most_ = 0;
    std::atomic<Clock::duration> longest_excess_{};
    std::jthread thread_;
};

}  // namespace postgres
