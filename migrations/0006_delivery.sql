-- min_compatible: 1
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
