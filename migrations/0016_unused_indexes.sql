-- min_compatible: 1
-- An index that nobody reads costs every write; statistics since the last crash or reset tell which these are.

-- Those of all months count as one. What makes rows unique is there for that, read or not.
CREATE VIEW unused_indexes AS
    SELECT coalesce(whole.indrelid, i.indrelid)::regclass AS "table",
           coalesce(part.inhparent, i.indexrelid)::regclass AS index,
           sum(pg_relation_size(i.indexrelid))::bigint AS bytes
    FROM pg_index i
    JOIN pg_stat_user_indexes used USING (indexrelid)
    LEFT JOIN pg_inherits part ON part.inhrelid = i.indexrelid
    LEFT JOIN pg_index whole ON whole.indexrelid = part.inhparent
    WHERE NOT i.indisunique
    GROUP BY 1, 2
    HAVING sum(used.idx_scan) = 0;
