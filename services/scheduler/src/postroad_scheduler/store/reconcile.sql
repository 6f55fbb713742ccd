-- name: tenants_enrolled
-- Whose rows to compare, after the tenant last compared. $1 tenant, $2 how many at most.
SELECT tenant_id FROM schedule.tenants_enrolled($1, $2) AS tenant_id;

-- name: untaken
-- Enrollments that were never taken up: their message was lost. $1 tenants, $2 created since, by tenant, $3 created
-- before, $4 how many a tenant at most.
SELECT t.tenant_id, missed.enrollment_id, missed.created_at AS at
FROM unnest($1::uuid[], $2::timestamptz[]) AS t (tenant_id, since)
CROSS JOIN LATERAL (
    SELECT e.enrollment_id, e.created_at
    FROM views.enrollments e
    WHERE e.tenant_id = t.tenant_id AND e.created_at >= t.since AND e.created_at < $3
      AND NOT EXISTS (SELECT FROM schedule.progress p
                      WHERE p.tenant_id = e.tenant_id AND p.enrollment_id = e.enrollment_id OFFSET 0)
    ORDER BY e.created_at, e.enrollment_id
    LIMIT $4
) AS missed;

-- name: unapplied
-- Pauses and stops that progress does not show. $1 tenants, $2 wanted since, by tenant, $3 wanted before, $4 how many a
-- tenant at most.
SELECT t.tenant_id, missed.enrollment_id, missed.intent_at AS at
FROM unnest($1::uuid[], $2::timestamptz[]) AS t (tenant_id, since)
CROSS JOIN LATERAL (
    SELECT e.enrollment_id, e.intent_at
    FROM views.enrollments e
    WHERE e.tenant_id = t.tenant_id AND e.intent <> 'run' AND e.intent_at >= t.since AND e.intent_at < $3
      AND EXISTS (SELECT FROM schedule.progress p
                  WHERE p.tenant_id = e.tenant_id AND p.enrollment_id = e.enrollment_id
                    AND p.phase <> 'ended' AND (e.intent = 'stop' OR p.state = 'active') OFFSET 0)
    ORDER BY e.intent_at, e.enrollment_id
    LIMIT $4
) AS missed;

-- name: released
-- Held rows whose cause is gone: somebody resumed them, or the sequence was archived. Only sequences and senders that may
-- send are looked into, so that a large pause costs nothing. $1 tenants, $2 enrollments to go on after, by tenant, $3 how
-- many a tenant at most.
SELECT t.tenant_id, missed.enrollment_id, missed.enrollment_id AS at
FROM unnest($1::uuid[], $2::uuid[]) AS t (tenant_id, after)
CROSS JOIN LATERAL (
    SELECT held.enrollment_id
    FROM views.sequences s
    JOIN views.sequence_versions v USING (tenant_id, sequence_id)
    JOIN views.senders m USING (tenant_id, sender_id)
    LEFT JOIN views.sender_state d USING (tenant_id, sender_id)
    CROSS JOIN LATERAL (
        SELECT p.enrollment_id
        FROM schedule.progress p
        WHERE p.tenant_id = s.tenant_id AND p.sequence_id = s.sequence_id AND p.version = v.version
          AND p.phase = 'held' AND p.enrollment_id > t.after
          AND p.emissions = 0 AND p.needs_attention_at IS NULL
          AND p.reason -> 0 ->> 'kind' IN ('enrollment_paused', 'sequence_inactive', 'sender_paused')
          AND (s.state = 'archived'
               OR 'run' = (SELECT e.intent FROM views.enrollments e
                           WHERE e.tenant_id = p.tenant_id AND e.enrollment_id = p.enrollment_id))
        ORDER BY p.enrollment_id
        LIMIT $3
    ) AS held
    WHERE s.tenant_id = t.tenant_id
      AND (s.state = 'archived'
           OR s.state = 'active' AND m.paused_at IS NULL AND (d.retry_at IS NULL OR d.retry_at <= postroad.now()))
    ORDER BY held.enrollment_id
    LIMIT $3
) AS missed;

-- name: census
-- How many rows of these tenants are held, with the senders, or in need of a person, and how late the most overdue is: a
-- tenant's first entry by wake_at, one probe. $1 tenants.
SELECT held.count AS held, in_flight.count AS in_flight, held.needs_attention,
       greatest(0, extract(epoch FROM postroad.now() - due.wake_at))::double precision AS oldest_due_seconds
FROM (
    SELECT count(*), count(p.needs_attention_at) AS needs_attention
    FROM schedule.progress p
    WHERE p.tenant_id = ANY ($1::uuid[]) AND p.phase = 'held'
) AS held
CROSS JOIN (
    SELECT count(*)
    FROM schedule.progress p
    WHERE p.tenant_id = ANY ($1::uuid[]) AND p.phase = 'in_flight'
) AS in_flight
CROSS JOIN (
    SELECT min(first.wake_at) AS wake_at
    FROM unnest($1::uuid[]) AS t (tenant_id)
    CROSS JOIN LATERAL (
        SELECT p.wake_at FROM schedule.progress p
        WHERE p.tenant_id = t.tenant_id AND p.wake_at IS NOT NULL
        ORDER BY p.wake_at
        LIMIT 1
    ) AS first
) AS due;

-- name: sequence_state
-- The state that somebody wants of a sequence. $1 tenant, $2 sequence.
SELECT state FROM views.sequences WHERE tenant_id = $1 AND sequence_id = $2;

-- name: held_of_sequence
-- Held enrollments of a sequence, after one. $1 tenant, $2 sequence, $3 enrollment, $4 how many at most.
SELECT enrollment_id FROM schedule.progress
WHERE tenant_id = $1 AND sequence_id = $2 AND phase = 'held' AND enrollment_id > $3
ORDER BY enrollment_id
LIMIT $4;

-- name: running_of_sequence
-- Enrollments of a sequence that have not ended, after one. $1 tenant, $2 sequence, $3 enrollment, $4 how many at most.
SELECT e.enrollment_id
FROM views.enrollments e
WHERE e.tenant_id = $1 AND e.sequence_id = $2 AND e.enrollment_id > $3
  AND EXISTS (SELECT FROM schedule.progress p
              WHERE p.tenant_id = e.tenant_id AND p.enrollment_id = e.enrollment_id AND p.phase <> 'ended' OFFSET 0)
ORDER BY e.enrollment_id
LIMIT $4;
