// Hands things from one thread to another, in order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace worker {

template <class T>
class Mailbox {
public:
    /// How many wait now, this one included.
    std::size_t put(T thing) {
        const std::lock_guard lock(mutex_);
        things_.push_back(std::move(thing));
        return things_.size();
    }

    /// Back to the front, in their order.
    void put_back(std::vector<T> things) {
        const std::lock_guard lock(mutex_);
        things_.insert(things_.begin(), std::move_iterator(things.begin()), std::move_iterator(things.end()));
    }

    std::vector<T> take(std::size_t most) {
        const std::lock_guard lock(mutex_);
        const auto end = things_.begin() + static_cast<std::ptrdiff_t>(std::min(most, things_.size()));
        std::vector<T> taken(std::move_iterator(things_.begin()), std::move_iterator(end));
        things_.erase(things_.begin(), end);
        return taken;
    }

    void clear() {
        const std::lock_guard lock(mutex_);
        things_.clear();
    }

    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return things_.size();
    }

private:
    mutable std::mutex mutex_;
    std::deque<T> things_;
};

}  // namespace worker
