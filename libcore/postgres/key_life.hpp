// Whether the provider may have a message and no longer know its key: SQL for the tables beside this, of
// message_logs AS m.
#pragma once

/// What may have been delivered was so at the first attempt that left it in doubt, or later. By real time, as
/// the provider's. `life`: for how long it knows a key.
#define KEY_EXPIRED(life)                                                                          \
    " (m.in_doubt AND coalesce("                                                                   \
    "    (SELECT min(a.started_at) FROM delivery_attempts a"                                       \
    "     WHERE a.message_id = m.id AND a.in_doubt AND a.attempt > coalesce(m.forced_attempt, 0))" \
    "      < clock_timestamp() - " life                                                            \
    "::interval,"                                                                                  \
    "    m.forced_attempt IS NULL"                                                                 \
    "      AND coalesce(m.lease_until, '-infinity') < clock_timestamp() - " life "::interval)) "
