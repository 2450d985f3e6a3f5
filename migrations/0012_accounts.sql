-- How members sign in: passwords, second factors, sessions, and what slows down whoever guesses.

CREATE TABLE accounts (
    organization_id uuid NOT NULL,
    user_id         uuid NOT NULL,
    password        text,                   -- scrypt with its parameters and salt; NULL until the first link is used
    password_set_at timestamptz,
    totp_secret     bytea,                  -- sealed; NULL: no second factor
    totp_pending    bytea,                  -- sealed; shown for enrolment, not yet proved
    totp_confirmed_at timestamptz,
    totp_last_step  bigint,                 -- RFC 6238 time step of the last code taken: none is taken twice
    claiming_blocked_until timestamptz,     -- after an admin let the password be replaced
    PRIMARY KEY (organization_id, user_id),
    CONSTRAINT accounts_password_dated CHECK ((password IS NULL) = (password_set_at IS NULL)),
    CONSTRAINT accounts_totp_dated CHECK ((totp_secret IS NULL) = (totp_confirmed_at IS NULL)),
    CONSTRAINT accounts_user FOREIGN KEY (organization_id, user_id) REFERENCES users
);
CALL protect('accounts', 'SELECT, INSERT, UPDATE');

-- The one-time link by which a member sets a password. Nobody alone replaces another's: where there is a password
-- already, a second admin approved, or an operator on the machine made the link.
CREATE TABLE password_links (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    user_id         uuid NOT NULL,
    digest          bytea NOT NULL CONSTRAINT password_links_digest_unique UNIQUE,
    replaces        boolean NOT NULL,       -- whether the account had a password when it was made
    created_by      uuid,                   -- NULL: an operator
    approved_by     uuid,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    ended_at        timestamptz,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT password_links_two_admins CHECK (NOT replaces OR created_by IS NULL
        OR (approved_by IS NOT NULL AND approved_by <> created_by)),
    CONSTRAINT password_links_user FOREIGN KEY (organization_id, user_id) REFERENCES users
);
CREATE UNIQUE INDEX password_links_open_unique ON password_links (organization_id, user_id)
    WHERE used_at IS NULL AND ended_at IS NULL;
CALL protect('password_links', 'SELECT, INSERT, UPDATE');

CREATE TABLE sessions (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    digest          bytea NOT NULL CONSTRAINT sessions_digest_unique UNIQUE,
    user_id         uuid NOT NULL,
    user_epoch      bigint NOT NULL,        -- good only while it equals the user's
    second_factor   text NOT NULL,          -- due: the password was right and a code is asked for
    authenticated_at timestamptz NOT NULL,
    last_seen_at    timestamptz NOT NULL,   -- to the minute
    expires_at      timestamptz NOT NULL,   -- whatever happens
    ended_at        timestamptz,
    address         text,
    user_agent      text,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT sessions_second_factor_known CHECK (second_factor IN ('none', 'due', 'totp')),
    CONSTRAINT sessions_life CHECK (expires_at > authenticated_at),
    CONSTRAINT sessions_user FOREIGN KEY (organization_id, user_id) REFERENCES users
);
CREATE INDEX sessions_of_user ON sessions (organization_id, user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_expiry ON sessions (expires_at);
CALL protect('sessions', 'SELECT, INSERT, UPDATE, DELETE');

-- Leaky buckets of attempts at passwords and codes. The key is a keyed digest of what is guessed at and from where; the
-- row says until when the bucket is not empty.
CREATE TABLE sign_in_attempts (
    organization_id uuid NOT NULL REFERENCES organizations,
    key             bytea NOT NULL,
    arrival_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, key)
);
CREATE INDEX sign_in_attempts_expiry ON sign_in_attempts (arrival_at);
CALL protect('sign_in_attempts', 'SELECT, INSERT, UPDATE, DELETE');

-- Whose session, and whose link. Everything else is read as that organization.
CREATE FUNCTION organization_of_session(presented bytea) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
BEGIN
    RETURN (SELECT s.organization_id FROM sessions s WHERE s.digest = presented);
END
$$;

CREATE FUNCTION organization_of_password_link(presented bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT l.organization_id FROM password_links l WHERE l.digest = presented
$$;

REVOKE ALL ON FUNCTION organization_of_session(bytea), organization_of_password_link(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION organization_of_session(bytea), organization_of_password_link(bytea) TO rollcall_service;

-- Apps: OAuth clients of many users. A public one (a program on somebody's own machine) has no secret.
CREATE TABLE apps (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL CONSTRAINT apps_id_unique UNIQUE, -- the OAuth client id
    name            text NOT NULL,
    description     text NOT NULL DEFAULT '',
    contact_email   text NOT NULL,
    redirect_uris   text[] NOT NULL,        -- compared as they stand; loopback ones without their port
    scopes          text[] NOT NULL,        -- what users may be asked for at most
    is_confidential boolean NOT NULL,
    is_legacy       boolean NOT NULL DEFAULT false, -- an older dialect is understood; no check is weaker
    access_lifetime_seconds integer NOT NULL,
    secret_digest   bytea,
    status          text NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT apps_status_known CHECK (status IN ('active', 'disabled', 'ended')),
    CONSTRAINT apps_end_dated CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
    CONSTRAINT apps_redirect_uris_not_empty CHECK (cardinality(redirect_uris) BETWEEN 1 AND 20),
    CONSTRAINT apps_scopes_not_empty CHECK (cardinality(scopes) > 0),
    CONSTRAINT apps_secret_of_confidential CHECK (is_confidential = (secret_digest IS NOT NULL)),
    CONSTRAINT apps_legacy_is_confidential CHECK (is_confidential OR NOT is_legacy),
    CONSTRAINT apps_access_lifetime CHECK (access_lifetime_seconds BETWEEN 60 AND 31536000)
);
CALL protect('apps', 'SELECT, INSERT, UPDATE');

-- What a user let an app do. Its end ends every token that came of it, by status and epoch.
CREATE TABLE authorizations (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    app_id          uuid NOT NULL,
    user_id         uuid NOT NULL,
    scopes          text[] NOT NULL,        -- everything that was approved so far
    status          text NOT NULL,
    epoch           bigint NOT NULL DEFAULT 1,
    approved_at     timestamptz NOT NULL,   -- last
    created_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT authorizations_status_known CHECK (status IN ('active', 'ended')),
    CONSTRAINT authorizations_end_dated CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
    CONSTRAINT authorizations_app FOREIGN KEY (organization_id, app_id) REFERENCES apps,
    CONSTRAINT authorizations_user FOREIGN KEY (organization_id, user_id) REFERENCES users
);
CREATE UNIQUE INDEX authorizations_open_unique ON authorizations (organization_id, user_id, app_id)
    WHERE status = 'active';
CALL protect('authorizations', 'SELECT, INSERT, UPDATE');

-- Codes on their way through a browser: five minutes, one use.
CREATE TABLE authorization_codes (
    organization_id uuid NOT NULL,
    digest          bytea NOT NULL CONSTRAINT authorization_codes_digest_unique UNIQUE,
    authorization_id uuid NOT NULL,
    authorization_epoch bigint NOT NULL,
    app_id          uuid NOT NULL,
    user_id         uuid NOT NULL,
    user_epoch      bigint NOT NULL,
    redirect_uri    text NOT NULL,          -- where it was sent
    redirect_named  boolean NOT NULL,       -- whether the request named it; then the exchange has to
    challenge       text,                   -- RFC 7636 S256; NULL for a legacy app alone
    scopes          text[] NOT NULL,
    audience        text,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    family_id       uuid,                   -- of the tokens that it was exchanged for
    PRIMARY KEY (organization_id, digest),
    CONSTRAINT authorization_codes_use_dated CHECK ((used_at IS NULL) = (family_id IS NULL)),
    CONSTRAINT authorization_codes_authorization FOREIGN KEY (organization_id, authorization_id)
        REFERENCES authorizations
);
CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);
CALL protect('authorization_codes', 'SELECT, INSERT, UPDATE, DELETE');

-- Tokens of apps name the approval that they came of. Those of one code are a family; a refresh token that was used names
-- its successor.
ALTER TABLE tokens
    ADD COLUMN authorization_id uuid,
    ADD COLUMN authorization_epoch bigint,
    ADD COLUMN family_id uuid,
    ADD COLUMN replaced_at timestamptz,
    ADD COLUMN replaced_by uuid,
    ADD CONSTRAINT tokens_authorization_epoch_present CHECK
        ((authorization_id IS NULL) = (authorization_epoch IS NULL)),
    ADD CONSTRAINT tokens_authorization FOREIGN KEY (organization_id, authorization_id) REFERENCES authorizations,
    ADD CONSTRAINT tokens_replacement_dated CHECK ((replaced_by IS NULL) = (replaced_at IS NULL));
ALTER TABLE tokens DROP CONSTRAINT tokens_kind_known;
ALTER TABLE tokens ADD CONSTRAINT tokens_kind_known CHECK (kind IN ('access', 'refresh', 'personal', 'workspace'));
CREATE INDEX tokens_of_family ON tokens (organization_id, family_id) WHERE family_id IS NOT NULL;

-- Whose client, code and refresh token it is. Everything else is read as that organization.
CREATE FUNCTION organization_of_app(client uuid) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
BEGIN
    RETURN (SELECT a.organization_id FROM apps a WHERE a.id = client);
END
$$;

REVOKE ALL ON FUNCTION organization_of_app(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION organization_of_app(uuid) TO rollcall_service;
