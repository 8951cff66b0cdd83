// What every program looks for twice a second: whether deliveries are paused, and whether the rules of time
// zones have changed. One statement for both.
#pragma once

#include <optional>

#include "libcore/domain/pause.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

struct Signals {
    std::optional<domain::Pause> pause;  ///< that holds now, by the ledger's clock
    int zone_generation = 0;
    bool zones_settled = true;  ///< no session is older than the generation
};

Signals read_signals(Pool& pool);

}  // namespace postgres
