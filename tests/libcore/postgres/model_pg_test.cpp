#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/libcore/postgres/walk.hpp"

namespace {

using walk::Step;
using walk::Walk;

std::vector<Step> steps_of(unsigned seed, int count) {
    walk::Dice dice(seed + 1'000'000);
    std::vector<Step> steps;
    for (int i = 0; i < count; ++i)
        steps.push_back({dice.below(1'000'000), static_cast<unsigned>(dice.below(1'000'000))});
    return steps;
}

/// Nothing, or what was done and how the ledger differs from the model then.
std::optional<std::string> failure(Ledger& ledger, unsigned seed, const std::vector<Step>& steps) {
    std::optional<Walk> walk;
    try {
        walk.emplace(ledger, seed);
        for (const auto& step : steps) walk->take(step);
        return std::nullopt;
    } catch (const std::exception& error) {
        return (walk ? walk->story() : "") + error.what();
    }
}

/// The story of the same failure with every step left out that it does not need.
std::string shortest(Ledger& ledger, unsigned seed, std::vector<Step> steps, std::string story) {
    for (bool shorter = true; shorter;) {
        shorter = false;
        for (std::size_t i = steps.size(); i-- > 0;) {
            auto fewer = steps;
            fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
            if (const auto still = failure(ledger, seed, fewer)) {
                steps = std::move(fewer);
                story = *still;
                shorter = true;
            }
        }
    }
    return story;
}

int from_environment(const char* name, int otherwise) {
    const char* value = std::getenv(name);
    return value ? std::atoi(value) : otherwise;
}

}  // namespace

// `./dev test --long` walks farther. MODEL_WALKS and MODEL_SEED choose how many walks, and the first.
TEST_CASE("the ledger is what the rules say after every step of random walks") {
    Ledger ledger;
    // The one connection that a walk uses: to read a few rows no helpers need to be started.
    ledger.execute("SET synchronous_commit = off; SET max_parallel_workers_per_gather = 0");
    const int count = from_environment("MODEL_WALKS", 100);
    const int first = from_environment("MODEL_SEED", 1);
    REQUIRE(count > 0);
    for (int seed = first; seed < first + count; ++seed) {
        const auto steps = steps_of(static_cast<unsigned>(seed), 30);
        const auto story = failure(ledger, static_cast<unsigned>(seed), steps);
        if (story)
            FAIL("MODEL_SEED=" << seed << "\n"
                               << shortest(ledger, static_cast<unsigned>(seed), steps, *story));
    }
    SUCCEED(std::to_string(count) + " walks");
}
