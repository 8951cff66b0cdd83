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

#define FITS                                                                              \
    MESSAGE_FITS                                                                          \
    "AND CASE WHEN $6::text IS NULL THEN m.status IN ('SCHEDULED', 'QUEUED', 'RETRYING')" \
    "         ELSE m.status = $6 END "

constexpr Statement show{
    "show_cancel",
    "WITH chosen AS MATERIALIZED ("
    "  SELECT m.id, m.delivery_date, m.place, m.in_doubt, m.fits, m.is_last FROM" LOOKED_AT(
        "m.scheduled_send_time",
        " m.message_type = $1 AND m.scheduled_send_time >= $2 AND m.scheduled_send_time < $3 ", FITS)
    "), ready AS MATERIALIZED ("
    "  SELECT id, delivery_date, row_number() OVER (ORDER BY place, id) AS number FROM chosen WHERE fits"
    ")," KEPT
    "SELECT count(*) FILTER (WHERE fits), coalesce(bool_or(is_last), false),"
    "       count(*) FILTER (WHERE fits AND in_doubt), min(place) FILTER (WHERE fits),"
    "       percentile_disc(0.5) WITHIN GROUP (ORDER BY place) FILTER (WHERE fits),"
    "       max(place) FILTER (WHERE fits) FROM chosen"};

// Those that wait, in whatever way they came to: what was shown is not wanted.
constexpr Statement cancel_some{
    "cancel_messages",
    "WITH" NEXT_STEP(" l.status IN ('SCHEDULED', 'QUEUED', 'RETRYING') ")
    ", ready AS MATERIALIZED (SELECT id, delivery_date, status FROM chosen),"
    CANCELLED("$2::text", "$3::text", "$1")
    "SELECT (SELECT count(*) FROM cancelled)," WAS_LAST "FROM step"};

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
        Intervention intervention{.id = {},
                                  .action = Action::cancel,
                                  .reason = std::string(by.reason),
                                  .filter = filter,
                                  .options = {}};
        remember(transaction, intervention, by.actor);
        choose_by_index(transaction);
        const Rows rows = run_on_fitting(transaction, show, intervention);
        const Row row = rows.front();
        const int matching = row.get<int>(0);
        domain::Shown shown{.id = intervention.id,
                            .matching = matching,
                            .more = matching == domain::most_shown || row.get<bool>(1),
                            .ready = matching,
                            .in_doubt = row.get<int>(2)};
        if (!row.is_null(3))
            shown.ages = {.oldest = intervention.shown_at - row.get<domain::Instant>(3),
                          .median = intervention.shown_at - row.get<domain::Instant>(4),
                          .newest = intervention.shown_at - row.get<domain::Instant>(5)};
        return shown;
    });
}

std::optional<domain::Progress> cancel_shown(Pool& pool, const domain::Uuid& shown, std::string_view actor) {
    return transact(pool, [&](Transaction& transaction) -> std::optional<domain::Progress> {
        auto intervention = take(transaction, shown, Action::cancel);
        if (!intervention || intervention->finished)
            return intervention ? std::optional(progress_of(*intervention)) : std::nullopt;
        choose_by_index(transaction);
        const Rows rows = transaction.run(cancel_some, intervention->id, actor, intervention->reason);
        advance(*intervention, rows);
        note_progress(transaction, *intervention);
        return progress_of(*intervention);
    });
}

}  // namespace postgres
