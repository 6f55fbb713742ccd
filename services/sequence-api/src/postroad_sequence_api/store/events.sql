-- name: feed
-- A page of what came back, in the order of the feed: between two positions, both excluded.
SELECT event_id AS id, position::text AS cursor, type, received_at, occurred_at, source, message_id, enrollment_id,
       contact_id, sequence_id, step_key, bounce_type, detail, url, machine
FROM views.events
WHERE tenant_id = $1 AND position > $2 AND position < $3 AND ($4::text IS NULL OR type = $4)
ORDER BY position
LIMIT $5;

-- name: feed_of_sequence
-- The same of those that have a message of this sequence, each where it came to have it.
SELECT event_id AS id, position::text AS cursor, type, received_at, occurred_at, source, message_id, enrollment_id,
       contact_id, sequence_id, step_key, bounce_type, detail, url, machine
FROM views.message_events
WHERE tenant_id = $1 AND sequence_id = $6 AND position > $2 AND position < $3 AND ($4::text IS NULL OR type = $4)
  AND received_at >= $7 AND received_at < $8
ORDER BY position
LIMIT $5;

-- name: feed_of_enrollments
-- The same of a few enrollments, or of one message ($7) of theirs. All are read before they are sorted: there are few,
-- and a plan that goes by position instead would read the feed to its end.
WITH found AS MATERIALIZED (
    SELECT event_id AS id, position, type, received_at, occurred_at, source, message_id, enrollment_id, contact_id,
           sequence_id, step_key, bounce_type, detail, url, machine
    FROM views.message_events
    WHERE tenant_id = $1 AND enrollment_id = ANY ($6::uuid[])
)
SELECT id, position::text AS cursor, type, received_at, occurred_at, source, message_id, enrollment_id, contact_id,
       sequence_id, step_key, bounce_type, detail, url, machine
FROM found
WHERE position > $2 AND position < $3 AND ($4::text IS NULL OR type = $4) AND ($7::uuid IS NULL OR message_id = $7)
  AND received_at >= $8 AND received_at < $9
ORDER BY found.position
LIMIT $5;

-- name: position_at
-- The position of the first event that came at a time or later; none: null. Within a feed both have one order.
SELECT min(position)
FROM views.events
WHERE tenant_id = $1 AND received_at = (
    SELECT received_at FROM views.events
    WHERE tenant_id = $1 AND received_at >= $2
    ORDER BY received_at
    LIMIT 1);

-- name: feed_end
-- The last position that was given out.
SELECT coalesce(max(last_position), 0) FROM views.feeds WHERE tenant_id = $1;

-- name: enrollments_of
-- Whose events a list is about: of a contact, of one enrollment, or of a message; of a sequence, if it is named too.
SELECT e.enrollment_id
FROM sequence.enrollments e
WHERE e.tenant_id = $1
  AND ($2::uuid IS NULL OR e.contact_id = $2)
  AND ($3::uuid IS NULL OR e.enrollment_id = $3)
  AND ($4::uuid IS NULL OR e.enrollment_id = (
      SELECT m.enrollment_id FROM views.messages m WHERE m.tenant_id = $1 AND m.message_id = $4))
  AND ($5::uuid IS NULL OR e.sequence_id = $5);
