-- HR systems, and the keys that their deliveries are verified with.

CREATE TABLE sources (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL CONSTRAINT sources_id_unique UNIQUE, -- 128 random bits; the path of its hook
    slug            text NOT NULL,
    profile         text NOT NULL,
    mapping         text NOT NULL,
    time_zone       text NOT NULL,
    user_id         uuid NOT NULL,          -- the integration user that its changes are attributed to
    status          text NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT sources_slug_unique UNIQUE (organization_id, slug),
    CONSTRAINT sources_slug_form CHECK (slug ~ '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT sources_status_known CHECK (status IN ('active', 'paused')),
    CONSTRAINT sources_user FOREIGN KEY (organization_id, user_id) REFERENCES users
);
CALL protect('sources', 'SELECT, INSERT, UPDATE');

ALTER TABLE people ADD CONSTRAINT people_source FOREIGN KEY (organization_id, source_id) REFERENCES sources;

CREATE TABLE source_keys (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    source_id       uuid NOT NULL,
    label           text,
    sealed          bytea NOT NULL,         -- envelope-encrypted (Domain/Secrets/Keyring.swift); never shown again
    not_before      timestamptz,
    not_after       timestamptz,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT source_keys_source FOREIGN KEY (organization_id, source_id) REFERENCES sources,
    CONSTRAINT source_keys_window CHECK (not_after > not_before)
);
CREATE INDEX source_keys_source ON source_keys (source_id);
CALL protect('source_keys', 'SELECT, INSERT, UPDATE, DELETE');
