-- min_compatible: 1
-- What a key passes on when it is rotated, and limits of its own.

ALTER TABLE api_keys
    -- From its making; NULL: for ever. `expires_at` does not say it any more once the key was rotated.
    ADD COLUMN lifetime interval,
    -- As api-svc writes them: "create=600,read=10000", or "none". NULL: the default ones.
    ADD COLUMN limits text CHECK (limits ~ '^(none|[a-z]+=[0-9]{1,9}(,[a-z]+=[0-9]{1,9})*)$'),
    -- Programs read this as an instant, and there is none called infinity.
    ADD CONSTRAINT api_keys_expires_at_finite CHECK (isfinite(expires_at));

UPDATE api_keys SET lifetime = expires_at - created_at;
