-- min_compatible: 1
-- From a civil date and time in a zone to an instant, by named rules, and which dates an occasion falls on.

-- An interval without days: a day added to an instant would follow the session's time zone.
CREATE FUNCTION elapsed(span interval) RETURNS interval
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT make_interval(secs => extract(epoch FROM span)::double precision)
$$;

-- A wall time that does not exist: 'shift_forward' moves it on by the length of the gap, 'before_gap' back by it,
-- 'skip' gives NULL. One that happens twice: 'first' or 'second'. `rule` names the rule that was applied, if any.
-- STABLE, not IMMUTABLE: the rules of a zone change with tzdata.
CREATE FUNCTION civil_time(day date, at time, zone text, gap_rule text, fold_rule text,
                           OUT instant timestamptz, OUT rule text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    wall timestamp := day + at;
    shown timestamp;
    day_before timestamptz;
    earlier timestamptz;
BEGIN
    -- PostgreSQL reads a wall time in a gap with the offset before it, and one in a fold as the second.
    instant := wall AT TIME ZONE zone;
    shown := instant AT TIME ZONE zone;
    IF shown <> wall THEN
        rule := 'gap:' || gap_rule;
        CASE gap_rule
            WHEN 'shift_forward' THEN NULL;
            WHEN 'before_gap' THEN instant := instant - elapsed(shown - wall);
            WHEN 'skip' THEN instant := NULL;
        END CASE;
        RETURN;
    END IF;
    day_before := instant - interval '24 hours';
    earlier := instant - elapsed((day_before AT TIME ZONE zone) - wall) - interval '24 hours';
    IF earlier < instant AND earlier AT TIME ZONE zone = wall THEN
        rule := 'fold:' || fold_rule;
        IF fold_rule = 'first' THEN
            instant := earlier;
        END IF;
    END IF;
END
$$;

CREATE FUNCTION civil_instant(day date, at time, zone text,
                              gap_rule text DEFAULT 'shift_forward', fold_rule text DEFAULT 'first')
    RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT instant FROM civil_time(day, at, zone, gap_rule, fold_rule)
$$;

-- An update of the server's time zone data may drop a name that is stored.
CREATE FUNCTION is_known_zone(zone text) RETURNS boolean LANGUAGE plpgsql STABLE STRICT AS $$
BEGIN
    PERFORM timestamp '2000-01-01' AT TIME ZONE zone;
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;

-- 29 February is 229.
CREATE FUNCTION month_day(day date) RETURNS smallint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (date_part('month', day) * 100 + date_part('day', day))::smallint
$$;

CREATE FUNCTION is_leap_year(day date) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT date_part('day', date_trunc('year', day::timestamp) + interval '59 days') = 29
$$;

-- Which days of the calendar are kept on this one: usually itself, and 29 February where the rule puts it.
-- PL/pgSQL, here and below, where the planner would not inline an SQL function: that is planned anew by each caller.
CREATE FUNCTION kept_month_days(day date, leap_day text) RETURNS smallint[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF (month_day(day) = 228 AND leap_day = 'feb28' OR month_day(day) = 301 AND leap_day = 'mar1')
       AND NOT is_leap_year(day) THEN
        RETURN ARRAY[month_day(day), 229::smallint];
    END IF;
    RETURN ARRAY[month_day(day)];
END
$$;

-- A yearly occasion is kept from the year after its date; a one-off on its date alone.
CREATE FUNCTION has_begun(occasion date, one_off boolean, day date) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN one_off THEN occasion = day ELSE occasion < date_trunc('year', day::timestamp)::date END
$$;

CREATE FUNCTION falls_on(occasion date, one_off boolean, day date, leap_day text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN has_begun(occasion, one_off, day)
       AND (one_off OR month_day(occasion) = month_day(day)
            OR month_day(occasion) = 229 AND 229 = ANY (kept_month_days(day, leap_day)));
END
$$;
