-- The few steps that cross organizations, as the owner: which organization is this, and what is next to do. They return
-- ids and just what the check needs. Everything else names its organization first.
--
-- What runs for every request or claim is PL/pgSQL, which keeps its plan for the session; SQL functions that are
-- SECURITY DEFINER are planned anew at each call, which costs several times what the look-up does. A plan that was made
-- when a table was small must not read the whole of it once it is large: hence no sequential scans there.

-- The source behind a hook's path.
CREATE FUNCTION source_of_hook(hook uuid)
RETURNS TABLE (organization_id uuid, slug text, profile text, mapping text, time_zone text, user_id uuid, status text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.organization_id, s.slug, s.profile, s.mapping, s.time_zone, s.user_id, s.status
    FROM sources s WHERE s.id = hook;
END
$$;

-- Everything that decides whether a presented token is good now.
CREATE FUNCTION token_of_digest(presented bytea)
RETURNS TABLE (
    organization_id uuid, token_id uuid, kind text, scopes text[], audience text, issued_at timestamptz,
    expires_at timestamptz, revoked boolean,
    user_id uuid, user_kind text, user_role text, username text, user_active boolean, user_epoch_matches boolean,
    person_id uuid, integration_id uuid, integration_scopes text[], integration_active boolean,
    grant_id uuid, client_name text, grant_status text, grant_scopes text[], grant_epoch_matches boolean,
    grant_expires_at timestamptz, ip_allow_list text[], workspace_id uuid, checked_at timestamptz,
    authorization_id uuid, authorization_active boolean, authorization_epoch_matches boolean,
    app_id uuid, app_name text, app_active boolean, app_scopes text[], app_client_name text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT t.organization_id, t.id, t.kind, t.scopes, t.audience, t.issued_at, t.expires_at,
        t.revoked_at IS NOT NULL OR s.ended_at IS NOT NULL OR t.keys_id IS NOT NULL AND k.id IS DISTINCT FROM t.keys_id,
        u.id, u.kind, u.role, u.username, u.status = 'active', u.epoch = t.user_epoch, u.person_id,
        i.id, i.scopes, i.status = 'active',
        g.id, g.client_name, g.status, g.scopes, g.epoch = t.grant_epoch, g.expires_at, g.ip_allow_list,
        coalesce(g.workspace_id, t.workspace_id), clock_timestamp(),
        z.id, z.status = 'active', z.epoch = t.authorization_epoch, a.id, a.name, a.status = 'active', a.scopes,
        a.client_name
    FROM tokens t
    JOIN users u ON (u.organization_id, u.id) = (t.organization_id, t.user_id)
    LEFT JOIN grants g ON (g.organization_id, g.id) = (t.organization_id, t.grant_id)
    LEFT JOIN grant_secrets s ON (s.organization_id, s.id) = (t.organization_id, t.secret_id)
    LEFT JOIN grant_keys k ON t.keys_id IS NOT NULL AND (k.organization_id, k.grant_id) = (t.organization_id, t.grant_id)
    LEFT JOIN authorizations z ON (z.organization_id, z.id) = (t.organization_id, t.authorization_id)
    LEFT JOIN apps a ON (a.organization_id, a.id) = (z.organization_id, z.app_id)
    LEFT JOIN integrations i ON (i.organization_id, i.id) = (u.organization_id, u.integration_id)
    WHERE t.digest = presented;
END
$$;

-- The grant that an OAuth client id names, with what the check of its secret needs.
CREATE FUNCTION grant_of_client(client uuid)
RETURNS TABLE (
    organization_id uuid, user_id uuid, user_kind text, user_role text, username text, user_active boolean,
    user_epoch bigint, person_id uuid, integration_id uuid, integration_scopes text[], integration_active boolean,
    client_name text, status text, scopes text[], epoch bigint, expires_at timestamptz, ip_allow_list text[],
    workspace_id uuid, secret_ids uuid[], secret_digests bytea[], secret_ends timestamptz[], keys_id uuid, keys_url text, keys jsonb,
    keys_fetched_at timestamptz, checked_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT g.organization_id, u.id, u.kind, u.role, u.username, u.status = 'active', u.epoch, u.person_id,
        i.id, i.scopes, i.status = 'active',
        g.client_name, g.status, g.scopes, g.epoch, g.expires_at, g.ip_allow_list, g.workspace_id,
        s.ids, s.digests, s.ends, k.id, k.url, k.keys, k.fetched_at, clock_timestamp()
    FROM grants g
    CROSS JOIN LATERAL (
        SELECT array_agg(o.id ORDER BY o.id) AS ids, array_agg(o.digest ORDER BY o.id) AS digests,
            array_agg(coalesce(o.not_after, g.expires_at) ORDER BY o.id) AS ends
        FROM grant_secrets o
        WHERE (o.organization_id, o.grant_id) = (g.organization_id, g.id) AND o.ended_at IS NULL
            AND (o.not_after IS NULL OR o.not_after > clock_timestamp())) s
    LEFT JOIN grant_keys k ON (k.organization_id, k.grant_id) = (g.organization_id, g.id)
    JOIN users u ON (u.organization_id, u.id) = (g.organization_id, g.user_id)
    LEFT JOIN integrations i ON (i.organization_id, i.id) = (u.organization_id, u.integration_id)
    WHERE g.id = client;
END
$$;

-- The organization of a claim link.
CREATE FUNCTION organization_of_claim_link(presented bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT l.organization_id FROM claim_links l WHERE l.digest = presented
$$;

-- The oldest deliveries of one organization that are not mapped yet. One worker at a time maps those of an organization,
-- so that none is mapped, and its events applied, before one that was received earlier; the others find nothing. The
-- lock is asked for before any row is locked: a row that another claim would skip would be overtaken.
CREATE FUNCTION next_deliveries(most integer) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH first AS MATERIALIZED (
        SELECT f.organization_id FROM deliveries f WHERE f.status = 'accepted' ORDER BY f.sequence LIMIT 1),
    turn AS MATERIALIZED (
        SELECT f.organization_id FROM first f
        WHERE pg_try_advisory_xact_lock(hashtextextended('rollcall.mapping ' || f.organization_id::text, 0)))
    SELECT d.organization_id, d.id FROM deliveries d
    WHERE d.status = 'accepted' AND d.organization_id = (SELECT t.organization_id FROM turn t)
    ORDER BY d.sequence FOR NO KEY UPDATE LIMIT most;
END
$$;

-- Persons of one organization with something to do now, locked until the transaction ends; other workers skip them.
CREATE FUNCTION next_lanes(now timestamptz, most integer)
RETURNS TABLE (organization_id uuid, source_id uuid, external_id text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT l.organization_id, l.source_id, l.external_id FROM lanes l
    WHERE l.ready_at <= now AND l.organization_id = (
        SELECT first.organization_id FROM lanes first
        WHERE first.ready_at <= now ORDER BY first.ready_at FOR UPDATE SKIP LOCKED LIMIT 1)
    ORDER BY l.ready_at FOR UPDATE SKIP LOCKED LIMIT most;
END
$$;

-- How much waits, and since when; for metrics, readiness and doctor.
CREATE FUNCTION work_waiting()
RETURNS TABLE (deliveries bigint, events bigint, oldest_due timestamptz, dead bigint, entries_pending bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (SELECT count(*) FROM deliveries WHERE status = 'accepted'),
        (SELECT count(*) FROM events WHERE status = 'pending'),
        least((SELECT min(stored_at) FROM deliveries WHERE status = 'accepted'),
            (SELECT min(ready_at) FROM lanes WHERE ready_at IS NOT NULL)),
        (SELECT count(*) FROM events WHERE status = 'dead'),
        (SELECT count(*) FROM audit_pending)
$$;

-- Closed minutes of refusals, of one organization, taken to be told in one entry each.
CREATE FUNCTION next_refusals(before timestamptz) RETURNS TABLE (organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT r.organization_id FROM refusal_tallies r WHERE r.minute < before
$$;

-- Recovery on the machine itself names an organization by its slug.
CREATE FUNCTION organization_of_slug(wanted text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id FROM organizations o WHERE o.slug = wanted
$$;

DO $$
DECLARE
    crossing regprocedure;
BEGIN
    FOR crossing IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname IN ('source_of_hook', 'token_of_digest',
            'grant_of_client', 'organization_of_claim_link', 'next_deliveries', 'next_lanes', 'work_waiting',
            'next_refusals', 'organization_of_slug')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rollcall_service', crossing);
    END LOOP;
END
$$;
