-- People as their source knows them, and the user accounts that act.

CREATE TABLE people (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL,
    source_id       uuid NOT NULL,
    external_id     text NOT NULL,          -- the source's immutable person id; email is never identity
    attributes      jsonb NOT NULL,         -- the canonical person, SCIM's names
    status          text NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT people_identity_unique UNIQUE (source_id, external_id),
    CONSTRAINT people_status_known CHECK (status IN ('active', 'leaving', 'left', 'revoked', 'deleted')),
    CONSTRAINT people_external_id_length CHECK (length(external_id) BETWEEN 1 AND 256)
);
CALL protect('people', 'SELECT, INSERT, UPDATE');

CREATE TABLE users (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL,
    kind            text NOT NULL,          -- member: a person's own account; integration: acts for an integration or a source
    role            text NOT NULL,          -- what the account itself may do; see Domain/Access/Role.swift
    username        text NOT NULL,
    person_id       uuid,                   -- the person whose account it is, or for whom it exists
    integration_id  uuid,
    source_id       uuid,                   -- set for the user that a source's changes are attributed to
    custodian_id    uuid,                   -- the member who may claim the secret of this user's grants
    status          text NOT NULL,
    epoch           bigint NOT NULL DEFAULT 1, -- in every token; deactivating increments it and so ends them all
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    deactivated_at  timestamptz,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT users_kind_known CHECK (kind IN ('member', 'integration')),
    CONSTRAINT users_role_known CHECK (role IN ('security_admin', 'auditor', 'member', 'integration', 'source')),
    CONSTRAINT users_status_known CHECK (status IN ('active', 'deactivated')),
    CONSTRAINT users_deactivation_dated CHECK ((status = 'deactivated') = (deactivated_at IS NOT NULL)),
    CONSTRAINT users_username_length CHECK (length(username) BETWEEN 1 AND 320),
    CONSTRAINT users_person FOREIGN KEY (organization_id, person_id) REFERENCES people
);
-- A former user keeps its row and frees its name. The name leads: an index of active users that begins with the
-- organization is what a planner without statistics takes to find one person's users among all of them.
CREATE UNIQUE INDEX users_username_unique ON users (lower(username), organization_id) WHERE status = 'active';
CREATE UNIQUE INDEX users_member_of_person_unique ON users (organization_id, person_id)
    WHERE kind = 'member' AND status = 'active';
CREATE UNIQUE INDEX users_integration_of_person_unique ON users (organization_id, person_id, integration_id)
    WHERE kind = 'integration' AND status = 'active';
CREATE INDEX users_person ON users (organization_id, person_id) WHERE person_id IS NOT NULL;
CALL protect('users', 'SELECT, INSERT, UPDATE');
