-- The audit log: leaves in their exact bytes, columns derived from them (search is 0015's), and the clear text of digests
-- apart.

CREATE TABLE audit_entries (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    recorded_at     timestamptz NOT NULL,   -- the database's clock
    leaf            bytea NOT NULL,         -- RFC 8785 canonical JSON, exactly as hashed
    actor_id        uuid,
    action          text NOT NULL,
    target_id       uuid,
    person_id       uuid,                   -- the person it is about, or on whose behalf it was done
    outcome         text NOT NULL,
    PRIMARY KEY (organization_id, id, recorded_at),
    CONSTRAINT audit_entries_leaf_size CHECK (length(leaf) BETWEEN 2 AND 65535) -- C2SP tlog-tiles: a uint16 length
) PARTITION BY RANGE (recorded_at);
CALL protect('audit_entries', 'SELECT, INSERT');

-- Waiting for the sequencer, which consumes by existence: an id that commits late is not skipped.
CREATE TABLE audit_pending (
    organization_id uuid NOT NULL,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    entry_id        uuid NOT NULL,
    recorded_at     timestamptz NOT NULL,
    leaf_hash       bytea NOT NULL,         -- RFC 6962 leaf hash
    PRIMARY KEY (organization_id, id),
    CONSTRAINT audit_pending_leaf_hash_length CHECK (length(leaf_hash) = 32)
);
CALL protect('audit_pending', 'SELECT, INSERT, DELETE');

-- State before or after a change that its leaf has no room for: the leaf names it by its SHA-256.
CREATE TABLE audit_blobs (
    organization_id uuid NOT NULL,
    digest          bytea NOT NULL,
    bytes           bytea NOT NULL,         -- RFC 8785 canonical JSON, exactly as digested
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, digest),
    CONSTRAINT audit_blobs_content_addressed CHECK (digest = sha256(bytes))
);
CALL protect('audit_blobs', 'SELECT, INSERT');

-- Clear text of the salted digests in an entry, sealed under the key of the person it is about.
CREATE TABLE audit_disclosures (
    organization_id uuid NOT NULL,
    entry_id        uuid NOT NULL,
    subject_id      uuid NOT NULL,
    sealed          bytea NOT NULL,
    PRIMARY KEY (organization_id, entry_id, subject_id)
);
CALL protect('audit_disclosures', 'SELECT, INSERT, DELETE');

-- Destroying a subject's key erases their disclosures; the leaves stay, and stay provable.
CREATE TABLE audit_subject_keys (
    organization_id uuid NOT NULL,
    subject_id      uuid NOT NULL,
    sealed          bytea NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, subject_id)
);
CALL protect('audit_subject_keys', 'SELECT, INSERT, DELETE');

-- Refusals of unauthenticated callers of this minute, until one summary entry tells them.
CREATE TABLE refusal_tallies (
    organization_id uuid NOT NULL,
    target_kind     text NOT NULL,          -- source: its deliveries; grant: its client secret; organization: its sign-ins
    target_id       uuid NOT NULL,
    reason          text NOT NULL,
    minute          timestamptz NOT NULL,
    count           bigint NOT NULL,
    PRIMARY KEY (organization_id, target_id, reason, minute)
);
CALL protect('refusal_tallies', 'SELECT, INSERT, UPDATE, DELETE');

-- Speed bumps, not proof: a superuser steps over them; signatures kept elsewhere are what tells.
CREATE FUNCTION refuse_rewriting() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or removed' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER audit_entries_not_truncated BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

CREATE TRIGGER audit_blobs_append_only BEFORE UPDATE OR DELETE ON audit_blobs
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER audit_blobs_not_truncated BEFORE TRUNCATE ON audit_blobs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- Monthly partitions, this month's and as many more as asked; run at start and daily. As the owner, because the
-- service owns no table.
CREATE FUNCTION extend_partitions(ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', now() AT TIME ZONE 'UTC');
    month date;
    part  text;
    made  integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('rollcall.partitions'));
    FOR i IN 0 .. least(ahead, 24) LOOP
        month := first + make_interval(months => i);
        part := 'audit_entries_' || to_char(month, 'YYYY_MM');
        IF to_regclass(part) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF audit_entries FOR VALUES FROM (%L) TO (%L)', part,
                month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
            EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', part);
            EXECUTE format('CREATE POLICY owner ON %I TO %I USING (true) WITH CHECK (true)', part, current_user);
            -- Those for each row come from the parent; this one does not.
            EXECUTE format('CREATE TRIGGER audit_entries_not_truncated BEFORE TRUNCATE ON %I '
                'FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()', part);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;
SELECT extend_partitions(3);

-- How many partitions begin after now: 3 is well, 1 is a warning, 0 means that next month refuses every entry.
CREATE FUNCTION partitions_ahead() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*)::integer FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'audit_entries'::regclass
        AND relname > 'audit_entries_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')
$$;
REVOKE ALL ON FUNCTION extend_partitions(integer), partitions_ahead() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION extend_partitions(integer), partitions_ahead() TO rollcall_service;
