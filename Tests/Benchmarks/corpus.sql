-- A log of many entries in an organization that has none yet, made by the database itself: entries, their indexes, tiles
-- and root, as the sequencer would have left them. `rollcall audit check` finds no fault in it; a sequencer signs it.
--
--   psql -X -v organization=acme -v entries=10000000 -f corpus.sql DATABASE
--
-- As the owner. Spread over this month until now: 2,000 actors, 200,000 people and a grant of each, 16 actions, one refusal in
-- fifty. Ids are put together of pieces whose text is looked up, since 20 bits are five hexadecimal digits of a UUID and four
-- digits of a TypeID.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET maintenance_work_mem = '1GB';
SET work_mem = '512MB';
SET TimeZone = 'UTC';

SELECT id AS organization_id FROM organizations WHERE slug = :'organization' \gset
SELECT count(*) > 0 AS is_there FROM audit_logs WHERE organization_id = :'organization_id' \gset
\if :is_there
    \warn 'the organization has a log already'
    \quit
\endif

BEGIN;

CREATE FUNCTION pg_temp.digits(bits bit varying) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', substring(bits FROM 5 * place + 1 FOR 5)::bit(5)::integer + 1,
        1), '' ORDER BY place)
    FROM generate_series(0, length(bits) / 5 - 1) AS place
$$;

-- The first 88 bits of each noun's ids, as of version 7, in both writings: 22 digits, and prefix with 18 digits.
CREATE TEMP TABLE noun AS
SELECT name, hex, prefix || '_' || pg_temp.digits(B'00' || ('x' || hex)::bit(88)) AS text
FROM (VALUES ('entry', 'ent', '019aa00000007001800000'), ('user', 'usr', '019aa00000007002800000'),
    ('person', 'per', '019aa00000007003800000'), ('grant', 'grt', '019aa00000007004800000'),
    ('request', 'req', '019aa00000007005800000')) AS n(name, prefix, hex);

CREATE TEMP TABLE piece AS
WITH pair AS MATERIALIZED (SELECT n, pg_temp.digits(n::bit(10)) AS text FROM generate_series(0, 1023) AS n)
SELECT high.n << 10 | low.n AS n, lpad(to_hex(high.n << 10 | low.n), 5, '0') AS hex, high.text || low.text AS text
FROM pair high, pair low;
ANALYZE piece;

CREATE TEMP TABLE actor AS
SELECT n, (noun.hex || '00000' || piece.hex)::uuid AS id, noun.text || '0000' || piece.text AS text
FROM piece, noun WHERE n < 2000 AND name = 'user';

CREATE TEMP TABLE subject AS
SELECT n, (person.hex || '00000' || piece.hex)::uuid AS person_id, person.text || '0000' || piece.text AS person,
    (grt.hex || '00000' || piece.hex)::uuid AS grant_id, grt.text || '0000' || piece.text AS grant_text
FROM piece, noun person, noun grt WHERE n < 200000 AND person.name = 'person' AND grt.name = 'grant';
ANALYZE actor, subject;

CREATE TEMP TABLE deed AS
SELECT n, (ARRAY['token.issued', 'token.introspected', 'token.revoked', 'grant.created', 'grant.read', 'grant.updated',
    'grant.suspended', 'grant.resumed', 'grant.ended', 'user.created', 'user.deactivated', 'person.created', 'person.updated',
    'person.ended', 'delivery.accepted', 'access.checked'])[n + 1] AS action
FROM generate_series(0, 15) AS n;

SELECT greatest(1, floor(extract(epoch FROM now() - date_trunc('month', now())) * 1000000 / :entries))::bigint AS step \gset

CREATE TEMP VIEW corpus AS
SELECT i, r.id, r.recorded_at, actor.id AS actor_id, action, grant_id AS target_id, person_id, r.outcome,
    convert_to('{"action":"' || action || '","actor":{"id":"' || actor.text || '","kind":"integration_user"},"after":{"row":'
        || i || '},"authority":null,"before":{},"client_ip":"192.0.2.' || i % 251 || '","credential":null,"id":"' || r.text
        || '","occurred_at":null,"on_behalf_of":[{"id":"' || person || '","kind":"person"}],"organization":"'
        || (SELECT 'org_' || pg_temp.digits(B'00' || ('x' || replace(:'organization_id', '-', ''))::bit(128)))
        || '","outcome":"' || r.outcome || '","person":"' || person || '","reason":null,"received_at":"' || r.moment
        || '","recorded_at":"' || r.moment || '","request_id":"' || r.request
        || '","source_delivery":null,"source_event":null,"target":{"id":"' || grant_text
        || '","kind":"grant"},"trace_id":null,"user_agent":"corpus/1","v":1}', 'UTF8') AS leaf
FROM (
    SELECT i, (entry.hex || high.hex || low.hex)::uuid AS id, entry.text || high.text || low.text AS text,
        request.text || high.text || low.text AS request, at AS recorded_at,
        to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS moment,
        CASE WHEN i % 50 = 49 THEN 'refused' ELSE 'done' END AS outcome
    FROM generate_series(0, :entries - 1::bigint) AS i
    CROSS JOIN LATERAL (SELECT date_trunc('month', now()) + i * :step * interval '1 microsecond' AS at) AS spread
    JOIN piece low ON low.n = i & 1048575
    JOIN piece high ON high.n = i >> 20
    JOIN noun entry ON entry.name = 'entry'
    JOIN noun request ON request.name = 'request') AS r
JOIN actor ON actor.n = i * 7919 % 2000
JOIN subject ON subject.n = i * 104729 % 200000
JOIN deed ON deed.n = i % 16;

INSERT INTO audit_entries (organization_id, id, recorded_at, leaf, actor_id, action, target_id, person_id, outcome)
SELECT :'organization_id', id, recorded_at, leaf, actor_id, action, target_id, person_id, outcome FROM corpus;

INSERT INTO audit_logs (organization_id, origin, leadership, root, created_at)
VALUES (:'organization_id', 'corpus/' || :'organization_id', 0, sha256(''), now());

-- Without the search indexes, which are made again at the end: in one go that is several times as fast.
CREATE TEMP TABLE search AS
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename = 'audit_index'
    AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = 'audit_index'::regclass);
SELECT format('DROP INDEX %I', indexname) FROM search \gexec
INSERT INTO audit_index (organization_id, leaf_index, entry_id, recorded_at, actor_id, action, target_id, person_id, outcome)
SELECT :'organization_id', i, id, recorded_at, actor_id, action, target_id, person_id, outcome FROM corpus;
SELECT indexdef FROM search \gexec

-- The tree (RFC 6962 2.1): whole subtrees by height, each of two of the height below. Every eighth height is a level of
-- tiles; the root is made of the largest whole subtrees from right to left.
CREATE TEMP TABLE node AS SELECT i, sha256('\x00'::bytea || leaf) AS hash FROM corpus;
SELECT set_config('corpus.organization', :'organization_id', true), set_config('corpus.entries', :'entries', true) \gset
DO $$
DECLARE
    organization uuid := current_setting('corpus.organization');
    rest         bigint := current_setting('corpus.entries');
    height       integer := 0;
    peaks        bytea;
    whole        bytea;
BEGIN
    WHILE rest > 0 LOOP
        IF height % 8 = 0 THEN
            INSERT INTO audit_tiles (organization_id, level, tile_index, hashes)
            SELECT organization, height / 8, i >> 8, string_agg(hash, '' ORDER BY i) FROM node GROUP BY i >> 8;
        END IF;
        IF rest % 2 = 1 THEN
            SELECT hash INTO whole FROM node WHERE i = rest - 1;
            peaks := CASE WHEN peaks IS NULL THEN whole ELSE sha256('\x01'::bytea || whole || peaks) END;
        END IF;
        CREATE TEMP TABLE parent AS
        SELECT i >> 1 AS i, sha256('\x01'::bytea || string_agg(hash, '' ORDER BY i)) AS hash
        FROM node WHERE i < rest - rest % 2 GROUP BY i >> 1;
        DROP TABLE node;
        ALTER TABLE parent RENAME TO node;
        rest := rest / 2;
        height := height + 1;
    END LOOP;
    UPDATE audit_logs SET size = current_setting('corpus.entries')::bigint, root = peaks WHERE organization_id = organization;
END
$$;

COMMIT;
ANALYZE audit_entries, audit_index, audit_tiles, audit_logs;
