// The two stages that bound a delivery, each alone: what the whole system is compared with.
#pragma once

#include "tests/bench/herd.hpp"

namespace bench {

/// Messages a second that one client of the ledger takes from SCHEDULED to SENT, by the services' own
/// statements in the services' batches, with nothing published and nothing sent.
double ledger_alone(Herd& herd, int messages);

/// Messages a second that one publisher hands to the broker and gets confirmed, in the dispatcher's batches.
double publish_alone(int messages);

}  // namespace bench
