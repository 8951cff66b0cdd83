// Test messages on their way from a request to the worker that sends them, apart from the ledger.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "libcore/domain/outcome.hpp"
#include "libcore/domain/result.hpp"
#include "libcore/domain/test_send.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

/// Renders the type's text as it would be for the sample, on the day on which its date is kept next, and puts
/// it in line for a worker. Nothing when there is no such type; `too_many_pending` when a hundred wait
/// already; `too_long` when the text is longer than the ledger takes.
std::optional<domain::Result<domain::TestSend>> insert_test_send(Pool& pool, const domain::Uuid& id,
                                                                 std::string_view actor,
                                                                 std::string_view message_type,
                                                                 const domain::Sample& sample);

/// One whose worker did not report back within its lease is shown as UNKNOWN.
std::optional<domain::TestSend> find_test_send(Pool& pool, const domain::Uuid& id);

/// The one that waits longest, now in the caller's hands; nothing while deliveries are paused. Forgets those
/// that are older than a day.
std::optional<domain::TestSend> take_test_send(Pool& pool, std::chrono::milliseconds lease);

/// What came of it: sent, failed or unknown. `http_status` 0: no response.
void finish_test_send(Pool& pool, const domain::Uuid& id, domain::Ending ending, int http_status,
                      std::string_view error);

}  // namespace postgres
