// The further dates of users, as the API writes and reads them. The database itself brings a user's planned
// messages up to date in the same transaction. Blocking; throws like Pool::run.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "libcore/domain/occasion.hpp"
#include "libcore/domain/result.hpp"
#include "libcore/domain/uuid.hpp"

namespace postgres {

class Pool;

/// By type and date. Nothing for unknown and deleted users.
std::optional<std::vector<domain::Occasion>> occasions_of_user(Pool& pool, const domain::Uuid& user);

/// Gives the occasion, or what is wrong with it. May run more than once.
using MakeOccasion = std::function<domain::Result<domain::Occasion>(const domain::OccasionFacts& facts)>;

/// Locks the user, lets `make` decide about what was asked for, and writes, in one transaction. Nothing for
/// unknown and deleted users; errors are those of `make`.
std::optional<domain::Result<domain::Occasion>> insert_occasion(Pool& pool, const domain::Uuid& user,
                                                                const domain::OccasionInput& asked,
                                                                const MakeOccasion& make);

/// Which of the two was not there, if any.
enum class Removed { occasion, no_occasion, no_user };
Removed delete_occasion(Pool& pool, const domain::Uuid& user, std::string_view message_type,
                        const domain::Date& date);

}  // namespace postgres
