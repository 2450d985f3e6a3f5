-- Removal of what is over, in the background (Storage/Expiry). Whoever adds rows that run out adds them here, with an index
-- on their end.

CREATE INDEX claim_links_expiry ON claim_links (expires_at) WHERE claimed_at IS NULL; -- a claimed one is where a secret is from
CREATE INDEX password_links_expiry ON password_links (expires_at);
CREATE INDEX grant_addresses_expiry ON grant_addresses (last_used_at);
CREATE INDEX notices_expiry ON notices (expires_at);
CREATE INDEX grant_secrets_claim_link_of ON grant_secrets (organization_id, claim_link_id) WHERE claim_link_id IS NOT NULL;

-- Removes at most so many rows of each kind, and says how many of which. Rows that somebody else is removing are left to
-- them. What somebody presents is kept for a while after its end, so that who still uses it is refused by name. Endings go
-- once every transaction before `endings_before` is over, and was when that was read.
CREATE FUNCTION remove_expired(most integer, endings_before text) RETURNS TABLE (kind text, removed bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH gone AS (
        DELETE FROM tokens WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM tokens r WHERE r.expires_at < transaction_timestamp() - interval '7 days'
            ORDER BY r.expires_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'token', count(*) FROM gone;

    RETURN QUERY WITH gone AS (
        DELETE FROM claim_links WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM claim_links r WHERE r.expires_at < transaction_timestamp() - interval '7 days' AND r.claimed_at IS NULL
            ORDER BY r.expires_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'claim_link', count(*) FROM gone;

    RETURN QUERY WITH gone AS (
        DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM idempotency_keys r WHERE r.created_at < transaction_timestamp() - interval '1 day'
            ORDER BY r.created_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'idempotency_key', count(*) FROM gone;

    RETURN QUERY WITH gone AS (
        DELETE FROM sessions WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM sessions r WHERE r.expires_at < transaction_timestamp() - interval '7 days'
            ORDER BY r.expires_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'session', count(*) FROM gone;

    RETURN QUERY WITH gone AS (
        DELETE FROM password_links WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM password_links r WHERE r.expires_at < transaction_timestamp() - interval '7 days'
            ORDER BY r.expires_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'password_link', count(*) FROM gone;

    RETURN QUERY WITH gone AS (
        DELETE FROM sign_in_attempts WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM sign_in_attempts r WHERE r.arrival_at < transaction_timestamp() - interval '0'
            ORDER BY r.arrival_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'sign_in_attempt', count(*) FROM gone;

    RETURN QUERY WITH gone AS (
        DELETE FROM authorization_codes WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM authorization_codes r WHERE r.expires_at < transaction_timestamp() - interval '7 days'
            ORDER BY r.expires_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'authorization_code', count(*) FROM gone;

    -- A minute more than it could be used: clocks differ.
    RETURN QUERY WITH gone AS (
        DELETE FROM client_assertions WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM client_assertions r WHERE r.expires_at < transaction_timestamp() - interval '1 minute'
            ORDER BY r.expires_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'client_assertion', count(*) FROM gone;

    RETURN QUERY WITH gone AS (
        DELETE FROM grant_addresses WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM grant_addresses r WHERE r.last_used_at < transaction_timestamp() - interval '7 days'
            ORDER BY r.last_used_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'grant_address', count(*) FROM gone;

    -- Nothing expires at that moment any more.
    RETURN QUERY WITH gone AS (
        DELETE FROM notices WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM notices r WHERE r.expires_at < transaction_timestamp() - interval '7 days'
            ORDER BY r.expires_at LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'notice', count(*) FROM gone;

    RETURN QUERY WITH gone AS (
        DELETE FROM access_endings WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM access_endings r WHERE r.xid < endings_before::xid8
            ORDER BY r.xid LIMIT most FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT 'access_ending', count(*) FROM gone;
END
$$;

-- Since when the oldest row waits to be removed that is over; NULL where none is. For doctor.
CREATE FUNCTION expired_waiting() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT least(
        (SELECT min(r.expires_at) + interval '7 days' FROM tokens r),
        (SELECT min(r.expires_at) + interval '7 days' FROM claim_links r WHERE r.claimed_at IS NULL),
        (SELECT min(r.created_at) + interval '1 day' FROM idempotency_keys r),
        (SELECT min(r.expires_at) + interval '7 days' FROM sessions r),
        (SELECT min(r.expires_at) + interval '7 days' FROM password_links r),
        (SELECT min(r.expires_at) + interval '7 days' FROM authorization_codes r),
        (SELECT min(r.expires_at) + interval '1 minute' FROM client_assertions r),
        (SELECT min(r.last_used_at) + interval '7 days' FROM grant_addresses r),
        (SELECT min(r.expires_at) + interval '7 days' FROM notices r),
        (SELECT min(r.arrival_at) + interval '0' FROM sign_in_attempts r))
$$;

DO $$
DECLARE
    crossing regprocedure;
BEGIN
    FOR crossing IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname IN ('remove_expired', 'expired_waiting')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rollcall_service', crossing);
    END LOOP;
END
$$;
