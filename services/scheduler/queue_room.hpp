// How many more hints the deliveries queue may take, shared by those who fill it at the same time.
// Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>

namespace scheduler {

class QueueRoom {
public:
    /// A part of the room that nobody else fills; what was not used of it is free again at the end.
    class Share {
    public:
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        ~Share();

        int size() const { return size_; }
        void use(int hints) { unused_ -= hints; }

    private:
        friend QueueRoom;
        Share(QueueRoom& room, int size) : room_(room), size_(size), unused_(size) {}

        QueueRoom& room_;
        const int size_;
        int unused_;
    };

    /// Nothing is taken before the first look.
    explicit QueueRoom(int high_water) : high_water_(high_water) {}

    /// The queue was found to hold so many, asked when `used()` was this. What has been used since, and all
    /// of the shares that are out, counts as if the answer had missed it.
    void found(int hints, std::int64_t used_before);
    /// Hints of all shares that have ended.
    std::int64_t used() const;
    int left() const;
    /// At most so many; none, which is zero, when less than `least` are left.
    Share take(int most, int least);

private:
    const int high_water_;
    mutable std::mutex mutex_;
    int left_ = 0;
    int out_ = 0;  ///< the sizes of all shares
    std::int64_t used_ = 0;
};

}  // namespace scheduler
