-- min_compatible: 1
-- Replays and cancels of many messages: what a person was shown, and how far it has been done.

-- One row for what was shown. Whoever gives its id and count back has it done, in steps. Forgotten after a day.
CREATE TABLE interventions (
    id uuid PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('replay', 'cancel')),
    reason text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 500),
    shown_by text NOT NULL,
    shown_at timestamptz NOT NULL,
    -- Those that would be replayed or cancelled, as options and rules were then.
    shown integer NOT NULL DEFAULT 0,
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
    -- When the next one may be due.
    next_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX interventions_shown_at ON interventions (shown_at);

-- The messages that were shown, those of one step a row, in their order. Nothing else is taken, whatever comes into the
-- same state meanwhile; a step that is done is gone.
CREATE TABLE intervention_steps (
    intervention uuid NOT NULL REFERENCES interventions ON DELETE CASCADE,
    number integer NOT NULL,
    ids uuid[] NOT NULL,
    dates date[] NOT NULL,
    PRIMARY KEY (intervention, number)
);
