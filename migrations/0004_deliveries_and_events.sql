-- What HR systems sent, byte for byte, and what it said about whom.

CREATE TABLE deliveries (
    organization_id uuid NOT NULL REFERENCES organizations,
    id              uuid NOT NULL,
    sequence        bigint GENERATED ALWAYS AS IDENTITY, -- the order of receipt among deliveries without an event time
    source_id       uuid NOT NULL,
    received_at     timestamptz NOT NULL,   -- when its last byte was read, by the node's clock
    stored_at       timestamptz NOT NULL DEFAULT clock_timestamp(), -- the database's clock
    signed_at       timestamptz,
    deduplication   bytea NOT NULL,         -- signed id, or digest of the signed bytes; see the source's profile
    headers         jsonb NOT NULL,         -- credentials among them are keyed digests
    body            bytea NOT NULL,
    key_id          uuid,                   -- which key verified it
    request_id      uuid NOT NULL,
    trace_id        text,
    client_address  text,
    user_agent      text,
    status          text NOT NULL,
    reasons         jsonb,                  -- why it, or parts of it, could not be mapped: [{"pointer", "reason"}]
    PRIMARY KEY (organization_id, id),
    CONSTRAINT deliveries_once UNIQUE (source_id, deduplication),
    CONSTRAINT deliveries_source FOREIGN KEY (organization_id, source_id) REFERENCES sources,
    CONSTRAINT deliveries_status_known CHECK (status IN ('accepted', 'mapped', 'partly_mapped', 'unmapped')),
    CONSTRAINT deliveries_reasons_told CHECK ((reasons IS NOT NULL) = (status IN ('partly_mapped', 'unmapped'))),
    CONSTRAINT deliveries_deduplication_length CHECK (length(deduplication) BETWEEN 1 AND 64)
);
CREATE INDEX deliveries_waiting ON deliveries (sequence) WHERE status = 'accepted';
CREATE INDEX deliveries_of_source ON deliveries (source_id, id);
CALL protect('deliveries', 'SELECT, INSERT, UPDATE');

-- One person of one source: the lock under which their events apply in order, and how far they got. A lane exists from
-- the first event on, before there is a person, so that an older joiner after a leaver is seen to be stale.
CREATE TABLE lanes (
    organization_id  uuid NOT NULL,
    source_id        uuid NOT NULL,
    external_id      text NOT NULL,
    applied_at       timestamptz,           -- position of the newest event applied: its time …
    applied_sequence bigint,                -- … where times are equal, its receive sequence …
    applied_ordinal  integer,               -- … and its place in the delivery
    ready_at         timestamptz,           -- when there is something to do next; NULL: nothing waits
    reevaluate       boolean NOT NULL DEFAULT false, -- an integration's rule changed
    PRIMARY KEY (source_id, external_id),
    CONSTRAINT lanes_source FOREIGN KEY (organization_id, source_id) REFERENCES sources
);
CREATE INDEX lanes_ready ON lanes (ready_at) WHERE ready_at IS NOT NULL;
CALL protect('lanes', 'SELECT, INSERT, UPDATE');

CREATE TABLE events (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    delivery_id     uuid NOT NULL,
    ordinal         integer NOT NULL,       -- place in its delivery, from 0
    source_id       uuid NOT NULL,
    external_id     text NOT NULL,
    kind            text NOT NULL,
    sender_event_id text,
    occurred_at     timestamptz,
    effective_at    timestamptz,            -- a date without a zone taken in the source's zone
    position_at     timestamptz NOT NULL,   -- with sequence: its place among the events of its person
    sequence        bigint NOT NULL,
    person          jsonb NOT NULL,
    status          text NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL,   -- not before: back-off, or a leaver's effective instant
    reason          text,
    settled_at      timestamptz,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT events_once UNIQUE (delivery_id, ordinal),
    CONSTRAINT events_delivery FOREIGN KEY (organization_id, delivery_id) REFERENCES deliveries,
    CONSTRAINT events_status_known CHECK
        (status IN ('pending', 'applied', 'stale', 'superseded', 'ignored', 'dead')),
    CONSTRAINT events_settled_dated CHECK ((status = 'pending') = (settled_at IS NULL)),
    CONSTRAINT events_kind_known CHECK (kind IN ('joiner', 'mover', 'leaver-recorded', 'leaver', 'revoke-now',
        'rehire', 'leaver-cancelled', 'deleted', 'ping'))
);
CREATE INDEX events_waiting ON events (source_id, external_id, position_at, sequence, ordinal)
    WHERE status = 'pending';
CREATE INDEX events_of_person ON events (organization_id, source_id, external_id, id);
CALL protect('events', 'SELECT, INSERT, UPDATE');
