-- min_compatible: 7
-- The emergency stop. It stands in the ledger, so that it holds for all replicas and survives every restart. A program
-- that does not know it would deliver all the same, and must not work on this schema.

-- No row: deliveries go on. One whose time has passed counts as none.
CREATE TABLE delivery_pause (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    reason text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 500),
    paused_by text NOT NULL,
    since timestamptz NOT NULL DEFAULT app_now(),
    until timestamptz
);

-- Declared STABLE: a statement that asks in a scalar subquery asks once.
CREATE FUNCTION deliveries_paused() RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM delivery_pause WHERE until IS NULL OR until > app_now());
END
$$;
