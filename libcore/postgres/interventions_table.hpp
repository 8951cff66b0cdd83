// What a person was shown before a replay or a cancel of many messages, and how far it has been done. For the
// tables beside this, but for `progress_of`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libcore/domain/intervention.hpp"
#include "libcore/postgres/transaction.hpp"

namespace postgres {

/// Who does it and why: for the audit log.
struct By {
    std::string_view actor;
    std::string_view reason;
};

enum class Action { replay, cancel };

struct Intervention {
    domain::Uuid id;
    Action action = Action::replay;
    std::string reason;
    domain::MessageFilter filter;
    domain::ReplayOptions options;
    int per_minute = 1;
    domain::Instant shown_at{};
    int shown = 0;
    int done = 0;
    std::optional<domain::Instant> place = {};  ///< gone through up to here
    std::optional<domain::Uuid> place_id = {};
    std::optional<domain::Instant> next_at = {};
    bool finished = false;
};

/// How many messages one step looks at: few enough that nobody notices their locks.
inline constexpr int step_size = 500;

/// As the ledger's clock has it. What comes into its state afterwards is no part of what is shown.
domain::Instant instant_of_showing(Transaction& transaction);

/// With the id it is given. Forgets those of more than a day ago.
domain::Uuid remember(Transaction& transaction, const Intervention& intervention, std::string_view actor);

/// Until the transaction ends nobody else goes on with it.
std::optional<Intervention> take(Transaction& transaction, const domain::Uuid& id, Action action);

/// By what a step gives: how many it did, and the place and id of the last it looked at; no row when there
/// was nothing left.
void advance(Intervention& intervention, const Rows& step);

/// `done`, `place`, `place_id`, `next_at` and `finished` as they are now.
void note_progress(Transaction& transaction, const Intervention& intervention);

domain::Progress progress_of(const Intervention& intervention);
std::optional<domain::Progress> progress_of(Pool& pool, const domain::Uuid& id, Action action);

/// Planned anew each time and by index, in the order of the index: see the lists of messages_table.
void choose_by_index(Transaction& transaction);

/// Runs a statement whose first parameters are those of MESSAGE_FITS.
template <class... Args>
Rows run_on_chosen(Transaction& transaction, const Statement& statement, const Intervention& intervention,
                   int limit, const Args&... more) {
    const auto& filter = intervention.filter;
    std::optional<std::string_view> status;
    if (filter.status) status = domain::to_string(*filter.status);
    return transaction.run(statement, filter.message_type, filter.from, filter.to, filter.response_code,
                           filter.error, status, intervention.shown_at, intervention.place,
                           intervention.place_id, limit, more...);
}

}  // namespace postgres

// Of message_logs AS m: $1 type, $2 from, $3 to, $4 response code, $5 error. $6 is the status, $7 when they
// were shown, $8 and $9 the place, $10 the limit. The date of a message is its instant's or the next to it.
#define MESSAGE_FITS                                                  \
    " ($1::text IS NULL OR m.message_type = $1)"                      \
    " AND ($2::timestamptz IS NULL OR m.scheduled_send_time >= $2"    \
    "      AND m.delivery_date >= ($2 AT TIME ZONE 'UTC')::date - 2)" \
    " AND ($3::timestamptz IS NULL OR m.scheduled_send_time < $3"     \
    "      AND m.delivery_date <= ($3 AT TIME ZONE 'UTC')::date + 2)" \
    " AND ($4::smallint IS NULL OR m.api_response_code = $4)"         \
    " AND ($5::text IS NULL OR starts_with(m.error_message, $5)) "

/// Behind the place, in the order of `column`.
#define BEHIND_PLACE(column) \
    " ($8::timestamptz IS NULL OR " column " >= $8 AND (" column " > $8 OR m.id > $9::uuid)) "
