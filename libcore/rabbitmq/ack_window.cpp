#include "libcore/rabbitmq/ack_window.hpp"

#include <utility>

namespace rabbitmq {

bool AckWindow::settle(std::uint64_t tag, Slot slot) {
    if (tag < first_ || tag - first_ >= slots_.size() || slots_[tag - first_] != Slot::in_hand) {
        return false;
    }
    slots_[tag - first_] = slot;
    return true;
}

bool AckWindow::ack(std::uint64_t tag) {
    if (!settle(tag, Slot::acked)) {
        return false;
    }
    acked_.push_back(tag);
    return true;
}

bool AckWindow::forget(std::uint64_t tag) {
    return settle(tag, Slot::settled);
}

std::vector<Ack> AckWindow::take() {
    std::vector<Ack> acks;
    Ack contiguous;
    int covered = 0;
    for (; !slots_.empty() && slots_.front() != Slot::in_hand; slots_.pop_front(), ++first_) {
        if (slots_.front() == Slot::acked) {
            contiguous = {first_, ++covered > 1};
        }
    }
    if (covered > 0) {
        acks.push_back(contiguous);
    }
    for (const auto tag : std::exchange(acked_, {})) {
        if (tag >= first_) {
            slots_[tag - first_] = Slot::settled;
            acks.push_back({tag, false});
        }
    }
    return acks;
}

}  // namespace rabbitmq
