// One drill by a script of chance: two schedulers and three workers, whom things befall while they deliver.
#pragma once

#include "tests/drill/play.hpp"
#include "tests/drill/script.hpp"
#include "tests/drill/verdict.hpp"

namespace drill {

struct Storm {
    std::string title;
    Chances chances;  ///< but for the size of the cast
    support::System::Provider provider = support::System::Provider::naive;
};

/// What it leaves behind, for the checker. Throws when it does not come to its end.
Evidence weather(const Storm& storm);

}  // namespace drill
