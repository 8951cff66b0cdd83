#include "libcore/rabbitmq/consumer.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "libcore/killpoint/killpoint.hpp"
#include "libcore/rabbitmq/ack_window.hpp"
#include "libcore/rabbitmq/connection.hpp"
#include "libcore/rabbitmq/error.hpp"

namespace rabbitmq {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto longest_connect = 10s;
constexpr auto longest_answer = 5s;

// A tag is the connection's generation followed by the channel's delivery tag. 2^40 deliveries are a year of
// a million in 30 seconds.
constexpr int delivery_bits = 40;

std::uint64_t delivery_tag(std::uint64_t tag) {
    return tag & ((std::uint64_t{1} << delivery_bits) - 1);
}

}  // namespace

Consumer::Consumer(Settings settings, std::uint16_t prefetch, std::function<void(Received)> on_message)
    : settings_(std::move(settings)),
      prefetch_(prefetch),
      on_message_(std::move(on_message)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_ < 0) {
        throw std::system_error(errno, std::generic_category(), "eventfd");
    }
}

Consumer::~Consumer() {
    ::close(wake_);
}

void Consumer::ack(std::uint64_t tag) {
    post([tag](Commands& commands) { commands.settlements.push_back({tag, true}); });
}

void Consumer::reject(std::uint64_t tag) {
    post([tag](Commands& commands) { commands.settlements.push_back({tag, false}); });
}

void Consumer::stop_consuming() {
    post([](Commands& commands) { commands.stop_consuming = true; });
}

void Consumer::stop() {
    post([](Commands& commands) { commands.stop = true; });
}

void Consumer::post(const std::function<void(Commands&)>& change) {
    const std::lock_guard lock(mutex_);
    change(commands_);
    if (!std::exchange(posted_, true)) {
        ::eventfd_write(wake_, 1);
    }
}

Consumer::Commands Consumer::wait(int socket, std::chrono::milliseconds timeout) {
    std::array sources{pollfd{.fd = wake_, .events = POLLIN, .revents = 0},
                       pollfd{.fd = socket, .events = POLLIN, .revents = 0}};
    busy_since_ = Clock::time_point{};
    ::poll(sources.data(), sources.size(), static_cast<int>(timeout.count()));
    busy_since_ = Clock::now();

    const std::lock_guard lock(mutex_);
    if (std::exchange(posted_, false)) {
        eventfd_t ignored = 0;
        ::eventfd_read(wake_, &ignored);
    }
    return {std::exchange(commands_.settlements, {}), commands_.stop_consuming, commands_.stop};
}

std::optional<Clock::time_point> Consumer::busy_since() const {
    const auto since = busy_since_.load();
    if (since == Clock::time_point{}) return std::nullopt;
    return since;
}

void Consumer::run() {
    busy_since_ = Clock::now();
    for (bool running = true; running;) {
        try {
            serve();
            running = false;
        } catch (const BrokerError& error) {
            report(false, error.what());
            running = pause(backoff_.next());
        }
    }
    busy_since_ = Clock::time_point{};
}

void Consumer::serve() {
    Connection connection(settings_, Clock::now() + longest_connect);
    AckWindow window;
    ++generation_;
    backoff_.reset();
    report(true, {});

    const auto patience = std::chrono::milliseconds(settings_.heartbeat) / 2;
    bool consuming = false;
    for (auto commands = wait(-1, 0ms);; commands = wait(connection.socket(), patience)) {
        settle(connection, window, commands, consuming);
        connection.answer_by(Clock::now() + longest_answer);
        if (commands.stop) {
            if (consuming) {
                connection.cancel();  // so that no ack is forgotten, see `settle`
            }
            connection.close();
            report(false, {});
            return;
        }
        if (consuming == commands.stop_consuming) {
            consuming ? connection.cancel() : connection.consume(settings_.topology.deliveries(), prefetch_);
            consuming = !consuming;
        }
        receive(connection, window, consuming);
    }
}

void Consumer::receive(Connection& connection, AckWindow& window, bool wanted) {
    while (auto delivery = connection.next_delivery()) {
        window.delivered();
        if (wanted) {
            on_message_({.tag = generation_ << delivery_bits | delivery->tag,
                         .body = std::move(delivery->body),
                         .redelivered = delivery->redelivered});
        }
    }
}

/// A channel holds acks back while more than 32 are on their way to a quorum queue, and forgets them when it
/// is closed. A cancel is answered after all that came before; what comes after one is kept, to be few.
void Consumer::settle(Connection& connection, AckWindow& window, const Commands& commands, bool consuming) {
    for (const auto& [tag, accepted] : commands.settlements) {
        const auto delivery = delivery_tag(tag);
        if (tag >> delivery_bits != generation_) {
            continue;  // the broker has put it back already
        }
        if (accepted) {
            window.ack(delivery);
        } else if (window.forget(delivery)) {
            connection.reject(delivery);
        }
    }
    if (!consuming && !commands.stop) {
        return;
    }
    for (const auto& ack : window.take()) {
        connection.ack(ack);
        KILLPOINT("hints.acked");
    }
}

bool Consumer::pause(std::chrono::milliseconds pause) {
    const auto until = Clock::now() + pause;
    for (auto now = Clock::now(); now < until; now = Clock::now()) {
        if (wait(-1, std::chrono::ceil<std::chrono::milliseconds>(until - now)).stop) {
            return false;
        }
    }
    return true;
}

void Consumer::report(bool connected, const std::string& reason) {
    connected_ = connected;
    if (settings_.observe) {
        settings_.observe({.connected = connected, .reason = reason});
    }
}

}  // namespace rabbitmq
