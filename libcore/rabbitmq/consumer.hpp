// Consumes the deliveries queue. `run` owns the connection and the thread it is called on; everything else
// may be called from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libcore/rabbitmq/backoff.hpp"
#include "libcore/rabbitmq/settings.hpp"

namespace rabbitmq {

class AckWindow;
class Connection;

struct Received {
    std::uint64_t tag = 0;  ///< unique over the life of the consumer, also across its connections
    std::string body;
    bool redelivered = false;
};

/// At most `prefetch` messages are in hand at any moment: not yet acked or rejected. A message whose
/// connection was lost comes again under another tag; settling the old tag does nothing.
class Consumer {
public:
    /// `on_message` is called on the running thread; it must neither block nor throw.
    Consumer(Settings settings, std::uint16_t prefetch, std::function<void(Received)> on_message);
    ~Consumer();

    /// Connects (for ever, with a jittered pause of 100 ms to 5 s between attempts), consumes and settles,
    /// until `stop`. Never throws for the broker's sake: `observe` tells.
    void run();

    void ack(std::uint64_t tag);
    /// To the dead-letter queue.
    void reject(std::uint64_t tag);

    /// No further messages; those in hand can still be settled, of which the broker hears at `stop`.
    void stop_consuming();
    /// Settles what was acked or rejected before this call, closes, and lets `run` return. What is still in
    /// hand goes back to the queue.
    void stop();

    bool connected() const { return connected_; }
    /// Since when `run` has been at work without a look at its commands; nothing while it waits for some.
    std::optional<std::chrono::steady_clock::time_point> busy_since() const;

private:
    struct Settlement {
        std::uint64_t tag;
        bool accepted;
    };
    struct Commands {
        std::vector<Settlement> settlements;
        bool stop_consuming = false;
        bool stop = false;
    };

    void post(const std::function<void(Commands&)>& change);
    /// Waits for the socket or for commands, and takes the commands; `stop` and `stop_consuming` stay set.
    Commands wait(int socket, std::chrono::milliseconds timeout);
    void serve();
    void receive(Connection& connection, AckWindow& window, bool wanted);
    void settle(Connection& connection, AckWindow& window, const Commands& commands, bool consuming);
    /// False when stopped meanwhile.
    bool pause(std::chrono::milliseconds pause);
    void report(bool connected, const std::string& reason);

    Settings settings_;
    std::uint16_t prefetch_;
    std::function<void(Received)> on_message_;
    Backoff backoff_;
    std::uint64_t generation_ = 0;  ///< of the connection; the upper bits of every tag
    std::atomic<bool> connected_ = false;
    std::atomic<std::chrono::steady_clock::time_point> busy_since_{
        std::chrono::steady_clock::time_point{}};  ///< zero: waiting, or not running

    int wake_;  ///< an eventfd, signalled while commands are waiting
    std::mutex mutex_;
    Commands commands_;    ///< guarded by mutex_
    bool posted_ = false;  ///< guarded by mutex_: there is something to take
};

}  // namespace rabbitmq
