-- min_compatible: 1
-- The one clock that planning, sending and retrying go by. Empty in production: real time.
-- Development and tests put one row in, to shift or scale time for every service at once.

CREATE TABLE app_clock (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    base timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    factor double precision NOT NULL CHECK (factor BETWEEN 0 AND 1000000)
);

-- Declared STABLE so that "due_at <= app_now()" can use an index.
CREATE FUNCTION app_now() RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    clock app_clock;
BEGIN
    SELECT * INTO clock FROM app_clock;
    IF NOT FOUND THEN
        RETURN clock_timestamp();
    END IF;
    -- Seconds, not an interval with days: days would follow the session's time zone.
    RETURN clock.base
        + make_interval(secs => extract(epoch FROM clock_timestamp() - clock.started_at)::double precision * clock.factor);
END
$$;

-- Ordered by creation like version 7 UUIDs, so that an index of them grows at one end.
CREATE FUNCTION uuid_v7() RETURNS uuid
    LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6),
            52, 1), 53, 1),
        'hex')::uuid
$$;
