-- Outside applications, the grants of their users, and the one-time links by which custodians claim secrets.

CREATE TABLE integrations (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL,
    slug            text NOT NULL,
    name            text NOT NULL,
    description     text NOT NULL DEFAULT '',
    contact_email   text NOT NULL,
    workspace_id    uuid NOT NULL,
    scopes          text[] NOT NULL,        -- the ceiling of every grant of its users
    rule            text,                   -- for whom it gets a user (SCIM filter); NULL: for nobody by rule
    grant_lifetime  text NOT NULL,          -- ISO 8601 duration
    ip_allow_list   text[],                 -- CIDR; NULL: unrestricted; never empty
    custodian_id    uuid,
    status          text NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT integrations_slug_unique UNIQUE (organization_id, slug),
    CONSTRAINT integrations_slug_form CHECK (slug ~ '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT integrations_status_known CHECK (status IN ('active', 'disabled')),
    CONSTRAINT integrations_ip_allow_list_not_empty CHECK (cardinality(ip_allow_list) > 0),
    CONSTRAINT integrations_workspace FOREIGN KEY (organization_id, workspace_id) REFERENCES workspaces,
    CONSTRAINT integrations_custodian FOREIGN KEY (organization_id, custodian_id) REFERENCES users
);
CALL protect('integrations', 'SELECT, INSERT, UPDATE');

ALTER TABLE users ADD CONSTRAINT users_integration
    FOREIGN KEY (organization_id, integration_id) REFERENCES integrations;
ALTER TABLE users ADD CONSTRAINT users_source FOREIGN KEY (organization_id, source_id) REFERENCES sources
    DEFERRABLE INITIALLY DEFERRED; -- a source and its user name each other
ALTER TABLE users ADD CONSTRAINT users_custodian FOREIGN KEY (organization_id, custodian_id) REFERENCES users;

CREATE TABLE grants (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL CONSTRAINT grants_id_unique UNIQUE, -- the OAuth client id
    user_id         uuid NOT NULL,
    client_name     text NOT NULL,
    workspace_id    uuid NOT NULL,
    scopes          text[] NOT NULL,
    ip_allow_list   text[],
    expires_at      timestamptz NOT NULL,
    rule_integration_id uuid,               -- the integration whose rule made it, NULL when an admin did
    rule_version    bigint,
    status          text NOT NULL,
    epoch           bigint NOT NULL DEFAULT 1,
    version         bigint NOT NULL DEFAULT 1,
    last_used_at    timestamptz,
    last_used_address text,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT grants_status_known CHECK (status IN ('active', 'suspended', 'ended')),
    CONSTRAINT grants_end_dated CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
    CONSTRAINT grants_ip_allow_list_not_empty CHECK (cardinality(ip_allow_list) > 0),
    CONSTRAINT grants_scopes_not_empty CHECK (cardinality(scopes) > 0),
    CONSTRAINT grants_rule_versioned CHECK ((rule_integration_id IS NULL) = (rule_version IS NULL)),
    CONSTRAINT grants_user FOREIGN KEY (organization_id, user_id) REFERENCES users,
    CONSTRAINT grants_workspace FOREIGN KEY (organization_id, workspace_id) REFERENCES workspaces
);
CREATE INDEX grants_of_user ON grants (organization_id, user_id);
CREATE UNIQUE INDEX grants_of_rule_unique ON grants (organization_id, user_id, rule_integration_id)
    WHERE status <> 'ended' AND rule_integration_id IS NOT NULL;
CALL protect('grants', 'SELECT, INSERT, UPDATE');

CREATE TABLE claim_links (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    grant_id        uuid NOT NULL,
    digest          bytea NOT NULL CONSTRAINT claim_links_digest_unique UNIQUE,
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    claimed_at      timestamptz,
    ended_at        timestamptz,            -- replaced by another link, or its grant ended
    PRIMARY KEY (organization_id, id),
    CONSTRAINT claim_links_grant FOREIGN KEY (organization_id, grant_id) REFERENCES grants
);
CREATE UNIQUE INDEX claim_links_open_unique ON claim_links (organization_id, grant_id)
    WHERE claimed_at IS NULL AND ended_at IS NULL;
CALL protect('claim_links', 'SELECT, INSERT, UPDATE');
