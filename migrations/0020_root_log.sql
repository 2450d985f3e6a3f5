-- The root log of the organizations' checkpoints, its witnesses and its timestamps.
--
-- The root log belongs to no organization: its rows carry the id of none, all zeros, and are seen by whoever names that one.
-- A leaf of it is a salted digest, so that its rows name nobody.

-- The log of no organization has its row beside the others; every other row is of an organization that there is.
ALTER TABLE audit_logs
    DROP CONSTRAINT audit_logs_organization_id_fkey,
    ADD COLUMN tenant_id uuid GENERATED ALWAYS AS (
            nullif(organization_id, '00000000-0000-0000-0000-000000000000'::uuid)) STORED
        CONSTRAINT audit_logs_organization REFERENCES organizations,
    ADD COLUMN key_endorsements bytea[] NOT NULL DEFAULT '{}'; -- signed notes: a key's word for the next one

-- Checkpoints that were published, and by which leaf the root log holds each. Without the salt a leaf means nothing.
CREATE TABLE audit_checkpoints (
    organization_id uuid NOT NULL REFERENCES audit_logs,
    leaf_hash       bytea NOT NULL,
    size            bigint NOT NULL,
    note            bytea NOT NULL,
    salt            bytea NOT NULL,
    published_at    timestamptz NOT NULL,
    PRIMARY KEY (organization_id, leaf_hash),
    CONSTRAINT audit_checkpoints_lengths CHECK (length(leaf_hash) = 32 AND length(salt) = 32),
    CONSTRAINT audit_checkpoints_size CHECK (size >= 0)
);
CREATE INDEX audit_checkpoints_size ON audit_checkpoints (organization_id, size, published_at);
CALL protect('audit_checkpoints', 'SELECT, INSERT');
CREATE TRIGGER audit_checkpoints_append_only BEFORE UPDATE OR DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER audit_checkpoints_not_truncated BEFORE TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- Leaves that wait for their index in the root log; consumed by existence, as `audit_pending` is.
CREATE TABLE root_pending (
    organization_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    id              bigint GENERATED ALWAYS AS IDENTITY,
    leaf            bytea NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT root_pending_of_nobody CHECK (organization_id = '00000000-0000-0000-0000-000000000000')
);
CALL protect('root_pending', 'SELECT, DELETE');

CREATE TABLE root_leaves (
    organization_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000' REFERENCES audit_logs,
    leaf_index      bigint NOT NULL,        -- from 0, without a gap
    leaf            bytea NOT NULL,
    leaf_hash       bytea NOT NULL,
    PRIMARY KEY (organization_id, leaf_index),
    CONSTRAINT root_leaves_hash_unique UNIQUE (organization_id, leaf_hash),
    CONSTRAINT root_leaves_of_nobody CHECK (organization_id = '00000000-0000-0000-0000-000000000000'),
    CONSTRAINT root_leaves_hash CHECK (leaf_hash = sha256('\x00'::bytea || leaf))
);
CALL protect('root_leaves', 'SELECT, INSERT');
CREATE TRIGGER root_leaves_append_only BEFORE UPDATE OR DELETE ON root_leaves
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER root_leaves_not_truncated BEFORE TRUNCATE ON root_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- Root checkpoints that somebody else vouched for, and what they said.
CREATE TABLE root_checkpoints (
    organization_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000' REFERENCES audit_logs,
    size            bigint NOT NULL,
    note            bytea NOT NULL,
    published_at    timestamptz NOT NULL,
    PRIMARY KEY (organization_id, size),
    CONSTRAINT root_checkpoints_of_nobody CHECK (organization_id = '00000000-0000-0000-0000-000000000000')
);
CALL protect('root_checkpoints', 'SELECT, INSERT');

CREATE TABLE root_attestations (
    organization_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    size            bigint NOT NULL,
    kind            text NOT NULL,          -- cosignature: a signature line; timestamp: DER of an RFC 3161 token
    attester        text NOT NULL,
    content         bytea NOT NULL,
    attested_at     timestamptz NOT NULL,   -- by the attester's clock
    PRIMARY KEY (organization_id, size, kind, attester),
    CONSTRAINT root_attestations_checkpoint FOREIGN KEY (organization_id, size) REFERENCES root_checkpoints,
    CONSTRAINT root_attestations_kind CHECK (kind IN ('cosignature', 'timestamp'))
);
CALL protect('root_attestations', 'SELECT, INSERT');
CREATE TRIGGER root_attestations_append_only BEFORE UPDATE OR DELETE ON root_attestations
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER root_attestations_not_truncated BEFORE TRUNCATE ON root_attestations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- Has a checkpoint's leaf wait for the root log, in the transaction of an organization, which sees none of them.
CREATE FUNCTION anchor_checkpoint(waiting bytea) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO root_pending (leaf) VALUES (waiting)
$$;
REVOKE ALL ON FUNCTION anchor_checkpoint(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION anchor_checkpoint(bytea) TO rollcall_service;
