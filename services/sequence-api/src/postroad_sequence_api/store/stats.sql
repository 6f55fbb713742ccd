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
-- The ledger by step and state, from its own index.
SELECT step_key AS key,
       count(*) AS due,
       count(*) FILTER (WHERE state = 'transmitting') AS transmitting,
       count(*) FILTER (WHERE state = 'held') AS held,
       count(*) FILTER (WHERE state = 'deferred') AS deferred,
       count(*) FILTER (WHERE state IN ('accepted', 'unknown')) AS sent,
       count(*) FILTER (WHERE state = 'accepted') AS accepted,
       count(*) FILTER (WHERE state = 'refused') AS refused,
       count(*) FILTER (WHERE state = 'unknown') AS unknown,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled
FROM views.messages
WHERE tenant_id = $1 AND sequence_id = $2
GROUP BY step_key;

-- name: enrollment_counts
SELECT count(*) AS total,
       count(*) FILTER (WHERE coalesce(p.state, 'active') = 'active') AS active,
       count(*) FILTER (WHERE p.state = 'paused') AS paused,
       count(*) FILTER (WHERE p.state = 'completed') AS completed,
       count(*) FILTER (WHERE p.state = 'replied') AS replied,
       count(*) FILTER (WHERE p.state = 'bounced') AS bounced,
       count(*) FILTER (WHERE p.state = 'unenrolled') AS unenrolled,
       count(*) FILTER (WHERE p.state = 'failed') AS failed,
       count(*) FILTER (WHERE p.needs_attention_at IS NOT NULL AND p.phase <> 'ended') AS needs_attention
FROM sequence.enrollments e
LEFT JOIN views.progress p ON p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id
WHERE e.tenant_id = $1 AND e.sequence_id = $2;

-- name: sequence_exists
SELECT EXISTS (SELECT FROM sequence.sequences WHERE tenant_id = $1 AND sequence_id = $2);
