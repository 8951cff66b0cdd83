-- min_compatible: 1
-- What is to come, by the rules that planning goes by and by its own functions. Nothing here writes.

-- "+05:45": what is added to UTC to read the clock of a zone at an instant.
CREATE FUNCTION utc_offset(at timestamptz, zone text) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    ahead interval := (at AT TIME ZONE zone) - (at AT TIME ZONE 'UTC');
BEGIN
    RETURN CASE WHEN ahead < '0' THEN '-' ELSE '+' END
        || to_char(CASE WHEN ahead < '0' THEN -ahead ELSE ahead END, 'HH24:MI');
END
$$;

-- The days of these years on which an occasion may be kept, whatever the rule of 29 February: for falls_on to choose from.
CREATE FUNCTION days_near(occasion date, one_off boolean, first_year integer, last_year integer) RETURNS SETOF date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT occasion WHERE one_off
    UNION ALL
    -- Counted from the first of the month: 29 February is 1 March where there is none.
    SELECT make_date(year, date_part('month', occasion)::integer, 1) + date_part('day', occasion)::integer - 1
    FROM generate_series(first_year, last_year) AS year WHERE NOT one_off
    UNION ALL
    SELECT make_date(year, 2, 28)
    FROM generate_series(first_year, last_year) AS year WHERE NOT one_off AND month_day(occasion) = 229
$$;

-- Whether the planner, being behind, has yet to come to a day whose instant has passed.
CREATE FUNCTION is_overdue(t message_types, zone text, day date, instant timestamptz) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN instant + t.max_lateness >= app_now()
       AND EXISTS (SELECT FROM first_unplanned f
                   WHERE f.message_type = t.name AND f.timezone = zone AND f.day <= is_overdue.day)
       AND NOT EXISTS (SELECT FROM plan_runs r
                       WHERE r.message_type = t.name AND r.timezone = zone AND r.delivery_date = is_overdue.day
                         AND r.reopened_at > instant);
END
$$;

-- The coming messages of a user up to `until`: what the rules give from now on, what has begun and is not final, and what
-- is overdue because planning is behind. In no order; what is planned already has a message_id.
CREATE FUNCTION user_schedule(u users, until timestamptz)
    RETURNS TABLE (message_type text, delivery_date date, timezone text, scheduled_send_time timestamptz, civil_rule text,
                   years integer, message_id uuid, status text)
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan SET jit = off
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    now timestamptz := app_now();
    -- No message can wait for longer: the most that max_lateness may be, and a spread.
    earliest date := (now AT TIME ZONE 'UTC')::date - 62;
    latest date := (until AT TIME ZONE 'UTC')::date + 2;
BEGIN
    IF u.deleted_at IS NOT NULL OR NOT is_known_zone(u.timezone) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH kept AS MATERIALIZED (
        SELECT o.message_type, near.day,
               -- As the text has it, and as planning has it: of two dates on one day the older one counts the years, and
               -- the rule of 29 February is not named if the other is there without it.
               min(o.date) AS date, bool_and(month_day(o.date) <> month_day(near.day)) AS moved
        FROM occasions_of(u) AS o
        JOIN message_types t ON t.name = o.message_type AND t.deleted_at IS NULL
        CROSS JOIN LATERAL days_near(o.date, o.one_off, date_part('year', earliest)::integer,
                                     date_part('year', latest)::integer) AS near(day)
        WHERE NOT u.opted_out AND near.day BETWEEN earliest AND latest
          AND falls_on(o.date, o.one_off, near.day, t.leap_day)
        GROUP BY o.message_type, near.day
    ), wanted AS MATERIALIZED (
        SELECT t, k.day, civil.instant + spread_offset(u.id, t.spread) AS instant,
               applied_rules(CASE WHEN k.moved THEN 229::smallint ELSE month_day(k.day) END, k.day, t.leap_day,
                             civil.rule) AS rules,
               (date_part('year', k.day) - date_part('year', k.date))::integer AS years
        FROM kept k
        JOIN message_types t ON t.name = k.message_type
        CROSS JOIN LATERAL civil_time(k.day, t.send_at, u.timezone, t.gap_rule, t.fold_rule) AS civil
        WHERE civil.instant IS NOT NULL
    ), planned AS MATERIALIZED (
        SELECT m.message_type, m.delivery_date, m.scheduled_send_time, m.civil_rule, m.id, m.status, m.in_doubt,
               m.status IN ('SCHEDULED', 'QUEUED', 'SENDING', 'RETRYING') AS pending
        FROM message_logs m
        WHERE m.user_id = u.id AND m.delivery_date BETWEEN earliest AND latest
    )
    SELECT (w.t).name, w.day, u.timezone, w.instant, w.rules, w.years, p.id, p.status
    FROM wanted w
    LEFT JOIN planned p ON p.message_type = (w.t).name AND p.delivery_date = w.day
    WHERE w.instant < until
      AND CASE
          WHEN p.id IS NOT NULL THEN p.pending
          WHEN w.instant >= now THEN true
          ELSE w.instant >= greatest(u.plan_changed_at, (w.t).created_at)
               AND is_overdue(w.t, u.timezone, w.day, w.instant)
      END
    UNION ALL
    -- What may be with the provider already stays, though the rules no longer have it.
    SELECT p.message_type, p.delivery_date, u.timezone, p.scheduled_send_time, p.civil_rule, NULL, p.id, p.status
    FROM planned p
    WHERE p.pending AND (p.in_doubt OR p.status = 'SENDING')
      AND NOT EXISTS (SELECT FROM wanted w WHERE (w.t).name = p.message_type AND w.day = p.delivery_date);
END
$$;

-- The units of a type that somebody keeps and whose messages come within [since, until), or some of them by the spread:
-- the instant before the spread, and how many messages the whole unit has. For times that are not past: who became known
-- too late is not asked.
-- One walk through a part of the index for each zone and year, however many days there are.
CREATE FUNCTION coming_units(t message_types, since timestamptz, until timestamptz)
    RETURNS TABLE (timezone text, day date, kept smallint[], instant timestamptz, messages bigint)
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_custom_plan SET jit = off SET max_parallel_workers_per_gather = 0
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    earliest date := ((since - t.spread) AT TIME ZONE 'UTC')::date - 2;
    latest date := (until AT TIME ZONE 'UTC')::date + 2;
BEGIN
    RETURN QUERY
    WITH days AS MATERIALIZED (
        SELECT made.day, date_part('year', made.day) AS year, kept_month_days(made.day, t.leap_day) AS kept
        FROM generate_series(0, latest - earliest) AS n, LATERAL (SELECT earliest + n AS day) AS made
    ), kept_days AS MATERIALIZED (
        SELECT d.day, d.year, d.kept, one.kept AS month_day FROM days d CROSS JOIN LATERAL unnest(d.kept) AS one(kept)
    ), years AS MATERIALIZED (
        SELECT k.year, min(k.day) AS day, min(k.month_day) AS first, max(k.month_day) AS last
        FROM kept_days k GROUP BY k.year
    ), zones AS MATERIALIZED (
        -- A day to spare at both ends: a gap may be as long.
        SELECT z.timezone, ((since - t.spread) AT TIME ZONE z.timezone)::date - 1 AS first,
               (until AT TIME ZONE z.timezone)::date + 1 AS last
        FROM zones_in_use z WHERE is_known_zone(z.timezone)
    ), by_month_day AS MATERIALIZED (
        -- Nobody has two of these dates, and whether a yearly date has begun is the same for all days of a year.
        SELECT z.timezone, z.first, z.last, y.year, found.month_day, found.messages
        FROM zones z CROSS JOIN years y CROSS JOIN LATERAL (
            SELECT month_day(o.date) AS month_day, count(*) AS messages FROM occasions o
            WHERE o.message_type = t.name AND o.timezone = z.timezone AND month_day(o.date) BETWEEN y.first AND y.last
              AND o.reachable AND has_begun(o.date, o.one_off, y.day)
            GROUP BY month_day(o.date)
        ) AS found
        WHERE t.name IN ('BIRTHDAY', 'ANNIVERSARY')
    ), counted AS MATERIALIZED (
        SELECT c.timezone, k.day, k.kept, sum(c.messages)::bigint AS messages
        FROM by_month_day c JOIN kept_days k ON k.year = c.year AND k.month_day = c.month_day
        WHERE k.day BETWEEN c.first AND c.last
        GROUP BY c.timezone, k.day, k.kept
        UNION ALL
        SELECT z.timezone, k.day, k.kept, count(DISTINCT o.user_id)
        FROM zones z CROSS JOIN years y
        CROSS JOIN LATERAL (
            SELECT o.user_id, o.date, o.one_off FROM occasions o
            WHERE o.message_type = t.name AND o.timezone = z.timezone AND month_day(o.date) BETWEEN y.first AND y.last
              AND o.reachable
        ) AS o
        JOIN kept_days k ON k.year = y.year AND k.month_day = month_day(o.date) AND k.day BETWEEN z.first AND z.last
        WHERE t.name NOT IN ('BIRTHDAY', 'ANNIVERSARY') AND has_begun(o.date, o.one_off, k.day)
        GROUP BY z.timezone, k.day, k.kept
    )
    SELECT c.timezone, c.day, c.kept, civil.instant, c.messages
    FROM counted c
    CROSS JOIN LATERAL civil_time(c.day, t.send_at, c.timezone, t.gap_rule, t.fold_rule) AS civil
    WHERE civil.instant < until AND (civil.instant >= since OR civil.instant + t.spread > since);
END
$$;

-- Those of a unit's messages that come within [since, until), by minute.
CREATE FUNCTION spread_unit(t message_types, zone text, day date, kept smallint[], instant timestamptz,
                            since timestamptz, until timestamptz)
    RETURNS TABLE (minute timestamptz, messages bigint)
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan SET jit = off
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT date_trunc('minute', at.instant, 'UTC') AS minute, count(*)
    FROM (SELECT DISTINCT o.user_id FROM occasions o
          WHERE o.message_type = t.name AND o.timezone = zone AND month_day(o.date) = ANY (spread_unit.kept)
            AND o.reachable AND has_begun(o.date, o.one_off, spread_unit.day)) AS unit
    CROSS JOIN LATERAL (SELECT spread_unit.instant + spread_offset(unit.user_id, t.spread) AS instant) AS at
    WHERE at.instant >= since AND at.instant < until
    GROUP BY 1;
END
$$;

-- How many messages become due in each minute of [since, until), by the clocks' offsets from UTC.
CREATE FUNCTION due_per_minute(since timestamptz, until timestamptz, only_type text)
    RETURNS TABLE (minute timestamptz, utc_offset text, message_type text, messages bigint)
    LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    t message_types;
BEGIN
    FOR t IN SELECT * FROM message_types WHERE deleted_at IS NULL AND (only_type IS NULL OR name = only_type) LOOP
        RETURN QUERY
        SELECT part.minute, utc_offset(part.minute, unit.timezone) AS utc_offset, t.name, sum(part.messages)::bigint
        FROM coming_units(t, since, until) AS unit
        CROSS JOIN LATERAL (
            SELECT date_trunc('minute', unit.instant, 'UTC') AS minute, unit.messages WHERE t.spread = '0'
            UNION ALL
            SELECT spread.minute, spread.messages
            FROM spread_unit(t, unit.timezone, unit.day, unit.kept, unit.instant, since, until) AS spread
            WHERE t.spread > '0'
        ) AS part
        GROUP BY part.minute, utc_offset(part.minute, unit.timezone);
    END LOOP;
END
$$;

-- The first `size` of them after a place in the order of minute, offset and type, or from the beginning. A page costs
-- what it shows: time is looked at in slices, each twice as long, until there is enough.
CREATE FUNCTION due_page(since timestamptz, until timestamptz, only_type text, after_minute timestamptz,
                         after_offset text, after_type text, size integer)
    RETURNS TABLE (minute timestamptz, utc_offset text, message_type text, messages bigint)
    LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    first timestamptz := greatest(since, after_minute);
    last timestamptz;
    slice interval := '24 hours';
    missing integer := size;
    found_here integer;
BEGIN
    LOOP
        -- Whole minutes, so that none is counted in two parts.
        last := least(date_trunc('minute', first, 'UTC') + slice, until);
        RETURN QUERY
        SELECT d.minute, d.utc_offset, d.message_type, d.messages
        FROM due_per_minute(first, last, only_type) AS d
        WHERE after_minute IS NULL
           OR (d.minute, d.utc_offset COLLATE "C", d.message_type COLLATE "C") > (after_minute, after_offset, after_type)
        ORDER BY d.minute, d.utc_offset COLLATE "C", d.message_type COLLATE "C"
        LIMIT missing;
        GET DIAGNOSTICS found_here = ROW_COUNT;
        missing := missing - found_here;
        EXIT WHEN missing = 0 OR last >= until;
        first := last;
        slice := slice * 2;
    END LOOP;
END
$$;

-- How many messages of each type become due within [since, until).
CREATE FUNCTION due_totals(since timestamptz, until timestamptz, only_type text)
    RETURNS TABLE (message_type text, messages bigint)
    LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    t message_types;
BEGIN
    FOR t IN SELECT * FROM message_types WHERE deleted_at IS NULL AND (only_type IS NULL OR name = only_type)
             ORDER BY name LOOP
        RETURN QUERY
        SELECT t.name, coalesce(sum(
            CASE WHEN t.spread = '0' OR unit.instant >= since AND unit.instant + t.spread <= until THEN unit.messages
                 ELSE (SELECT coalesce(sum(spread.messages), 0)
                       FROM spread_unit(t, unit.timezone, unit.day, unit.kept, unit.instant, since, until) AS spread)
            END), 0)::bigint
        FROM coming_units(t, since, until) AS unit;
    END LOOP;
END
$$;
