// Messages that a person does not want sent: SCHEDULED, QUEUED and RETRYING ones become CANCELLED, and stay
// so; UNKNOWN if the provider may have them. Blocking; throws like Pool::run.
#pragma once

#include "libcore/postgres/interventions_table.hpp"

namespace postgres {

/// One message; nothing: done and committed.
std::optional<domain::Refused> cancel(Pool& pool, const domain::Uuid& id, const By& by);

/// What a cancel of all that fit would do; remembered for a day, to be done in steps. The filter has a type,
/// `from` and `to`.
domain::Shown show_cancel(Pool& pool, const By& by, const domain::MessageFilter& filter);

/// The next few hundred of what was shown; committed on return. Nothing: there is no such thing.
std::optional<domain::Progress> cancel_shown(Pool& pool, const domain::Uuid& shown, std::string_view actor);

}  // namespace postgres
