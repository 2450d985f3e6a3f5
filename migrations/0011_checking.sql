-- Checking at use: what ended or narrowed access, told to the caches of every node.
--
-- A row is written in the transaction that ends or narrows access, and only there: accepting, and what only gives access,
-- writes none. Whoever caches what a token may do reads the rows that its last look did not see (access_endings_after).
-- By snapshot, not by time or by a counter: a row whose transaction began earlier and committed later is not passed over.
--
-- Unlogged, because nobody needs a row longer than the connections that read: a crash or a fail-over empties the table
-- and breaks those connections, and a node whose connection broke forgets what it cached.

CREATE UNLOGGED TABLE access_endings (
    organization_id uuid NOT NULL,
    xid             xid8 NOT NULL DEFAULT pg_current_xact_id(), -- the transaction that it commits with
    subject         text NOT NULL,
    subject_id      uuid NOT NULL,
    CONSTRAINT access_endings_subject_known CHECK
        (subject IN ('user', 'grant', 'token', 'integration', 'authorization', 'organization'))
);
CREATE INDEX access_endings_unseen ON access_endings (xid);
CALL protect('access_endings', 'SELECT, INSERT');

-- The oldest of what a look that had `seen` (a pg_snapshot) did not see, and this one does.
CREATE FUNCTION access_endings_after(seen text, most integer) RETURNS TABLE (subject text, subject_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT e.subject, e.subject_id FROM access_endings e
    WHERE e.xid >= pg_snapshot_xmin(seen::pg_snapshot) AND NOT pg_visible_in_snapshot(e.xid, seen::pg_snapshot)
    ORDER BY e.xid LIMIT most;
END
$$;

DO $$
DECLARE
    crossing regprocedure;
BEGIN
    FOR crossing IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname IN ('access_endings_after')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rollcall_service', crossing);
    END LOOP;
END
$$;
