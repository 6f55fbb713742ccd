-- migrate:up
SET ROLE postroad_owner;

-- What analytics show, counted once and for all of every message whose outcome is final: of the messages of a step whose
-- hand-over began in a quarter of an hour, how many have what. By quarters, because every zone's day begins with one.
-- An event that comes later moves the numbers of its message's quarter.
CREATE TABLE tracking.message_counts (
    tenant_id        uuid NOT NULL,
    sequence_id      uuid NOT NULL,
    step_key         text NOT NULL,
    version          integer NOT NULL,
    quarter          timestamptz NOT NULL,  -- its beginning; -infinity: the ledger does not know when it was handed over
    accepted         bigint NOT NULL,
    refused          bigint NOT NULL,
    attempted        bigint NOT NULL,
    sent             bigint NOT NULL,
    arrived          bigint NOT NULL,
    delivered        bigint NOT NULL,
    opened           bigint NOT NULL,
    machine_opened   bigint NOT NULL,
    clicked          bigint NOT NULL,
    machine_clicked  bigint NOT NULL,
    replied          bigint NOT NULL,
    bounced          bigint NOT NULL,
    complained       bigint NOT NULL,
    unsubscribed     bigint NOT NULL,
    PRIMARY KEY (tenant_id, sequence_id, step_key, version, quarter)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CALL postroad.wall('tracking.message_counts');

-- How far a tenant's messages are counted: events up to a position of the feed, attempts up to an id. Ids are taken before
-- the commit, so an attempt may appear behind one that is there; all up to next_attempt_id have appeared, or never will,
-- once every transaction before next_transaction has ended.
CREATE TABLE tracking.count_marks (
    tenant_id         uuid PRIMARY KEY,
    position          bigint NOT NULL DEFAULT 0,
    attempt_id        bigint NOT NULL DEFAULT 0,
    next_attempt_id   bigint NOT NULL DEFAULT 0,
    next_transaction  xid8 NOT NULL DEFAULT '0'
) WITH (fillfactor = 50);
CALL postroad.wall('tracking.count_marks');
CALL postroad.show_to_definer('tracking.count_marks');
CALL postroad.show_to_definer('tracking.feeds');
CALL postroad.show_to_definer('delivery.attempts');

-- The attempts that end a message with its server's word, in the order of their ids.
CREATE INDEX attempts_answered ON delivery.attempts (tenant_id, attempt_id) INCLUDE (enrollment_id, step_key)
    WHERE outcome IN ('accepted', 'refused');
-- The ledger by time, for the quarters that a span begins and ends in. It grows in this order, so this index is tiny.
CREATE INDEX messages_time ON delivery.messages USING brin (transmitting_at) WITH (pages_per_range = 32, autosummarize = on);
-- What came back of a message, and when it was told.
DROP INDEX tracking.events_sequence;
CREATE INDEX events_message ON tracking.events (tenant_id, message_id) INCLUDE (type, machine, position)
    WHERE message_id IS NOT NULL;
CREATE INDEX matches_message ON tracking.matches (tenant_id, message_id);
CREATE INDEX matches_feed ON tracking.matches (tenant_id, position);
-- The ledger by step and state; what analytics read of it besides is counted by now.
DROP INDEX delivery.messages_sequence;
CREATE INDEX messages_sequence ON delivery.messages (sequence_id, step_key, state, tenant_id);
-- How an enrollment ended is written here once.
CREATE INDEX progress_outcome ON schedule.progress (tenant_id, sequence_id, state) WHERE phase = 'ended';
CREATE INDEX progress_paused ON schedule.progress (tenant_id, sequence_id) WHERE state = 'paused';

-- Whose counts are behind, from one tenant to the next by the index: in the order of their ids.
CREATE FUNCTION tracking.tenants_to_count(after uuid, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    WITH RECURSIVE tenant AS (
        (SELECT a.tenant_id FROM delivery.attempts a
         WHERE a.outcome IN ('accepted', 'refused') AND a.tenant_id > after ORDER BY a.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT a.tenant_id FROM delivery.attempts a
                WHERE a.outcome IN ('accepted', 'refused') AND a.tenant_id > tenant.tenant_id
                ORDER BY a.tenant_id LIMIT 1)
        FROM tenant WHERE tenant.tenant_id IS NOT NULL
    )
    SELECT t.tenant_id FROM tenant t
    WHERE EXISTS (SELECT FROM delivery.attempts a
                  WHERE a.outcome IN ('accepted', 'refused') AND a.tenant_id = t.tenant_id AND a.attempt_id >
                      coalesce((SELECT c.attempt_id FROM tracking.count_marks c WHERE c.tenant_id = t.tenant_id), 0))
       OR EXISTS (SELECT FROM tracking.feeds f
                  WHERE f.tenant_id = t.tenant_id AND f.last_position >
                      coalesce((SELECT c.position FROM tracking.count_marks c WHERE c.tenant_id = t.tenant_id), 0))
    LIMIT up_to
$$;
RESET ROLE;
GRANT CREATE ON SCHEMA tracking TO postroad_definer;
ALTER FUNCTION tracking.tenants_to_count OWNER TO postroad_definer;
REVOKE CREATE ON SCHEMA tracking FROM postroad_definer;

-- For counts_of.
CREATE FUNCTION postroad.event_bit(type text, machine boolean) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT CASE type WHEN 'delivered' THEN 1
                     WHEN 'opened' THEN CASE WHEN machine THEN 2 ELSE 4 END
                     WHEN 'clicked' THEN CASE WHEN machine THEN 8 ELSE 16 END
                     WHEN 'replied' THEN 32
                     WHEN 'bounced' THEN 64
                     WHEN 'complained' THEN 128
                     WHEN 'unsubscribed' THEN 256
                     ELSE 0 END
$$;
-- What a message with these events counts for, times messages. Of those that were handed over, or refused for their
-- recipient, at a time that the ledger knows: each once in each column, however often it was opened. machine_opened and
-- machine_clicked: by programs only, as the provider says.
CREATE FUNCTION postroad.counts_of(state text, bounce_type text, transmitting_at timestamptz, bits integer,
                                   messages integer)
    RETURNS TABLE (accepted integer, refused integer, attempted integer, sent integer, arrived integer, delivered integer,
                   opened integer, machine_opened integer, clicked integer, machine_clicked integer, replied integer,
                   bounced integer, complained integer, unsubscribed integer)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT messages * (state = 'accepted')::integer, messages * (state = 'refused')::integer, n.shown,
           n.shown * n.handed_over, n.shown * n.handed_over * (bits & 64 = 0)::integer,
           n.shown * (bits & 1 > 0)::integer, n.shown * (bits & 4 > 0)::integer, n.shown * (bits & 6 = 2)::integer,
           n.shown * (bits & 16 > 0)::integer, n.shown * (bits & 24 = 8)::integer, n.shown * (bits & 32 > 0)::integer,
           n.shown * (n.handed_over = 0 OR bits & 64 > 0)::integer, n.shown * (bits & 128 > 0)::integer,
           n.shown * (bits & 256 > 0)::integer
    FROM (SELECT (state IN ('accepted', 'unknown'))::integer AS handed_over,
                 messages * (transmitting_at IS NOT NULL
                             AND (state IN ('accepted', 'unknown') OR state = 'refused' AND bounce_type IS NOT NULL)
                            )::integer AS shown) n
$$;

CREATE VIEW views.message_counts AS
    SELECT tenant_id, sequence_id, step_key, version, quarter, accepted, refused, attempted, sent, arrived, delivered,
           opened, machine_opened, clicked, machine_clicked, replied, bounced, complained, unsubscribed
    FROM tracking.message_counts;
CREATE VIEW views.count_marks AS SELECT tenant_id, position, attempt_id FROM tracking.count_marks;
-- What an event says of its message, as a bit, so that what all of them say is one number.
CREATE VIEW views.message_event_bits AS
    SELECT e.tenant_id, e.enrollment_id, e.step_key, e.message_id, e.position, postroad.event_bit(e.type, e.machine) AS bit
    FROM tracking.events e
    WHERE e.message_id IS NOT NULL
    UNION ALL
    SELECT m.tenant_id, m.enrollment_id, m.step_key, m.message_id, m.position, postroad.event_bit(e.type, e.machine)
    FROM tracking.matches m
    JOIN tracking.events e USING (tenant_id, event_id)
    WHERE e.message_id IS NULL;
ALTER VIEW views.message_counts OWNER TO postroad_views;
ALTER VIEW views.count_marks OWNER TO postroad_views;
ALTER VIEW views.message_event_bits OWNER TO postroad_views;

-- How final messages change the counts when the marks move: for each that an attempt or an event between them touches, a
-- row that takes away what it counted for, if it did, and one with what it counts for now. A message is counted from the
-- attempt on that made it accepted or refused, which none of its later ones undoes. By look-ups alone: one message after
-- the other, each by its key.
CREATE FUNCTION postroad.count_changes(tenant uuid, after_position bigint, to_position bigint, after_attempt bigint,
                                       to_attempt bigint)
    RETURNS TABLE (sequence_id uuid, step_key text, version integer, transmitting_at timestamptz, accepted integer,
                   refused integer, attempted integer, sent integer, arrived integer, delivered integer, opened integer,
                   machine_opened integer, clicked integer, machine_clicked integer, replied integer, bounced integer,
                   complained integer, unsubscribed integer)
    LANGUAGE sql STABLE AS
$$
    WITH touched AS (
        SELECT a.enrollment_id, a.step_key FROM views.attempts a
        WHERE a.tenant_id = tenant AND a.attempt_id > after_attempt AND a.attempt_id <= to_attempt
          AND a.outcome IN ('accepted', 'refused')
        UNION
        SELECT e.enrollment_id, e.step_key FROM views.message_event_bits e
        WHERE e.tenant_id = tenant AND e.position > after_position AND e.position <= to_position AND e.bit > 0
    )
    SELECT m.sequence_id, m.step_key, m.version, m.transmitting_at, c.*
    FROM touched t
    CROSS JOIN LATERAL (
        SELECT m.* FROM views.messages m
        WHERE m.tenant_id = tenant AND m.enrollment_id = t.enrollment_id AND m.step_key = t.step_key LIMIT 1) m
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(a.attempt_id <= after_attempt), false) AS before, count(*) > 0 AS after
        FROM views.attempts a
        WHERE a.tenant_id = tenant AND a.enrollment_id = t.enrollment_id AND a.step_key = t.step_key
          AND a.attempt_id <= to_attempt AND a.outcome IN ('accepted', 'refused')) counted
    CROSS JOIN LATERAL (
        SELECT coalesce(bit_or(e.bit) FILTER (WHERE e.position <= after_position), 0) AS before,
               coalesce(bit_or(e.bit), 0) AS after
        FROM views.message_event_bits e
        WHERE e.tenant_id = tenant AND e.message_id = m.message_id AND e.position <= to_position) bits
    CROSS JOIN LATERAL (VALUES (1, counted.after, bits.after), (-1, counted.before, bits.before))
        AS change (messages, counts, bits)
    CROSS JOIN LATERAL postroad.counts_of(
        m.state, m.bounce_type, m.transmitting_at, change.bits, change.messages) c
    WHERE change.counts AND (bits.before, counted.before) <> (bits.after, counted.after)
$$;ALTER FUNCTION postroad.event_bit OWNER TO postroad_owner;
ALTER FUNCTION postroad.counts_of OWNER TO postroad_owner;
ALTER FUNCTION postroad.count_changes OWNER TO postroad_owner;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
