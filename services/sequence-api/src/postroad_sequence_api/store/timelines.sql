-- name: entries
-- All that happened to one enrollment ($3), or to a contact ($2) in all of its enrollments; the newest first, $4 of them.
-- rank orders what has the same time: a cause before its effect.
WITH mine AS MATERIALIZED (
    SELECT e.enrollment_id, e.contact_id, e.sequence_id, e.version, e.created_at, s.name AS sequence, c.email,
           v.sender_id, p.state, p.phase, p.step_key, p.reason,
           coalesce(p.completed_at, p.replied_at, p.bounced_at, p.unenrolled_at, p.failed_at) AS ended_at
    FROM sequence.enrollments e
    JOIN sequence.sequences s ON s.tenant_id = $1 AND s.sequence_id = e.sequence_id
    JOIN sequence.sequence_versions v
        ON v.tenant_id = $1 AND v.sequence_id = e.sequence_id AND v.version = e.version
    LEFT JOIN sequence.contacts c ON c.tenant_id = $1 AND c.contact_id = e.contact_id
    LEFT JOIN views.progress p ON p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id
    WHERE e.tenant_id = $1 AND ($2::uuid IS NULL OR e.contact_id = $2) AND ($3::uuid IS NULL OR e.enrollment_id = $3)
), entries AS (
    SELECT created_at AS at, 0 AS rank, 'enrolled' AS kind, enrollment_id, NULL::text AS step_key,
           jsonb_build_object('sequence_id', sequence_id, 'sequence', sequence, 'version', version) AS facts
    FROM mine
    UNION ALL
    SELECT d.decided_at, 3, 'decision', d.enrollment_id, d.step_key,
           jsonb_build_object('outcome', d.outcome, 'attempt', d.attempt, 'due_at', d.due_at, 'reasons', d.reasons)
    FROM mine JOIN views.decisions d ON d.tenant_id = $1 AND d.enrollment_id = mine.enrollment_id
    UNION ALL
    SELECT a.settled_at, 2, 'attempt', a.enrollment_id, a.step_key,
           jsonb_build_object('outcome', a.outcome, 'attempt', a.attempt, 'reasons', a.reason,
                              'reply_code', a.reply_code, 'reply_status', a.reply_status, 'reply_text', a.reply_text)
    FROM mine JOIN views.attempts a ON a.tenant_id = $1 AND a.enrollment_id = mine.enrollment_id
    UNION ALL
    SELECT e.occurred_at, 1, 'event', e.enrollment_id, e.step_key,
           jsonb_build_object('event_id', e.event_id, 'type', e.type, 'source', e.source, 'url', e.url,
                              'detail', e.detail, 'bounce_type', e.bounce_type, 'received_at', e.received_at)
    FROM views.message_events e
    WHERE e.tenant_id = $1 AND e.enrollment_id = ANY (ARRAY(SELECT enrollment_id FROM mine))
    UNION ALL
    SELECT s.created_at, 2, 'stop', mine.enrollment_id, NULL,
           jsonb_build_object('kind', s.kind, 'event_id', s.event_id, 'acknowledged_at', s.acknowledged_at,
                              'on_the_wire', to_jsonb(s.on_the_wire))
    FROM mine
    JOIN views.stops s ON s.tenant_id = $1 AND (s.enrollment_id = mine.enrollment_id OR s.email = mine.email)
    WHERE s.enrollment_id = mine.enrollment_id
       OR s.created_at >= mine.created_at AND (mine.ended_at IS NULL OR s.created_at <= mine.ended_at)
    UNION ALL
    SELECT i.requested_at, 0, 'intent', mine.enrollment_id, NULL,
           jsonb_build_object('intent', i.intent, 'acknowledged_at', i.acknowledged_at,
                              'on_the_wire', to_jsonb(i.on_the_wire),
                              'subject', CASE WHEN i.enrollment_id IS NOT NULL THEN 'enrollment'
                                              WHEN i.sequence_id IS NOT NULL THEN 'sequence'
                                              WHEN i.sender_id IS NOT NULL THEN 'sender'
                                              ELSE 'address' END)
    FROM mine
    JOIN views.intents i ON i.tenant_id = $1
        AND (i.enrollment_id = mine.enrollment_id
             OR (i.sequence_id = mine.sequence_id AND i.enrollment_id IS NULL
                 OR i.sender_id = mine.sender_id OR i.email = mine.email)
                AND i.requested_at >= mine.created_at
                AND (mine.ended_at IS NULL OR i.requested_at <= mine.ended_at))
    UNION ALL
    SELECT ended_at, 4, 'ended', enrollment_id, step_key, jsonb_build_object('state', state, 'reasons', reason)
    FROM mine WHERE ended_at IS NOT NULL
)
SELECT at, kind, enrollment_id, step_key, facts
FROM entries
ORDER BY at DESC, rank DESC
LIMIT $4;

-- name: contact_exists
SELECT EXISTS (SELECT FROM sequence.contacts WHERE tenant_id = $1 AND contact_id = $2);

-- name: enrollment_exists
SELECT EXISTS (SELECT FROM sequence.enrollments WHERE tenant_id = $1 AND enrollment_id = $2);
