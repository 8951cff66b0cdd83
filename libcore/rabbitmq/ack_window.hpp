// The deliveries of one channel that the broker still counts as ours, and the fewest acks that settle what is
// done. Pure; knows the numbering of AMQP: a channel's delivery tags rise by one from 1.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace rabbitmq {

struct Ack {
    std::uint64_t tag = 0;
    bool multiple = false;  ///< settles every earlier delivery too

    friend bool operator==(const Ack&, const Ack&) = default;
};

class AckWindow {
public:
    void delivered() { slots_.push_back(Slot::in_hand); }

    /// False when the tag is not in hand: never delivered here, or settled before.
    bool ack(std::uint64_t tag);
    /// The same for a delivery that is settled in another way.
    bool forget(std::uint64_t tag);

    /// What to send for the deliveries acked since the last call.
    std::vector<Ack> take();

private:
    enum class Slot { in_hand, acked, settled };

    bool settle(std::uint64_t tag, Slot slot);

    std::uint64_t first_ = 1;  ///< the tag of the front slot
    std::deque<Slot> slots_;
    std::vector<std::uint64_t> acked_;
};

}  // namespace rabbitmq
