-- name: lock_running
-- The given rows that have not ended, locked in one order everywhere, so that two writers wait and never deadlock.
-- $1 tenants, $2 enrollments.
SELECT p.tenant_id, p.enrollment_id, p.state, p.phase, p.step_number, p.step_key, p.attempt, p.emissions, p.deferrals,
       p.fence, p.anchor_at, p.next_due_at, p.send_before, p.wake_at, p.reason::text, p.needs_attention_at
FROM unnest($1::uuid[], $2::uuid[]) AS given (tenant_id, enrollment_id)
JOIN schedule.progress p USING (tenant_id, enrollment_id)
WHERE p.phase <> 'ended'
ORDER BY p.tenant_id, p.enrollment_id
FOR UPDATE OF p;

-- name: lock_due
-- The same, of rows that still have the fence under which they were claimed to be decided on; others have been changed
-- since. $1 tenants, $2 enrollments, $3 fences.
SELECT p.tenant_id, p.enrollment_id, p.state, p.phase, p.step_number, p.step_key, p.attempt, p.emissions, p.deferrals,
       p.fence, p.anchor_at, p.next_due_at, p.send_before, p.wake_at, p.reason::text, p.needs_attention_at
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS given (tenant_id, enrollment_id, fence)
JOIN schedule.progress p USING (tenant_id, enrollment_id)
WHERE p.phase <> 'ended' AND p.fence = given.fence
ORDER BY p.tenant_id, p.enrollment_id
FOR UPDATE OF p;

-- name: read_facts
-- What bears on decisions over enrollments, read after their rows are locked. Stops are the enrollment's own and its
-- address's. Each OFFSET 0 keeps a look-up by its whole key: joined freely, and before statistics are there, tables come
-- to be joined on their tenant alone. $1 tenants, $2 enrollments.
WITH clock AS MATERIALIZED (SELECT postroad.now() AS at)
SELECT e.tenant_id, e.enrollment_id, e.sequence_id, e.version, e.contact_id, e.intent, e.traceparent, e.created_at,
       c.timezone, t.timezone AS tenant_timezone, s.state AS sequence_state,
       m.paused_at IS NOT NULL AS sender_paused_by_person, d.retry_at AS sender_paused_until,
       ARRAY(
           SELECT own.kind FROM views.stops own
           WHERE own.tenant_id = e.tenant_id AND own.enrollment_id = e.enrollment_id
           UNION ALL
           SELECT a.kind FROM views.suppressed_addresses a WHERE a.tenant_id = e.tenant_id AND a.email = c.email
       ) AS stops,
       (SELECT h.keeps_due_until FROM views.hold h) AS keeps_due_until, clock.at AS now
FROM unnest($1::uuid[], $2::uuid[]) AS given (tenant_id, enrollment_id)
CROSS JOIN clock
CROSS JOIN LATERAL (
    SELECT * FROM views.enrollments x
    WHERE x.tenant_id = given.tenant_id AND x.enrollment_id = given.enrollment_id OFFSET 0
) AS e
CROSS JOIN LATERAL (
    SELECT x.email, x.timezone FROM views.contacts x
    WHERE x.tenant_id = e.tenant_id AND x.contact_id = e.contact_id OFFSET 0
) AS c
CROSS JOIN LATERAL (SELECT x.timezone FROM views.tenants x WHERE x.tenant_id = e.tenant_id OFFSET 0) AS t
CROSS JOIN LATERAL (
    SELECT x.state FROM views.sequences x
    WHERE x.tenant_id = e.tenant_id AND x.sequence_id = e.sequence_id OFFSET 0
) AS s
CROSS JOIN LATERAL (
    SELECT x.sender_id FROM views.sequence_versions x
    WHERE x.tenant_id = e.tenant_id AND x.sequence_id = e.sequence_id AND x.version = e.version OFFSET 0
) AS v
CROSS JOIN LATERAL (
    SELECT x.paused_at FROM views.senders x WHERE x.tenant_id = e.tenant_id AND x.sender_id = v.sender_id OFFSET 0
) AS m
LEFT JOIN LATERAL (
    SELECT x.retry_at FROM views.sender_state x WHERE x.tenant_id = e.tenant_id AND x.sender_id = v.sender_id OFFSET 0
) AS d ON true;

-- name: take_up
-- Begins the progress of enrollments; one that is already there stays as it is. What ends before its first step has no
-- slot to keep. $1 tenants, $2 enrollments, $3 sequences, $4 versions, $5 contacts, $6 senders, $7 states, $8 phases,
-- $9 step numbers, $10 step keys, $11 anchors, $12 due times, $13 send before, $14 wake times, $15 reasons as JSON,
-- $16 traces, $17 needing attention since, $18 outcomes, $19 hashes of the inputs, $20 now.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::integer[],
        $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::text[],
        $16::text[], $17::timestamptz[], $18::text[], $19::bytea[]
    ) AS g (tenant_id, enrollment_id, sequence_id, version, contact_id, sender_id, state, phase, step_number, step_key,
            anchor_at, next_due_at, send_before, wake_at, reason, traceparent, needs_attention_at, outcome, inputs_hash)
),
begun AS (
    INSERT INTO schedule.progress (
        tenant_id, enrollment_id, sequence_id, version, contact_id, sender_id, state, phase, step_number, step_key,
        anchor_at, next_due_at, send_before, wake_at, reason, traceparent, needs_attention_at, started_at, updated_at,
        paused_at, completed_at, replied_at, bounced_at, unenrolled_at, failed_at)
    SELECT g.tenant_id, g.enrollment_id, g.sequence_id, g.version, g.contact_id, g.sender_id, g.state, g.phase,
           g.step_number, g.step_key, g.anchor_at, g.next_due_at, g.send_before, g.wake_at, g.reason::jsonb,
           g.traceparent, g.needs_attention_at, $20::timestamptz, $20::timestamptz,
           CASE g.state WHEN 'paused' THEN $20::timestamptz END,
           CASE g.state WHEN 'completed' THEN $20::timestamptz END,
           CASE g.state WHEN 'replied' THEN $20::timestamptz END,
           CASE g.state WHEN 'bounced' THEN $20::timestamptz END,
           CASE g.state WHEN 'unenrolled' THEN $20::timestamptz END,
           CASE g.state WHEN 'failed' THEN $20::timestamptz END
    FROM given g
    ON CONFLICT (tenant_id, enrollment_id) DO NOTHING
    RETURNING tenant_id, enrollment_id, contact_id, sequence_id, version, state, phase
),
noted AS (
    INSERT INTO schedule.decisions
        (tenant_id, enrollment_id, step_key, attempt, decided_at, outcome, due_at, reasons, inputs_hash)
    SELECT g.tenant_id, g.enrollment_id, g.step_key, 0, $20::timestamptz, g.outcome,
           CASE g.outcome WHEN 'send' THEN g.next_due_at END, g.reason::jsonb, g.inputs_hash
    FROM given g JOIN begun USING (tenant_id, enrollment_id)
),
freed AS (
    DELETE FROM sequence.active_slots s USING begun b
    WHERE b.phase = 'ended' AND s.tenant_id = b.tenant_id AND s.enrollment_id = b.enrollment_id
)
SELECT tenant_id, enrollment_id, contact_id, sequence_id, version, state, phase FROM begun;

-- name: apply
-- Writes what was decided over locked rows, each only if nobody has changed it since it was read (fence), notes the
-- decision, and frees the slot of what ended. A null outcome is a change without a new decision.
-- $1 tenants, $2 enrollments, $3 fences, $4 states, $5 phases, $6 step numbers, $7 step keys, $8 attempts, $9 emissions,
-- $10 deferrals, $11 anchors, $12 due times, $13 send before, $14 wake times, $15 reasons as JSON, $16 needing attention
-- since, $17 outcomes, $18 hashes of the inputs, $19 now.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::integer[],
        $9::integer[], $10::integer[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[],
        $15::text[], $16::timestamptz[], $17::text[], $18::bytea[]
    ) AS g (tenant_id, enrollment_id, fence, state, phase, step_number, step_key, attempt, emissions, deferrals,
            anchor_at, next_due_at, send_before, wake_at, reason, needs_attention_at, outcome, inputs_hash)
),
changed AS (
    UPDATE schedule.progress p
    SET state = g.state, phase = g.phase, step_number = g.step_number, step_key = g.step_key, attempt = g.attempt,
        emissions = g.emissions, deferrals = g.deferrals, fence = p.fence + 1, anchor_at = g.anchor_at,
        next_due_at = g.next_due_at, send_before = g.send_before, wake_at = g.wake_at, reason = g.reason::jsonb,
        needs_attention_at = g.needs_attention_at, updated_at = $19::timestamptz,
        paused_at = CASE g.state WHEN 'paused' THEN coalesce(p.paused_at, $19::timestamptz) END,
        completed_at = CASE g.state WHEN 'completed' THEN $19::timestamptz END,
        replied_at = CASE g.state WHEN 'replied' THEN $19::timestamptz END,
        bounced_at = CASE g.state WHEN 'bounced' THEN $19::timestamptz END,
        unenrolled_at = CASE g.state WHEN 'unenrolled' THEN $19::timestamptz END,
        failed_at = CASE g.state WHEN 'failed' THEN $19::timestamptz END
    FROM given g
    WHERE p.tenant_id = g.tenant_id AND p.enrollment_id = g.enrollment_id
      AND p.fence = g.fence AND p.phase <> 'ended'
    RETURNING p.tenant_id, p.enrollment_id, p.contact_id, p.sequence_id, p.version, p.state, p.phase
),
noted AS (
    INSERT INTO schedule.decisions
        (tenant_id, enrollment_id, step_key, attempt, decided_at, outcome, due_at, reasons, inputs_hash)
    SELECT g.tenant_id, g.enrollment_id, g.step_key, g.attempt, $19::timestamptz, g.outcome,
           CASE g.outcome WHEN 'send' THEN g.next_due_at END, g.reason::jsonb, g.inputs_hash
    FROM given g JOIN changed USING (tenant_id, enrollment_id)
    WHERE g.outcome IS NOT NULL
),
freed AS (
    DELETE FROM sequence.active_slots s USING changed c
    WHERE c.phase = 'ended' AND s.tenant_id = c.tenant_id AND s.enrollment_id = c.enrollment_id
)
SELECT tenant_id, enrollment_id, contact_id, sequence_id, version, state, phase FROM changed;

-- name: running_of_contacts
-- The enrollments of contacts that have not ended. $1 tenant, $2 contacts.
SELECT e.enrollment_id
FROM unnest($2::uuid[]) AS given (contact_id)
CROSS JOIN LATERAL (
    SELECT x.enrollment_id FROM views.enrollments x
    WHERE x.tenant_id = $1 AND x.contact_id = given.contact_id OFFSET 0
) AS e
WHERE EXISTS (SELECT FROM schedule.progress p
              WHERE p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id AND p.phase <> 'ended' OFFSET 0);
