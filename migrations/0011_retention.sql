-- min_compatible: 1
-- How long the ledger is kept: a month at a time, by dropping its partition.

-- Every table that is, or was, a month of the ledger. One that was detached by hand is the affair of whoever did it.
CREATE VIEW partitions AS
    SELECT t.oid, t.relname AS name, named.month, (named.month + interval '1 month')::date AS next_month,
           CASE WHEN i.inhrelid IS NULL THEN 'detached' WHEN i.inhdetachpending THEN 'pending detach' ELSE 'attached' END
               AS state,
           t.reltuples, pg_get_expr(t.relpartbound, t.oid) AS bound
    FROM pg_class ledger
    JOIN pg_class t ON t.relnamespace = ledger.relnamespace AND t.relkind = 'r'
                   AND t.relname ~ '^message_logs_[0-9]{4}_(0[1-9]|1[0-2])$'
    LEFT JOIN pg_inherits i ON i.inhrelid = t.oid AND i.inhparent = ledger.oid
    CROSS JOIN LATERAL (
        -- The condition once more: it may be asked after this.
        SELECT CASE WHEN t.relname ~ '^message_logs_[0-9]{4}_(0[1-9]|1[0-2])$'
                    THEN to_date(right(t.relname, 7), 'YYYY_MM') END AS month
    ) AS named
    WHERE ledger.oid = 'message_logs'::regclass;

-- The first day that is kept: `months` whole months before this one, and whatever planning may still reach. A month that
-- it reaches would be made again, and its messages with it.
CREATE FUNCTION kept_from(months integer) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT date_trunc('month', least((app_now() AT TIME ZONE 'UTC')::date - make_interval(months => months),
                                     earliest_unplanned()::timestamp))::date
$$;

-- Whether messages of these days wait, by the index of what is due, or are in flight, by the published batches: neither
-- reads the partition. What stands in them and is in neither is an error that only reading all of it can find.
CREATE FUNCTION has_unfinished(since date, until date) RETURNS boolean
    LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    RETURN EXISTS (SELECT FROM message_logs m
                   WHERE m.delivery_date >= since AND m.delivery_date < until AND m.due_at IS NOT NULL)
        OR EXISTS (SELECT FROM dispatches d
                   WHERE EXISTS (SELECT FROM unnest(d.dates) AS day WHERE day >= since AND day < until));
END
$$;

-- The months that are older than what is kept.
CREATE FUNCTION expired_partitions(months integer)
    RETURNS TABLE (month date, pages bigint, unfinished boolean) LANGUAGE sql STABLE AS $$
    SELECT p.month, pg_relation_size(p.oid) / current_setting('block_size')::integer, has_unfinished(p.month, p.next_month)
    FROM partitions p
    WHERE p.state = 'attached' AND p.month < kept_from(months)
      AND p.bound = format('FOR VALUES FROM (%L) TO (%L)', p.month, p.next_month)
    ORDER BY p.month
$$;

-- Reads some pages of a partition for messages that are not final.
CREATE FUNCTION find_unfinished(in_month date, first_page bigint, pages bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    found_one boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %I WHERE ctid >= %L AND ctid < %L
                        AND status IN (''SCHEDULED'', ''QUEUED'', ''SENDING'', ''RETRYING''))',
        'message_logs_' || to_char(in_month, 'YYYY_MM'),
        '(' || first_page || ',0)', '(' || first_page + pages || ',0)')
    INTO found_one;
    RETURN found_one;
END
$$;

-- Drops an expired partition, unless messages in it wait or are in flight; says whether it did. All at once: nothing is
-- detached if the server dies, and what changes a message meanwhile comes before, and is seen, or after, and finds none.
-- Everybody who wants the ledger waits as long as this does: for the lock not long enough to be noticed by a claim,
-- which gives up after 250 ms.
CREATE FUNCTION drop_partition(of_month date, months integer) RETURNS boolean
    LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    before date := kept_from(months);
    p record;
BEGIN
    LOCK TABLE ONLY message_logs IN ACCESS EXCLUSIVE MODE;
    SELECT * INTO p FROM partitions WHERE month = of_month AND state = 'attached' AND month < before;
    IF NOT FOUND OR has_unfinished(p.month, p.next_month) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %I', p.name);
    RETURN true;
END
$$;

-- Attempts of messages that are gone; returns how many went, at most about `size`. Those of a month that stands stay.
CREATE FUNCTION forget_attempts(months integer, size integer) RETURNS integer
    LANGUAGE sql SET enable_seqscan = off AS $$
    WITH kept AS MATERIALIZED (
        SELECT kept_from(months) AS day
    ), gap AS (
        SELECT lag(next_month, 1, '-infinity') OVER (ORDER BY month) AS since, least(month, kept.day) AS until
        FROM partitions CROSS JOIN kept WHERE state <> 'detached'
    ), gone AS MATERIALIZED (
        SELECT a.message_id, a.attempt
        FROM gap CROSS JOIN LATERAL (
            SELECT d.message_id, d.attempt FROM delivery_attempts d
            WHERE d.delivery_date >= gap.since AND d.delivery_date < gap.until
            LIMIT size
        ) AS a
        LIMIT size
    ), forgotten AS (
        DELETE FROM delivery_attempts d USING gone WHERE d.message_id = gone.message_id AND d.attempt = gone.attempt
        RETURNING 1
    )
    SELECT count(*)::integer FROM forgotten
$$;

-- The newest planned one of each type and zone stays: planning goes on from it.
CREATE FUNCTION forget_plan_runs(months integer, size integer) RETURNS integer
    LANGUAGE sql SET enable_seqscan = off AS $$
    WITH kept AS MATERIALIZED (  -- to ask for it takes a look at every type and zone
        SELECT kept_from(months) AS day
    ), gone AS MATERIALIZED (
        SELECT old.message_type, old.timezone, old.delivery_date
        FROM kept
        CROSS JOIN message_types t
        CROSS JOIN zones_in_use z
        CROSS JOIN LATERAL (
            SELECT max(r.delivery_date) AS day FROM plan_runs r
            WHERE r.message_type = t.name AND r.timezone = z.timezone AND r.planned_at IS NOT NULL
        ) AS newest
        CROSS JOIN LATERAL (
            SELECT r.message_type, r.timezone, r.delivery_date FROM plan_runs r
            WHERE r.message_type = t.name AND r.timezone = z.timezone AND r.delivery_date < least(kept.day, newest.day)
            LIMIT size
        ) AS old
        LIMIT size
    ), forgotten AS (
        DELETE FROM plan_runs r USING gone
        WHERE r.message_type = gone.message_type AND r.timezone = gone.timezone AND r.delivery_date = gone.delivery_date
        RETURNING 1
    )
    SELECT count(*)::integer FROM forgotten
$$;

-- Gives statistics to one table that has rows and none, or has grown tenfold since; says whether there was one. Until
-- autovacuum comes round, plans are made, and those that sessions made before are kept, as if it were empty: then all of
-- a month, or of the users, is rather read than asked for a few keys.
CREATE FUNCTION analyze_filled_table() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    filled regclass;
BEGIN
    SELECT t.oid INTO filled
    FROM pg_class t
    WHERE (t.oid IN ('users'::regclass, 'user_occasions'::regclass)
           OR t.oid IN (SELECT p.oid FROM partitions p WHERE p.state = 'attached'))
      AND pg_relation_size(t.oid) / current_setting('block_size')::integer
          > CASE WHEN t.reltuples < 0 THEN 0 ELSE 10 * (t.relpages + 10) END
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('ANALYZE %s', filled);
    RETURN true;
END
$$;

-- Autovacuum never does it for the parent.
CREATE FUNCTION ledger_wants_analyze() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(pg_stat_get_last_analyze_time('message_logs'::regclass) < clock_timestamp() - interval '1 day', true)
       AND EXISTS (SELECT FROM partitions WHERE state = 'attached' AND reltuples > 0)
$$;

-- What an operator wants to know of each month. Counts end at 100,000.
CREATE FUNCTION partition_report(months integer)
    RETURNS TABLE (month date, state text, rows bigint, bytes bigint, first_instant timestamptz, last_instant timestamptz,
                   waiting integer, in_flight integer, attention integer, expired boolean)
    LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    p record;
BEGIN
    FOR p IN SELECT * FROM partitions ORDER BY partitions.month LOOP
        month := p.month;
        state := p.state;
        rows := greatest(p.reltuples, pg_stat_get_live_tuples(p.oid));
        bytes := pg_total_relation_size(p.oid);
        EXECUTE format(
            'SELECT (SELECT min(e.first) FROM message_types t CROSS JOIN LATERAL
                         (SELECT min(scheduled_send_time) AS first FROM %1$I WHERE message_type = t.name) e),
                    (SELECT max(e.last) FROM message_types t CROSS JOIN LATERAL
                         (SELECT max(scheduled_send_time) AS last FROM %1$I WHERE message_type = t.name) e),
                    (SELECT count(*) FROM (SELECT FROM %1$I WHERE due_at IS NOT NULL LIMIT 100000) AS counted),
                    (SELECT count(*) FROM (SELECT FROM %1$I WHERE attention_at IS NOT NULL LIMIT 100000) AS counted),
                    (SELECT count(DISTINCT m.id) FROM dispatches d
                     CROSS JOIN LATERAL unnest(d.ids, d.dates) AS batch(id, day)
                     JOIN %1$I m ON m.id = batch.id AND m.delivery_date = batch.day
                     WHERE batch.day >= %2$L AND batch.day < %3$L AND m.status IN (''QUEUED'', ''SENDING''))',
            p.name, p.month, p.next_month)
        INTO first_instant, last_instant, waiting, attention, in_flight;
        expired := p.state = 'attached' AND months > 0 AND p.month < kept_from(months);
        RETURN NEXT;
    END LOOP;
END
$$;
