// Messages that a person wants sent after all: FAILED, MISSED, UNKNOWN, and if forced SENT ones become
// SCHEDULED again, under the same key. Blocking; throws like Pool::run.
#pragma once

#include <chrono>

#include "libcore/postgres/interventions_table.hpp"

namespace postgres {

/// One message; nothing: done and committed. `key_life`: for how long the provider knows a key.
std::optional<domain::Refused> replay(Pool& pool, const domain::Uuid& id, const By& by,
                                      const domain::ReplayOptions& options,
                                      std::chrono::milliseconds key_life);

/// What a replay of all that fit would do; remembered for a day, to be done in steps. With a status other
/// than FAILED, MISSED and UNKNOWN the filter has a type, `from` and `to`.
domain::Shown show_replay(Pool& pool, const By& by, const domain::MessageFilter& filter,
                          const domain::ReplayOptions& options, int per_minute,
                          std::chrono::milliseconds key_life);

/// The next few hundred of what was shown, the oldest first, so many a minute; committed on return. Nothing:
/// there is no such thing.
std::optional<domain::Progress> replay_shown(Pool& pool, const domain::Uuid& shown, std::string_view actor,
                                             std::chrono::milliseconds key_life);

}  // namespace postgres
