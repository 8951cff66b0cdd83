// Makes connections whose last question nobody waits for any more fit for the next user, or ends them, and
// goes on with opening those that nobody waits for any more; on a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "libcore/postgres/connection.hpp"

namespace postgres {

class Recovery {
public:
    /// Called on its thread.
    struct Done {
        /// What is not sound is closed.
        std::function<void(int place, std::unique_ptr<Connection> connection, bool sound)> recovered;
        std::function<void(int place, std::unique_ptr<Connection> connection)> opened;
        std::function<void(int place, std::optional<DatabaseError> error)> not_opened;
    };

    /// Before it ends, what it has is recovered, opened or ended.
    explicit Recovery(Done done)
        : done_(std::move(done)), thread_([this](const std::stop_token& stop) { work(stop); }) {}
    Recovery(const Recovery&) = delete;
    Recovery& operator=(const Recovery&) = delete;

    void add(int place, std::unique_ptr<Connection> connection);

private:
    struct Left {
        int place;
        std::unique_ptr<Connection> connection;
        std::chrono::steady_clock::time_point until;
    };

    void work(const std::stop_token& stop);
    /// False if it takes longer.
    bool open(Left& left, std::chrono::milliseconds patience, const std::stop_token& stop) const;
    bool recover(Left& left, std::chrono::milliseconds patience) const;

    const Done done_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<Left> left_;
    std::jthread thread_;  // uses all of the above
};

}  // namespace postgres
