#include "libcore/rabbitmq/publisher.hpp"

#include <poll.h>

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "libcore/rabbitmq/connection.hpp"
#include "libcore/rabbitmq/error.hpp"

namespace rabbitmq {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = BrokerError::Kind;

// Longer than whoever publishes waits between two attempts.
constexpr std::chrono::seconds not_taken_for{15};

/// The publisher confirms that are still to come.
class Outstanding {
public:
    Outstanding(std::uint64_t first, std::size_t count) {
        for (auto tag = first; tag < first + count; ++tag) {
            tags_.insert(tags_.end(), tag);
        }
    }

    void remove(const Ack& confirm) {
        tags_.erase(confirm.multiple ? tags_.begin() : tags_.lower_bound(confirm.tag),
                    tags_.upper_bound(confirm.tag));
    }

    std::size_t size() const { return tags_.size(); }

private:
    std::set<std::uint64_t> tags_;
};

/// The events of the socket that are ready, 0 at the deadline.
short wait(const Connection& connection, int events, Clock::time_point deadline) {
    pollfd socket{.fd = connection.socket(), .events = static_cast<short>(events), .revents = 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return left > 0 && ::poll(&socket, 1, static_cast<int>(left)) > 0 ? socket.revents : short{0};
}

}  // namespace

Publisher::Publisher(Settings settings) : settings_(std::move(settings)) {}

Publisher::~Publisher() {
    try {
        if (connection_) {
            connection_->answer_by(Clock::now() + std::chrono::seconds(1));
            connection_->close();
        }
    } catch (const BrokerError&) {  // lost instead of closed: the same to us
    }
}

void Publisher::publish(std::span<const std::string> bodies, std::chrono::milliseconds timeout) {
    attempt(timeout, [&](Deadline deadline) {
        not_taken_until_ = Clock::now() + not_taken_for;
        publish_all(bodies, deadline);
        not_taken_until_ = Deadline::min();
        tell_connected();
    });
}

QueueDepth Publisher::depth(std::chrono::milliseconds timeout) {
    QueueDepth depth;
    attempt(timeout, [&](Deadline deadline) {
        connection_->answer_by(deadline);
        depth = connection_->depth(settings_.topology.deliveries());
        tell_connected();
    });
    return depth;
}

void Publisher::keep_alive() {
    try {
        while (connection_ && connection_->next_confirm()) {
        }
        if (connection_) {
            tell_connected();
        }
    } catch (const BrokerError& error) {
        drop(error.what());
    }
}

void Publisher::attempt(std::chrono::milliseconds timeout, const std::function<void(Deadline)>& work) {
    const auto deadline = Clock::now() + timeout;
    if (!connection_) {
        pause_before_reconnecting(deadline);
    }
    try {
        if (!connection_) {
            connect(deadline);
        }
        work(deadline);
        backoff_.reset();
    } catch (const BrokerError& error) {
        drop(error.what());
        throw;
    }
}

void Publisher::pause_before_reconnecting(Deadline deadline) {
    std::this_thread::sleep_until(std::min(retry_at_, deadline));
    if (retry_at_ > deadline) {
        throw BrokerError(Kind::unreachable, "not yet reconnecting after: " + lost_);
    }
}

void Publisher::connect(Deadline deadline) {
    auto connection = std::make_unique<Connection>(settings_, deadline);
    connection->select_confirms();
    connection_ = std::move(connection);
    published_ = 0;
    connected_ = true;
    tell_connected();
}

void Publisher::tell_connected() {
    if (told_ || Clock::now() < not_taken_until_) {
        return;
    }
    told_ = true;
    if (settings_.observe) {
        settings_.observe({.connected = true, .reason = {}});
    }
}

void Publisher::publish_all(std::span<const std::string> bodies, Deadline deadline) {
    const auto queue = settings_.topology.deliveries();
    Outstanding outstanding(published_ + 1, bodies.size());
    connection_->answer_by(deadline);
    for (auto rest = bodies; outstanding.size() > 0;) {
        const short ready = wait(*connection_, rest.empty() ? POLLIN : POLLIN | POLLOUT, deadline);
        if (ready == 0) {
            throw BrokerError(Kind::timed_out, std::to_string(outstanding.size()) + " of " +
                                                   std::to_string(bodies.size()) +
                                                   " messages were not confirmed in time");
        }
        if ((ready & POLLOUT) != 0) {
            const auto count = connection_->publish(queue, rest);
            rest = rest.subspan(count);
            published_ += count;
        }
        while (const auto confirm = connection_->next_confirm()) {
            outstanding.remove(*confirm);
        }
    }
}

void Publisher::drop(const std::string& reason) {
    connection_.reset();
    connected_ = false;
    told_ = false;
    lost_ = reason;
    retry_at_ = Clock::now() + backoff_.next();
    if (settings_.observe) {
        settings_.observe({.connected = false, .reason = reason});
    }
}

}  // namespace rabbitmq
