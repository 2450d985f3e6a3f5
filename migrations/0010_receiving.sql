-- Receiving for real: what an admin says of a source besides its keys, requests whose proof did not hold, keys that a
-- handshake brought, and events that wait for a decision.

ALTER TABLE sources DROP CONSTRAINT sources_status_known;
ALTER TABLE sources
    ADD COLUMN ip_allow_list text[],           -- CIDR; NULL: any; never empty
    ADD COLUMN token_issuers text[],           -- one of them has to be a pushed token's issuer; NULL: any; never empty
    ADD COLUMN token_audiences text[],         -- a pushed token has to be for one of them; NULL: any; never empty
    ADD COLUMN unproved_accepted_at timestamptz, -- since when events of bodies that no proof covers apply; NULL: held …
    ADD COLUMN unproved_accepted_by uuid,        -- … and who decided that
    ADD COLUMN keys_version bigint NOT NULL DEFAULT 1, -- one more for each key that came or went, each change of the two above
    ADD CONSTRAINT sources_status_known CHECK (status IN ('active', 'paused', 'disabled')),
    ADD CONSTRAINT sources_ip_allow_list_not_empty CHECK (cardinality(ip_allow_list) > 0),
    ADD CONSTRAINT sources_token_issuers_not_empty CHECK (cardinality(token_issuers) > 0),
    ADD CONSTRAINT sources_token_audiences_not_empty CHECK (cardinality(token_audiences) > 0),
    ADD CONSTRAINT sources_unproved_decided CHECK ((unproved_accepted_at IS NULL) = (unproved_accepted_by IS NULL)),
    ADD CONSTRAINT sources_unproved_decider FOREIGN KEY (organization_id, unproved_accepted_by) REFERENCES users;

ALTER TABLE source_keys
    ADD COLUMN last_used_at timestamptz,       -- to the minute
    ADD COLUMN version bigint NOT NULL DEFAULT 1;

-- What makes a delivery the same as another is never forgotten: a sender that signs no time can be replayed for ever.
ALTER TABLE deliveries
    ADD COLUMN body_proved boolean NOT NULL DEFAULT true,
    -- How often one came that cannot be told from it, where that may have been a second genuine one, and the last time.
    ADD COLUMN repeated bigint NOT NULL DEFAULT 0,
    ADD COLUMN repeated_at timestamptz,
    ADD CONSTRAINT deliveries_repeated_dated CHECK ((repeated > 0) = (repeated_at IS NOT NULL));
COMMENT ON CONSTRAINT deliveries_once ON deliveries IS
    'Holds as long as the source lives. Whatever removes a delivery keeps its row with source_id and deduplication, which '
    'is a digest: for senders that sign no time it is all that stops a replay, and for the others no window is shorter '
    'than seven days.';

ALTER TABLE events DROP CONSTRAINT events_status_known, DROP CONSTRAINT events_settled_dated;
ALTER TABLE events
    ADD CONSTRAINT events_status_known CHECK
        (status IN ('pending', 'held', 'applied', 'stale', 'superseded', 'ignored', 'dead')),
    ADD CONSTRAINT events_settled_dated CHECK ((status IN ('pending', 'held')) = (settled_at IS NULL));
CREATE INDEX events_held ON events (source_id) WHERE status = 'held';

-- A key that a handshake brought, until an admin confirms or dismisses it. Sealed as if it stood in source_keys, where
-- it goes.
CREATE TABLE pending_keys (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    source_id       uuid NOT NULL,
    digest          bytea NOT NULL,          -- keyed; the same key twice is one row
    sealed          bytea NOT NULL,
    received_at     timestamptz NOT NULL,
    client_address  text,
    network         text NOT NULL,           -- of the client (/24, /48): each has one place
    revealed_at     timestamptz,             -- when an admin looked at it, which they can once
    PRIMARY KEY (organization_id, id),
    CONSTRAINT pending_keys_network_once UNIQUE (source_id, network),
    CONSTRAINT pending_keys_once UNIQUE (source_id, digest),
    CONSTRAINT pending_keys_source FOREIGN KEY (organization_id, source_id) REFERENCES sources
);
CALL protect('pending_keys', 'SELECT, INSERT, UPDATE, DELETE');

-- How much of its room in rejected_requests a source has used. One row, so that one statement takes the room: whoever
-- comes second waits for the row and then reads what the first left.
CREATE TABLE rejected_quotas (
    organization_id uuid NOT NULL,
    source_id       uuid NOT NULL CONSTRAINT rejected_quotas_source_unique UNIQUE,
    requests        integer NOT NULL,
    bytes           bigint NOT NULL,
    networks        jsonb NOT NULL,          -- requests of each client network (/24, /48)
    PRIMARY KEY (organization_id, source_id),
    CONSTRAINT rejected_quotas_requests_bound CHECK (requests BETWEEN 0 AND 1000),
    CONSTRAINT rejected_quotas_bytes_bound CHECK (bytes BETWEEN 0 AND 16777216),
    CONSTRAINT rejected_quotas_source FOREIGN KEY (organization_id, source_id) REFERENCES sources
);
CALL protect('rejected_quotas', 'SELECT, INSERT, UPDATE');

-- Requests that carried a proof in good form which did not hold, so that those of a wrongly entered key are not lost.
CREATE TABLE rejected_requests (
    organization_id uuid NOT NULL,
    id              uuid NOT NULL,
    source_id       uuid NOT NULL,
    received_at     timestamptz NOT NULL,    -- against which it is verified, also later
    stored_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason          text NOT NULL,           -- of the latest verdict
    digest          bytea NOT NULL,          -- of the whole request: a repetition takes no room
    sealed          bytea NOT NULL,          -- method, URL, headers and body; see Storage/Deliveries/RejectedRequest.swift
    bytes           integer NOT NULL,        -- of what is sealed there
    network         text NOT NULL,
    request_id      uuid NOT NULL,
    trace_id        text,
    client_address  text,
    user_agent      text,
    review          boolean NOT NULL,        -- keys changed since the latest verdict
    sequence        bigint NOT NULL DEFAULT nextval('deliveries_sequence_seq'), -- its place, should it become a delivery
    PRIMARY KEY (organization_id, id),
    CONSTRAINT rejected_requests_digest_length CHECK (length(digest) = 32),
    CONSTRAINT rejected_requests_source FOREIGN KEY (organization_id, source_id) REFERENCES sources
);
GRANT USAGE ON SEQUENCE deliveries_sequence_seq TO rollcall_service;
CREATE INDEX rejected_requests_of_source ON rejected_requests (source_id, digest);
CREATE INDEX rejected_requests_listed ON rejected_requests (source_id, id);
CREATE INDEX rejected_requests_review ON rejected_requests (received_at) WHERE review;
CREATE INDEX rejected_requests_age ON rejected_requests (stored_at);
CALL protect('rejected_requests', 'SELECT, INSERT, UPDATE, DELETE');

-- The source behind a hook's path, with what the door decides before it verifies.
DROP FUNCTION source_of_hook(uuid);
CREATE FUNCTION source_of_hook(hook uuid)
RETURNS TABLE (organization_id uuid, slug text, profile text, mapping text, time_zone text, user_id uuid, status text,
    ip_allow_list text[], keys_version bigint, token_issuers text[], token_audiences text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.organization_id, s.slug, s.profile, s.mapping, s.time_zone, s.user_id, s.status, s.ip_allow_list,
        s.keys_version, s.token_issuers, s.token_audiences
    FROM sources s WHERE s.id = hook;
END
$$;

-- Rejected requests of one source whose keys changed since, oldest first, locked; other workers skip them.
CREATE FUNCTION next_rejected(most integer) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.organization_id, r.id FROM rejected_requests r
    WHERE r.review AND r.source_id = (
        SELECT first.source_id FROM rejected_requests first
        WHERE first.review ORDER BY first.received_at FOR UPDATE SKIP LOCKED LIMIT 1)
    ORDER BY r.received_at FOR UPDATE SKIP LOCKED LIMIT most;
END
$$;

-- Rejected requests of one organization that were stored before, locked; other workers skip them.
CREATE FUNCTION next_expired_rejected(before timestamptz, most integer) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.organization_id, r.id FROM rejected_requests r
    WHERE r.stored_at < before AND r.organization_id = (
        SELECT first.organization_id FROM rejected_requests first
        WHERE first.stored_at < before ORDER BY first.stored_at FOR UPDATE SKIP LOCKED LIMIT 1)
    ORDER BY r.stored_at FOR UPDATE SKIP LOCKED LIMIT most;
END
$$;

REVOKE ALL ON FUNCTION source_of_hook(uuid), next_rejected(integer), next_expired_rejected(timestamptz, integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION source_of_hook(uuid), next_rejected(integer), next_expired_rejected(timestamptz, integer)
    TO rollcall_service;
