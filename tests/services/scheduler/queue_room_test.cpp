#include "services/scheduler/queue_room.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using scheduler::QueueRoom;

TEST_CASE("nothing is taken before the first look") {
    QueueRoom room(100);
    CHECK(room.take(10, 1).size() == 0);
    room.found(0, room.used());
    CHECK(room.take(10, 1).size() == 10);
}

TEST_CASE("shares that are out together never exceed what is left") {
    QueueRoom room(100);
    room.found(30, room.used());
    const auto first = room.take(50, 10);
    const auto second = room.take(50, 10);
    CHECK(first.size() == 50);
    CHECK(second.size() == 20);
    CHECK(room.take(50, 10).size() == 0);
}

TEST_CASE("less than the least is not taken") {
    QueueRoom room(100);
    room.found(91, room.used());
    CHECK(room.take(50, 10).size() == 0);
    room.found(90, room.used());
    CHECK(room.take(50, 10).size() == 10);
}

TEST_CASE("what was not used of a share is free again and what was used is not") {
    QueueRoom room(100);
    room.found(0, room.used());
    {
        auto share = room.take(50, 1);
        share.use(20);
        CHECK(room.left() == 50);
    }
    CHECK(room.left() == 80);
}

TEST_CASE("a look leaves to each share its part as none of it may have arrived") {
    QueueRoom room(100);
    room.found(0, room.used());
    {
        auto share = room.take(40, 1);
        room.found(0, room.used());
        CHECK(room.left() == 60);
        share.use(40);
    }
    CHECK(room.left() == 60);
}

TEST_CASE("what arrived while the broker was asked counts as if the answer had missed it") {
    QueueRoom room(100);
    room.found(0, room.used());
    const auto before = room.used();
    {
        auto share = room.take(40, 1);
        share.use(40);
    }
    room.found(0, before);
    CHECK(room.left() == 60);
}

TEST_CASE("those who fill it at once never exceed the mark", "[threads]") {
    constexpr int mark = 100;
    QueueRoom room(mark);
    std::atomic<int> queue = 0;
    std::atomic<int> deepest = 0;
    std::atomic<bool> stop = false;
    const auto fill = [&] {
        while (!stop) {
            auto share = room.take(10, 1);
            const int used = share.size() * 4 / 5;
            const int depth = queue += used;
            for (int seen = deepest; depth > seen && !deepest.compare_exchange_weak(seen, depth);) {
            }
            share.use(used);
        }
    };
    {
        const std::jthread first(fill), second(fill);
        for (int taken = 0; taken < 20'000;) {
            const auto before = room.used();
            room.found(queue, before);
            const int some = queue / 2;
            queue -= some;
            taken += some;
        }
        stop = true;
    }
    CHECK(deepest <= mark);
    CHECK(deepest > mark / 2);
}

TEST_CASE("a queue above its mark has no room") {
    QueueRoom room(100);
    room.found(150, room.used());
    CHECK(room.take(50, 1).size() == 0);
}
