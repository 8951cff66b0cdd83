-- min_compatible: 1
-- Users, what they are sent and when, and the ledger of messages.

-- The name a zone is stored under: AT TIME ZONE takes these four for abbreviations, which have no summer time.
CREATE FUNCTION stored_zone(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE name
        WHEN 'CET' THEN 'Europe/Brussels'
        WHEN 'EET' THEN 'Europe/Athens'
        WHEN 'MET' THEN 'Europe/Brussels'
        WHEN 'WET' THEN 'Europe/Lisbon'
        ELSE name
    END
$$;

CREATE TABLE users (
    id uuid NOT NULL,
    first_name text NOT NULL CHECK (char_length(first_name) BETWEEN 1 AND 100),
    last_name text NOT NULL CHECK (char_length(last_name) BETWEEN 1 AND 100),
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    timezone text NOT NULL CHECK (char_length(timezone) BETWEEN 1 AND 64 AND timezone = stored_zone(timezone)),
    birthday_date date,
    anniversary_date date,
    location_city text CHECK (char_length(location_city) <= 100),
    location_country text CHECK (char_length(location_country) <= 100),
    external_id text CHECK (char_length(external_id) BETWEEN 1 AND 128),
    opted_out boolean NOT NULL DEFAULT false,
    -- Rises with every change that may move a message; a claim compares it with the message's own.
    plan_version integer NOT NULL DEFAULT 1,
    -- What became known after its instant is not sent that year.
    plan_changed_at timestamptz NOT NULL DEFAULT app_now(),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    updated_at timestamptz NOT NULL DEFAULT app_now(),
    deleted_at timestamptz
) WITH (fillfactor = 90);

-- With all that planning asks of a user: it reads the index alone, whatever the size of the table.
CREATE INDEX users_birthday ON users (timezone, month_day(birthday_date), id)
    INCLUDE (birthday_date, plan_version, plan_changed_at)
    WHERE birthday_date IS NOT NULL AND deleted_at IS NULL AND NOT opted_out;
CREATE INDEX users_anniversary ON users (timezone, month_day(anniversary_date), id)
    INCLUDE (anniversary_date, plan_version, plan_changed_at)
    WHERE anniversary_date IS NOT NULL AND deleted_at IS NULL AND NOT opted_out;
CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX users_external_id ON users (external_id) WHERE external_id IS NOT NULL AND deleted_at IS NULL;
ALTER TABLE users ADD PRIMARY KEY (id);

-- Every zone that a user ever had, and since when; the planner visits these. Rows are added by the write that
-- brings a zone in and never counted: a count would make every write to one zone wait for the same row.
CREATE TABLE zones_in_use (
    timezone text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT app_now()
);

-- A template may hold {first_name} {last_name} {full_name} {years} {date} and no other brace.
CREATE FUNCTION is_template(template text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT char_length(template) BETWEEN 1 AND 2000
       AND regexp_replace(template, '\{(first_name|last_name|full_name|years|date)\}', '', 'g') !~ '[{}]'
$$;

-- Of all types: one that is deleted and made again does not begin with a version that its old messages know.
CREATE SEQUENCE message_type_versions AS integer;

CREATE TABLE message_types (
    name text PRIMARY KEY CHECK (name ~ '^[A-Z][A-Z0-9_]{0,39}$'),
    template text NOT NULL CHECK (is_template(template)),
    late_template text CHECK (is_template(late_template)),
    send_at time NOT NULL DEFAULT '09:00',
    gap_rule text NOT NULL DEFAULT 'shift_forward' CHECK (gap_rule IN ('shift_forward', 'before_gap', 'skip')),
    fold_rule text NOT NULL DEFAULT 'first' CHECK (fold_rule IN ('first', 'second')),
    leap_day text NOT NULL DEFAULT 'feb28' CHECK (leap_day IN ('feb28', 'mar1', 'skip')),
    -- How far back a change of a user still finds what the planner has not planned yet.
    catch_up interval NOT NULL DEFAULT '10 days' CHECK (catch_up BETWEEN '0' AND '60 days'),
    -- Later than this after its instant a message is MISSED.
    max_lateness interval NOT NULL DEFAULT '48 hours' CHECK (max_lateness BETWEEN '1 minute' AND '60 days'),
    -- Flattens the herd at send_at: each user gets the same offset in [0, spread) every year.
    spread interval NOT NULL DEFAULT '0' CHECK (spread BETWEEN '0' AND '12 hours'),
    paused_until timestamptz,
    -- Rises with every change that may move a message; dispatch and claim compare it with the message's own.
    version integer NOT NULL DEFAULT nextval('message_type_versions'),
    -- What the rules of before did not know, and those since then do, is sent from this moment on.
    rules_changed_at timestamptz NOT NULL DEFAULT app_now(),
    -- The version with which all pending messages have been brought in line.
    replanned_version integer NOT NULL DEFAULT currval('message_type_versions'),
    -- From then on nothing is planned or sent; the row goes when all that hangs on it is gone.
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    updated_at timestamptz NOT NULL DEFAULT app_now()
);

-- As old as any date: nothing of the built-in types became known too late because the type was.
INSERT INTO message_types (name, template, rules_changed_at, created_at) VALUES
    ('BIRTHDAY', 'Hey, {full_name} it''s your birthday', 'epoch', 'epoch'),
    ('ANNIVERSARY', 'Hey, {full_name} it''s your work anniversary! {years} with us!', 'epoch', 'epoch');

-- Dates of further message types; birthday and anniversary stand on users.
CREATE TABLE user_occasions (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    message_type text NOT NULL REFERENCES message_types,
    date date NOT NULL,
    one_off boolean NOT NULL DEFAULT false,
    -- The user's, kept by triggers: planning finds the dates of a zone by index, however many keep the same day.
    timezone text NOT NULL,
    PRIMARY KEY (user_id, message_type, date)
);
CREATE INDEX user_occasions_by_day ON user_occasions (message_type, timezone, month_day(date), user_id)
    INCLUDE (date, one_off);

-- Every date that a user keeps, of whatever type, with what planning asks of the user. `date` is NULL for who has none: a
-- condition here would keep the planner from reading users in the order of an index, and those who ask compare the date.
CREATE VIEW occasions AS
    SELECT id AS user_id, 'BIRTHDAY'::text AS message_type, birthday_date AS date, false AS one_off,
           timezone, plan_version, plan_changed_at, deleted_at IS NULL AND NOT opted_out AS reachable
    FROM users
    UNION ALL
    SELECT id, 'ANNIVERSARY', anniversary_date, false,
           timezone, plan_version, plan_changed_at, deleted_at IS NULL AND NOT opted_out
    FROM users
    UNION ALL
    SELECT user_id, message_type, date, one_off,
           user_occasions.timezone, plan_version, plan_changed_at, deleted_at IS NULL AND NOT opted_out
    FROM user_occasions JOIN users ON users.id = user_id;

-- The same dates of one user, read from the row in hand.
CREATE FUNCTION occasions_of(u users) RETURNS TABLE (message_type text, date date, one_off boolean)
    LANGUAGE sql STABLE AS $$
    SELECT 'BIRTHDAY', u.birthday_date, false WHERE u.birthday_date IS NOT NULL
    UNION ALL
    SELECT 'ANNIVERSARY', u.anniversary_date, false WHERE u.anniversary_date IS NOT NULL
    UNION ALL
    SELECT o.message_type, o.date, o.one_off FROM user_occasions o WHERE o.user_id = u.id
$$;

CREATE FUNCTION idempotency_key(user_id uuid, message_type text, delivery_date date) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT user_id::text || ':' || message_type || ':'
        || lpad(date_part('year', delivery_date)::integer::text, 4, '0')
        || '-' || lpad(date_part('month', delivery_date)::integer::text, 2, '0')
        || '-' || lpad(date_part('day', delivery_date)::integer::text, 2, '0')
$$;

-- The ledger: a message exists because its row exists. Partitioned by the recipient's own date, because the
-- idempotency key determines it: unique with the partition key is unique everywhere.
-- No index mentions status: claim and record stay heap-only updates. due_at is NULL unless the row waits to be
-- dispatched; what needs a person is found by attention_at; what is in flight through dispatches.
CREATE TABLE message_logs (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    message_type text NOT NULL,
    delivery_date date NOT NULL,
    -- Made by the database so that it cannot disagree with the columns. Compared as bytes, the cheapest way.
    idempotency_key text COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (idempotency_key(user_id, message_type, delivery_date)) STORED,
    -- Those of the user and of the type that it was planned for.
    plan_version integer NOT NULL,
    type_version integer NOT NULL,
    timezone text NOT NULL,
    civil_rule text,
    scheduled_send_time timestamptz NOT NULL,
    due_at timestamptz,
    status text NOT NULL DEFAULT 'SCHEDULED' CHECK (status IN (
        'SCHEDULED', 'QUEUED', 'SENDING', 'RETRYING', 'SENT', 'FAILED', 'CANCELLED', 'MISSED', 'UNKNOWN')),
    -- The fence: rises at every claim, never falls.
    attempt integer NOT NULL DEFAULT 0,
    -- The retry budget: only answers of the provider spend it.
    failures smallint NOT NULL DEFAULT 0,
    -- Leases that ran out: bounded apart from the provider's answers.
    rescues smallint NOT NULL DEFAULT 0,
    -- The provider may already have it; never cleared.
    in_doubt boolean NOT NULL DEFAULT false,
    lease_until timestamptz,
    -- For when a person has replayed it: its lateness counts from then on.
    replayed_for timestamptz,
    recipient_email text,
    message_content text CHECK (char_length(message_content) <= 10000),
    actual_send_time timestamptz,
    api_response_code smallint,
    api_response_body text CHECK (char_length(api_response_body) <= 4096),
    error_message text CHECK (char_length(error_message) <= 1000),
    attention_at timestamptz,
    trace text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((due_at IS NOT NULL) = (status IN ('SCHEDULED', 'RETRYING'))),
    CHECK ((attention_at IS NOT NULL) = (status IN ('FAILED', 'MISSED', 'UNKNOWN'))),
    -- The key, by what it is made of, in half the bytes. A day's rows go to one part of the index, which stays in memory
    -- however many days there are.
    UNIQUE (message_type, delivery_date, user_id)
) PARTITION BY RANGE (delivery_date);

-- In an empty table all indexes cost the same, plans made then are kept, and of what costs the same the one made last is
-- taken. So those that find the fewest rows come last, here and on users.
CREATE INDEX message_logs_due ON message_logs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX message_logs_attention ON message_logs (attention_at) WHERE attention_at IS NOT NULL;
CREATE INDEX message_logs_type_time ON message_logs (message_type, scheduled_send_time);
-- The smallest that can be: every row lands on another page of it.
CREATE INDEX message_logs_user ON message_logs (user_id);
ALTER TABLE message_logs ADD PRIMARY KEY (id, delivery_date);

-- One row a published batch: where rows in flight are found without an index on status.
CREATE TABLE dispatches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Rescue takes them in turn: old batches that wait must not hide newer ones.
    looked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ids uuid[] NOT NULL,
    dates date[] NOT NULL
);
CREATE INDEX dispatches_looked_at ON dispatches (looked_at);

-- All attempts but first-time successes.
CREATE TABLE delivery_attempts (
    message_id uuid NOT NULL,
    delivery_date date NOT NULL,
    attempt integer NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    outcome text NOT NULL,
    http_status smallint,
    error text,
    PRIMARY KEY (message_id, attempt)
);
CREATE INDEX delivery_attempts_date ON delivery_attempts (delivery_date);

-- With planned_at a row says: every message of this type, zone and date is in the ledger. Without, that planning has
-- come as far as `kept` and `after`, by the rules of `type_version`.
CREATE TABLE plan_runs (
    message_type text NOT NULL REFERENCES message_types ON DELETE CASCADE,
    timezone text NOT NULL,
    delivery_date date NOT NULL,
    planned_at timestamptz,
    -- Planned once, and again because the type's rules changed at this moment.
    reopened_at timestamptz,
    rows integer NOT NULL DEFAULT 0,
    type_version integer NOT NULL,
    kept smallint,
    after uuid,
    PRIMARY KEY (message_type, timezone, delivery_date)
);

-- The first day of each type and zone in use that is not planned; of a pair that never was, by UTC and with a day to
-- spare, so that nothing here fails on a zone that the server does not know.
CREATE VIEW first_unplanned AS
    SELECT t.name AS message_type, z.timezone, t.send_at,
           coalesce((SELECT max(r.delivery_date) + 1 FROM plan_runs r
                     WHERE r.message_type = t.name AND r.timezone = z.timezone AND r.planned_at IS NOT NULL),
                    (greatest(z.since, t.created_at) AT TIME ZONE 'UTC')::date - 2) AS day
    FROM message_types t CROSS JOIN zones_in_use z
    WHERE t.deleted_at IS NULL;

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    prefix text NOT NULL UNIQUE,
    secret_sha256 bytea NOT NULL CHECK (length(secret_sha256) = 32),
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_subject ON audit_log (subject, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
