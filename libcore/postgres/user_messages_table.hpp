// The ledger as one user's history.
#pragma once

#include <optional>
#include <vector>

#include "libcore/domain/message.hpp"

namespace postgres {

class Pool;

/// A place in the order of a user's messages, newest delivery date first.
struct MessagePosition {
    domain::Date delivery_date;
    domain::Uuid id;
};

struct UserMessagesQuery {
    domain::Uuid user_id;
    std::optional<domain::Status> status = {};
    std::optional<MessagePosition> after = {};
    int limit = 50;
};

/// Blocking; throws like Pool::run.
std::vector<domain::Message> messages_of_user(Pool& pool, const UserMessagesQuery& query);

}  // namespace postgres
