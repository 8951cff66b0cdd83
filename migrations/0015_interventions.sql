-- min_compatible: 1
-- Replays and cancels of many messages: what a person was shown, and how far it has been done.

-- One row for what was shown. Whoever gives its id and count back has it done, in steps, and no more of it than was
-- shown: what came into its state after `shown_at` is left alone. Forgotten after a day.
CREATE TABLE interventions (
    id uuid PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('replay', 'cancel')),
    reason text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 500),
    shown_by text NOT NULL,
    shown_at timestamptz NOT NULL,
    -- Those that would be replayed or cancelled, as options and rules were then.
    shown integer NOT NULL,
    done integer NOT NULL DEFAULT 0 CHECK (done <= shown),
    status text,
    message_type text,
    planned_from timestamptz,
    planned_to timestamptz,
    response_code smallint,
    -- What the message's error begins with.
    error text,
    late boolean NOT NULL,
    forced boolean NOT NULL,
    per_minute integer NOT NULL CHECK (per_minute > 0),
    -- How far the list has been gone through, in its order.
    place timestamptz,
    place_id uuid,
    -- When the next one may be due.
    next_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX interventions_shown_at ON interventions (shown_at);
