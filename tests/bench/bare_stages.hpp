// The stages that bound dispatch and delivery, each alone: what the whole system is compared with.
#pragma once

#include "tests/bench/herd.hpp"

namespace bench {

/// Messages a second that one client of the ledger takes from SCHEDULED to SENT, by the services' own
/// statements in the services' batches, with nothing published and nothing sent.
double ledger_alone(Herd& herd, int messages);

/// Messages a second that one client takes from SCHEDULED to QUEUED by a bare UPDATE of the columns that
/// dispatch changes, of rows that it knows beforehand, in the dispatcher's batches of one durable transaction
/// each.
double update_alone(Herd& herd);

/// Messages a second that one publisher hands to the broker and gets confirmed, in the dispatcher's batches.
double publish_alone(int messages);

}  // namespace bench
