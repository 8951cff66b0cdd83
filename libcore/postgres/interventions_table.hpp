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
    std::optional<domain::Instant> next_at = {};
    bool finished = false;
};

/// How many messages one step takes: few enough that nobody notices their locks.
inline constexpr int step_size = 500;

/// At most so many are looked at to find those that fit: one or two seconds of reading.
inline constexpr int most_looked_at = 500'000;

/// Gives it its id and `shown_at`. Forgets those of more than a day ago.
void remember(Transaction& transaction, Intervention& intervention, std::string_view actor);

/// Until the transaction ends nobody else goes on with it. Of the filter there is the status only.
std::optional<Intervention> take(Transaction& transaction, const domain::Uuid& id, Action action);

/// By what a step gives: how many it did, and whether it was the last; no row when there was none.
void advance(Intervention& intervention, const Rows& step);

/// `done`, `next_at` and `finished` as they are now.
void note_progress(Transaction& transaction, const Intervention& intervention);

domain::Progress progress_of(const Intervention& intervention);
std::optional<domain::Progress> progress_of(Pool& pool, const domain::Uuid& id, Action action);

/// Planned anew each time and by index, in the order of the index: see the lists of messages_table.
void choose_by_index(Transaction& transaction);

/// Runs a statement whose first parameters are those of MESSAGE_FITS.
template <class... Args>
Rows run_on_fitting(Transaction& transaction, const Statement& statement, const Intervention& intervention,
                    const Args&... more) {
    const auto& filter = intervention.filter;
    std::optional<std::string_view> status;
    if (filter.status) status = domain::to_string(*filter.status);
    return transaction.run(statement, filter.message_type, filter.from, filter.to, filter.response_code,
                           filter.error, status, intervention.id, most_looked_at, domain::most_shown,
                           step_size, more...);
}

}  // namespace postgres

// Of message_logs AS m: $1 type, $2 from, $3 to, $4 response code, $5 error. $6 is the status, $7 the
// intervention, $8 the most to look at, $9 the most to show, $10 the size of a step. The date of a message is
// its instant's or the next to it.
#define MESSAGE_FITS                                                \
    " ($1::text IS NULL OR m.message_type = $1)"                    \
    " AND ($2::timestamptz IS NULL OR m.scheduled_send_time >= $2)" \
    " AND ($3::timestamptz IS NULL OR m.scheduled_send_time < $3)"  \
    " AND ($4::smallint IS NULL OR m.api_response_code = $4)"       \
    " AND ($5::text IS NULL OR starts_with(m.error_message, $5)) "

/// By whole months, so that none of them holds rows that are read and not counted.
#define IN_MONTHS                                                               \
    " ($2::timestamptz IS NULL OR m.delivery_date >="                           \
    "    date_trunc('month', $2 AT TIME ZONE 'UTC' - interval '2 days')::date)" \
    " AND ($3::timestamptz IS NULL OR m.delivery_date <"                        \
    "    (date_trunc('month', $3 AT TIME ZONE 'UTC' + interval '2 days') + interval '1 month')::date) "

/// What is looked at, in the order of `place`, until enough of it fits; and the last that may be looked at,
/// which tells that there may be more. Nothing is put in order before it is counted.
#define LOOKED_AT(place, where, fits)                                                      \
    " (SELECT m.*, m.number = $8 AS is_last," fits                                         \
    "AS fits FROM ("                                                                       \
    "    SELECT m.*, row_number() OVER () AS number FROM ("                                \
    "      SELECT m.*, " place " AS place FROM message_logs m WHERE" where "AND" IN_MONTHS \
    "      ORDER BY " place                                                                \
    " LIMIT $8) AS m) AS m"                                                                \
    "  WHERE" fits "OR m.number = $8 LIMIT $9) AS m "

/// From `ready` (id, delivery_date, number): what is kept of what is shown.
#define KEPT                                                                                               \
    " kept AS ("                                                                                           \
    "  INSERT INTO intervention_steps (intervention, number, ids, dates)"                                  \
    "  SELECT $7::uuid, (number - 1) / $10, array_agg(id ORDER BY number), array_agg(delivery_date ORDER " \
    "BY number)"                                                                                           \
    "  FROM ready GROUP BY 2"                                                                              \
    "), counted AS ("                                                                                      \
    "  UPDATE interventions SET shown = (SELECT count(*) FROM ready) WHERE id = $7) "

/// The next step of intervention $1, if there is one, and of its messages those that `are_theirs`, locked in
/// the order of (delivery_date, id) as everywhere: step (number), chosen (the row, and its number).
#define NEXT_STEP(are_theirs)                                                                            \
    " step AS MATERIALIZED ("                                                                            \
    "  DELETE FROM intervention_steps s WHERE s.intervention = $1 AND s.number ="                        \
    "    (SELECT min(number) FROM intervention_steps WHERE intervention = $1)"                           \
    "  RETURNING s.number, s.ids, s.dates"                                                               \
    "), member AS MATERIALIZED ("                                                                        \
    "  SELECT u.* FROM step CROSS JOIN LATERAL"                                                          \
    "    unnest(step.ids, step.dates) WITH ORDINALITY AS u(id, delivery_date, number)"                   \
    "  ORDER BY u.delivery_date, u.id"                                                                   \
    "), chosen AS MATERIALIZED ("                                                                        \
    "  SELECT m.*, member.number FROM member CROSS JOIN LATERAL ("                                       \
    "    SELECT * FROM message_logs l WHERE l.id = member.id AND l.delivery_date = member.delivery_date" \
    "      AND" are_theirs                                                                               \
    "FOR NO KEY UPDATE) AS m"                                                                            \
    ") "

/// Whether step (number) was the last.
#define WAS_LAST \
    " NOT EXISTS (SELECT FROM intervention_steps s WHERE s.intervention = $1 AND s.number > step.number) "
