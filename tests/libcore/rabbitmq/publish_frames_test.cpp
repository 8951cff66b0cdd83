#include "libcore/rabbitmq/publish_frames.hpp"

#include <catch2/catch.hpp>

#include "tests/libcore/rabbitmq/frames.hpp"

using namespace rabbitmq;

namespace {

std::string frame(int type, const std::string& payload) {
    return big_endian(static_cast<std::uint64_t>(type), 1) + big_endian(1, 2) +
           big_endian(payload.size(), 4) + payload + "\xce";
}

/// Of basic.publish with the bit `mandatory`, of a header with the one property delivery-mode 2, and the
/// body.
std::string expected(const std::string& queue, const std::string& body) {
    return method_frame(1, 60, 40, big_endian(0, 2) + short_string("") + short_string(queue) + "\x01") +
           frame(2, big_endian(60, 2) + big_endian(0, 2) + big_endian(body.size(), 8) +
                        big_endian(0x1000, 2) + "\x02") +
           (body.empty() ? "" : frame(3, body));
}

}  // namespace

TEST_CASE("messages stand behind each other as AMQP wants them, an empty one without a body") {
    const auto queue = GENERATE(std::string("tidings.deliveries"), std::string(255, 'q'));
    const std::string bytes("\0\xce\xff", 3);
    const PublishFrames frames(1, queue);
    std::string wire;
    frames.append(wire, "hint");
    frames.append(wire, "");
    frames.append(wire, bytes);
    CHECK(wire == expected(queue, "hint") + expected(queue, "") + expected(queue, bytes));
}
