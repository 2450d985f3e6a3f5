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
