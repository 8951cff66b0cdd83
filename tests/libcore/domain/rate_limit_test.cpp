#include "libcore/domain/rate_limit.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using domain::RateBucket;
using domain::RateLimit;

namespace {

const RateBucket::Clock::time_point start{1'000'000s};
const RateLimit ten_a_minute{.requests = 10, .window = 1min};

/// How many of many requests at that moment are allowed.
int allowed(RateBucket& bucket, const RateLimit& limit, RateBucket::Clock::time_point now) {
    int count = 0;
    for (int i = 0; i < 1000; ++i) count += bucket.take(limit, now).allowed ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("a full bucket allows all its requests at once and then one each interval") {
    RateBucket bucket;
    CHECK(allowed(bucket, ten_a_minute, start) == 10);
    CHECK(allowed(bucket, ten_a_minute, start + 5999ms) == 0);
    CHECK(allowed(bucket, ten_a_minute, start + 6s) == 1);
    CHECK(allowed(bucket, ten_a_minute, start + 30s) == 4);
    CHECK(allowed(bucket, ten_a_minute, start + 10h) == 10);
}

TEST_CASE("in any stretch of time no more is allowed than a bucket and what flows in") {
    RateBucket bucket;
    int count = 0;
    for (auto now = start; now <= start + 5min; now += 10ms) count += bucket.take(ten_a_minute, now).allowed;
    CHECK(count == 10 + 5 * 10);
}

TEST_CASE("a limit that does not divide its window still allows all of it at once") {
    for (const int requests : {1, 3, 7, 97, 1'000'000}) {
        const RateLimit limit{.requests = requests, .window = 1min};
        RateBucket bucket;
        CHECK(allowed(bucket, limit, start) == std::min(requests, 1000));
        CHECK(bucket.take(limit, start).remaining == std::max(requests - 1001, 0));
    }
}

TEST_CASE("a decision says what remains and how long to wait") {
    RateBucket bucket;
    const auto first = bucket.take(ten_a_minute, start);
    CHECK(first.remaining == 9);
    CHECK(first.wait == 0s);
    CHECK(first.refill == 6s);
    allowed(bucket, ten_a_minute, start);
    const auto refused = bucket.take(ten_a_minute, start + 2s);
    CHECK_FALSE(refused.allowed);
    CHECK(refused.remaining == 0);
    CHECK(refused.wait == 4s);
    CHECK(refused.refill == 58s);
    CHECK(bucket.take(ten_a_minute, start + 2s + refused.wait).allowed);
}

TEST_CASE("a refused request takes nothing and one given back can be taken again") {
    RateBucket bucket;
    allowed(bucket, ten_a_minute, start);
    const auto full_at = bucket.full_at();
    bucket.take(ten_a_minute, start + 1s);
    CHECK(bucket.full_at() == full_at);
    bucket.give_back(ten_a_minute);
    CHECK(allowed(bucket, ten_a_minute, start) == 1);
}
