-- What organizations settle about grants and tokens: secrets with overlap, approvals, the catalogue of scopes, notices.

-- What integrations sign in with, by digest only. One is current; one that was replaced with an overlap works on until
-- its `not_after`. `grant_of_client` hands out the digests of those that work.
CREATE TABLE grant_secrets (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    grant_id        uuid NOT NULL,
    digest          bytea NOT NULL,         -- HMAC-SHA256 under a keyring key; the secret itself is nowhere
    made_at         timestamptz NOT NULL,
    made_by         uuid,                   -- who saw it, the once: the custodian; NULL where nobody had to say who they are
    claim_link_id   uuid,                   -- NULL where it was regenerated
    not_after       timestamptz,            -- set when another replaced it
    ended_at        timestamptz,
    last_used_at    timestamptz,
    last_used_address text,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT grant_secrets_digest_length CHECK (length(digest) = 32),
    CONSTRAINT grant_secrets_grant FOREIGN KEY (organization_id, grant_id) REFERENCES grants,
    CONSTRAINT grant_secrets_made_by FOREIGN KEY (organization_id, made_by) REFERENCES users,
    CONSTRAINT grant_secrets_claim_link FOREIGN KEY (organization_id, claim_link_id) REFERENCES claim_links
);
CREATE INDEX grant_secrets_open ON grant_secrets (organization_id, grant_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX grant_secrets_current_unique ON grant_secrets (organization_id, grant_id)
    WHERE ended_at IS NULL AND not_after IS NULL;
CALL protect('grant_secrets', 'SELECT, INSERT, UPDATE');

-- From where a grant was used in the last days, so that a narrower list says whom it would cut off. The newest 200 of a
-- grant; written with the last uses, never by a request.
CREATE TABLE grant_addresses (
    organization_id uuid NOT NULL,
    grant_id        uuid NOT NULL,
    address         text NOT NULL,
    last_used_at    timestamptz NOT NULL,
    PRIMARY KEY (organization_id, grant_id, address),
    CONSTRAINT grant_addresses_grant FOREIGN KEY (organization_id, grant_id) REFERENCES grants
);
CALL protect('grant_addresses', 'SELECT, INSERT, UPDATE, DELETE');

ALTER TABLE tokens ADD COLUMN last_used_at timestamptz, ADD COLUMN last_used_address text;
