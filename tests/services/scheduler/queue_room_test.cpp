#include "services/scheduler/queue_room.hpp"

#include <catch2/catch.hpp>

using scheduler::QueueRoom;

TEST_CASE("nothing is taken before the first look") {
    QueueRoom room(100);
    CHECK(room.take(10, 1).size() == 0);
    room.found(0);
    CHECK(room.take(10, 1).size() == 10);
}

TEST_CASE("shares that are out together never exceed what is left") {
    QueueRoom room(100);
    room.found(30);
    const auto first = room.take(50, 10);
    const auto second = room.take(50, 10);
    CHECK(first.size() == 50);
    CHECK(second.size() == 20);
    CHECK(room.take(50, 10).size() == 0);
}

TEST_CASE("less than the least is not taken") {
    QueueRoom room(100);
    room.found(91);
    CHECK(room.take(50, 10).size() == 0);
    room.found(90);
    CHECK(room.take(50, 10).size() == 10);
}

TEST_CASE("what was not used of a share is free again and what was used is not") {
    QueueRoom room(100);
    room.found(0);
    {
        auto share = room.take(50, 1);
        share.use(20);
        CHECK(room.left() == 50);
    }
    CHECK(room.left() == 80);
}

TEST_CASE("a look leaves to each share its part as none of it may have arrived") {
    QueueRoom room(100);
    room.found(0);
    {
        auto share = room.take(40, 1);
        room.found(0);
        CHECK(room.left() == 60);
        share.use(40);
    }
    CHECK(room.left() == 60);
}

TEST_CASE("a queue above its mark has no room") {
    QueueRoom room(100);
    room.found(150);
    CHECK(room.take(50, 1).size() == 0);
}
