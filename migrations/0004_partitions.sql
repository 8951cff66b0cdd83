-- min_compatible: 1
-- Monthly partitions of message_logs, made ahead of time.

-- Makes the missing partitions of every month from `since` to `until`; returns how many. CREATE … LIKE and ATTACH,
-- because PARTITION OF would lock the parent against everyone.
CREATE FUNCTION ensure_partitions(since date, until date) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    month date;
    next_month date;
    name text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'));
    PERFORM set_config('lock_timeout', '5s', true);
    FOR month IN SELECT m::date FROM generate_series(date_trunc('month', since::timestamp), until, '1 month') m LOOP
        name := 'message_logs_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        next_month := month + interval '1 month';
        -- The first check spares ATTACH a scan; the second prunes queries that bound the instant by literals.
        -- The free space keeps claim and record on the row's page, where each version is longer than the one before:
        -- at 50 their updates were 56 % heap-only of at most 67, at 30 all that can be.
        EXECUTE format(
            'CREATE TABLE %I (LIKE message_logs INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS,
                CONSTRAINT month CHECK (delivery_date >= %L AND delivery_date < %L),
                CONSTRAINT instant_near_date CHECK (scheduled_send_time >= %L AND scheduled_send_time < %L)
             ) WITH (fillfactor = 30)',
            name, month, next_month,
            (month - 1) || ' 00:00:00+00', (next_month + 1) || ' 00:00:00+00');
        EXECUTE format('ALTER TABLE message_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       name, month, next_month);
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT month', name);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- The earliest day that anything may still be planned for, by a change or after an outage.
CREATE FUNCTION earliest_unplanned() RETURNS date LANGUAGE sql STABLE AS $$
    SELECT least((app_now() AT TIME ZONE 'UTC')::date - 2
                     - (SELECT ceil(extract(epoch FROM max(catch_up)) / 86400)::integer FROM message_types),
                 (SELECT min(day) FROM first_unplanned WHERE is_known_zone(timezone)))
$$;

-- From there to three months ahead.
CREATE FUNCTION ensure_partitions() RETURNS integer LANGUAGE sql AS $$
    SELECT ensure_partitions(earliest_unplanned(), ((app_now() AT TIME ZONE 'UTC')::date + interval '3 months')::date)
$$;

-- Whole months from now on whose partitions exist.
CREATE FUNCTION partitions_ahead() RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT count(*)::integer
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'message_logs'::regclass
      AND relname > 'message_logs_' || to_char(app_now() AT TIME ZONE 'UTC', 'YYYY_MM')
$$;

-- Development and tests: run the clock from `base` at `factor` times real time (0 stands still); NULL is real time.
CREATE FUNCTION set_clock(base timestamptz, factor double precision DEFAULT 1) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM app_clock;
    IF base IS NOT NULL THEN
        INSERT INTO app_clock (base, started_at, factor) VALUES (base, clock_timestamp(), factor);
    END IF;
    -- Going back, too, planning starts from now.
    DELETE FROM plan_runs WHERE delivery_date >= (app_now() AT TIME ZONE 'UTC')::date - 1;
    UPDATE zones_in_use SET since = app_now() WHERE since > app_now();
    UPDATE message_types SET created_at = least(created_at, app_now()), rules_changed_at = least(rules_changed_at, app_now());
    PERFORM ensure_partitions();
END
$$;

SELECT ensure_partitions();
