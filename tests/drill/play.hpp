// One drill: people whose messages fall due, a scheduler and a worker that die on cue and are replaced, and
// what is found in the end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/drill/points.hpp"
#include "tests/drill/verdict.hpp"
#include "tests/support/system/system.hpp"

namespace drill {

struct Play {
    std::string title;
    std::vector<Stage> stages;
    support::System::Provider provider = support::System::Provider::naive;
};

struct Result {
    std::string title;
    Verdict verdict;
    std::string trouble;  ///< why it did not come to its end; empty if it did

    bool holds() const { return trouble.empty() && verdict.holds(); }
};

/// On a system of its own. Throws nothing.
Result perform(const Play& play);

/// Several at a time, each on a thread: most of a drill is waiting. Shows each result when it is there.
std::vector<Result> perform_all(const std::vector<Play>& plays);

/// What the variable DRILL_SEED says, or the usual seed.
std::uint64_t chosen_seed(std::uint64_t usual);

/// The verdict on one line, and below it what is wrong.
std::string text(const Result& result);

}  // namespace drill
