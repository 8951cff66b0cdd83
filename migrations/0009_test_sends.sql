-- min_compatible: 1
-- Messages that are sent once, to one address, to see how a type reads. They are no part of the ledger of messages, go
-- by real time, and are forgotten after a day: they hold an address.

CREATE TABLE test_sends (
    id uuid PRIMARY KEY,
    message_type text NOT NULL,
    recipient_email text NOT NULL,
    message_content text NOT NULL CHECK (char_length(message_content) <= 10000),
    status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'SENDING', 'SENT', 'FAILED', 'UNKNOWN')),
    lease_until timestamptz,
    api_response_code smallint,
    error_message text CHECK (char_length(error_message) <= 1000),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz
);

CREATE INDEX test_sends_created_at ON test_sends (created_at);
CREATE INDEX test_sends_pending ON test_sends (created_at) WHERE status = 'PENDING';
