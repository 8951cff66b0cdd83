#include "libcore/postgres/replay_table.hpp"

#include <algorithm>
#include <array>

namespace postgres {

namespace {

// Of message_logs AS m: its type and its recipient, unless they are gone.
#define TYPE_AND_RECIPIENT                                                           \
    " LEFT JOIN message_types t ON t.name = m.message_type AND t.deleted_at IS NULL" \
    " LEFT JOIN users u ON u.id = m.user_id AND u.deleted_at IS NULL AND NOT u.opted_out "

#define PAST_DEADLINE                                                                                   \
    " coalesce((SELECT app_now()) > greatest(m.scheduled_send_time, m.replayed_for) + t.max_lateness, " \
    "false) "

// The provider may have learnt the key at the first attempt. That of a lost worker left its lease only;
// leases and attempts go by real time, as the provider does.
#define KEY_EXPIRED(life)                                                                                \
    " (m.in_doubt AND coalesce(least(m.lease_until, (SELECT min(a.started_at) FROM delivery_attempts a " \
    "  WHERE a.message_id = m.id)), '-infinity')"                                                        \
    "  < clock_timestamp() - " life "::interval) "

#define VERDICT(late, forced, life) \
    " CASE WHEN m.status = 'SENDING' THEN 'in_flight'"                              \
    "      WHEN m.status NOT IN ('FAILED', 'MISSED', 'UNKNOWN', 'SENT') THEN 'wrong_status'" \
    "      WHEN t.name IS NULL THEN 'type_deleted'"                                 \
    "      WHEN u.id IS NULL THEN 'recipient_gone'"                                 \
    "      WHEN m.status = 'SENT' AND NOT " forced "::boolean THEN 'already_sent'"  \
    "      WHEN NOT " late "::boolean AND" PAST_DEADLINE "THEN 'past_deadline'"     \
    "      WHEN NOT " forced "::boolean AND" KEY_EXPIRED(life) "THEN 'key_expired'" \
    "      ELSE 'ready' END "

// From `ready` (id, delivery_date, status, due). The provider may know the bytes of one that is in doubt or
// was sent: they stay. Others are made anew, for the address and the day as they are then.
#define REPLAYED(actor, reason, late, forced, intervention)                                              \
    " replayed AS ("                                                                                     \
    "   UPDATE message_logs m SET status = 'SCHEDULED', due_at = r.due, replayed_for = r.due,"           \
    "       attention_at = NULL, failures = 0, rescues = 0, actual_send_time = NULL,"                    \
    "       recipient_email = CASE WHEN m.in_doubt OR r.status = 'SENT' THEN m.recipient_email END,"     \
    "       message_content = CASE WHEN m.in_doubt OR r.status = 'SENT' THEN m.message_content END,"     \
    "       in_doubt = m.in_doubt OR r.status = 'SENT', updated_at = clock.now"                          \
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
    VERDICT("$4", "$5", "$6") "AS verdict"
    "  FROM message_logs m" TYPE_AND_RECIPIENT
    "  WHERE m.id = $1 FOR NO KEY UPDATE OF m"
    "), ready AS MATERIALIZED ("
    "  SELECT f.id, f.delivery_date, f.status, f.sent_at, greatest(clock.now, f.scheduled_send_time) AS due"
    "  FROM found f, clock WHERE f.verdict = 'ready'"
    ")," REPLAYED("$2", "$3", "$4", "$5", "NULL")
    "SELECT f.verdict, f.status, (SELECT count(*) FROM replayed) FROM found f"};

// What needs a person, by when it became so.
#define CHOSEN_BY_ATTENTION                                            \
    " WHERE" MESSAGE_FITS                                              \
    "AND m.attention_at <= $7 AND ($6::text IS NULL OR m.status = $6)" \
    " AND" BEHIND_PLACE("m.attention_at") "ORDER BY m.attention_at, m.id LIMIT $10 "

// Of one type in a span of time.
#define CHOSEN_BY_TIME                                                       \
    " WHERE" MESSAGE_FITS                                                    \
    "AND CASE WHEN $6::text IS NULL THEN m.attention_at <= $7"               \
    "  WHEN $6 = 'SENT' THEN m.status = 'SENT' AND m.actual_send_time <= $7" \
    "  ELSE m.status = $6 AND m.attention_at <= $7 END"                      \
    " AND" BEHIND_PLACE("m.scheduled_send_time") "ORDER BY m.scheduled_send_time, m.id LIMIT $10 "

#define SHOW(chosen)                                                                                   \
    "WITH chosen AS MATERIALIZED ("                                                                    \
    "  SELECT m.scheduled_send_time AS at, m.in_doubt," PAST_DEADLINE                                  \
    "AS late," KEY_EXPIRED("$13") "  AS expired," VERDICT(                                             \
        "$11", "$12",                                                                                  \
        "$13") "AS verdict FROM message_logs m" TYPE_AND_RECIPIENT chosen                              \
               ") SELECT count(*), count(*) FILTER (WHERE verdict = 'ready'), count(*) FILTER (WHERE " \
               "in_doubt),"                                                                            \
               " count(*) FILTER (WHERE late), count(*) FILTER (WHERE expired),"                       \
               " count(*) FILTER (WHERE verdict IN ('type_deleted', 'recipient_gone')),"               \
               " min(at), percentile_disc(0.5) WITHIN GROUP (ORDER BY at), max(at) FROM chosen"

constexpr Statement show_by_attention{"show_replay_by_attention", SHOW(CHOSEN_BY_ATTENTION)};
constexpr Statement show_by_time{"show_replay_by_time", SHOW(CHOSEN_BY_TIME)};

// $17: at most so many; $18, $19: when the first is due, and how long after it the next. Judged are those
// that were chosen, not all that share their place with them.
#define REPLAY(place, chosen) \
    "WITH clock AS MATERIALIZED (SELECT app_now() AS now), chosen AS MATERIALIZED ("                      \
    "  SELECT m.id, m.delivery_date, m.status, m.scheduled_send_time, m.actual_send_time AS sent_at,"     \
    "  m.place," VERDICT("$11", "$12", "$13") "AS verdict FROM ("                                         \
    "    SELECT m.id, m.delivery_date, m.user_id, m.message_type, m.status, m.scheduled_send_time,"       \
    "           m.actual_send_time, m.replayed_for, m.in_doubt, m.lease_until, " place " AS place"        \
    "    FROM message_logs m" chosen "FOR NO KEY UPDATE"                                                  \
    "  ) AS m" TYPE_AND_RECIPIENT                                                                         \
    "), counted AS MATERIALIZED ("                                                                        \
    "  SELECT *, row_number() OVER (ORDER BY place, id) AS number FROM chosen WHERE verdict = 'ready'"    \
    "), ready AS MATERIALIZED ("                                                                          \
    "  SELECT c.id, c.delivery_date, c.status, c.sent_at, greatest(c.scheduled_send_time,"                \
    "         greatest(clock.now, $18::timestamptz) + (c.number - 1) * $19::interval) AS due"             \
    "  FROM counted c, clock WHERE c.number <= $17::bigint"                                               \
    ")," REPLAYED("$14", "$15", "$11", "$12", "$16")                                                      \
    "SELECT (SELECT count(*) FROM replayed), last.place, last.id,"                                        \
    "       greatest(clock.now, $18::timestamptz) + (SELECT count(*) FROM ready) * $19::interval"         \
    " FROM clock, (SELECT place, id FROM chosen ORDER BY place DESC, id DESC LIMIT 1) AS last"

constexpr Statement replay_by_attention{"replay_by_attention", REPLAY("m.attention_at", CHOSEN_BY_ATTENTION)};
constexpr Statement replay_by_time{"replay_by_time", REPLAY("m.scheduled_send_time", CHOSEN_BY_TIME)};

constexpr std::array<std::string_view, 8> verdicts = {"no_such_message", "in_flight",      "wrong_status",
                                                      "type_deleted",    "recipient_gone", "already_sent",
                                                      "past_deadline",   "key_expired"};

bool is_by_time(const domain::MessageFilter& filter) {
    return filter.message_type && filter.from && filter.to;
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
        choose_by_index(transaction);
        Intervention intervention{.id = {},
                                  .action = Action::replay,
                                  .reason = std::string(by.reason),
                                  .filter = filter,
                                  .options = options,
                                  .per_minute = per_minute,
                                  .shown_at = instant_of_showing(transaction)};
        const Rows rows =
            run_on_chosen(transaction, is_by_time(filter) ? show_by_time : show_by_attention, intervention,
                          domain::most_shown, options.late, options.forced, key_life);
        const Row row = rows.front();
        intervention.shown = row.get<int>(1);
        return domain::Shown{.id = remember(transaction, intervention, by.actor),
                             .matching = row.get<int>(0),
                             .more = row.get<int>(0) == domain::most_shown,
                             .ready = intervention.shown,
                             .in_doubt = row.get<int>(2),
                             .past_deadline = row.get<int>(3),
                             .key_expired = row.get<int>(4),
                             .gone = row.get<int>(5),
                             .ages = ages_of(row, intervention.shown_at, 6)};
    });
}

std::optional<domain::Progress> replay_shown(Pool& pool, const domain::Uuid& shown, std::string_view actor,
                                             std::chrono::milliseconds key_life) {
    return transact(pool, [&](Transaction& transaction) -> std::optional<domain::Progress> {
        auto intervention = take(transaction, shown, Action::replay);
        if (!intervention || intervention->finished)
            return intervention ? std::optional(progress_of(*intervention)) : std::nullopt;
        choose_by_index(transaction);
        const auto gap = std::chrono::microseconds(std::chrono::minutes(1)) / intervention->per_minute;
        const Rows rows = run_on_chosen(
            transaction, is_by_time(intervention->filter) ? replay_by_time : replay_by_attention,
            *intervention, step_size, intervention->options.late, intervention->options.forced, key_life,
            actor, intervention->reason, intervention->id, intervention->shown - intervention->done,
            intervention->next_at, gap);
        advance(*intervention, rows);
        if (!rows.empty()) intervention->next_at = rows.front().get<domain::Instant>(3);
        note_progress(transaction, *intervention);
        return progress_of(*intervention);
    });
}

}  // namespace postgres
