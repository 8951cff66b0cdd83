#include "services/worker/claimer.hpp"

#include <catch2/catch.hpp>

namespace {

worker::Hint hint(std::uint8_t message, int attempt, std::uint64_t tag) {
    worker::Hint hint;
    hint.tag = tag;
    hint.delivery.message_id.bytes[0] = message;
    hint.delivery.attempt = attempt;
    return hint;
}

std::vector<std::uint64_t> tags(const std::vector<worker::Hint>& hints) {
    std::vector<std::uint64_t> all;
    for (const auto& one : hints) all.push_back(one.tag);
    return all;
}

}  // namespace

TEST_CASE("of several hints for a message the newest is kept, in the place of the first") {
    using Tags = std::vector<std::uint64_t>;
    std::vector<worker::Hint> settled;
    const auto settle = [&](const worker::Hint& other) { settled.push_back(other); };
    const auto kept = worker::newest_of_each(
        {hint(1, 1, 10), hint(2, 0, 11), hint(1, 2, 12), hint(3, 5, 20), hint(1, 0, 21), hint(3, 5, 13)},
        settle);
    CHECK(tags(kept) == Tags{12, 11, 20});
    CHECK(tags(settled) == Tags{10, 21, 13});

    // The first came over a connection that was lost.
    settled.clear();
    CHECK(tags(worker::newest_of_each({hint(1, 1, 7), hint(1, 1, 1'000'007)}, settle)) == Tags{1'000'007});
    CHECK(tags(settled) == Tags{7});
}
