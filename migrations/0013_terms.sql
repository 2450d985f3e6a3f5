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

-- What an organization settles for itself.
ALTER TABLE organizations
    ADD COLUMN approvals text[] NOT NULL DEFAULT '{}',             -- for what a second admin is needed
    ADD COLUMN longest_token_lifetime text NOT NULL DEFAULT 'P365D', -- of personal and workspace tokens, ISO 8601
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD CONSTRAINT organizations_approvals_known
        CHECK (approvals <@ ARRAY['grant_with_write_scope', 'grant_without_ip_restriction', 'person_erasure']);

-- What one admin asked for and another has to agree to, exactly as it was asked for.
CREATE TABLE approvals (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL,
    kind            text NOT NULL,
    target_id       uuid,                   -- what it is about; what came of it, once that is there
    request         jsonb NOT NULL,
    requested_by    uuid NOT NULL,
    responsible_id  uuid NOT NULL,          -- the human behind who asked: themselves, or an integration user's custodian
    requested_at    timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    status          text NOT NULL DEFAULT 'pending',
    decided_by      uuid,
    decided_at      timestamptz,
    reason          text,
    used_at         timestamptz,            -- where agreeing does not do it: when it was done, the once
    PRIMARY KEY (organization_id, id),
    CONSTRAINT approvals_kind_known
        CHECK (kind IN ('grant.create', 'grant.change', 'integration.create', 'integration.change',
            'workspace_token.create', 'workspace_token.change', 'password_link.create', 'second_factor.reset',
            'role.assign', 'custodian.assign', 'organization.change', 'person.erase')),
    CONSTRAINT approvals_status_known
        CHECK (status IN ('pending', 'approved', 'refused', 'withdrawn', 'moved', 'expired')),
    CONSTRAINT approvals_decision_dated CHECK ((status = 'pending') = (decided_at IS NULL)),
    -- Who asked never agrees, whatever the program believes; neither does the human behind an integration user.
    CONSTRAINT approvals_second_admin CHECK (status IN ('pending', 'withdrawn', 'expired')
        OR decided_by IS NOT NULL AND decided_by <> requested_by AND decided_by <> responsible_id),
    CONSTRAINT approvals_used_after_approved CHECK (used_at IS NULL OR status = 'approved'),
    CONSTRAINT approvals_requested_by FOREIGN KEY (organization_id, requested_by) REFERENCES users,
    CONSTRAINT approvals_responsible FOREIGN KEY (organization_id, responsible_id) REFERENCES users,
    CONSTRAINT approvals_decided_by FOREIGN KEY (organization_id, decided_by) REFERENCES users
);
CREATE INDEX approvals_pending ON approvals (organization_id, expires_at) WHERE status = 'pending';
CALL protect('approvals', 'SELECT, INSERT, UPDATE');

-- Personal and workspace tokens: made by people, shown once.
ALTER TABLE tokens
    DROP CONSTRAINT tokens_kind_known,
    ADD CONSTRAINT tokens_kind_known CHECK (kind IN ('access', 'refresh', 'personal', 'workspace')),
    ADD COLUMN workspace_id uuid,           -- of a workspace token
    ADD COLUMN created_by uuid,             -- who made it, and saw it
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD CONSTRAINT tokens_workspace_present CHECK ((kind = 'workspace') = (workspace_id IS NOT NULL)),
    ADD CONSTRAINT tokens_workspace FOREIGN KEY (organization_id, workspace_id) REFERENCES workspaces,
    ADD CONSTRAINT tokens_created_by FOREIGN KEY (organization_id, created_by) REFERENCES users;
CREATE INDEX tokens_made ON tokens (organization_id, id) WHERE kind IN ('personal', 'workspace');

-- Scopes of the organization's own, for the APIs that Rollcall guards. The built-in ones stand in the program.
CREATE TABLE scopes (
    organization_id uuid NOT NULL REFERENCES organizations,
    name            text NOT NULL,
    opens           text NOT NULL,          -- what it opens, for whoever consents
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, name),
    CONSTRAINT scopes_name_form CHECK (name ~ '^[a-z0-9._-]+:[a-z0-9._-]+$' AND length(name) <= 64),
    CONSTRAINT scopes_opens_length CHECK (length(opens) BETWEEN 1 AND 200),
    CONSTRAINT scopes_created_by FOREIGN KEY (organization_id, created_by) REFERENCES users
);
CALL protect('scopes', 'SELECT, INSERT, UPDATE, DELETE'); -- UPDATE only to hold rows

ALTER TABLE workspaces ADD COLUMN version bigint NOT NULL DEFAULT 1;
GRANT DELETE ON workspaces TO rollcall_service; -- one that nothing was ever attributed to

-- That somebody was told, days ahead, that a grant or token runs out; once for each expiry and number of days.
CREATE TABLE notices (
    organization_id uuid NOT NULL REFERENCES organizations,
    noun            text NOT NULL,
    subject_id      uuid NOT NULL,
    expires_at      timestamptz NOT NULL,   -- the expiry that was told: a later one is told anew
    days            integer NOT NULL,
    noticed_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, subject_id, expires_at, days),
    CONSTRAINT notices_noun_known CHECK (noun IN ('grant', 'token')),
    CONSTRAINT notices_days_known CHECK (days IN (14, 7, 1))
);
CALL protect('notices', 'SELECT, INSERT');
CREATE INDEX grants_expiry ON grants (expires_at) WHERE status <> 'ended';
CREATE INDEX tokens_made_expiry ON tokens (expires_at) WHERE kind IN ('personal', 'workspace') AND revoked_at IS NULL;

-- Grants and tokens of one organization of whose end nobody was told yet, for the nearest number of days that is reached.
-- What never lived that long is not told of it. One node at a time.
CREATE FUNCTION next_expiring(most integer)
RETURNS TABLE (organization_id uuid, id uuid, noun text, days integer, expires_at timestamptz, person_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('rollcall.notices', 0)) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH thresholds(days, beyond) AS (VALUES (1, 0), (7, 1), (14, 7)),
    due AS MATERIALIZED (
        SELECT g.organization_id, g.id, 'grant' AS noun, d.days, g.expires_at, g.user_id
        FROM thresholds d JOIN grants g ON g.status <> 'ended'
            AND g.expires_at > now() + d.beyond * interval '1 day' AND g.expires_at <= now() + d.days * interval '1 day'
            AND g.created_at < g.expires_at - d.days * interval '1 day'
        UNION ALL
        SELECT t.organization_id, t.id, 'token', d.days, t.expires_at, t.user_id
        FROM thresholds d JOIN tokens t ON t.kind IN ('personal', 'workspace') AND t.revoked_at IS NULL
            AND t.expires_at > now() + d.beyond * interval '1 day' AND t.expires_at <= now() + d.days * interval '1 day'
            AND t.issued_at < t.expires_at - d.days * interval '1 day'),
    untold AS MATERIALIZED (
        SELECT d.organization_id, d.id, d.noun, d.days, d.expires_at, u.person_id
        FROM due d JOIN users u ON (u.organization_id, u.id) = (d.organization_id, d.user_id) AND u.status = 'active'
        WHERE NOT EXISTS (SELECT FROM notices n WHERE (n.organization_id, n.subject_id, n.expires_at, n.days)
            = (d.organization_id, d.id, d.expires_at, d.days)))
    SELECT n.organization_id, n.id, n.noun, n.days, n.expires_at, n.person_id FROM untold n
    WHERE n.organization_id = (SELECT f.organization_id FROM untold f ORDER BY f.expires_at, f.id LIMIT 1)
    ORDER BY n.expires_at, n.id LIMIT most;
END
$$;

-- Requests of one organization that nobody decided in time, locked; other workers skip them.
CREATE FUNCTION next_expired_approvals(most integer) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.organization_id, a.id FROM approvals a
    WHERE a.status = 'pending' AND a.expires_at <= now() AND a.organization_id = (
        SELECT f.organization_id FROM approvals f WHERE f.status = 'pending' AND f.expires_at <= now()
        ORDER BY f.expires_at FOR UPDATE SKIP LOCKED LIMIT 1)
    ORDER BY a.expires_at FOR UPDATE SKIP LOCKED LIMIT most;
END
$$;

REVOKE ALL ON FUNCTION next_expiring(integer), next_expired_approvals(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION next_expiring(integer), next_expired_approvals(integer) TO rollcall_service;

-- Public keys by which a client proves who it is, in place of a secret: registered as they are, or behind a URL.
CREATE TABLE grant_keys (
    organization_id uuid NOT NULL,
    grant_id        uuid NOT NULL,
    id              uuid NOT NULL,          -- of this registration: with it end the tokens that name it
    url             text,
    keys            jsonb,                  -- as registered, or as fetched last
    registered_by   uuid NOT NULL,          -- the custodian
    registered_at   timestamptz NOT NULL,
    fetched_at      timestamptz,
    tried_at        timestamptz,            -- so that no client has us fetch more often than we want to
    PRIMARY KEY (organization_id, grant_id),
    CONSTRAINT grant_keys_there CHECK (url IS NOT NULL OR keys IS NOT NULL),
    CONSTRAINT grant_keys_url_length CHECK (length(url) <= 2000),
    CONSTRAINT grant_keys_grant FOREIGN KEY (organization_id, grant_id) REFERENCES grants,
    CONSTRAINT grant_keys_registered_by FOREIGN KEY (organization_id, registered_by) REFERENCES users
);
CALL protect('grant_keys', 'SELECT, INSERT, UPDATE, DELETE');

-- Signed assertions that were used, until they expire: none counts twice.
CREATE TABLE client_assertions (
    organization_id uuid NOT NULL,
    grant_id        uuid NOT NULL,
    digest          bytea NOT NULL,         -- SHA-256 of the assertion's id
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, grant_id, digest),
    CONSTRAINT client_assertions_grant FOREIGN KEY (organization_id, grant_id) REFERENCES grants
);
CREATE INDEX client_assertions_expiry ON client_assertions (expires_at);
CALL protect('client_assertions', 'SELECT, INSERT');
