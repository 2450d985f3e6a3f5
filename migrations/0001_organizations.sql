-- The tenant, and the wall between tenants.
--
-- Two roles. The owner (whoever runs the migrations) holds the schema and the SECURITY DEFINER functions. The service
-- (rollcall_service, or a login role that is a member of it) is what Rollcall serves with: it sees the rows of the one
-- organization that its transaction named, and none when it named none.
--
-- rollcall_service is made here where the owner may create roles; elsewhere a database administrator makes it first.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rollcall_service') THEN
        CREATE ROLE rollcall_service NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role rollcall_service does not exist and % may not create it', current_user
            USING HINT = 'As a database administrator: CREATE ROLE rollcall_service NOLOGIN;';
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database of this cluster made it at the same moment
END
$$;

GRANT USAGE ON SCHEMA public TO rollcall_service;

-- The organization of this transaction: set_config('rollcall.organization', id, true). NULL when none is named.
CREATE FUNCTION current_organization() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('rollcall.organization', true), '')::uuid;

-- Puts a table behind the wall: forced row-level security, the owner's policy (definer functions run as the owner),
-- the service's policy, and just the privileges named. Every table calls this in the migration that makes it.
CREATE PROCEDURE protect(target regclass, privileges text, tenant_column name DEFAULT 'organization_id')
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY owner ON %s TO %I USING (true) WITH CHECK (true)', target, current_user);
    EXECUTE format(
        'CREATE POLICY organization ON %s TO rollcall_service '
        'USING (%I = (SELECT current_organization())) WITH CHECK (%I = (SELECT current_organization()))',
        target, tenant_column, tenant_column);
    EXECUTE format('GRANT %s ON %s TO rollcall_service', privileges, target);
END
$$;

CREATE TABLE organizations (
    id         uuid PRIMARY KEY,
    slug       text NOT NULL CONSTRAINT organizations_slug_unique UNIQUE,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT organizations_slug_form CHECK (slug ~ '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT organizations_name_length CHECK (length(name) BETWEEN 1 AND 200)
);
CALL protect('organizations', 'SELECT, UPDATE', 'id');

CREATE TABLE workspaces (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL,
    slug            text NOT NULL,
    name            text NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT workspaces_slug_unique UNIQUE (organization_id, slug),
    CONSTRAINT workspaces_slug_form CHECK (slug ~ '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$')
);
CALL protect('workspaces', 'SELECT, INSERT, UPDATE');
