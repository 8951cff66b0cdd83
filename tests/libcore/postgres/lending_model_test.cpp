#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/libcore/postgres/lending_schedule.hpp"

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int schedules = 20'000;
#else
constexpr int schedules = 1'000'000;
#endif

}  // namespace

// MODEL_SEED chooses the first.
TEST_CASE("a pool keeps its promises in a million random schedules") {
    const char* given = std::getenv("MODEL_SEED");
    const auto first = given ? static_cast<unsigned>(std::atoi(given)) : 1U;
    for (unsigned seed = first; seed < first + schedules; ++seed) {
        try {
            lending_model::Schedule(seed).run();
        } catch (const std::exception& error) {
            FAIL("MODEL_SEED=" << seed << ": " << error.what());
        }
    }
}
