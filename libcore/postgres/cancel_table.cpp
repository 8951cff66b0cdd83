#include "libcore/postgres/cancel_table.hpp"

namespace postgres {

namespace {

// From `ready` (id, delivery_date, status), which this statement has locked. After a wait for that lock its
// status is newer than what the statement's snapshot shows here, and must not be compared with it. What
// replan() writes when a user goes begins otherwise: these do not come back with them.
#define CANCELLED(actor, reason, intervention)                                                        \
    " cancelled AS ("                                                                                 \
    "   UPDATE message_logs m SET status = CASE WHEN m.in_doubt THEN 'UNKNOWN' ELSE 'CANCELLED' END," \
    "       due_at = NULL, attention_at = CASE WHEN m.in_doubt THEN clock.now END,"                   \
    "       error_message = left('cancelled by ' || " actor " || ': ' || " reason                     \
    ", 1000),"                                                                                        \
    "       updated_at = clock.now"                                                                   \
    "   FROM ready r, (SELECT app_now() AS now) AS clock"                                             \
    "   WHERE m.id = r.id AND m.delivery_date = r.delivery_date"                                      \
    "   RETURNING m.idempotency_key, r.status"                                                        \
    " ), noted AS ("                                                                                  \
    "   INSERT INTO audit_log (actor, action, subject, detail)"                                       \
    "   SELECT " actor                                                                                \
    ", 'message cancelled', idempotency_key, jsonb_strip_nulls(jsonb_build_object("                   \
    "       'reason', " reason "::text, 'was', status, 'intervention', " intervention                 \
    "::uuid))"                                                                                        \
    "   FROM cancelled) "

constexpr Statement cancel_one{
    "cancel_message",
    "WITH found AS MATERIALIZED ("
    "  SELECT m.id, m.delivery_date, m.status FROM message_logs m WHERE m.id = $1 FOR NO KEY UPDATE OF m"
    "), ready AS MATERIALIZED ("
    "  SELECT * FROM found f WHERE f.status IN ('SCHEDULED', 'QUEUED', 'RETRYING')"
    ")," CANCELLED("$2::text", "$3::text",
                   "NULL") "SELECT f.status, (SELECT count(*) FROM cancelled) FROM found f"};

#define CHOSEN                                                                             \
    " FROM message_logs m WHERE" MESSAGE_FITS                                              \
    "AND m.created_at <= $7"                                                               \
    " AND CASE WHEN $6::text IS NULL THEN m.status IN ('SCHEDULED', 'QUEUED', 'RETRYING')" \
    "          ELSE m.status = $6 END"                                                     \
    " AND" BEHIND_PLACE("m.scheduled_send_time") "ORDER BY m.scheduled_send_time, m.id LIMIT $10 "

constexpr Statement show{"show_cancel",
                         "WITH chosen AS MATERIALIZED (SELECT m.scheduled_send_time AS at, m.in_doubt" CHOSEN
                         ") SELECT count(*), count(*) FILTER (WHERE in_doubt), min(at),"
                         " percentile_disc(0.5) WITHIN GROUP (ORDER BY at), max(at) FROM chosen"};

// $14: at most so many.
constexpr Statement cancel_some{
    "cancel_messages",
    "WITH chosen AS MATERIALIZED ("
    "  SELECT m.id, m.delivery_date, m.status, m.scheduled_send_time AS place" CHOSEN "FOR NO KEY UPDATE OF m"
    "), ready AS MATERIALIZED (SELECT * FROM chosen c ORDER BY c.place, c.id LIMIT $14::bigint"
    ")," CANCELLED("$11::text", "$12::text", "$13")
    "SELECT (SELECT count(*) FROM cancelled), last.place, last.id"
    " FROM (SELECT place, id FROM chosen ORDER BY place DESC, id DESC LIMIT 1) AS last"};

}  // namespace

std::optional<domain::Refused> cancel(Pool& pool, const domain::Uuid& id, const By& by) {
    const Rows rows = transact(
        pool, [&](Transaction& transaction) { return transaction.run(cancel_one, id, by.actor, by.reason); });
    if (rows.empty()) return domain::Refused{};
    if (rows.front().get<int>(1) == 1) return std::nullopt;
    const auto status = domain::parse_status(rows.front().get<std::string_view>(0));
    const bool in_flight = status == domain::Status::sending;
    return domain::Refused{in_flight ? domain::Refusal::in_flight : domain::Refusal::wrong_status, status};
}

domain::Shown show_cancel(Pool& pool, const By& by, const domain::MessageFilter& filter) {
    return transact(pool, [&](Transaction& transaction) {
        choose_by_index(transaction);
        Intervention intervention{.id = {},
                                  .action = Action::cancel,
                                  .reason = std::string(by.reason),
                                  .filter = filter,
                                  .options = {},
                                  .shown_at = instant_of_showing(transaction)};
        const Rows rows = run_on_chosen(transaction, show, intervention, domain::most_shown);
        const Row row = rows.front();
        intervention.shown = row.get<int>(0);
        domain::Shown shown{.id = remember(transaction, intervention, by.actor),
                            .matching = intervention.shown,
                            .more = intervention.shown == domain::most_shown,
                            .ready = intervention.shown,
                            .in_doubt = row.get<int>(1)};
        if (!row.is_null(2))
            shown.ages = {.oldest = intervention.shown_at - row.get<domain::Instant>(2),
                          .median = intervention.shown_at - row.get<domain::Instant>(3),
                          .newest = intervention.shown_at - row.get<domain::Instant>(4)};
        return shown;
    });
}

std::optional<domain::Progress> cancel_shown(Pool& pool, const domain::Uuid& shown, std::string_view actor) {
    return transact(pool, [&](Transaction& transaction) -> std::optional<domain::Progress> {
        auto intervention = take(transaction, shown, Action::cancel);
        if (!intervention || intervention->finished)
            return intervention ? std::optional(progress_of(*intervention)) : std::nullopt;
        choose_by_index(transaction);
        const Rows rows =
            run_on_chosen(transaction, cancel_some, *intervention, step_size, actor, intervention->reason,
                          intervention->id, intervention->shown - intervention->done);
        advance(*intervention, rows);
        note_progress(transaction, *intervention);
        return progress_of(*intervention);
    });
}

}  // namespace postgres
