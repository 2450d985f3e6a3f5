-- What tokens are signed with, and how apps come to be known without an admin.

-- Protected resources (RFC 8707) of an organization besides Rollcall itself: what a token may be for, and of which form it
-- then is. No two organizations have the same one: whoever validates a signed token knows only its audience and the issuer,
-- which all organizations share. Rollcall's own addresses are everybody's (is_own): only the form is chosen for them.
CREATE TABLE resources (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL,
    identifier      text NOT NULL,
    name            text NOT NULL,
    token_format    text NOT NULL,
    is_own          boolean NOT NULL,
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT resources_identifier_unique UNIQUE (organization_id, identifier),
    CONSTRAINT resources_identifier_length CHECK (length(identifier) BETWEEN 1 AND 2000),
    CONSTRAINT resources_token_format_known CHECK (token_format IN ('opaque', 'jwt')),
    CONSTRAINT resources_created_by FOREIGN KEY (organization_id, created_by) REFERENCES users
);
CREATE UNIQUE INDEX resources_identifier_of_one ON resources (identifier) WHERE NOT is_own;
CALL protect('resources', 'SELECT, INSERT, DELETE');

-- The keys that access tokens are signed with, of the issuer and so of no organization: nobody but the functions below
-- reads or writes them. Of a key only its sealed private half is here. What is published is derived from it, so that who
-- can write rows but does not have the keyring can publish none.
CREATE TABLE token_keys (
    id              text PRIMARY KEY,       -- `kid`: the RFC 7638 thumbprint
    sealed          bytea NOT NULL,
    made_at         timestamptz NOT NULL,   -- published from then on
    signs_from      timestamptz NOT NULL,   -- until that of the next one
    ended_at        timestamptz             -- taken out at once, because somebody else may have it
);
ALTER TABLE token_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE token_keys FORCE ROW LEVEL SECURITY;
DO $$ BEGIN EXECUTE format('CREATE POLICY owner ON token_keys TO %I USING (true) WITH CHECK (true)', current_user); END $$;

-- All keys that were not taken out, by when they sign, with the database's clock.
CREATE FUNCTION token_keys_known()
RETURNS TABLE (id text, sealed bytea, made_at timestamptz, signs_from timestamptz, clock timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.id, k.sealed, k.made_at, k.signs_from, clock_timestamp() FROM token_keys k
    WHERE k.ended_at IS NULL ORDER BY k.signs_from, k.id
$$;

-- Adds a key, if the newest is still the one that the caller saw (NULL: none), and says whether it did. One at a time.
CREATE FUNCTION add_token_key(added text, content bytea, after_seconds bigint, newest_seen text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    newest text;
BEGIN
    LOCK TABLE token_keys IN SHARE ROW EXCLUSIVE MODE;
    SELECT k.id INTO newest FROM token_keys k WHERE k.ended_at IS NULL ORDER BY k.signs_from DESC, k.id DESC LIMIT 1;
    IF newest IS DISTINCT FROM newest_seen THEN
        RETURN false;
    END IF;
    INSERT INTO token_keys (id, sealed, made_at, signs_from)
    VALUES (added, content, clock_timestamp(), clock_timestamp() + after_seconds * interval '1 second');
    RETURN true;
END
$$;

-- Takes a key out at once. Whether it was there.
CREATE FUNCTION end_token_key(ended text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE token_keys SET ended_at = clock_timestamp() WHERE id = ended AND ended_at IS NULL;
    RETURN FOUND;
END
$$;

-- Removes keys whose tokens are all over.
CREATE FUNCTION forget_token_keys(forgotten text[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM token_keys WHERE id = ANY (forgotten)
$$;

DO $$
DECLARE
    crossing regprocedure;
BEGIN
    FOR crossing IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname IN ('token_keys_known', 'add_token_key',
            'end_token_key', 'forget_token_keys')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rollcall_service', crossing);
    END LOOP;
END
$$;

-- Apps that no admin registered (`origin`): the program's own command line, those that registered themselves (RFC 7591), and
-- those that are known by the address of a document. None belongs to an organization before a member of one lets it act
-- for them: then that organization has a row of it, and its admins see, stop and delete it like every other. `client_name`
-- is the client id by which it is known everywhere; NULL: the row's own id. A deleted one stays, so that nobody can bring
-- it back.
ALTER TABLE apps
    ADD COLUMN origin text NOT NULL DEFAULT 'admin',
    ADD COLUMN client_name text,
    ADD CONSTRAINT apps_origin_known CHECK (origin IN ('admin', 'built_in', 'registered', 'document')),
    ADD CONSTRAINT apps_client_name_of_outside CHECK ((origin = 'admin') = (client_name IS NULL)),
    ADD CONSTRAINT apps_outside_is_not_legacy CHECK (origin = 'admin' OR NOT is_legacy),
    ADD CONSTRAINT apps_client_name_unique UNIQUE (organization_id, client_name);

-- Whose app presents a code or token: a client that many organizations know tells it by what it presents.
CREATE FUNCTION app_of_presented(client text, presented bytea) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.organization_id, a.id FROM authorization_codes c
    JOIN apps a ON (a.organization_id, a.id) = (c.organization_id, c.app_id)
    WHERE c.digest = presented AND a.client_name = client
    UNION ALL
    SELECT a.organization_id, a.id FROM tokens t
    JOIN authorizations z ON (z.organization_id, z.id) = (t.organization_id, t.authorization_id)
    JOIN apps a ON (a.organization_id, a.id) = (z.organization_id, z.app_id)
    WHERE t.digest = presented AND a.client_name = client;
END
$$;
REVOKE ALL ON FUNCTION app_of_presented(text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app_of_presented(text, bytea) TO rollcall_service;

-- Clients that registered themselves (RFC 7591), of no organization: nobody but the functions below reads or writes them.
-- One that no member let in within its day is forgotten.
CREATE TABLE client_registrations (
    id              uuid PRIMARY KEY,       -- the OAuth client id
    name            text NOT NULL,
    contact_email   text NOT NULL,
    redirect_uris   text[] NOT NULL,
    scopes          text[] NOT NULL,
    secret_digest   bytea,                  -- NULL: public
    registered_at   timestamptz NOT NULL,
    expires_at      timestamptz,            -- NULL: some organization knows it
    CONSTRAINT client_registrations_redirect_uris CHECK (cardinality(redirect_uris) BETWEEN 1 AND 20),
    CONSTRAINT client_registrations_scopes_not_empty CHECK (cardinality(scopes) > 0)
);
CREATE INDEX client_registrations_expiry ON client_registrations (expires_at) WHERE expires_at IS NOT NULL;
ALTER TABLE client_registrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE client_registrations FORCE ROW LEVEL SECURITY;
DO $$ BEGIN
    EXECUTE format('CREATE POLICY owner ON client_registrations TO %I USING (true) WITH CHECK (true)', current_user);
END $$;

-- Adds one, unless so many wait to be let in already, and says whether it did.
CREATE FUNCTION register_client(added uuid, called text, contact text, redirects text[], asked text[], secret bytea,
    most bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF (SELECT count(*) FROM (SELECT 1 FROM client_registrations r WHERE r.expires_at > clock_timestamp() LIMIT most) w)
        >= most THEN
        RETURN false;
    END IF;
    INSERT INTO client_registrations (id, name, contact_email, redirect_uris, scopes, secret_digest, registered_at,
        expires_at)
    VALUES (added, called, contact, redirects, asked, secret, clock_timestamp(), clock_timestamp() + interval '1 day');
    RETURN true;
END
$$;

CREATE FUNCTION registered_client(client uuid)
RETURNS TABLE (name text, contact_email text, redirect_uris text[], scopes text[], secret_digest bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.name, r.contact_email, r.redirect_uris, r.scopes, r.secret_digest FROM client_registrations r
    WHERE r.id = client AND (r.expires_at IS NULL OR r.expires_at > clock_timestamp())
$$;

-- A member lets it in: it stays.
CREATE FUNCTION keep_registered_client(client uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE client_registrations SET expires_at = NULL WHERE id = client AND expires_at IS NOT NULL
$$;

-- Removes those that nobody let in; returns how many.
CREATE FUNCTION forget_registered_clients(most integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM client_registrations WHERE id IN (
            SELECT r.id FROM client_registrations r WHERE r.expires_at < clock_timestamp()
            ORDER BY r.expires_at LIMIT most FOR UPDATE SKIP LOCKED) RETURNING 1)
    SELECT count(*) FROM gone
$$;

DO $$
DECLARE
    crossing regprocedure;
BEGIN
    FOR crossing IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname IN ('register_client', 'registered_client',
            'keep_registered_client', 'forget_registered_clients')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rollcall_service', crossing);
    END LOOP;
END
$$;
