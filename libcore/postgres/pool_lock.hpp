// The lock of a pool, and those who wait for what is decided under it.
#pragma once

#include <semaphore.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "libcore/postgres/lending.hpp"
#include "libcore/postgres/libpq.hpp"

namespace postgres {

/// A semaphore of POSIX, because it may be destroyed as soon as its waiter wakes, while sem_post has not yet
/// returned.
class Semaphore {
public:
    Semaphore() { sem_init(&semaphore_, 0, 0); }
    ~Semaphore() { sem_destroy(&semaphore_); }
    Semaphore(const Semaphore&) = delete;
    Semaphore& operator=(const Semaphore&) = delete;

    void post() { sem_post(&semaphore_); }

    /// False when the deadline came first.
    bool wait_until(Deadline deadline) {
        const auto since = deadline.time_since_epoch();
        const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
        const timespec until{.tv_sec = seconds.count(), .tv_nsec = (since - seconds).count()};
        while (sem_clockwait(&semaphore_, CLOCK_MONOTONIC, &until) != 0)
            if (errno != EINTR) return false;
        return true;
    }

private:
    sem_t semaphore_{};
};

/// Stands on its thread's stack.
struct Waiter {
    Semaphore wake;
    std::optional<Lending::Answer> answer{};  ///< under the lock
};

/// Those who are answered under it are woken when it is open: before, they would only run into it.
class PoolLock {
public:
    explicit PoolLock(std::mutex& mutex) : mutex_(mutex) { lock(); }
    ~PoolLock() {
        if (locked_) unlock();
    }
    PoolLock(const PoolLock&) = delete;
    PoolLock& operator=(const PoolLock&) = delete;

    void lock() {
        mutex_.lock();
        locked_ = true;
    }
    void unlock() {
        locked_ = false;
        mutex_.unlock();
        for (Waiter* waiter : std::exchange(answered_, {})) waiter->wake.post();
    }
    void answer(Lending::Who who, const Lending::Answer& answer) {
        auto* const waiter = static_cast<Waiter*>(who);
        waiter->answer = answer;
        answered_.push_back(waiter);
    }

private:
    std::mutex& mutex_;
    bool locked_ = false;
    std::vector<Waiter*> answered_;
};

}  // namespace postgres
