#include "libcore/rabbitmq/ack_window.hpp"

#include <catch2/catch.hpp>

using rabbitmq::Ack;
using rabbitmq::AckWindow;
using Acks = std::vector<Ack>;

namespace {

AckWindow window_of(int deliveries) {
    AckWindow window;
    for (int i = 0; i < deliveries; ++i) {
        window.delivered();
    }
    return window;
}

}  // namespace

TEST_CASE("acks without a gap become one") {
    auto window = window_of(5);
    for (const std::uint64_t tag : {2, 1, 3}) {
        window.ack(tag);
    }
    CHECK(window.take() == Acks{{3, true}});
    CHECK(window.take().empty());
}

TEST_CASE("an ack past a message in hand stands alone and never covers it") {
    auto window = window_of(5);
    window.ack(1);
    window.ack(3);
    window.ack(4);
    CHECK(window.take() == Acks{{1, false}, {3, false}, {4, false}});
    window.ack(2);
    CHECK(window.take() == Acks{{2, false}});
    window.ack(5);
    CHECK(window.take() == Acks{{5, false}});
}

TEST_CASE("a rejected message lets the acks around it join") {
    auto window = window_of(3);
    window.ack(1);
    CHECK(window.forget(2));
    window.ack(3);
    CHECK(window.take() == Acks{{3, true}});
}

TEST_CASE("a message is settled once") {
    auto window = window_of(2);
    CHECK(window.ack(1));
    CHECK_FALSE(window.ack(1));
    CHECK_FALSE(window.forget(1));
    CHECK(window.take() == Acks{{1, false}});
    CHECK_FALSE(window.ack(1));
    CHECK_FALSE(window.ack(3));
    CHECK_FALSE(window.ack(0));
    CHECK(window.take().empty());
}
