-- name: contacts
-- The recipients of a batch.
SELECT contact_id, kind, email, external_id, first_name, last_name, company, timezone, attributes
FROM views.contacts WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[]);

-- name: sender
-- The account that sends, whose tenant it is, and whether we had paused it.
SELECT s.from_email, s.from_name, s.reply_to, s.esp, s.host, s.port, s.security, s.username, s.password_sealed,
       s.max_connections, s.updated_at, t.name AS tenant_name, t.postal_address,
       EXISTS (SELECT FROM delivery.sender_state r
               WHERE r.tenant_id = s.tenant_id AND r.sender_id = s.sender_id) AS has_rested
FROM views.senders s JOIN views.tenants t USING (tenant_id)
WHERE s.tenant_id = $1 AND s.sender_id = $2;

-- name: steps
-- What the steps of activated versions send. They never change, so an answer may be kept.
SELECT wanted.sequence_id, wanted.version, wanted.step_key, s.thread, s.template_id, s.template_version,
       t.subject, t.html, t.text
FROM unnest($2::uuid[], $3::integer[], $4::text[]) AS wanted (sequence_id, version, step_key)
JOIN views.steps s ON s.tenant_id = $1 AND s.sequence_id = wanted.sequence_id AND s.version = wanted.version
                  AND s.step_key = wanted.step_key
JOIN views.template_versions t ON t.tenant_id = $1 AND t.template_id = s.template_id AND t.version = s.template_version;

-- name: threads
-- What was sent before in the thread that a step replies to, oldest first: from the last step that began a thread.
SELECT wanted.enrollment_id, m.rfc_message_id, m.subject, s.thread
FROM unnest($2::uuid[], $3::integer[]) AS wanted (enrollment_id, step_number)
JOIN delivery.messages m ON m.tenant_id = $1 AND m.enrollment_id = wanted.enrollment_id
                        AND m.step_number < wanted.step_number AND m.state IN ('accepted', 'unknown')
JOIN views.steps s ON s.tenant_id = $1 AND s.sequence_id = m.sequence_id AND s.version = m.version
                  AND s.step_key = m.step_key
ORDER BY wanted.enrollment_id, m.step_number;
