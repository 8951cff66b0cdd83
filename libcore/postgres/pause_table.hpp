// The emergency stop: whether deliveries are paused, by whom and until when. Every change is in audit_log.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libcore/domain/pause.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

/// The pause that holds now, by the ledger's clock.
std::optional<domain::Pause> current_pause(Pool& pool);

/// From the return on no message is claimed. A pause that already holds keeps its beginning. `until` must
/// lie in the future; an error names that field.
domain::Result<domain::Pause> pause_deliveries(Pool& pool, std::string_view actor, std::string_view reason,
                                               const std::optional<domain::Instant>& until);

/// False when nothing was paused.
bool resume_deliveries(Pool& pool, std::string_view actor, const std::optional<std::string>& reason);

}  // namespace postgres
