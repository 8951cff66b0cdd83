// A pool's inside: performs what `Lending` decides. Connections, threads and their waiting are here. Its
// functions stand in pool_borrowing.cpp, for those who borrow, and pool_keeping.cpp, for the pool's own
// threads and its operators.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "libcore/postgres/lending.hpp"
#include "libcore/postgres/loans.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/pool_lock.hpp"
#include "libcore/postgres/recovery.hpp"

namespace postgres {

class PoolImpl {
public:
    using Clock = std::chrono::steady_clock;

    struct Borrowed {
        int place;
        std::unique_ptr<Connection> connection;
        Clock::time_point since{};
    };

    PoolImpl(PoolSettings settings, Observe observe);
    ~PoolImpl();

    Borrowed borrow(Lending::Use use, Deadline deadline, const std::source_location& from);
    void release(int place, std::unique_ptr<Connection> connection, Clock::time_point since);

    void renew();
    void resize(int max, int min);
    void pause(Clock::time_point until);
    void resume();
    /// Whoever came then does not wait for longer.
    Deadline give_up_at(Clock::time_point came) const {
        return settings_.acquire_timeout == settings_.acquire_timeout.zero()
                   ? Deadline::max()
                   : came + settings_.acquire_timeout;
    }

    PoolState state() const;
    std::vector<ConnectionReport> connections() const;

private:
    using Actions = Lending::Actions;
    using Grant = Lending::Grant;

    /// What is known of a connection while somebody else has it.
    struct Opened {
        int backend_pid = 0;     ///< 0 while it is being opened
        Clock::time_point at{};  ///< or since when it is
    };

    template <class Event>
    Borrowed acquire(const Lending::Ask& ask, const std::source_location& from, Clock::time_point started,
                     const Event& event);
    /// A sound connection, or (null) the right to open one.
    template <class Event>
    Borrowed take_turn(const Lending::Ask& ask, Observation& seen, const Event& event);
    Grant settle(Lending::Answer answer, Actions& actions, const Lending::Ask& ask, Observation& seen,
                 PoolLock& lock);
    bool is_sound(Connection& connection, Clock::duration rested, Deadline deadline) const;
    /// Null if the server has no room for it.
    std::unique_ptr<Connection> open(int place, const Lending::Ask& ask, Deadline deadline,
                                     const std::source_location& from);
    std::unique_ptr<Connection> unopened() const;
    /// For nobody yet.
    void opened(int place, std::unique_ptr<Connection> connection);
    void could_not_open(int place, std::optional<DatabaseError> error);

    void recovered(int place, std::unique_ptr<Connection> connection, bool sound);
    void keep_house(const std::stop_token& stop);
    bool report_leaks(PoolLock& lock);
    /// On a thread of its own: connecting may take long, and what is due meanwhile is done.
    void open_ahead(const std::stop_token& stop);
    void look_after(int place, PoolLock& lock);

    template <class Event>
    Clock::time_point happened(const Event& event) {
        PoolLock lock(mutex_);
        Actions actions;
        const auto now = Clock::now();
        event(now, actions);
        perform(actions, lock);
        return now;
    }

    void end(std::unique_ptr<Connection> connection, CloseReason reason) const;
    void end(const std::vector<std::unique_ptr<Connection>>& connections,
             const std::vector<CloseReason>& reasons) const;
    /// Connections end while the lock is open.
    void perform(Actions& actions, PoolLock& lock);

    static void answer(const Actions& actions, PoolLock& lock) {
        for (const auto& [who, grant] : actions.granted) lock.answer(who, grant);
        for (const auto& [who, refusal] : actions.refused) lock.answer(who, refusal);
    }

    void know(int place, const Connection& connection) {
        opened_[static_cast<std::size_t>(place)] = {connection.backend_pid(), connection.opened_at()};
    }

    std::unique_ptr<Connection>& at(int place) { return connections_[static_cast<std::size_t>(place)]; }

    /// A server that is there answers nothing within milliseconds.
    static constexpr std::chrono::milliseconds ping_patience{1'000}, least_ping_patience{10};
    static constexpr auto awake = Clock::time_point::min();

    const PoolSettings settings_;
    const Observe observe_;

    mutable std::mutex mutex_;
    Lending lending_;
    Loans loans_;
    std::vector<std::unique_ptr<Connection>> connections_;  ///< that rest, by their places
    std::vector<Opened> opened_;                            ///< by their places
    std::optional<DatabaseError> failure_;                  ///< of the last attempt to connect that failed
    Clock::time_point sleeping_until_ = awake;              ///< the housekeeper
    std::condition_variable_any chores_;
    std::optional<int> to_open_;  ///< ahead, by its place
    std::condition_variable_any errand_;
    std::optional<Recovery> recovery_;  // these three use all of the above
    std::jthread opener_;
    std::jthread housekeeper_;
};

}  // namespace postgres
