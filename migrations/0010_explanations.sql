-- min_compatible: 1
-- What explains why a message was sent, was not, or does not exist.

-- An instant of real time as the ledger's clock shows it: the same in production. Leases, attempts and the audit log go
-- by real time, messages by the ledger's clock.
CREATE FUNCTION ledger_time(instant timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        (SELECT base + make_interval(secs => extract(epoch FROM instant - started_at)::double precision * factor)
         FROM app_clock),
        instant)
$$;

-- On which day of a year an occasion is kept, if it is.
CREATE FUNCTION kept_on(occasion date, one_off boolean, year integer, leap_day text) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT min(day)
    FROM (SELECT CASE WHEN one_off THEN occasion
                      -- 29 February and its neighbours.
                      WHEN month_day(occasion) = 229 THEN make_date(year, 2, 28) + n
                      ELSE make_date(year, date_part('month', occasion)::integer, date_part('day', occasion)::integer)
                 END AS day
          FROM generate_series(0, 2) n) AS candidate
    WHERE falls_on(occasion, one_off, day, leap_day)
$$;

-- When all deliveries, or those of a type, were paused, as far as audit_log knows; the newest hundred, in order. A pause
-- ends with its own time, the next word about it, or never.
CREATE FUNCTION holds_of(type text)
    RETURNS TABLE (everything boolean, since timestamptz, until timestamptz, actor text, reason text)
    LANGUAGE sql STABLE AS $$
    WITH words AS (
        (SELECT id, at, actor, action = 'deliveries paused' AS pauses, true AS everything,
                detail->>'reason' AS reason, (detail->>'until')::timestamptz AS until
         FROM audit_log WHERE subject = 'deliveries' ORDER BY id DESC LIMIT 100)
        UNION ALL
        (SELECT id, at, actor, detail->'paused_until'->>'new' IS NOT NULL, false,
                '', (detail->'paused_until'->>'new')::timestamptz
         FROM audit_log
         WHERE subject = 'message_type ' || type AND action = 'message type changed' AND detail ? 'paused_until'
         ORDER BY id DESC LIMIT 100)
    ), spans AS (
        SELECT pauses, everything, ledger_time(at) AS since,
               least(until, ledger_time(lead(at) OVER (PARTITION BY everything ORDER BY id))) AS until, actor, reason
        FROM words
    )
    SELECT everything, since, until, actor, coalesce(reason, '') FROM spans
    WHERE pauses AND (until IS NULL OR until > since)
    ORDER BY since
$$;
