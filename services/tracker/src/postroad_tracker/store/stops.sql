-- name: add
-- Stops of events in the same transaction.
INSERT INTO tracking.stops (tenant_id, stop_id, kind, event_id, enrollment_id, contact_id, email)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[]);

-- name: of_keys
-- The stops that the events with these keys have made, by whichever delivery of them.
SELECT s.stop_id, s.acknowledged_at, s.on_the_wire
FROM tracking.event_keys k
JOIN tracking.stops s ON s.tenant_id = k.tenant_id AND s.event_id = k.event_id
WHERE k.tenant_id = $1 AND k.key = ANY ($2::text[]);

-- name: acknowledge
-- Runs after the commit of the stop, as a statement of its own: what is transmitting then either shows here, or will
-- read the stop at its gate. A stop with something transmitting stays open until $3 says that waiting is over; then
-- it is listed, and so is what is unknown and young enough to be in the hands of a suspended sender. The snapshot is
-- older than the clock that is written, so nothing falls between them.
WITH open AS MATERIALIZED (
    SELECT tenant_id, stop_id, enrollment_id, contact_id, email FROM tracking.stops
    WHERE tenant_id = $1 AND stop_id = ANY ($2::uuid[]) AND acknowledged_at IS NULL
), wire AS MATERIALIZED (
    SELECT o.stop_id, m.message_id, m.state
    FROM open o
    JOIN views.messages m ON m.tenant_id = o.tenant_id AND m.enrollment_id = o.enrollment_id
    WHERE m.state = 'transmitting' OR (m.state = 'unknown' AND m.settled_at > postroad.now() - $4::interval)
    UNION
    SELECT o.stop_id, m.message_id, m.state
    FROM open o
    JOIN views.messages m ON m.tenant_id = o.tenant_id AND m.contact_id = o.contact_id
    WHERE o.email IS NOT NULL
      AND (m.state = 'transmitting' OR (m.state = 'unknown' AND m.settled_at > postroad.now() - $4::interval))
    UNION
    SELECT o.stop_id, m.message_id, m.state
    FROM open o
    JOIN views.messages m ON m.tenant_id = o.tenant_id AND m.recipient = o.email
      AND (m.state = 'transmitting' OR (m.state = 'unknown' AND m.settled_at > postroad.now() - $4::interval))
)
UPDATE tracking.stops s
SET acknowledged_at = postroad.now(),
    on_the_wire = ARRAY(SELECT w.message_id FROM wire w WHERE w.stop_id = s.stop_id ORDER BY 1)
FROM open o
WHERE s.tenant_id = o.tenant_id AND s.stop_id = o.stop_id AND s.acknowledged_at IS NULL
  AND ($3::boolean OR NOT EXISTS (SELECT FROM wire w WHERE w.stop_id = o.stop_id AND w.state = 'transmitting'))
RETURNING s.stop_id, s.on_the_wire;

-- name: read
-- Stops that somebody else has acknowledged meanwhile.
SELECT stop_id, on_the_wire FROM tracking.stops
WHERE tenant_id = $1 AND stop_id = ANY ($2::uuid[]) AND acknowledged_at IS NOT NULL;

-- name: tenants_with_open
-- Whose stops a dead process left without acknowledgement: ids only, across the wall.
SELECT tracking.tenants_with_open_stops($1::interval, $2::integer) AS tenant_id;

-- name: left_open
-- Those stops.
SELECT stop_id FROM tracking.stops
WHERE tenant_id = $1 AND acknowledged_at IS NULL AND created_at < postroad.now() - $2::interval
LIMIT 500;
