-- migrate:up
SET ROLE postroad_owner;

-- Where the feed of a tenant's events ends. Whoever stores events takes their positions from this row and keeps it
-- locked until its commit: positions become visible in their order, and a reader who is past one has seen all before it.
-- received_at is the time of the last one: within a feed, time never runs backwards.
CREATE TABLE tracking.feeds (
    tenant_id      uuid PRIMARY KEY,
    last_position  bigint NOT NULL,
    received_at    timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CALL postroad.wall('tracking.feeds');

-- position: the place in the feed, of an event from its arrival on, and of a match from when it was found.
ALTER TABLE tracking.events ADD COLUMN position bigint;
ALTER TABLE tracking.matches ADD COLUMN position bigint;

-- What is there already gets its place by time: events first, then what found its message late.
ALTER TABLE tracking.events NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tracking.matches NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tracking.feeds NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tracking.events DISABLE TRIGGER append_only;
ALTER TABLE tracking.matches DISABLE TRIGGER append_only;
UPDATE tracking.events e SET position = placed.position
FROM (SELECT tenant_id, received_at, event_id,
             row_number() OVER (PARTITION BY tenant_id ORDER BY received_at, event_id) AS position
      FROM tracking.events) AS placed
WHERE (e.tenant_id, e.received_at, e.event_id) = (placed.tenant_id, placed.received_at, placed.event_id);
INSERT INTO tracking.feeds (tenant_id, last_position, received_at)
SELECT tenant_id, max(position), max(received_at) FROM tracking.events GROUP BY tenant_id;
UPDATE tracking.matches m SET position = f.last_position + placed.position
FROM tracking.feeds f, (SELECT tenant_id, event_id,
                               row_number() OVER (PARTITION BY tenant_id ORDER BY matched_at, event_id) AS position
                        FROM tracking.matches) AS placed
WHERE f.tenant_id = m.tenant_id AND (m.tenant_id, m.event_id) = (placed.tenant_id, placed.event_id);
UPDATE tracking.feeds f SET last_position = m.position
FROM (SELECT tenant_id, max(position) AS position FROM tracking.matches GROUP BY tenant_id) AS m
WHERE m.tenant_id = f.tenant_id;
ALTER TABLE tracking.events ENABLE TRIGGER append_only;
ALTER TABLE tracking.matches ENABLE TRIGGER append_only;
ALTER TABLE tracking.events FORCE ROW LEVEL SECURITY;
ALTER TABLE tracking.matches FORCE ROW LEVEL SECURITY;
ALTER TABLE tracking.feeds FORCE ROW LEVEL SECURITY;
ALTER TABLE tracking.events ALTER COLUMN position SET NOT NULL;
ALTER TABLE tracking.matches ALTER COLUMN position SET NOT NULL;

-- For a tracker of the release before, which runs on while the new one is rolled out and names no positions.
CREATE FUNCTION tracking.take_position() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO tracking.feeds AS f (tenant_id, last_position, received_at)
    VALUES (NEW.tenant_id, 1, postroad.now())
    ON CONFLICT (tenant_id) DO UPDATE
        SET last_position = f.last_position + 1, received_at = greatest(f.received_at, postroad.now())
    RETURNING last_position INTO NEW.position;
    RETURN NEW;
END
$$;
CREATE TRIGGER take_position BEFORE INSERT ON tracking.events
    FOR EACH ROW WHEN (NEW.position IS NULL) EXECUTE FUNCTION tracking.take_position();
CREATE TRIGGER take_position BEFORE INSERT ON tracking.matches
    FOR EACH ROW WHEN (NEW.position IS NULL) EXECUTE FUNCTION tracking.take_position();

-- The feed, whole and of one sequence or enrollment.
CREATE INDEX events_feed ON tracking.events (tenant_id, position);
CREATE INDEX events_sequence_feed ON tracking.events (tenant_id, sequence_id, position) WHERE message_id IS NOT NULL;
CREATE INDEX matches_sequence_feed ON tracking.matches (tenant_id, sequence_id, position);
CREATE INDEX matches_enrollment ON tracking.matches (tenant_id, enrollment_id);
RESET ROLE;

CREATE OR REPLACE VIEW views.events AS
    SELECT e.tenant_id, e.event_id, e.received_at, e.occurred_at, e.type, e.source, e.source_id,
           coalesce(e.message_id, m.message_id) AS message_id, e.provider_message_id,
           coalesce(e.enrollment_id, m.enrollment_id) AS enrollment_id, coalesce(e.contact_id, m.contact_id) AS contact_id,
           coalesce(e.sequence_id, m.sequence_id) AS sequence_id, coalesce(e.step_key, m.step_key) AS step_key,
           e.bounce_type, e.detail, e.url, e.machine, e.position
    FROM tracking.events e LEFT JOIN tracking.matches m USING (tenant_id, event_id);
-- position: where it came to have its message.
CREATE OR REPLACE VIEW views.message_events AS
    SELECT tenant_id, event_id, received_at, occurred_at, type, source, source_id, message_id, provider_message_id,
           enrollment_id, contact_id, sequence_id, step_key, bounce_type, detail, url, machine, position
    FROM tracking.events
    WHERE message_id IS NOT NULL
    UNION ALL
    SELECT e.tenant_id, e.event_id, e.received_at, e.occurred_at, e.type, e.source, e.source_id, m.message_id,
           e.provider_message_id, m.enrollment_id, m.contact_id, m.sequence_id, m.step_key, e.bounce_type, e.detail,
           e.url, e.machine, m.position
    FROM tracking.matches m
    JOIN tracking.events e USING (tenant_id, event_id)
    WHERE e.message_id IS NULL;
CREATE VIEW views.feeds AS SELECT tenant_id, last_position, received_at FROM tracking.feeds;
ALTER VIEW views.feeds OWNER TO postroad_views;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
