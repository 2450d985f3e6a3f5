-- Personal values that end: erasure of a person, the expiry of what was sent, and holds that keep both from happening.

-- What was sent is kept for a while, then only its hash. Whatever empties it leaves source and deduplication (0010).
ALTER TABLE deliveries
    ALTER COLUMN body DROP NOT NULL,
    ADD COLUMN body_digest bytea,              -- SHA-256 of what the body was
    ADD COLUMN body_bytes bigint,
    ADD COLUMN body_removed_at timestamptz,
    ADD COLUMN body_removed_by text,           -- expiry, or the erasure of somebody whom it names
    ADD COLUMN statements_remain boolean NOT NULL DEFAULT false, -- of events that were not settled when the body went
    ADD CONSTRAINT deliveries_body_or_digest CHECK (
        (body IS NULL) = (body_digest IS NOT NULL AND body_bytes IS NOT NULL AND body_removed_at IS NOT NULL)
        AND (body IS NULL) = (body_removed_by IS NOT NULL)),
    ADD CONSTRAINT deliveries_body_removed_by_known CHECK (body_removed_by IN ('expiry', 'erasure')),
    ADD CONSTRAINT deliveries_body_digest_length CHECK (length(body_digest) = 32);
CREATE INDEX deliveries_body_age ON deliveries (stored_at) WHERE body IS NOT NULL;
CREATE INDEX deliveries_statements_remain ON deliveries (stored_at) WHERE statements_remain;

-- What an event says of its person goes with the body that said it; an event that waits keeps it until it is settled.
ALTER TABLE events
    ALTER COLUMN person DROP NOT NULL,
    ADD CONSTRAINT events_waiting_says_whom CHECK (person IS NOT NULL OR status NOT IN ('pending', 'held'));

ALTER TABLE people ADD COLUMN erased_at timestamptz;

-- Who was erased, or is to be once no hold is in the way. Ids only.
CREATE TABLE erasures (
    organization_id uuid NOT NULL,
    person_id       uuid NOT NULL,
    status          text NOT NULL,
    reason          text,                   -- why it waits
    requested_by    uuid,                   -- NULL: executed again after a restore that did not know who asked
    requested_at    timestamptz NOT NULL,
    due_at          timestamptz,            -- of a queued one: when it is tried next; NULL: at the end of a hold
    executed_at     timestamptz,
    PRIMARY KEY (organization_id, person_id),
    CONSTRAINT erasures_status_known CHECK (status IN ('queued', 'executed')),
    CONSTRAINT erasures_execution_dated CHECK ((status = 'executed') = (executed_at IS NOT NULL)),
    CONSTRAINT erasures_waiting_explained CHECK ((status = 'queued') = (reason IS NOT NULL)),
    CONSTRAINT erasures_person FOREIGN KEY (organization_id, person_id) REFERENCES people
);
CREATE INDEX erasures_due ON erasures (due_at) WHERE status = 'queued' AND due_at IS NOT NULL;
CALL protect('erasures', 'SELECT, INSERT, UPDATE');

-- Legal holds. What one names is neither erased nor does it expire before it is lifted.
CREATE TABLE holds (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL,
    kind            text NOT NULL,
    person_id       uuid,
    since           timestamptz,
    until           timestamptz,
    filter          text,                   -- over entries of the log
    matter          text NOT NULL,          -- why, in the words of who placed it
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    lifted_by       uuid,
    lifted_at       timestamptz,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT holds_kind_known CHECK (kind IN ('person', 'organization', 'time', 'query')),
    CONSTRAINT holds_of_kind CHECK (
        (kind = 'person') = (person_id IS NOT NULL) AND (kind = 'query') = (filter IS NOT NULL)
        AND (kind = 'time') = (since IS NOT NULL AND until IS NOT NULL AND until > since)),
    CONSTRAINT holds_matter_length CHECK (length(matter) BETWEEN 1 AND 200),
    CONSTRAINT holds_filter_length CHECK (octet_length(filter) BETWEEN 1 AND 8192),
    CONSTRAINT holds_lift_dated CHECK ((lifted_by IS NULL) = (lifted_at IS NULL)),
    CONSTRAINT holds_person FOREIGN KEY (organization_id, person_id) REFERENCES people,
    CONSTRAINT holds_created_by FOREIGN KEY (organization_id, created_by) REFERENCES users,
    CONSTRAINT holds_lifted_by FOREIGN KEY (organization_id, lifted_by) REFERENCES users
);
CREATE INDEX holds_open ON holds (organization_id) WHERE lifted_at IS NULL;
CALL protect('holds', 'SELECT, INSERT, UPDATE');

-- Who has or had a value: by its digest under a keyring key, so that the log is searched by it and nobody reads it here.
-- Goes with the person.
CREATE TABLE person_values (
    organization_id uuid NOT NULL,
    digest          bytea NOT NULL,
    person_id       uuid NOT NULL,
    PRIMARY KEY (organization_id, digest, person_id),
    CONSTRAINT person_values_digest_length CHECK (length(digest) = 32)
);
CREATE INDEX person_values_of_person ON person_values (organization_id, person_id);
CALL protect('person_values', 'SELECT, INSERT, DELETE');

-- Whether a hold keeps what a delivery said. That of a query may mean any delivery, and so keeps them all.
CREATE FUNCTION is_delivery_held(delivery uuid, organization uuid, stored timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM holds h
        WHERE h.organization_id = organization AND h.lifted_at IS NULL
            AND (h.kind IN ('organization', 'query')
                OR h.kind = 'time' AND stored >= h.since AND stored < h.until
                OR h.kind = 'person' AND EXISTS (
                    SELECT FROM events e JOIN people p ON (p.source_id, p.external_id) = (e.source_id, e.external_id)
                    WHERE e.delivery_id = delivery AND p.organization_id = h.organization_id AND p.id = h.person_id)))
$$;

REVOKE ALL ON FUNCTION is_delivery_held(uuid, uuid, timestamptz) FROM PUBLIC;

-- Deliveries of one organization whose body was stored before; where there is none, those whose body is gone and whose
-- events are settled meanwhile. Locked, other workers skip them.
CREATE FUNCTION next_expired_bodies(before timestamptz, most integer) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT d.organization_id, d.id, d.stored_at FROM deliveries d
        WHERE d.body IS NOT NULL AND d.stored_at < before AND d.status <> 'accepted'
            AND NOT is_delivery_held(d.id, d.organization_id, d.stored_at)
        ORDER BY d.stored_at LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED)
    SELECT d.organization_id, d.id FROM due d
    WHERE d.organization_id = (SELECT f.organization_id FROM due f ORDER BY f.stored_at LIMIT 1);
    IF FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT d.organization_id, d.id, d.stored_at FROM deliveries d
        WHERE d.statements_remain AND EXISTS (
                SELECT FROM events e WHERE e.delivery_id = d.id AND e.person IS NOT NULL
                    AND e.status NOT IN ('pending', 'held'))
            AND NOT is_delivery_held(d.id, d.organization_id, d.stored_at)
        ORDER BY d.stored_at LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED)
    SELECT d.organization_id, d.id FROM due d
    WHERE d.organization_id = (SELECT f.organization_id FROM due f ORDER BY f.stored_at LIMIT 1);
END
$$;

-- Queued erasures of one organization that are to be tried now, locked; other workers skip them.
CREATE FUNCTION next_queued_erasures(most integer) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT e.organization_id, e.person_id FROM erasures e
    WHERE e.status = 'queued' AND e.due_at <= clock_timestamp() AND e.organization_id = (
        SELECT f.organization_id FROM erasures f WHERE f.status = 'queued' AND f.due_at <= clock_timestamp()
        ORDER BY f.due_at FOR UPDATE SKIP LOCKED LIMIT 1)
    ORDER BY e.due_at FOR UPDATE SKIP LOCKED LIMIT most;
END
$$;

-- Everybody who was erased, of every organization: to be compared with the list outside before anything is served.
CREATE FUNCTION executed_erasures() RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.organization_id, e.person_id FROM erasures e WHERE e.status = 'executed'
$$;

DO $$
DECLARE
    crossing regprocedure;
BEGIN
    FOR crossing IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
            AND proname IN ('next_expired_bodies', 'next_queued_erasures', 'executed_erasures')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rollcall_service', crossing);
    END LOOP;
END
$$;
