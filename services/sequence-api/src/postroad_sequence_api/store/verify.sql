-- name: make_room
-- For this transaction: memory for whole-table joins, and no compiling, which costs more than these statements do.
SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true) FROM (SELECT $1::uuid) AS tenant;

-- name: accepted_twice
-- Promise 2. One attempt may first be unknown and then turn out to be accepted: that is one hand-over, not two.
SELECT enrollment_id, step_key, array_agg(DISTINCT attempt ORDER BY attempt) AS attempts, count(*) OVER () AS total
FROM views.attempts
WHERE tenant_id = $1 AND outcome IN ('accepted', 'unknown')
GROUP BY enrollment_id, step_key
HAVING count(DISTINCT attempt) > 1
    OR count(*) FILTER (WHERE outcome = 'accepted') > 1
    OR count(*) FILTER (WHERE outcome = 'unknown') > 1
ORDER BY enrollment_id, step_key
LIMIT 100;

-- name: ledger_row_twice
-- What the keys of the ledger forbid, counted without them: an index can be broken, or dropped.
SELECT enrollment_id, step_key, array_agg(message_id) AS message_ids, count(*) OVER () AS total
FROM views.messages
WHERE tenant_id = $1
GROUP BY enrollment_id, step_key
HAVING count(*) > 1
ORDER BY enrollment_id, step_key
LIMIT 100;

-- name: accepted_after_stop
-- Promise 3. A hand-over counts from its last look at what is wanted (gated_at); one that only evidence has settled
-- kept no look, and counts from its claim, which is earlier. An unknown without a look may never have begun. A stop
-- through the API holds from its acknowledgement to the next request that its subject may run; one by the recipient
-- holds for ever.
WITH handed_over AS MATERIALIZED (
    SELECT a.enrollment_id, a.step_key, a.attempt, m.message_id, m.sequence_id, m.sender_id, m.recipient,
           CASE a.outcome WHEN 'accepted' THEN coalesce(a.gated_at, a.transmitting_at) ELSE a.gated_at END AS began_at
    FROM views.attempts a
    JOIN views.messages m
        ON m.tenant_id = a.tenant_id AND m.enrollment_id = a.enrollment_id AND m.step_key = a.step_key
    WHERE a.tenant_id = $1 AND a.outcome IN ('accepted', 'unknown')
), intents AS MATERIALIZED (
    SELECT intent_id AS stop_id, intent, sequence_id, enrollment_id, sender_id, email, acknowledged_at, on_the_wire,
           min(requested_at) FILTER (WHERE intent = 'run') OVER (
               PARTITION BY sequence_id, enrollment_id, sender_id, email ORDER BY requested_at, intent_id
               ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS ends_at
    FROM views.intents
    WHERE tenant_id = $1
), stopped AS MATERIALIZED (
    SELECT * FROM intents WHERE intent <> 'run' AND acknowledged_at IS NOT NULL
), words AS MATERIALIZED (
    SELECT stop_id, kind, enrollment_id, email, acknowledged_at, on_the_wire
    FROM views.stops
    WHERE tenant_id = $1 AND acknowledged_at IS NOT NULL
), broken AS (
    SELECT h.*, s.stop_id, 'sequence ' || s.intent AS stopped_by, s.acknowledged_at
    FROM handed_over h
    JOIN stopped s ON s.sequence_id = h.sequence_id AND s.enrollment_id IS NULL
    WHERE h.began_at > s.acknowledged_at AND (s.ends_at IS NULL OR h.began_at < s.ends_at)
      AND h.message_id <> ALL (s.on_the_wire)
    UNION ALL
    SELECT h.*, s.stop_id, 'enrollment ' || s.intent, s.acknowledged_at
    FROM handed_over h
    JOIN stopped s ON s.enrollment_id = h.enrollment_id
    WHERE h.began_at > s.acknowledged_at AND (s.ends_at IS NULL OR h.began_at < s.ends_at)
      AND h.message_id <> ALL (s.on_the_wire)
    UNION ALL
    SELECT h.*, s.stop_id, 'sender ' || s.intent, s.acknowledged_at
    FROM handed_over h
    JOIN stopped s ON s.sender_id = h.sender_id
    WHERE h.began_at > s.acknowledged_at AND (s.ends_at IS NULL OR h.began_at < s.ends_at)
      AND h.message_id <> ALL (s.on_the_wire)
    UNION ALL
    SELECT h.*, s.stop_id, 'suppression', s.acknowledged_at
    FROM handed_over h
    JOIN stopped s ON s.email = h.recipient
    WHERE h.began_at > s.acknowledged_at AND (s.ends_at IS NULL OR h.began_at < s.ends_at)
      AND h.message_id <> ALL (s.on_the_wire)
    UNION ALL
    SELECT h.*, w.stop_id, w.kind, w.acknowledged_at
    FROM handed_over h
    JOIN words w ON w.enrollment_id = h.enrollment_id
    WHERE h.began_at > w.acknowledged_at AND h.message_id <> ALL (w.on_the_wire)
    UNION ALL
    SELECT h.*, w.stop_id, w.kind, w.acknowledged_at
    FROM handed_over h
    JOIN words w ON w.email = h.recipient AND w.enrollment_id IS DISTINCT FROM h.enrollment_id
    WHERE h.began_at > w.acknowledged_at AND h.message_id <> ALL (w.on_the_wire)
)
SELECT enrollment_id, step_key, attempt, message_id, began_at, stop_id, stopped_by, acknowledged_at,
       count(*) OVER () AS total
FROM broken
ORDER BY began_at, message_id
LIMIT 100;

-- name: accepted_not_due
-- Promise 6 and 7. What was handed over is a step of the version it names, and somebody had decided that it was due.
SELECT m.message_id, m.enrollment_id, m.step_key, m.version, m.step_number,
       CASE WHEN s.step_key IS NULL THEN 'no such step'
            WHEN d.due_at IS NULL THEN 'no decision'
            ELSE 'before it was due' END AS why, count(*) OVER () AS total
FROM views.messages m
LEFT JOIN views.steps s
    ON s.tenant_id = $1 AND s.sequence_id = m.sequence_id AND s.version = m.version AND s.step_key = m.step_key
   AND s.number = m.step_number
LEFT JOIN (
    SELECT enrollment_id, step_key, min(due_at) AS due_at
    FROM views.decisions
    WHERE tenant_id = $1 AND outcome = 'send'
    GROUP BY enrollment_id, step_key
) d ON d.enrollment_id = m.enrollment_id AND d.step_key = m.step_key
WHERE m.tenant_id = $1 AND m.state IN ('accepted', 'unknown')
  AND m.transmitting_at IS NOT NULL  -- or a restored database says of it that it may have been sent
  AND (s.step_key IS NULL OR d.due_at IS NULL OR d.due_at > coalesce(m.gated_at, m.transmitting_at))
ORDER BY m.message_id
LIMIT 100;

-- name: moved_to_another_version
-- Promise 6. Progress and ledger hold to the version, sequence and contact that the enrollment was pinned to.
SELECT e.enrollment_id, e.version, x.found_in, x.version AS found_version, count(*) OVER () AS total
FROM sequence.enrollments e
JOIN (
    SELECT enrollment_id, sequence_id, contact_id, version, 'progress' AS found_in FROM views.progress WHERE tenant_id = $1
    UNION ALL
    SELECT enrollment_id, sequence_id, contact_id, version, 'messages' FROM views.messages WHERE tenant_id = $1
) x ON x.enrollment_id = e.enrollment_id
WHERE e.tenant_id = $1 AND (x.version, x.sequence_id, x.contact_id) <> (e.version, e.sequence_id, e.contact_id)
ORDER BY e.enrollment_id
LIMIT 100;

-- name: ledger_and_attempts_differ
-- Promise 2. The ledger says what the last of its attempts says, and no attempt is without its ledger row.
SELECT coalesce(m.enrollment_id, a.enrollment_id) AS enrollment_id, coalesce(m.step_key, a.step_key) AS step_key,
       m.state, a.outcome AS last_outcome, count(*) OVER () AS total
FROM (SELECT enrollment_id, step_key, state, attempt FROM views.messages WHERE tenant_id = $1) m
FULL JOIN (
    SELECT DISTINCT ON (enrollment_id, step_key) enrollment_id, step_key, outcome, attempt
    FROM views.attempts
    WHERE tenant_id = $1
    ORDER BY enrollment_id, step_key, attempt_id DESC
) a ON a.enrollment_id = m.enrollment_id AND a.step_key = m.step_key
WHERE m.enrollment_id IS NULL
   OR m.state <> 'transmitting' AND (m.state, m.attempt) IS DISTINCT FROM (a.outcome, a.attempt)
ORDER BY 1, 2
LIMIT 100;

-- name: ledger_without_enrollment
-- Promise 1. Nothing is handed over, and nothing runs, that was not enrolled.
SELECT x.enrollment_id, x.found_in, count(*) OVER () AS total
FROM (
    SELECT enrollment_id, 'messages' AS found_in FROM views.messages WHERE tenant_id = $1
    UNION ALL
    SELECT enrollment_id, 'progress' FROM views.progress WHERE tenant_id = $1
) x
LEFT JOIN sequence.enrollments e ON e.tenant_id = $1 AND e.enrollment_id = x.enrollment_id
WHERE e.enrollment_id IS NULL
ORDER BY x.enrollment_id
LIMIT 100;

-- name: stuck
-- Promise 1. Everything that has not ended waits for a time that lies ahead, or at most $2 back. Steps that are due but
-- queue behind older ones that are with the sender right now are late, not stuck.
-- While the database is held nothing is expected to move, nor before the grace has passed since its release.
WITH clock AS MATERIALIZED (
    SELECT now, CASE WHEN h.held OR h.released_at > now - $2::interval THEN '-infinity'
                     ELSE now - $2::interval END AS limit_at
    FROM (SELECT postroad.now() AS now) AS clock LEFT JOIN views.hold h ON true
), at_work AS MATERIALIZED (
    SELECT min(p.next_due_at) AS oldest_due_at
    FROM views.progress p, clock
    WHERE p.tenant_id = $1 AND p.phase = 'in_flight' AND p.wake_at > clock.now
), found AS (
    SELECT 'progress ' || p.phase AS what, p.enrollment_id, p.step_key, NULL::uuid AS message_id, NULL::text AS outbox,
           p.wake_at AS since
    FROM views.progress p, clock, at_work
    WHERE p.tenant_id = $1 AND p.phase <> 'ended' AND (p.wake_at IS NULL OR p.wake_at < clock.limit_at)
      AND NOT coalesce(p.phase = 'waiting' AND at_work.oldest_due_at <= p.wake_at + $2::interval, false)
    UNION ALL
    SELECT 'enrollment not taken up', e.enrollment_id, NULL, NULL, NULL, e.created_at
    FROM sequence.enrollments e
    CROSS JOIN clock
    LEFT JOIN views.progress p ON p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id
    WHERE e.tenant_id = $1 AND e.created_at < clock.limit_at AND p.enrollment_id IS NULL
    UNION ALL
    SELECT 'transmitting under an expired incarnation', m.enrollment_id, m.step_key, m.message_id, NULL, i.expires_at
    FROM views.messages m
    CROSS JOIN clock
    LEFT JOIN views.incarnations i ON i.incarnation_id = m.incarnation_id
    WHERE m.tenant_id = $1 AND m.state = 'transmitting' AND (i.expires_at IS NULL OR i.expires_at < clock.limit_at)
    UNION ALL
    SELECT 'message not relayed', NULL, NULL, NULL, o.schema || ' ' || o.outbox_id || ' ' || o.type, o.created_at
    FROM views.outbox o, clock
    WHERE o.tenant_id = $1 AND o.created_at < clock.limit_at
    UNION ALL
    SELECT 'stop not acknowledged', s.enrollment_id, NULL, NULL, NULL, s.created_at
    FROM views.stops s, clock
    WHERE s.tenant_id = $1 AND s.acknowledged_at IS NULL AND s.created_at < clock.limit_at
)
SELECT *, count(*) OVER () AS total
FROM found
ORDER BY since NULLS FIRST
LIMIT 100;

-- name: lost_step_waits
-- Promise 2 after a restore. What was due before may have been sent, so nothing waits to be sent for such a time.
SELECT lost.enrollment_id, lost.step_key, lost.due_at, count(*) OVER () AS total
FROM (
    SELECT p.enrollment_id, p.step_key, p.next_due_at AS due_at
    FROM views.progress p, views.hold h
    WHERE p.tenant_id = $1 AND p.phase <> 'ended' AND p.next_due_at <= h.keeps_due_until
    UNION ALL
    SELECT e.enrollment_id, NULL, e.created_at
    FROM sequence.enrollments e, views.hold h
    WHERE e.tenant_id = $1 AND e.created_at <= h.keeps_due_until
      AND NOT EXISTS (SELECT FROM views.progress p WHERE p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id)
) AS lost
ORDER BY lost.due_at
LIMIT 100;

-- name: slot_differs
-- Promise 1. What runs holds its slot, and what has ended holds none: else a contact runs twice, or never again.
SELECT coalesce(e.enrollment_id, s.enrollment_id) AS enrollment_id, s.contact_id IS NOT NULL AS holds_slot,
       coalesce(e.phase, CASE WHEN e.enrollment_id IS NULL THEN 'no enrollment' ELSE 'not taken up' END) AS phase,
       count(*) OVER () AS total
FROM (
    SELECT e.enrollment_id, p.phase
    FROM sequence.enrollments e
    LEFT JOIN views.progress p ON p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id
    WHERE e.tenant_id = $1
) e
FULL JOIN (
    SELECT enrollment_id, contact_id FROM sequence.active_slots WHERE tenant_id = $1
) s ON s.enrollment_id = e.enrollment_id
WHERE (e.enrollment_id IS NOT NULL AND e.phase IS DISTINCT FROM 'ended') <> (s.contact_id IS NOT NULL)
ORDER BY 1
LIMIT 100;

-- name: event_not_once
-- Promise 4. An event has one key and is there once; a key has its event.
SELECT coalesce(e.event_id, k.event_id) AS event_id, coalesce(e.stored, 0) AS stored, coalesce(k.keys, 0) AS keys,
       count(*) OVER () AS total
FROM (SELECT event_id, count(*) AS stored FROM views.events WHERE tenant_id = $1 GROUP BY event_id) e
FULL JOIN (
    SELECT event_id, count(*) AS keys FROM views.event_keys WHERE tenant_id = $1 GROUP BY event_id
) k ON k.event_id = e.event_id
WHERE (e.stored, k.keys) IS DISTINCT FROM (1, 1)
ORDER BY 1
LIMIT 100;
