#include "services/api/bucket_table.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

using namespace std::chrono_literals;
using api::BucketTable;

namespace {

const BucketTable::Bucket::Clock::time_point start{1'000'000s};
const domain::RateLimit two_a_minute{.requests = 2, .window = 1min};

BucketTable::Owner caller(std::uint64_t number, std::uint8_t kind = 1) {
    BucketTable::Owner owner{.kind = kind, .name = {}};
    std::memcpy(owner.name.data(), &number, sizeof number);
    return owner;
}

}  // namespace

TEST_CASE("every caller has a bucket of its own") {
    BucketTable table(1024, 1);
    for (std::uint64_t number = 0; number < 100; ++number) {
        for (const std::uint8_t kind : {std::uint8_t{1}, std::uint8_t{2}}) {
            CHECK(table.take(caller(number, kind), two_a_minute, start).allowed);
            CHECK(table.take(caller(number, kind), two_a_minute, start).allowed);
            CHECK_FALSE(table.take(caller(number, kind), two_a_minute, start).allowed);
        }
    }
}

TEST_CASE("what is given back can be taken again") {
    BucketTable table(1024, 1);
    for (int i = 0; i < 3; ++i) table.take(caller(1), two_a_minute, start);
    table.give_back(caller(1), two_a_minute);
    table.give_back(caller(2), two_a_minute);
    CHECK(table.take(caller(1), two_a_minute, start).allowed);
    CHECK_FALSE(table.take(caller(1), two_a_minute, start).allowed);
}

TEST_CASE("of more callers than there is room for the one with the least to remember is forgotten") {
    BucketTable table(8, 1);  // one set of places
    for (std::uint64_t number = 0; number < 8; ++number) {
        for (std::uint64_t i = 0; i <= (number == 3 ? 0 : 2); ++i)
            table.take(caller(number), two_a_minute, start);
    }
    CHECK(table.take(caller(100), two_a_minute, start + 1s).allowed);
    for (std::uint64_t number = 0; number < 8; ++number) {
        if (number != 3) CHECK_FALSE(table.take(caller(number), two_a_minute, start + 1s).allowed);
    }
}

TEST_CASE("a caller is remembered while a million others pass by and pause") {
    BucketTable table(65'536, 1);
    const domain::RateLimit slow{.requests = 2, .window = 1h};
    for (int i = 0; i < 2; ++i) table.take(caller(0), slow, start);
    for (std::uint64_t number = 1; number < 1'000'000; ++number)
        table.take(caller(number), two_a_minute, start + std::chrono::microseconds(number));
    CHECK_FALSE(table.take(caller(0), slow, start + 1s).allowed);
}

TEST_CASE("threads together are allowed no more than the limit", "[threads]") {
    BucketTable table(64, 1);
    const domain::RateLimit hundred{.requests = 100, .window = 1min};
    std::atomic<int> allowed = 0;
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&] {
                for (std::uint64_t i = 0; i < 4000; ++i)
                    allowed += table.take(caller(i % 4), hundred, start).allowed ? 1 : 0;
            });
        }
    }
    CHECK(allowed == 400);
}
