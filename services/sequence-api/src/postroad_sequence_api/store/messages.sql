-- name: messages
-- A page of the ledger in its own order, or one message ($2).
SELECT message_id AS id, enrollment_id, sequence_id, version, step_number, step_key, contact_id, sender_id,
       template_id, template_version, state, attempt, recipient, subject, rfc_message_id, provider_message_id,
       due_at, transmitting_at, gated_at, settled_at, reason, bounce_type, reply_code, reply_status, reply_text,
       created_at
FROM views.messages
WHERE tenant_id = $1
  AND ($2::uuid IS NULL OR message_id = $2)
  AND ($3::uuid IS NULL OR (enrollment_id, step_key) > ($3, $4::text))
  AND ($5::uuid IS NULL OR sequence_id = $5)
  AND ($6::uuid IS NULL OR contact_id = $6)
  AND ($7::uuid IS NULL OR enrollment_id = $7)
  AND ($8::text IS NULL OR state = $8)
ORDER BY enrollment_id, step_key
LIMIT $9;

-- name: state
SELECT state, postroad.now() AS now FROM views.messages WHERE tenant_id = $1 AND message_id = $2;

-- name: source
-- A message as it was handed over last, if it was and if that is kept.
SELECT m.state, s.source
FROM views.messages m
LEFT JOIN views.message_sources s
    ON s.tenant_id = $1 AND s.message_id = m.message_id AND s.attempt = m.attempt
   AND m.state NOT IN ('held', 'cancelled')
WHERE m.tenant_id = $1 AND m.message_id = $2;

-- name: attempts
SELECT attempt, outcome, transmitting_at, gated_at, settled_at, reason, reply_code, reply_status, reply_text
FROM views.attempts
WHERE tenant_id = $1 AND enrollment_id = $2 AND step_key = $3
ORDER BY attempt_id;
