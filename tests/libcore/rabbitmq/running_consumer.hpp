// A consumer on a thread of its own, and what it has received.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "libcore/rabbitmq/consumer.hpp"

namespace rabbitmq {

class RunningConsumer {
public:
    enum class Mode { keep, ack };

    explicit RunningConsumer(Settings settings, Mode mode = Mode::keep, std::uint16_t prefetch = 100)
        : consumer_(observed(std::move(settings)), prefetch,
                    [this, mode](Received received) {
                        if (mode == Mode::ack) {
                            consumer_.ack(received.tag);
                        }
                        const std::lock_guard lock(mutex_);
                        received_.push_back(std::move(received));
                    }),
          thread_([this] { consumer_.run(); }) {}

    ~RunningConsumer() { stop(); }

    void stop() {
        consumer_.stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    Consumer* operator->() { return &consumer_; }

    std::vector<Received> received() const {
        const std::lock_guard lock(mutex_);
        return received_;
    }

    std::size_t count() const {
        const std::lock_guard lock(mutex_);
        return received_.size();
    }

    int connects() const { return connects_; }

    /// Why its first connection ended.
    std::string first_reason() const {
        const std::lock_guard lock(mutex_);
        return first_reason_;
    }

private:
    Settings observed(Settings settings) {
        settings.observe = [this](const ConnectionChange& change) {
            const std::lock_guard lock(mutex_);
            connects_ += change.connected ? 1 : 0;
            if (first_reason_.empty()) first_reason_ = change.reason;
        };
        return settings;
    }

    mutable std::mutex mutex_;
    std::vector<Received> received_;
    std::string first_reason_;
    std::atomic<int> connects_ = 0;
    Consumer consumer_;
    std::thread thread_;
};

}  // namespace rabbitmq
