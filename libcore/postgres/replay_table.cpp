#include "libcore/postgres/replay_table.hpp"

#include <algorithm>
#include <array>

#include "libcore/postgres/key_life.hpp"

namespace postgres {

namespace {

// Of message_logs AS m: its type and its recipient, unless they are gone.
#define TYPE_AND_RECIPIENT                                                           \
    " LEFT JOIN message_types t ON t.name = m.message_type AND t.deleted_at IS NULL" \
    " LEFT JOIN users u ON u.id = m.user_id AND u.deleted_at IS NULL AND NOT u.opted_out "

// From then on it is later than its type allows.
#define DEADLINE " (greatest(m.scheduled_send_time, m.replayed_for) + t.max_lateness) "

#define PAST_DEADLINE " coalesce((SELECT app_now()) > " DEADLINE ", false) "

#define DATE_IS_KEPT                                                                  \
    " EXISTS (SELECT FROM occasions_of(u) AS o WHERE o.message_type = m.message_type" \
    "         AND falls_on(o.date, o.one_off, m.delivery_date, t.leap_day)) "

// What the provider may have and a person did not want sent all the same.
#define CANCELLED_BY_PERSON " (m.status = 'UNKNOWN' AND starts_with(m.error_message, 'cancelled by ')) "

#define VERDICT(late, forced, life, of_many) \
    " CASE WHEN m.status = 'SENDING' THEN 'in_flight'"                              \
    "      WHEN m.status NOT IN ('FAILED', 'MISSED', 'UNKNOWN', 'SENT') THEN 'wrong_status'" \
    "      WHEN t.name IS NULL THEN 'type_deleted'"                                 \
    "      WHEN u.id IS NULL THEN 'recipient_gone'"                                 \
    "      WHEN NOT" DATE_IS_KEPT "THEN 'date_gone'"                                \
    "      WHEN m.status = 'SENT' AND NOT " forced "::boolean THEN 'already_sent'"  \
    "      WHEN " of_many " AND" CANCELLED_BY_PERSON "THEN 'cancelled'"             \
    "      WHEN NOT " late "::boolean AND" PAST_DEADLINE "THEN 'past_deadline'"     \
    "      WHEN NOT " forced "::boolean AND" KEY_EXPIRED(life) "THEN 'key_expired'" \
    "      ELSE 'ready' END "

// From `ready` (id, delivery_date, status, sent_at, due, expired). The provider may know the bytes of one
// that is in doubt or was sent: they stay. Others are made anew, for the address and the day as they are
// then. A word of a person against it is taken back by this one.
#define REPLAYED(actor, reason, late, forced, intervention)                                              \
    " replayed AS ("                                                                                     \
    "   UPDATE message_logs m SET status = 'SCHEDULED', due_at = r.due, replayed_for = r.due,"           \
    "       attention_at = NULL, failures = 0, rescues = 0, actual_send_time = NULL,"                    \
    "       recipient_email = CASE WHEN m.in_doubt OR r.status = 'SENT' THEN m.recipient_email END,"     \
    "       message_content = CASE WHEN m.in_doubt OR r.status = 'SENT' THEN m.message_content END,"     \
    "       error_message = CASE WHEN starts_with(m.error_message, 'cancelled by ') THEN NULL"           \
    "                            ELSE m.error_message END,"                                              \
    "       in_doubt = m.in_doubt OR r.status = 'SENT', updated_at = clock.now,"                         \
    "       forced_attempt = CASE WHEN r.status = 'SENT' OR r.expired OR m.in_doubt AND " forced         \
    "                                 ::boolean THEN m.attempt"                                          \
    "                             ELSE m.forced_attempt END"                                             \
    "   FROM ready r, clock"                                                                             \
    "   WHERE m.id = r.id AND m.delivery_date = r.delivery_date AND m.status = r.status"                 \
    "   RETURNING m.idempotency_key, r.status, r.due, r.sent_at"                                         \
    " ), noted AS ("                                                                                     \
    "   INSERT INTO audit_log (actor, action, subject, detail)"                                          \
    "   SELECT " actor                                                                                   \
    ", 'message replayed', idempotency_key, jsonb_strip_nulls(jsonb_build_object("                       \
    "       'reason', " reason "::text, 'was', status, 'due_at', due, 'sent_at', sent_at, 'late', " late \
    "       ::boolean, 'forced', " forced "::boolean, 'intervention', " intervention                     \
    "::uuid))"                                                                                           \
    "   FROM replayed) "

constexpr Statement replay_one{
    "replay_message",
    "WITH clock AS MATERIALIZED (SELECT app_now() AS now), found AS MATERIALIZED ("
    "  SELECT m.id, m.delivery_date, m.status, m.scheduled_send_time, m.actual_send_time AS sent_at,"
    KEY_EXPIRED("$6") "AS expired," VERDICT("$4", "$5", "$6", "false") "AS verdict"
    "  FROM message_logs m" TYPE_AND_RECIPIENT
    "  WHERE m.id = $1 FOR NO KEY UPDATE OF m"
    "), ready AS MATERIALIZED ("
    "  SELECT f.id, f.delivery_date, f.status, f.sent_at, f.expired,"
    "         greatest(clock.now, f.scheduled_send_time) AS due"
    "  FROM found f, clock WHERE f.verdict = 'ready'"
    ")," REPLAYED("$2", "$3", "$4", "$5", "NULL")
    "SELECT f.verdict, f.status, (SELECT count(*) FROM replayed) FROM found f"};

// One after the other, `gap` apart: from `ready` (number, planned, deadline) each with the moment of its
// turn.
#define TURN(first, gap) " greatest(planned, " first " + (number - 1) * " gap "::interval) "

// $11 late, $12 forced, $13 life of a key, $14 gap. Those whose turn, at this rate, comes after their
// deadline are not part of it. As each that is left out lets the next ones go earlier, none of the others
// comes late.
#define SHOW(place, where, fits) \
    "WITH clock AS MATERIALIZED (SELECT app_now() AS now), chosen AS MATERIALIZED ("                        \
    "  SELECT m.id, m.delivery_date, m.place, m.scheduled_send_time AS planned, m.in_doubt, m.fits,"        \
    "         m.is_last," DEADLINE "AS deadline," PAST_DEADLINE "AS late," KEY_EXPIRED("$13") "AS expired," \
    CANCELLED_BY_PERSON "AS cancelled," VERDICT("$11", "$12", "$13", "true") "AS verdict"                   \
    "  FROM" LOOKED_AT(place, where, fits) TYPE_AND_RECIPIENT                                               \
    "), numbered AS MATERIALIZED ("                                                                         \
    "  SELECT *, row_number() OVER (ORDER BY place, id) AS number FROM chosen"                              \
    "  WHERE fits AND verdict = 'ready'"                                                                    \
    "), ready AS MATERIALIZED ("                                                                            \
    "  SELECT id, delivery_date, row_number() OVER (ORDER BY number) AS number FROM numbered, clock"        \
    "  WHERE $11::boolean OR" TURN("now", "$14") "<= deadline"                                              \
    ")," KEPT                                                                                               \
    "SELECT count(*) FILTER (WHERE fits), coalesce(bool_or(is_last), false), (SELECT count(*) FROM ready)," \
    "       count(*) FILTER (WHERE fits AND in_doubt), count(*) FILTER (WHERE fits AND late),"              \
    "       (SELECT count(*) FROM numbered) - (SELECT count(*) FROM ready),"                                \
    "       count(*) FILTER (WHERE fits AND expired),"                                                      \
    "       count(*) FILTER (WHERE fits AND verdict IN ('type_deleted', 'recipient_gone', 'date_gone')),"   \
    "       count(*) FILTER (WHERE fits AND cancelled), min(planned) FILTER (WHERE fits),"                  \
    "       percentile_disc(0.5) WITHIN GROUP (ORDER BY planned) FILTER (WHERE fits),"                      \
    "       max(planned) FILTER (WHERE fits) FROM chosen"

// What needs a person, by when it became so.
constexpr Statement show_by_attention{"show_replay_by_attention",
                                      SHOW("m.attention_at", " m.attention_at IS NOT NULL ",
                                           MESSAGE_FITS "AND ($6::text IS NULL OR m.status = $6) ")};

// Of one type in a span of time.
constexpr Statement show_by_time{
    "show_replay_by_time",
    SHOW("m.scheduled_send_time",
         " m.message_type = $1 AND m.scheduled_send_time >= $2 AND m.scheduled_send_time < $3 ",
         MESSAGE_FITS
         "AND CASE WHEN $6::text IS NULL THEN m.attention_at IS NOT NULL ELSE m.status = $6 END ")};

// $2 actor, $3 reason, $4 late, $5 forced, $6 life of a key, $7 whether they were SENT when they were shown,
// $8 when that was, $9 when the next may be due, $10 gap. Whatever they came to since then is not theirs.
constexpr Statement replay_some{
    "replay_messages",
    "WITH clock AS MATERIALIZED (SELECT app_now() AS now)," NEXT_STEP(
        " CASE WHEN $7::boolean THEN l.status = 'SENT' AND l.actual_send_time <= $8::timestamptz"
        "      ELSE l.attention_at <= $8::timestamptz END ")
    ", judged AS MATERIALIZED ("
    "  SELECT m.*, m.scheduled_send_time AS planned," DEADLINE "AS deadline,"
    KEY_EXPIRED("$6") "AS expired," VERDICT("$4", "$5", "$6", "true") "AS verdict FROM chosen m" TYPE_AND_RECIPIENT
    "), numbered AS MATERIALIZED ("
    "  SELECT j.id, j.delivery_date, j.status, j.actual_send_time AS sent_at, planned, deadline, expired,"
    "         row_number() OVER (ORDER BY j.number) AS number, greatest(clock.now, $9::timestamptz) AS first"
    "  FROM judged j, clock WHERE verdict = 'ready'"
    "), in_time AS MATERIALIZED ("
    "  SELECT id, delivery_date, status, sent_at, expired, planned, first,"
    "         row_number() OVER (ORDER BY number) AS number"
    "  FROM numbered WHERE $4::boolean OR" TURN("first", "$10") "<= deadline"
    "), ready AS MATERIALIZED ("
    "  SELECT id, delivery_date, status, sent_at, expired," TURN("first", "$10") "AS due FROM in_time"
    ")," REPLAYED("$2", "$3", "$4", "$5", "$1")
    "SELECT (SELECT count(*) FROM replayed)," WAS_LAST ","
    "       greatest(clock.now, $9::timestamptz) + (SELECT count(*) FROM ready) * $10::interval"
    " FROM clock, step"};

constexpr std::array<std::string_view, 9> verdicts = {"no_such_message", "in_flight",      "wrong_status",
                                                      "type_deleted",    "recipient_gone", "date_gone",
                                                      "already_sent",    "past_deadline",  "key_expired"};

bool is_by_time(const domain::MessageFilter& filter) {
    return filter.message_type && filter.from && filter.to;
}

std::chrono::microseconds gap_of(const Intervention& intervention) {
    return std::chrono::microseconds(std::chrono::minutes(1)) / intervention.per_minute;
}

std::optional<domain::Ages> ages_of(const Row& row, domain::Instant now, int column) {
    if (row.is_null(column)) return std::nullopt;
    return domain::Ages{.oldest = now - row.get<domain::Instant>(column),
                        .median = now - row.get<domain::Instant>(column + 1),
                        .newest = now - row.get<domain::Instant>(column + 2)};
}

}  // namespace

std::optional<domain::Refused> replay(Pool& pool, const domain::Uuid& id, const By& by,
                                      const domain::ReplayOptions& options,
                                      std::chrono::milliseconds key_life) {
    const Rows rows = transact(pool, [&](Transaction& transaction) {
        return transaction.run(replay_one, id, by.actor, by.reason, options.late, options.forced, key_life);
    });
    if (rows.empty()) return domain::Refused{};
    const Row row = rows.front();
    const auto status = domain::parse_status(row.get<std::string_view>(1));
    if (row.get<int>(2) == 1) return std::nullopt;
    const auto found = std::ranges::find(verdicts, row.get<std::string_view>(0));
    if (found == verdicts.end()) return domain::Refused{domain::Refusal::wrong_status, status};
    return domain::Refused{static_cast<domain::Refusal>(found - verdicts.begin()), status};
}

domain::Shown show_replay(Pool& pool, const By& by, const domain::MessageFilter& filter,
                          const domain::ReplayOptions& options, int per_minute,
                          std::chrono::milliseconds key_life) {
    return transact(pool, [&](Transaction& transaction) {
        Intervention intervention{.id = {},
                                  .action = Action::replay,
                                  .reason = std::string(by.reason),
                                  .filter = filter,
                                  .options = options,
                                  .per_minute = per_minute};
        remember(transaction, intervention, by.actor);
        choose_by_index(transaction);
        const Rows rows =
            run_on_fitting(transaction, is_by_time(filter) ? show_by_time : show_by_attention, intervention,
                           options.late, options.forced, key_life, gap_of(intervention));
        const Row row = rows.front();
        return domain::Shown{.id = intervention.id,
                             .matching = row.get<int>(0),
                             .more = row.get<int>(0) == domain::most_shown || row.get<bool>(1),
                             .ready = row.get<int>(2),
                             .in_doubt = row.get<int>(3),
                             .past_deadline = row.get<int>(4),
                             .turn_too_late = row.get<int>(5),
                             .key_expired = row.get<int>(6),
                             .gone = row.get<int>(7),
                             .cancelled = row.get<int>(8),
                             .ages = ages_of(row, intervention.shown_at, 9)};
    });
}

std::optional<domain::Progress> replay_shown(Pool& pool, const domain::Uuid& shown, std::string_view actor,
                                             std::chrono::milliseconds key_life) {
    return transact(pool, [&](Transaction& transaction) -> std::optional<domain::Progress> {
        auto intervention = take(transaction, shown, Action::replay);
        if (!intervention || intervention->finished)
            return intervention ? std::optional(progress_of(*intervention)) : std::nullopt;
        choose_by_index(transaction);
        const auto& options = intervention->options;
        const bool were_sent = intervention->filter.status == domain::Status::sent;
        const Rows rows = transaction.run(
            replay_some, intervention->id, actor, intervention->reason, options.late, options.forced,
            key_life, were_sent, intervention->shown_at, intervention->next_at, gap_of(*intervention));
        advance(*intervention, rows);
        if (!rows.empty()) intervention->next_at = rows.front().get<domain::Instant>(2);
        note_progress(transaction, *intervention);
        return progress_of(*intervention);
    });
}

}  // namespace postgres
