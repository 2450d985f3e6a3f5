-- The log as it is proved: which leaf has which index, the tiles of the tree over them, and what was signed last.

CREATE TABLE audit_logs (
    organization_id uuid PRIMARY KEY REFERENCES organizations,
    origin          text NOT NULL CONSTRAINT audit_logs_origin_unique UNIQUE, -- frozen: every checkpoint says it
    leadership      bigint NOT NULL,        -- whose turn it is; whoever has a smaller one writes nothing
    size            bigint NOT NULL DEFAULT 0,
    root            bytea NOT NULL,
    checkpoint      bytea,                  -- the signed note that is served
    checkpoint_size bigint,
    published_at    timestamptz,
    verifier_keys   text[] NOT NULL DEFAULT '{}', -- for convenience: auditors get them from somebody else
    halted          text,                   -- why nobody leads it on before an operator has looked
    halted_at       timestamptz,
    created_at      timestamptz NOT NULL,
    CONSTRAINT audit_logs_root_length CHECK (length(root) = 32),
    CONSTRAINT audit_logs_size CHECK (size >= 0),
    CONSTRAINT audit_logs_checkpoint_whole CHECK (
        (checkpoint IS NULL) = (checkpoint_size IS NULL) AND (checkpoint IS NULL) = (published_at IS NULL)),
    CONSTRAINT audit_logs_checkpoint_within CHECK (checkpoint_size <= size),
    CONSTRAINT audit_logs_halt_dated CHECK ((halted IS NULL) = (halted_at IS NULL))
);
CALL protect('audit_logs', 'SELECT, INSERT, UPDATE');

-- Search is here and not at the entries, so that the transaction of a change maintains one index of its entry.
CREATE TABLE audit_index (
    organization_id uuid NOT NULL,
    leaf_index      bigint NOT NULL,        -- from 0, without a gap
    entry_id        uuid NOT NULL,
    recorded_at     timestamptz NOT NULL,
    actor_id        uuid,
    action          text NOT NULL,
    target_id       uuid,
    person_id       uuid,
    outcome         text NOT NULL,
    PRIMARY KEY (organization_id, leaf_index),
    CONSTRAINT audit_index_entry_unique UNIQUE (organization_id, entry_id),
    CONSTRAINT audit_index_log FOREIGN KEY (organization_id) REFERENCES audit_logs
);
CREATE INDEX audit_index_time ON audit_index (organization_id, recorded_at, entry_id);
CREATE INDEX audit_index_actor ON audit_index (organization_id, actor_id, recorded_at, entry_id);
CREATE INDEX audit_index_target ON audit_index (organization_id, target_id, recorded_at, entry_id);
CREATE INDEX audit_index_action ON audit_index (organization_id, action, recorded_at, entry_id);
CREATE INDEX audit_index_person ON audit_index (organization_id, person_id, recorded_at, entry_id)
    WHERE person_id IS NOT NULL;
CALL protect('audit_index', 'SELECT, INSERT');
CREATE TRIGGER audit_index_append_only BEFORE UPDATE OR DELETE ON audit_index
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER audit_index_not_truncated BEFORE TRUNCATE ON audit_index
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- Hashes of C2SP tlog-tiles, the right edge of each level as far as it is filled.
CREATE TABLE audit_tiles (
    organization_id uuid NOT NULL REFERENCES audit_logs,
    level           smallint NOT NULL,
    tile_index      bigint NOT NULL,
    hashes          bytea NOT NULL,
    PRIMARY KEY (organization_id, level, tile_index),
    CONSTRAINT audit_tiles_width CHECK (length(hashes) % 32 = 0 AND length(hashes) BETWEEN 32 AND 8192)
);
-- Hashes look random: compressing them costs and saves nothing.
ALTER TABLE audit_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
CALL protect('audit_tiles', 'SELECT, INSERT, UPDATE');

-- A tile grows at its end and changes nowhere else. As with the entries, a speed bump and no proof.
CREATE FUNCTION refuse_regrown_tile() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes THEN
        RAISE EXCEPTION 'tile % of level % would change', OLD.tile_index, OLD.level
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_tiles_grow BEFORE UPDATE ON audit_tiles
    FOR EACH ROW EXECUTE FUNCTION refuse_regrown_tile();

-- Each leadership has a number of its own, larger than all before.
CREATE SEQUENCE audit_leadership;
GRANT USAGE ON SEQUENCE audit_leadership TO rollcall_service;

-- Organizations behind `after` that have leaves waiting, in the order of their ids: one look-up each, however many
-- leaves they have.
CREATE FUNCTION logs_waiting(after uuid, most integer) RETURNS TABLE (organization_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE waiting AS (
        (SELECT p.organization_id FROM audit_pending p
         WHERE p.organization_id > after ORDER BY p.organization_id LIMIT 1)
        UNION ALL
        SELECT (SELECT p.organization_id FROM audit_pending p
                WHERE p.organization_id > w.organization_id ORDER BY p.organization_id LIMIT 1)
        FROM waiting w WHERE w.organization_id IS NOT NULL)
    SELECT w.organization_id FROM waiting w WHERE w.organization_id IS NOT NULL LIMIT most;
END
$$;

-- Logs that have grown beyond what was signed.
CREATE FUNCTION logs_unpublished() RETURNS TABLE (organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT l.organization_id FROM audit_logs l
    WHERE l.halted IS NULL AND l.size > coalesce(l.checkpoint_size, 0)
$$;

-- How the logs stand, over all organizations: for metrics and doctor.
CREATE FUNCTION logs_standing() RETURNS TABLE (logs bigint, halted bigint, unpublished bigint, oldest_pending timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*), count(l.halted), coalesce(sum(l.size - coalesce(l.checkpoint_size, 0)), 0)::bigint,
        (SELECT min(p.recorded_at) FROM audit_pending p)
    FROM audit_logs l
$$;

DO $$
DECLARE
    crossing regprocedure;
BEGIN
    FOR crossing IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
            AND proname IN ('logs_waiting', 'logs_unpublished', 'logs_standing')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO rollcall_service', crossing);
    END LOOP;
END
$$;
