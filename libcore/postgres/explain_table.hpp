// What the ledger knows about one message, or about one user's day, for domain::explain. Each answer is of
// one snapshot. Blocking; throws like Pool::run.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "libcore/domain/day_explanation.hpp"
#include "libcore/domain/message_history.hpp"

namespace postgres {

class Pool;

std::optional<domain::MessageHistory> message_history(Pool& pool, const domain::Uuid& id);

struct DayHistory {
    domain::DayFacts facts;
    std::optional<domain::MessageHistory> message;  ///< then the facts are not asked for
    std::vector<domain::Message> others;            ///< of the type, at most a year away, the nearest first
};

/// Also of deleted users; nothing for unknown ones.
std::optional<DayHistory> day_history(Pool& pool, const domain::Uuid& user_id, std::string_view type,
                                      const domain::Date& day);

}  // namespace postgres
