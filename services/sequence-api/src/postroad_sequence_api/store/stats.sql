-- name: steps_of_stats
-- Every step key that the sequence ever had, with its number in a version ($3): else in the active one, or in
-- the latest.
SELECT s.step_key AS key,
       max(s.number) FILTER (WHERE s.version = q.shown) AS number
FROM sequence.steps s
CROSS JOIN (
    SELECT coalesce($3::integer, active_version, (SELECT max(version) FROM sequence.sequence_versions
                                     WHERE tenant_id = $1 AND sequence_id = $2)) AS shown
    FROM sequence.sequences WHERE tenant_id = $1 AND sequence_id = $2
) q
WHERE s.tenant_id = $1 AND s.sequence_id = $2
GROUP BY s.step_key
ORDER BY number NULLS LAST, key;

-- name: message_counts
-- The ledger by step and state, from its own index: of the states that few messages are in. What was accepted or refused is
-- counted already.
SELECT step_key AS key,
       count(*) FILTER (WHERE state = 'transmitting') AS transmitting,
       count(*) FILTER (WHERE state = 'held') AS held,
       count(*) FILTER (WHERE state = 'deferred') AS deferred,
       count(*) FILTER (WHERE state = 'unknown') AS unknown,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled
FROM views.messages
WHERE tenant_id = $1 AND sequence_id = $2 AND step_key = ANY ($3::text[])
  AND state IN ('transmitting', 'held', 'deferred', 'unknown', 'cancelled')
GROUP BY step_key;

-- name: enrollment_counts
-- An enrollment without progress is active; of those with progress, few have not ended for long, and they are counted from
-- indexes of what is.
SELECT e.total, e.total - coalesce(p.ended, 0) - q.paused AS active, q.paused, coalesce(p.completed, 0) AS completed,
       coalesce(p.replied, 0) AS replied, coalesce(p.bounced, 0) AS bounced, coalesce(p.unenrolled, 0) AS unenrolled,
       coalesce(p.failed, 0) AS failed, q.needs_attention
FROM (SELECT count(*) AS total FROM sequence.enrollments WHERE tenant_id = $1 AND sequence_id = $2) e
CROSS JOIN (
    SELECT count(*) AS ended,
           count(*) FILTER (WHERE state = 'completed') AS completed,
           count(*) FILTER (WHERE state = 'replied') AS replied,
           count(*) FILTER (WHERE state = 'bounced') AS bounced,
           count(*) FILTER (WHERE state = 'unenrolled') AS unenrolled,
           count(*) FILTER (WHERE state = 'failed') AS failed
    FROM views.progress WHERE tenant_id = $1 AND sequence_id = $2 AND phase = 'ended') p
CROSS JOIN (
    SELECT (SELECT count(*) FROM views.progress
            WHERE tenant_id = $1 AND sequence_id = $2 AND state = 'paused') AS paused,
           (SELECT count(needs_attention_at) FROM views.progress
            WHERE tenant_id = $1 AND sequence_id = $2 AND phase = 'held') AS needs_attention) q;

-- name: sequence_exists
SELECT EXISTS (SELECT FROM sequence.sequences WHERE tenant_id = $1 AND sequence_id = $2);
