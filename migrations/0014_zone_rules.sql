-- min_compatible: 14
-- The rules of the time zones, so that a change of them is noticed, and the messages that were planned by others. A
-- program that makes no new connections then, or that does not compare the versions of message types, would go on sending
-- by the old rules, and must not work on this schema.

-- The date in a zone. A message may outlive its zone's name: it counts by UTC then.
CREATE FUNCTION local_date(at timestamptz, zone text) RETURNS date
    LANGUAGE plpgsql STABLE STRICT AS $$
BEGIN
    RETURN (at AT TIME ZONE zone)::date;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN (at AT TIME ZONE 'UTC')::date;
END
$$;

-- The same with the time, as it is shown.
CREATE FUNCTION local_text(at timestamptz, zone text) RETURNS text
    LANGUAGE plpgsql STABLE STRICT AS $$
BEGIN
    RETURN to_char(at AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24:MI:SS');
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS');
END
$$;

-- PostgreSQL reads a zone once a session: one that began before `changed_at` may go by the rules of before.
CREATE TABLE zone_generation (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    -- Rises when rules have changed, or when somebody says so. Every program then makes new connections.
    generation integer NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- All pending messages have been compared since, with no older session left to plan another.
    settled boolean NOT NULL DEFAULT true,
    -- Until then somebody is at work on it, in real time.
    taken_until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO zone_generation DEFAULT VALUES;

-- What was seen last of every zone that the server knows or that is in use.
CREATE TABLE zone_rules (
    timezone text PRIMARY KEY,
    since date NOT NULL,
    -- NULL: the server does not know it.
    digest text
);

-- Of how far the zone is ahead of UTC at the beginning of `since`, and of every change of that in the three years from
-- then, to the minute. No zone changes twice in a week.
CREATE FUNCTION zone_digest(zone text, since date) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    at timestamp := since;  -- these are UTC
    last CONSTANT timestamp := since + interval '3 years';
    earlier timestamp;
    later timestamp;
    middle timestamp;
    ahead interval := (at AT TIME ZONE 'UTC' AT TIME ZONE zone) - at;
    next_ahead interval;
    told text := ahead;
BEGIN
    WHILE at < last LOOP
        later := at + interval '7 days';
        next_ahead := (later AT TIME ZONE 'UTC' AT TIME ZONE zone) - later;
        IF next_ahead <> ahead THEN
            earlier := at;
            WHILE later - earlier > interval '1 minute' LOOP
                middle := date_trunc('minute', earlier + (later - earlier) / 2);
                IF (middle AT TIME ZONE 'UTC' AT TIME ZONE zone) - middle = ahead THEN
                    earlier := middle;
                ELSE
                    later := middle;
                END IF;
            END LOOP;
            told := concat_ws(' ', told, later, next_ahead);
            ahead := next_ahead;
        END IF;
        at := at + interval '7 days';
    END LOOP;
    RETURN md5(told);
END
$$;

-- From here on every program makes new connections, and all that is pending is compared. Whoever says so has `lease` to
-- begin with it before others do.
CREATE FUNCTION new_zone_generation(lease interval) RETURNS integer LANGUAGE sql AS $$
    UPDATE zone_generation SET generation = generation + 1, changed_at = clock_timestamp(), settled = false,
                               taken_until = clock_timestamp() + lease
    RETURNING generation
$$;

-- Compares the rules with what was seen last, remembers them, and returns the zones where they differ. In a new session,
-- or it sees what that session has seen before. Whoever looks at the same moment waits.
CREATE FUNCTION look_at_zone_rules() RETURNS TABLE (timezone text, known boolean) LANGUAGE plpgsql AS $$
DECLARE
    present CONSTANT date := date_trunc('year', app_now() AT TIME ZONE 'UTC');
    zone record;
    now_seen text;
    changed boolean := false;
BEGIN
    PERFORM FROM zone_generation FOR UPDATE;
    FOR zone IN
        WITH names AS MATERIALIZED (
            SELECT name FROM pg_timezone_names
            WHERE name NOT LIKE 'posix/%' AND name NOT IN ('localtime', 'Factory', 'posixrules')
        )
        SELECT coalesce(names.name, others.timezone) AS name,
               names.name IS NOT NULL OR is_known_zone(others.timezone) AS known, r.since, r.digest
        FROM names
        FULL JOIN (SELECT z.timezone FROM zones_in_use z UNION SELECT seen.timezone FROM zone_rules seen) AS others
            ON others.timezone = names.name
        LEFT JOIN zone_rules r ON r.timezone = coalesce(names.name, others.timezone)
        ORDER BY 1
    LOOP
        now_seen := CASE WHEN zone.known THEN zone_digest(zone.name, coalesce(zone.since, present)) END;
        IF zone.since IS NOT NULL AND now_seen IS DISTINCT FROM zone.digest THEN
            changed := true;
            timezone := zone.name;
            known := zone.known;
            RETURN NEXT;
        ELSE
            CONTINUE WHEN zone.since = present;
        END IF;
        IF zone.known AND zone.since <> present THEN
            now_seen := zone_digest(zone.name, present);
        END IF;
        INSERT INTO zone_rules AS r (timezone, since, digest) VALUES (zone.name, present, now_seen)
        ON CONFLICT ON CONSTRAINT zone_rules_pkey DO UPDATE SET since = excluded.since, digest = excluded.digest;
    END LOOP;
    IF changed THEN
        PERFORM new_zone_generation('0');
    END IF;
END
$$;

-- One digest of all that the server knew at the last look: the same in two databases if their servers' rules are.
CREATE FUNCTION zone_rules_digest() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT md5(string_agg(timezone || ' ' || digest, ',' ORDER BY timezone COLLATE "C")) FROM zone_rules WHERE digest IS NOT NULL
$$;

-- Sessions of this role in this database that are older than the present generation.
CREATE VIEW outdated_sessions AS
    SELECT s.pid, s.application_name, s.backend_start
    FROM pg_stat_activity s, zone_generation g
    WHERE s.datname = current_database() AND s.usename = current_user AND s.backend_type = 'client backend'
      AND s.backend_start < g.changed_at AND s.pid <> pg_backend_pid();

-- Messages whose instant may still move. Those in the queue are found through their batches.
CREATE VIEW pending_messages AS
    SELECT id, user_id, message_type, type_version, timezone, delivery_date, scheduled_send_time, in_doubt
    FROM message_logs WHERE due_at IS NOT NULL
    UNION ALL
    SELECT m.id, m.user_id, m.message_type, m.type_version, m.timezone, m.delivery_date, m.scheduled_send_time, m.in_doubt
    FROM (SELECT DISTINCT hint.id, hint.delivery_date
          FROM dispatches d CROSS JOIN LATERAL unnest(d.ids, d.dates) AS hint(id, delivery_date)) AS hinted
    JOIN message_logs m ON m.id = hinted.id AND m.delivery_date = hinted.delivery_date
    WHERE m.status = 'QUEUED';

-- Pending messages that were planned by other rules than the server's present ones, by unit and by the instant they were
-- planned for, less their spread. `instant` is NULL where the day is skipped now. The conversion is made once for a
-- unit, not once for a message. What an edit of its type has outdated is the affair of another pass.
CREATE FUNCTION outdated_units()
    RETURNS TABLE (message_type text, timezone text, delivery_date date, planned_instant timestamptz, instant timestamptz,
                   planned_ahead interval, ahead interval, messages integer)
    LANGUAGE sql STABLE AS $$
    WITH units AS MATERIALIZED (
        SELECT p.message_type, p.timezone, p.delivery_date, p.in_doubt,
               CASE WHEN t.spread = '0' THEN p.scheduled_send_time
                    ELSE p.scheduled_send_time - spread_offset(p.user_id, t.spread) END AS planned_instant,
               count(*)::integer AS messages
        FROM pending_messages p JOIN message_types t ON t.name = p.message_type AND t.version = p.type_version
        GROUP BY 1, 2, 3, 4, 5
    ), known AS MATERIALIZED (
        SELECT zone FROM (SELECT DISTINCT u.timezone AS zone FROM units u) AS zones WHERE is_known_zone(zone)
    ), judged AS MATERIALIZED (
        -- Before the conversion, which fails on the others, whatever the order of the joins.
        SELECT u.* FROM units u JOIN known ON known.zone = u.timezone
    )
    SELECT u.message_type, u.timezone, u.delivery_date, u.planned_instant, civil.instant,
           u.delivery_date + t.send_at - (u.planned_instant AT TIME ZONE 'UTC'),
           u.delivery_date + t.send_at - (civil.instant AT TIME ZONE 'UTC'),
           sum(u.messages)::integer
    FROM judged u
    JOIN message_types t ON t.name = u.message_type
    CROSS JOIN LATERAL civil_time(u.delivery_date, t.send_at, u.timezone, t.gap_rule, t.fold_rule) AS civil
    WHERE u.planned_instant IS DISTINCT FROM civil.instant AND NOT (civil.instant IS NULL AND u.in_doubt)
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    ORDER BY u.delivery_date, u.timezone, u.message_type, u.planned_instant
$$;

-- Where a day may have begun to exist that was skipped, the planner looks again.
CREATE FUNCTION reopen_skipped_days() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- As an edit does: a planner between two days of a zone must not mark the later one as planned.
    PERFORM pg_advisory_xact_lock(hashtextextended('message_types', 0));
    UPDATE plan_runs r
    SET planned_at = NULL, reopened_at = coalesce(r.reopened_at, app_now()), kept = NULL, after = NULL
    FROM (
        SELECT run.message_type, run.timezone, min(run.delivery_date) AS day
        FROM plan_runs run JOIN message_types t ON t.name = run.message_type
        WHERE t.gap_rule = 'skip' AND run.delivery_date >= (app_now() AT TIME ZONE 'UTC')::date - 1
          AND civil_instant(run.delivery_date, t.send_at, CASE WHEN is_known_zone(run.timezone) THEN run.timezone END,
                            t.gap_rule, t.fold_rule) >= app_now()
        GROUP BY 1, 2
    ) AS coming
    WHERE r.message_type = coming.message_type AND r.timezone = coming.timezone AND r.delivery_date >= coming.day;
END
$$;
