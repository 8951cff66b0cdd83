-- min_compatible: 1
-- What programs need to show and to edit message types and occasions.

-- They read these as a date and as an instant, and there is none called infinity.
ALTER TABLE message_types ADD CONSTRAINT message_types_paused_until_finite CHECK (isfinite(paused_until));
ALTER TABLE user_occasions ADD CONSTRAINT user_occasions_date_finite CHECK (isfinite(date));

-- For the log: the members of a row that are not what they were, each with its old and new value.
CREATE FUNCTION changed_members(old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(key, jsonb_build_object('old', o.value, 'new', n.value)), '{}')
    FROM jsonb_each(old) AS o JOIN jsonb_each(new) AS n USING (key)
    WHERE o.value <> n.value
$$;

-- A duration stays as it is written where the new one is as long: one may be days where the other is hours.
CREATE FUNCTION unless_equal(old interval, new interval) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN old = new THEN old ELSE new END
$$;
