#include "services/scheduler/queue_room.hpp"

#include <algorithm>

namespace scheduler {

QueueRoom::Share::~Share() {
    const std::lock_guard lock(room_.mutex_);
    room_.left_ += unused_;
    room_.out_ -= size_;
    room_.used_ += size_ - unused_;
}

void QueueRoom::found(int hints, std::int64_t used_before) {
    const std::lock_guard lock(mutex_);
    left_ = high_water_ - hints - out_ - static_cast<int>(used_ - used_before);
}

std::int64_t QueueRoom::used() const {
    const std::lock_guard lock(mutex_);
    return used_;
}

int QueueRoom::left() const {
    const std::lock_guard lock(mutex_);
    return left_;
}

QueueRoom::Share QueueRoom::take(int most, int least) {
    const std::lock_guard lock(mutex_);
    const int size = left_ < least ? 0 : std::min(most, left_);
    left_ -= size;
    out_ += size;
    return Share(*this, size);
}

}  // namespace scheduler
