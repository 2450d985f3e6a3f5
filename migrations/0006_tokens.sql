-- Tokens, by digest only.

CREATE TABLE tokens (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    kind            text NOT NULL,
    digest          bytea NOT NULL CONSTRAINT tokens_digest_unique UNIQUE,
    user_id         uuid NOT NULL,
    grant_id        uuid,                   -- NULL for a personal token
    scopes          text[] NOT NULL,
    audience        text,
    user_epoch      bigint NOT NULL,        -- good only while these equal the user's …
    grant_epoch     bigint,                 -- … and the grant's
    issued_at       timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    name            text,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT tokens_kind_known CHECK (kind IN ('access', 'personal')),
    CONSTRAINT tokens_grant_epoch_present CHECK ((grant_id IS NULL) = (grant_epoch IS NULL)),
    CONSTRAINT tokens_life CHECK (expires_at > issued_at),
    CONSTRAINT tokens_user FOREIGN KEY (organization_id, user_id) REFERENCES users,
    CONSTRAINT tokens_grant FOREIGN KEY (organization_id, grant_id) REFERENCES grants
);
CREATE INDEX tokens_of_user ON tokens (organization_id, user_id);
CREATE INDEX tokens_expiry ON tokens (expires_at);
CALL protect('tokens', 'SELECT, INSERT, UPDATE');
