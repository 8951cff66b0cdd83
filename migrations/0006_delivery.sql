-- min_compatible: 1
-- What delivery asks of a message beside its state.

-- Up to this attempt a person has had it sent again by force: what became of those, and how long ago they were, counts
-- no longer.
ALTER TABLE message_logs ADD COLUMN forced_attempt integer;

-- The message was in doubt after it: the first of these may be the one that was delivered.
ALTER TABLE delivery_attempts ADD COLUMN in_doubt boolean NOT NULL DEFAULT false;

-- The text of a message, made when it is first claimed and then frozen on its row.

-- {years} carries its noun: "1 year", "7 years". One pass over the template, so a name that looks like a
-- placeholder stays a name.
CREATE FUNCTION render(template text, first_name text, last_name text, day date, occasion date) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT format(
        replace(replace(replace(replace(replace(replace(template,
            '%', '%%'),
            '{first_name}', '%1$s'), '{last_name}', '%2$s'), '{full_name}', '%3$s'), '{years}', '%4$s'), '{date}', '%5$s'),
        first_name, last_name, first_name || ' ' || last_name,
        years.n || CASE WHEN years.n = 1 THEN ' year' ELSE ' years' END,
        to_char(day::timestamp, 'YYYY-MM-DD'))
    FROM (SELECT date_part('year', day)::integer - date_part('year', occasion)::integer AS n) AS years
$$;
