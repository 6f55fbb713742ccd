-- name: standing
-- Everything that bears on an enrollment now: what is wanted, where it is, and what stands against sending.
SELECT e.enrollment_id, e.sequence_id, e.version, e.intent, e.created_at, v.sender_id,
       c.timezone, t.timezone AS tenant_timezone, s.state AS sequence_state,
       m.paused_at IS NOT NULL AS sender_paused_by_person, own.retry_at AS sender_paused_until,
       p.state, p.phase, p.step_number, p.step_key, p.attempt, p.next_due_at, p.send_before, p.wake_at, p.reason,
       p.needs_attention_at,
       ARRAY(
           SELECT kind FROM views.stops WHERE tenant_id = $1 AND enrollment_id = e.enrollment_id
           UNION
           SELECT kind FROM views.suppressed_addresses WHERE tenant_id = $1 AND email = c.email
       ) AS stops,
       coalesce((SELECT h.held FROM views.hold h), false) AS held,
       (SELECT h.keeps_due_until FROM views.hold h) AS keeps_due_until, postroad.now() AS now
FROM sequence.enrollments e
JOIN sequence.contacts c ON c.tenant_id = $1 AND c.contact_id = e.contact_id
JOIN sequence.tenants t ON t.tenant_id = $1
JOIN sequence.sequences s ON s.tenant_id = $1 AND s.sequence_id = e.sequence_id
JOIN sequence.sequence_versions v ON v.tenant_id = $1 AND v.sequence_id = e.sequence_id AND v.version = e.version
JOIN sequence.senders m ON m.tenant_id = $1 AND m.sender_id = v.sender_id
LEFT JOIN views.sender_state own ON own.tenant_id = $1 AND own.sender_id = v.sender_id
LEFT JOIN views.progress p ON p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id
WHERE e.tenant_id = $1 AND e.enrollment_id = $2;

-- name: decisions
-- The newest decisions, newest first.
SELECT decided_at, outcome, step_key, attempt, due_at, reasons
FROM views.decisions
WHERE tenant_id = $1 AND enrollment_id = $2
ORDER BY decision_id DESC
LIMIT 50;
