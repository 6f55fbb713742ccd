-- name: events
-- A page of what came back, in the order of arrival.
SELECT event_id AS id, type, received_at, occurred_at, source, message_id, enrollment_id, contact_id, sequence_id,
       step_key, bounce_type, detail, url, machine
FROM views.events
WHERE tenant_id = $1
  AND ($2::timestamptz IS NULL OR (received_at, event_id) > ($2, $3::uuid))
  AND ($4::text IS NULL OR type = $4)
ORDER BY received_at, event_id
LIMIT $5;

-- name: events_of
-- The same for a sequence, a contact or an enrollment: of those that have a message.
SELECT event_id AS id, type, received_at, occurred_at, source, message_id, enrollment_id, contact_id, sequence_id,
       step_key, bounce_type, detail, url, machine
FROM views.message_events
WHERE tenant_id = $1
  AND ($2::timestamptz IS NULL OR (received_at, event_id) > ($2, $3::uuid))
  AND ($4::text IS NULL OR type = $4)
  AND ($5::uuid IS NULL OR sequence_id = $5)
  AND ($6::uuid IS NULL OR enrollment_id = ANY (ARRAY(
      SELECT e.enrollment_id FROM sequence.enrollments e WHERE e.tenant_id = $1 AND e.contact_id = $6)))
  AND ($7::uuid IS NULL OR enrollment_id = $7)
ORDER BY received_at, event_id
LIMIT $8;
