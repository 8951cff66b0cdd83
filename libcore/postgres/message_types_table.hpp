// Message types, as the API writes and reads them. The database itself brings what is planned in line with
// the rules. Every change is in audit_log, written with it. Blocking; throws like Pool::run.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/domain/message_type.hpp"
#include "libcore/domain/result.hpp"

namespace postgres {

class Pool;

/// By name, after that one; those that are being removed are not there.
std::vector<domain::MessageType> message_types_after(Pool& pool, std::string_view name);

std::optional<domain::MessageType> find_message_type(Pool& pool, std::string_view name);

/// Gives the fields, or what is wrong with them; `now` is the ledger's. May run more than once.
using MakeType = std::function<domain::Result<domain::MessageTypeFields>(domain::Instant now)>;

/// Errors are those of `make`, then `duplicate` or `being_removed` naming `name`, or `too_many`.
domain::Result<domain::MessageType> insert_message_type(Pool& pool, std::string_view actor,
                                                        std::string_view name, const MakeType& make);

using ChangeType = std::function<domain::Result<domain::MessageTypeFields>(
    const domain::MessageTypeFields& present, domain::Instant now)>;

/// Locks the type, lets `change` decide, and writes what differs, in one transaction. Nothing for unknown
/// types and those that are being removed.
std::optional<domain::Result<domain::MessageType>> change_message_type(Pool& pool, std::string_view actor,
                                                                       std::string_view name,
                                                                       const ChangeType& change);

/// From the return on nothing is planned or sent for it; the scheduler removes what hangs on it, and then its
/// name is free. False for unknown types and those that are being removed.
bool delete_message_type(Pool& pool, std::string_view actor, std::string_view name);

}  // namespace postgres
