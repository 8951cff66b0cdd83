// The ledger as lists that cross users: what needs a person, and one type's messages in a span of time.
#pragma once

#include <optional>
#include <vector>

#include "libcore/domain/intervention.hpp"

namespace postgres {

class Pool;

/// A place in a list's order, newest first.
struct ListPosition {
    domain::Instant at;
    domain::Uuid id;
};

/// With a type, `from` and `to`: that type's messages, by the instant for which they are planned. Without:
/// FAILED, MISSED and UNKNOWN ones, by when they became so. Whatever else is given chooses among these.
struct MessagesQuery {
    domain::MessageFilter filter = {};
    std::optional<ListPosition> after = {};
    int limit = 50;
};

struct MessagesPage {
    std::vector<domain::Message> messages;
    /// Where to go on; also after a page that is not full, or empty: one call looks at a few thousand
    /// messages.
    std::optional<ListPosition> next;
};

/// Blocking; throws like Pool::run.
MessagesPage list_messages(Pool& pool, const MessagesQuery& query);

}  // namespace postgres
