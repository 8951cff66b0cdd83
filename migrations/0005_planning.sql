-- min_compatible: 1
-- Which messages there are: planned ahead by unit (type, zone, date), and brought up to date whenever a user changes.

-- Wider than any planner's horizon (at most 26 hours), so that a planner running at the same moment as a change
-- cannot leave a hole between what it saw and what the change plans.
CREATE FUNCTION plan_reach() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT interval '28 hours'
$$;

-- A user's own offset in [0, spread), the same every year.
CREATE FUNCTION spread_offset(user_id uuid, spread interval) RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN spread = '0' THEN spread
        ELSE spread * (('x' || left(md5(user_id::text), 8))::bit(32)::bigint / 4294967296.0)
    END
$$;

-- What was applied to reach the instant, as the message shows it: 'leap:feb28', 'gap:shift_forward', or both. `kept`
-- is the month and day of the occasion.
CREATE FUNCTION applied_rules(kept smallint, day date, leap_day text, civil_rule text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN nullif(concat_ws(',', CASE WHEN kept <> month_day(day) THEN 'leap:' || leap_day END, civil_rule), '');
END
$$;

-- Whoever plans by the rules of the types holds them until the transaction ends, and shares them with everybody but a
-- change of the rules: what was planned by the old rules is there when the pass over them begins.
CREATE FUNCTION hold_rules() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock_shared(hashtextextended('message_types', 0))
$$;

-- Whether what the ledger lacks of a day, at an instant before the type's present rules, is still to be sent: yes if the
-- day was never planned; if it was, only from when it was reopened.
CREATE FUNCTION is_owed(t message_types, zone text, day date, instant timestamptz) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM plan_runs r
        WHERE r.message_type = t.name AND r.timezone = zone AND r.delivery_date = day
          AND (r.planned_at IS NOT NULL OR instant < r.reopened_at));
END
$$;

-- Inserts what these users are owed and the ledger lacks, up to `until`; returns how many rows. A row that a planner
-- inserted meanwhile, from an older state of the user, is corrected instead: the unique key makes this wait for it.
CREATE FUNCTION plan_missing(ids uuid[], until timestamptz) RETURNS integer
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET jit = off
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    now timestamptz := app_now();
    u users;
    inserted integer;
    total integer := 0;
BEGIN
    PERFORM hold_rules();
    -- A loop, so that each statement has only one way to be planned, and keeps its plan: a plan cached on an empty table
    -- scans a full one, and planning takes five times as long as the rest.
    FOR u IN SELECT * FROM users WHERE id = ANY (ids) ORDER BY id LOOP
        CONTINUE WHEN u.deleted_at IS NOT NULL OR u.opted_out OR NOT is_known_zone(u.timezone);
        INSERT INTO message_logs AS existing (id, user_id, message_type, delivery_date, plan_version, type_version, timezone,
                                              civil_rule, scheduled_send_time, due_at, created_at, updated_at)
        SELECT DISTINCT ON (t.name, wanted.day)
               uuid_v7(), u.id, t.name, wanted.day, u.plan_version, t.version, u.timezone,
               applied_rules(month_day(o.date), wanted.day, t.leap_day, civil.rule), at.instant, at.instant, now, now
        FROM occasions_of(u) AS o
        JOIN message_types t ON t.name = o.message_type AND t.deleted_at IS NULL
        CROSS JOIN LATERAL (SELECT greatest(u.plan_changed_at, t.created_at, now - t.catch_up) AS since) AS known
        CROSS JOIN LATERAL (
            SELECT (known.since AT TIME ZONE u.timezone)::date + n AS day
            FROM generate_series(-1, (until AT TIME ZONE u.timezone)::date - (known.since AT TIME ZONE u.timezone)::date) n
        ) AS wanted
        CROSS JOIN LATERAL civil_time(wanted.day, t.send_at, u.timezone, t.gap_rule, t.fold_rule) AS civil
        CROSS JOIN LATERAL (SELECT civil.instant + spread_offset(u.id, t.spread) AS instant) AS at
        WHERE falls_on(o.date, o.one_off, wanted.day, t.leap_day)
          -- As the planner measures: by the time before the spread, which may lead far beyond.
          AND at.instant >= known.since AND civil.instant < until
          -- A day that was planned by other rules gains nothing from before these.
          AND (at.instant >= t.rules_changed_at OR is_owed(t, u.timezone, wanted.day, at.instant))
        -- Of two dates on one day, one is not there by the rule of 29 February.
        ORDER BY t.name, wanted.day, month_day(o.date) <> month_day(wanted.day)
        ON CONFLICT (message_type, delivery_date, user_id) DO UPDATE SET
            plan_version = excluded.plan_version, type_version = excluded.type_version,
            timezone = excluded.timezone, civil_rule = excluded.civil_rule,
            scheduled_send_time = excluded.scheduled_send_time,
            due_at = greatest(excluded.due_at, existing.replayed_for), status = 'SCHEDULED', updated_at = now
            WHERE existing.plan_version < excluded.plan_version
              AND existing.status IN ('SCHEDULED', 'QUEUED') AND existing.attempt = 0;
        GET DIAGNOSTICS inserted = ROW_COUNT;
        total := total + inserted;
    END LOOP;
    RETURN total;
END
$$;

-- Brings every message of these users that is not final in line with the users as they are now. The one way in for
-- whatever changes a plan: users' triggers, imports, new zone rules, a worker that met an outdated message.
-- Locks users, then messages by (delivery_date, id).
CREATE FUNCTION replan(ids uuid[], OUT moved integer, OUT removed integer, OUT inserted integer)
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET jit = off
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    now timestamptz := app_now();
    c record;
BEGIN
    moved := 0;
    removed := 0;
    PERFORM FROM users WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    PERFORM hold_rules();

    -- Each message is looked up by itself, and changed by itself: joined, a plan that was kept from an empty month would
    -- read all of a full one.
    FOR c IN
        WITH pending AS MATERIALIZED (
            SELECT m.*
            FROM (
                SELECT m.id, m.delivery_date
                FROM (SELECT DISTINCT unnest(ids)) AS changed(id)
                CROSS JOIN LATERAL (
                    SELECT id, delivery_date FROM message_logs
                    WHERE user_id = changed.id AND status IN ('SCHEDULED', 'QUEUED', 'RETRYING', 'CANCELLED')
                    OFFSET 0
                ) AS m
                ORDER BY m.delivery_date, m.id
            ) AS found
            CROSS JOIN LATERAL (
                SELECT id, delivery_date, idempotency_key, status, in_doubt, error_message, plan_version, type_version,
                       scheduled_send_time, civil_rule, user_id, message_type
                FROM message_logs
                WHERE id = found.id AND delivery_date = found.delivery_date
                  AND status IN ('SCHEDULED', 'QUEUED', 'RETRYING', 'CANCELLED')
                FOR NO KEY UPDATE
            ) AS m
        ), compared AS (
            SELECT p.id, p.delivery_date, p.idempotency_key, p.status, p.in_doubt, p.scheduled_send_time, p.civil_rule,
                   coalesce(u.plan_version, p.plan_version) AS new_version, coalesce(u.timezone, '') AS new_timezone,
                   coalesce(t.version, p.type_version) AS new_type_version,
                   p.plan_version <> u.plan_version OR p.type_version <> t.version AS outdated,
                   o.instant, o.rules, zone.known,
                   CASE
                       WHEN u.id IS NULL OR u.deleted_at IS NOT NULL THEN 'user deleted'
                       WHEN u.opted_out THEN 'opted out'
                       WHEN t.name IS NULL AND p.in_doubt THEN 'message type deleted'
                   END AS gone,
                   -- A cancelled one comes back only if the user did, and in time.
                   by.somebody OR p.status = 'CANCELLED' AND o.instant < u.plan_changed_at AS stays_cancelled,
                   by.somebody AND t.name IS NOT NULL AS kept_cancelled
            FROM pending p
            LEFT JOIN users u ON u.id = p.user_id
            LEFT JOIN message_types t ON t.name = p.message_type AND t.deleted_at IS NULL
            -- Not because the user went. It is not removed either, or a date that moves there and back would bring it back.
            CROSS JOIN LATERAL (
                SELECT p.status = 'CANCELLED' AND coalesce(p.error_message, '') NOT IN ('user deleted', 'opted out') AS somebody
            ) AS by
            -- In a zone that the server no longer knows, what is planned keeps its instant.
            CROSS JOIN LATERAL (SELECT coalesce(is_known_zone(u.timezone), false) AS known) AS zone
            LEFT JOIN LATERAL (
                SELECT CASE WHEN zone.known THEN civil.instant + spread_offset(p.user_id, t.spread)
                            ELSE p.scheduled_send_time END AS instant,
                       CASE WHEN zone.known THEN applied_rules(month_day(o.date), p.delivery_date, t.leap_day, civil.rule)
                            ELSE p.civil_rule END AS rules
                FROM occasions_of(u) AS o
                CROSS JOIN LATERAL civil_time(p.delivery_date, t.send_at, CASE WHEN zone.known THEN u.timezone ELSE 'UTC' END,
                                              t.gap_rule, t.fold_rule) AS civil
                WHERE u.deleted_at IS NULL AND NOT u.opted_out AND o.message_type = t.name
                  AND falls_on(o.date, o.one_off, p.delivery_date, t.leap_day)
                ORDER BY month_day(o.date) <> month_day(p.delivery_date)
                LIMIT 1
            ) o ON true
        )
        SELECT * FROM compared
    LOOP
        IF c.instant IS NULL AND c.gone IS NULL AND NOT c.in_doubt AND NOT c.kept_cancelled THEN
            DELETE FROM message_logs m WHERE m.id = c.id AND m.delivery_date = c.delivery_date;
            INSERT INTO audit_log (actor, action, subject, detail)
            VALUES ('replan', 'message removed', c.idempotency_key,
                    jsonb_build_object('status', c.status, 'scheduled_send_time', c.scheduled_send_time));
            removed := removed + 1;
        ELSIF (CASE
                  WHEN c.gone IS NOT NULL THEN c.status <> 'CANCELLED'
                  WHEN c.instant IS NULL THEN c.in_doubt AND c.outdated
                  ELSE NOT c.stays_cancelled
                       AND (c.status = 'CANCELLED' OR c.outdated
                            OR c.scheduled_send_time <> c.instant OR c.civil_rule IS DISTINCT FROM c.rules)
              END) THEN
            UPDATE message_logs m SET
                plan_version = c.new_version,
                type_version = c.new_type_version,
                timezone = CASE WHEN c.gone IS NULL AND c.instant IS NOT NULL AND c.known THEN c.new_timezone ELSE m.timezone END,
                civil_rule = CASE WHEN c.gone IS NULL AND c.instant IS NOT NULL THEN c.rules ELSE m.civil_rule END,
                scheduled_send_time = CASE WHEN c.gone IS NULL THEN coalesce(c.instant, m.scheduled_send_time)
                                           ELSE m.scheduled_send_time END,
                status = CASE
                    WHEN c.gone IS NOT NULL THEN CASE WHEN m.in_doubt THEN 'UNKNOWN' ELSE 'CANCELLED' END
                    WHEN m.attempt = 0 THEN 'SCHEDULED'
                    ELSE 'RETRYING'
                END,
                due_at = CASE
                    WHEN c.gone IS NOT NULL THEN NULL
                    WHEN m.attempt = 0 THEN greatest(c.instant, m.replayed_for)
                    -- No retry waits for longer than an hour, but for the end of a pause, which may have come nearer, or
                    -- as long as a replay is spread.
                    ELSE greatest(least(coalesce(m.due_at, now), now + interval '1 hour'), c.instant, m.replayed_for)
                END,
                attention_at = CASE WHEN c.gone IS NOT NULL AND m.in_doubt THEN now END,
                error_message = CASE WHEN c.gone IS NULL AND c.status <> 'CANCELLED' THEN m.error_message ELSE c.gone END,
                updated_at = now
            WHERE m.id = c.id AND m.delivery_date = c.delivery_date;
            moved := moved + 1;
        END IF;
    END LOOP;

    inserted := plan_missing(ids, now + plan_reach());
END
$$;

CREATE FUNCTION note_zones(zones text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    zone text;
BEGIN
    FOREACH zone IN ARRAY coalesce(zones, '{}') LOOP
        -- Looking first: in the usual case nothing is written.
        PERFORM FROM zones_in_use WHERE timezone = zone;
        IF NOT FOUND THEN
            INSERT INTO zones_in_use (timezone) VALUES (zone) ON CONFLICT DO NOTHING;
        END IF;
    END LOOP;
END
$$;

-- No write to users can forget the plan: it follows in the same transaction.
CREATE FUNCTION user_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := app_now();
    NEW.version := OLD.version + 1;
    IF (NEW.timezone, NEW.birthday_date, NEW.anniversary_date, NEW.opted_out, NEW.deleted_at, NEW.plan_version)
       IS DISTINCT FROM
       (OLD.timezone, OLD.birthday_date, OLD.anniversary_date, OLD.opted_out, OLD.deleted_at, OLD.plan_version) THEN
        -- What was owed before the change stays owed or moves with it, even if the planner is behind.
        PERFORM plan_missing(ARRAY[OLD.id], NEW.updated_at + plan_reach());
        NEW.plan_version := OLD.plan_version + 1;
        NEW.plan_changed_at := NEW.updated_at;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER user_changes BEFORE UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION user_changes();

-- Whether a yearly occasion may come within the reach of a change, in any zone and by any rule: false is certain. By
-- days of the year, with days to spare for the reach, for leap years and for 29 February.
CREATE FUNCTION may_be_near(occasion date, today date) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(((date_part('doy', occasion) - date_part('doy', today))::integer + 366 + 5) % 366 <= 11, false)
$$;

-- A new user has no dates yet but birthday and anniversary, and most have neither in these days.
CREATE FUNCTION plan_new_users() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    now timestamptz := app_now();
    ids uuid[];
    zones text[];
BEGIN
    SELECT array_agg(id) FILTER (WHERE may_be_near(birthday_date, now::date) OR may_be_near(anniversary_date, now::date)),
           array_agg(DISTINCT timezone)
    INTO ids, zones FROM new_rows;
    PERFORM note_zones(zones);
    IF ids IS NOT NULL THEN
        PERFORM plan_missing(ids, now + plan_reach());
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER plan_new_users AFTER INSERT ON users
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION plan_new_users();

CREATE FUNCTION replan_changed_users() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ids uuid[];
    zones text[];
BEGIN
    SELECT array_agg(id), array_agg(DISTINCT new_rows.timezone) INTO ids, zones
    FROM new_rows JOIN old_rows USING (id)
    WHERE new_rows.plan_version <> old_rows.plan_version;
    IF ids IS NOT NULL THEN
        PERFORM note_zones(zones);
        UPDATE user_occasions o SET timezone = new_rows.timezone FROM new_rows
        WHERE o.user_id = new_rows.id AND o.timezone <> new_rows.timezone;
        PERFORM replan(ids);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER replan_changed_users AFTER UPDATE ON users
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION replan_changed_users();

-- False while a type is being deleted: its messages and dates go together, and need no look at each user.
CREATE FUNCTION is_live_type(name text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM message_types t WHERE t.name = is_live_type.name AND t.deleted_at IS NULL)
$$;

-- An occasion that comes, goes or moves is a change of its user: noted before it, so that what was owed until then
-- is told apart from what becomes known too late.
CREATE FUNCTION note_occasion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT is_live_type(coalesce(NEW.message_type, OLD.message_type)) THEN
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        RAISE foreign_key_violation USING MESSAGE = format('there is no message type "%s"', NEW.message_type);
    END IF;
    UPDATE users SET plan_version = plan_version + 1 WHERE id IN (OLD.user_id, NEW.user_id);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    SELECT timezone INTO NEW.timezone FROM users WHERE id = NEW.user_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER note_occasion BEFORE INSERT OR UPDATE OF user_id, message_type, date, one_off OR DELETE ON user_occasions
    FOR EACH ROW EXECUTE FUNCTION note_occasion();

CREATE FUNCTION replan_occasion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_live_type(coalesce(NEW.message_type, OLD.message_type)) THEN
        PERFORM replan(ARRAY[OLD.user_id, NEW.user_id]);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER replan_occasion AFTER INSERT OR UPDATE OF user_id, message_type, date, one_off OR DELETE ON user_occasions
    FOR EACH ROW EXECUTE FUNCTION replan_occasion();

-- What the planner has to do: every unit after the newest planned one whose send time comes before now + horizon.
-- Should the server not know a zone, the others are planned all the same. To ask of each zone whether it is known costs
-- more than all the rest, so that is done only then.
CREATE FUNCTION units_due(horizon interval)
    RETURNS TABLE (message_type text, timezone text, delivery_date date)
    LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    until timestamptz := app_now() + horizon;
    ask boolean;
BEGIN
    FOREACH ask IN ARRAY '{false,true}'::boolean[] LOOP
        BEGIN
            RETURN QUERY
                WITH first AS MATERIALIZED (
                    SELECT f.message_type, f.timezone, f.send_at, f.day FROM first_unplanned f
                    WHERE NOT ask OR is_known_zone(f.timezone)
                )
                SELECT f.message_type, f.timezone, unit.day
                FROM first f
                CROSS JOIN LATERAL (
                    SELECT f.day + n AS day
                    FROM generate_series(0, (until AT TIME ZONE f.timezone)::date - f.day) n
                ) AS unit
                WHERE (unit.day + f.send_at) AT TIME ZONE f.timezone < until
                ORDER BY unit.day, f.timezone, f.message_type;
            RETURN;
        EXCEPTION WHEN invalid_parameter_value THEN
            IF ask THEN
                RAISE;
            END IF;
        END;
    END LOOP;
END
$$;

-- Inserts the messages of up to `size` users of a unit, who keep `kept` and come after `after`; `last` of them is NULL
-- when these were all there are.
-- ON CONFLICT would look for every message before it inserts it. Only a change of a user can have planned a message
-- before the planner, and only one less than plan_reach() ahead: so messages are looked for only after such a change,
-- or always with `suspect_all`. Should one be there all the same, the unique key refuses the whole insert; with
-- `suspect_all` it never does, so that planning ends however many changes come meanwhile.
CREATE FUNCTION plan_users(t message_types, run plan_runs, size integer, suspect_all boolean,
                           OUT planned integer, OUT last uuid)
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    now timestamptz := app_now();
    civil record;
    rules text;
    suspect timestamptz;
    known timestamptz := greatest(t.created_at, run.reopened_at);
    -- The ids are one random one and those that follow it: to draw one for each takes 1.4 of a message's 22 microseconds.
    first_digits text := left(uuid_v7()::text, 30);
BEGIN
    SELECT * INTO civil FROM civil_time(run.delivery_date, t.send_at, run.timezone, t.gap_rule, t.fold_rule);
    rules := applied_rules(run.kept, run.delivery_date, t.leap_day, civil.rule);
    suspect := CASE WHEN suspect_all THEN '-infinity' ELSE civil.instant - plan_reach() END;

    WITH chosen AS MATERIALIZED (
        SELECT c.user_id, c.plan_version, at.instant, at.instant >= greatest(c.plan_changed_at, known) AS wanted,
               c.plan_changed_at >= suspect AS suspected,
               (first_digits || lpad(to_hex(row_number() OVER ()), 6, '0'))::uuid AS id
        FROM (
            SELECT DISTINCT ON (o.user_id) o.user_id, o.plan_version, o.plan_changed_at
            FROM occasions o
            WHERE o.message_type = t.name AND o.timezone = run.timezone AND month_day(o.date) = run.kept AND o.reachable
              AND has_begun(o.date, o.one_off, run.delivery_date) AND o.user_id > run.after
            ORDER BY o.user_id
            LIMIT size
        ) AS c
        CROSS JOIN LATERAL (SELECT civil.instant + spread_offset(c.user_id, t.spread) AS instant) AS at
    ), inserted AS (
        INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone,
                                  civil_rule, scheduled_send_time, due_at, created_at, updated_at)
        SELECT id, user_id, t.name, run.delivery_date, plan_version, t.version, run.timezone,
               rules, instant, instant, now, now
        FROM chosen WHERE wanted AND NOT suspected
        RETURNING 1
    ), inserted_if_missing AS (
        INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone,
                                  civil_rule, scheduled_send_time, due_at, created_at, updated_at)
        SELECT id, user_id, t.name, run.delivery_date, plan_version, t.version, run.timezone,
               rules, instant, instant, now, now
        FROM chosen WHERE wanted AND suspected
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM inserted) + (SELECT count(*) FROM inserted_if_missing),
           (SELECT user_id FROM chosen OFFSET size - 1)
    INTO planned, last;
END
$$;

-- Plans the next `size` users of one unit, in a transaction of the caller's; call again until `finished`. plan_runs
-- remembers how far it came: whoever calls next goes on from there. While somebody else works on the type and zone
-- there is nothing to do here, nor before the days before this one are planned: a later plan_runs row would hide the
-- earlier days for ever.
CREATE FUNCTION plan_chunk(type text, zone text, day date, size integer, OUT planned integer, OUT finished boolean)
    LANGUAGE plpgsql AS $$
DECLARE
    nobody CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    t message_types;
    run plan_runs;
    kept_days smallint[];
    last uuid;
BEGIN
    -- Rows and their plan_runs row are lost together or not at all, and then planned again: no need to wait for the
    -- disk. Whatever is published from them flushes them first.
    PERFORM set_config('synchronous_commit', 'off', true);
    planned := 0;
    finished := true;
    PERFORM hold_rules();
    IF NOT pg_try_advisory_xact_lock(hashtextextended(concat_ws('/', 'plan', type, zone), 0)) THEN
        RETURN;
    END IF;
    PERFORM FROM first_unplanned f WHERE f.message_type = type AND f.timezone = zone AND f.day = plan_chunk.day;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO t FROM message_types m WHERE m.name = type;
    kept_days := kept_month_days(day, t.leap_day);
    SELECT * INTO run FROM plan_runs r WHERE r.message_type = type AND r.timezone = zone AND r.delivery_date = day;
    IF NOT FOUND THEN
        run := (type, zone, day, NULL, NULL, 0, t.version, NULL, NULL);
    END IF;
    IF run.kept IS NULL OR run.type_version <> t.version THEN
        run.type_version := t.version;
        run.kept := kept_days[1];
        run.after := nobody;
    END IF;

    BEGIN
        SELECT u.planned, u.last INTO planned, last FROM plan_users(t, run, size, run.reopened_at IS NOT NULL) AS u;
    EXCEPTION WHEN unique_violation THEN
        -- A message is there that should not be, or comes at this very moment.
        SELECT u.planned, u.last INTO planned, last FROM plan_users(t, run, size, true) AS u;
    END;

    run.rows := run.rows + planned;
    IF last IS NOT NULL THEN
        finished := false;
        run.after := last;
    ELSIF run.kept <> kept_days[cardinality(kept_days)] THEN
        finished := false;
        run.kept := kept_days[cardinality(kept_days)];
        run.after := nobody;
    ELSE
        run.planned_at := clock_timestamp();
        run.reopened_at := NULL;
        run.kept := NULL;
        run.after := NULL;
    END IF;
    INSERT INTO plan_runs (message_type, timezone, delivery_date, planned_at, reopened_at, rows, type_version, kept, after)
    VALUES (type, zone, day, run.planned_at, run.reopened_at, run.rows, run.type_version, run.kept, run.after)
    ON CONFLICT (message_type, timezone, delivery_date) DO UPDATE SET
        planned_at = excluded.planned_at, reopened_at = excluded.reopened_at, rows = excluded.rows,
        type_version = excluded.type_version, kept = excluded.kept, after = excluded.after;
END
$$;

-- Nobody plans by the old rules any longer when the new ones come. Everybody who comes to plan waits behind this one, so
-- it does not wait for a long transaction.
CREATE FUNCTION take_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', '1s', true);
    PERFORM pg_advisory_xact_lock(hashtextextended('message_types', 0));
    RETURN NULL;
END
$$;
CREATE TRIGGER take_rules BEFORE UPDATE OF send_at, gap_rule, fold_rule, leap_day, spread, deleted_at ON message_types
    FOR EACH STATEMENT EXECUTE FUNCTION take_rules();

-- An edit is one UPDATE. Other rules open the planned days to come again, for whom the old ones left out; what is pending
-- is outdated from then on: dispatch and claim replan it instead of sending it, and a pass of the scheduler the rest.
-- So is what waits for the end of a pause, when that comes nearer.
CREATE FUNCTION message_type_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    now timestamptz := app_now();
BEGIN
    NEW.updated_at := now;
    IF (NEW.send_at, NEW.gap_rule, NEW.fold_rule, NEW.leap_day, NEW.spread)
       IS DISTINCT FROM (OLD.send_at, OLD.gap_rule, OLD.fold_rule, OLD.leap_day, OLD.spread) THEN
        NEW.version := nextval('message_type_versions');
        NEW.rules_changed_at := now;
        -- Wherever it is not that day's last moment yet, and by the longest spread.
        UPDATE plan_runs SET planned_at = NULL, reopened_at = coalesce(reopened_at, now)
        WHERE message_type = NEW.name AND planned_at IS NOT NULL AND delivery_date >= (now AT TIME ZONE 'UTC')::date - 2;
    ELSIF NEW.deleted_at IS DISTINCT FROM OLD.deleted_at
          OR OLD.paused_until > greatest(now, coalesce(NEW.paused_until, '-infinity')) THEN
        NEW.version := nextval('message_type_versions');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER message_type_changes
    BEFORE UPDATE OF template, late_template, send_at, gap_rule, fold_rule, leap_day, catch_up, max_lateness, spread,
                     paused_until, deleted_at ON message_types
    FOR EACH ROW EXECUTE FUNCTION message_type_changes();

-- A deleted type goes in steps, of which this is one: up to `size` of its dates, and with the last the type. True then.
-- Its messages are to be replanned before, which removes them.
CREATE FUNCTION remove_type(type text, size integer) RETURNS boolean LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    DELETE FROM user_occasions o USING (
        SELECT user_id, date FROM user_occasions WHERE message_type = type LIMIT size
    ) AS part
    WHERE o.message_type = type AND o.user_id = part.user_id AND o.date = part.date;
    IF EXISTS (SELECT FROM user_occasions WHERE message_type = type) THEN
        RETURN false;
    END IF;
    DELETE FROM message_types WHERE name = type AND deleted_at IS NOT NULL;
    RETURN true;
END
$$;
