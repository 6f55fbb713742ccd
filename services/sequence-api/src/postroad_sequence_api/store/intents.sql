-- name: insert_intent
-- Exactly one subject: a sequence, one of its enrollments, a sender, or an address.
INSERT INTO sequence.intents (tenant_id, intent_id, sequence_id, enrollment_id, sender_id, email, intent, requested_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: intents
-- One intent ($2), or a page of them: those of a sequence with its enrollments, of an enrollment, a sender, an address.
SELECT intent_id AS id, sequence_id, enrollment_id, sender_id, email, intent, requested_at, requested_by,
       acknowledged_at, on_the_wire
FROM sequence.intents
WHERE tenant_id = $1
  AND ($2::uuid IS NULL OR intent_id = $2)
  AND ($3::uuid IS NULL OR intent_id > $3)
  AND ($4::uuid IS NULL OR sequence_id = $4)
  AND ($5::uuid IS NULL OR enrollment_id = $5)
  AND ($6::uuid IS NULL OR sender_id = $6)
  AND ($7::text IS NULL OR email = $7)
ORDER BY intent_id
LIMIT $8;

-- name: latest_intent
-- The intent that holds for exactly this subject: a stop that is asked for again answers with the first one's.
SELECT intent_id, intent
FROM sequence.intents
WHERE tenant_id = $1
  AND sequence_id IS NOT DISTINCT FROM $2
  AND enrollment_id IS NOT DISTINCT FROM $3
  AND sender_id IS NOT DISTINCT FROM $4
  AND email IS NOT DISTINCT FROM $5
ORDER BY requested_at DESC, intent_id DESC
LIMIT 1;

-- name: acknowledge_intent
-- Runs after the commit of the stop, as a statement of its own: what is transmitting then either shows here, or will
-- read the stop at its gate. With something transmitting the intent stays open until $7 says that waiting is over; then
-- it is listed. What is unknown and younger than $8 is listed too: a suspended sender may still hold it. The snapshot
-- is older than the clock that is written, so nothing falls between them.
WITH wire AS MATERIALIZED (
    SELECT message_id, state
    FROM views.messages
    WHERE tenant_id = $1
      AND state IN ('transmitting', 'unknown')
      AND (state = 'transmitting' OR settled_at > postroad.now() - $8::interval)
      AND ($3::uuid IS NULL OR sequence_id = $3)
      AND ($4::uuid IS NULL OR enrollment_id = $4)
      AND ($5::uuid IS NULL OR sender_id = $5)
      AND ($6::text IS NULL OR recipient = $6)
)
UPDATE sequence.intents
SET acknowledged_at = postroad.now(), on_the_wire = ARRAY(SELECT message_id FROM wire ORDER BY message_id)
WHERE tenant_id = $1 AND intent_id = $2 AND acknowledged_at IS NULL
  AND ($7::boolean OR NOT EXISTS (SELECT FROM wire WHERE state = 'transmitting'))
RETURNING acknowledged_at, on_the_wire;

-- name: acknowledged_intent
-- What somebody else acknowledged who was asked for the same.
SELECT acknowledged_at, on_the_wire
FROM sequence.intents
WHERE tenant_id = $1 AND intent_id = $2 AND acknowledged_at IS NOT NULL;
