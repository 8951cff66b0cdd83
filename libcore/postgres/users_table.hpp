// Users: one at a time, as the API writes and reads them. The database itself brings a user's planned
// messages up to date in the same transaction. Blocking; throws like Pool::run.
#pragma once

#include <functional>
#include <optional>

#include "libcore/domain/result.hpp"
#include "libcore/domain/user.hpp"

namespace postgres {

class Pool;

/// `duplicate` naming `email` or `externalId` when another user has it.
domain::Result<domain::User> insert_user(Pool& pool, const domain::Uuid& id,
                                         const domain::UserFields& fields);

/// Nothing for unknown and deleted users.
std::optional<domain::User> find_user(Pool& pool, const domain::Uuid& id);

/// Gives the new fields, or what is wrong with them. May run more than once.
using ChangeUser = std::function<domain::Result<domain::UserFields>(const domain::UserFields& present)>;

/// Locks the user, lets `change` decide, and writes, in one transaction. Nothing for unknown and deleted
/// users; errors are those of `change`, and `duplicate`.
std::optional<domain::Result<domain::User>> change_user(Pool& pool, const domain::Uuid& id,
                                                        const ChangeUser& change);

/// False for unknown and deleted users. The row stays, its e-mail becomes free.
bool delete_user(Pool& pool, const domain::Uuid& id);

}  // namespace postgres
