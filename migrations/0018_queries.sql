-- Questions to the log that are asked again.

CREATE TABLE audit_queries (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL,
    name            text NOT NULL,
    mode            text NOT NULL,
    filter          text,                   -- as it was written; null selects everything
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT audit_queries_name_unique UNIQUE (organization_id, name),
    CONSTRAINT audit_queries_name_length CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT audit_queries_mode CHECK (mode IN ('tail', 'range')),
    CONSTRAINT audit_queries_filter_length CHECK (octet_length(filter) BETWEEN 1 AND 8192),
    CONSTRAINT audit_queries_created_by FOREIGN KEY (organization_id, created_by) REFERENCES users
);
CALL protect('audit_queries', 'SELECT, INSERT, DELETE');
