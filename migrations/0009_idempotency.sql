-- Answers to POSTs that carried an Idempotency-Key, so that a retry gets the first answer. Kept a day. An answer that
-- showed a secret is not kept: its retry is told so.

CREATE TABLE idempotency_keys (
    organization_id uuid NOT NULL REFERENCES organizations,
    user_id         uuid NOT NULL,
    key             text NOT NULL,
    operation       text NOT NULL,
    request_digest  bytea NOT NULL,
    answer_status   integer NOT NULL,
    answer          bytea,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, user_id, key),
    CONSTRAINT idempotency_keys_key_length CHECK (length(key) BETWEEN 1 AND 255)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
CALL protect('idempotency_keys', 'SELECT, INSERT, DELETE');
