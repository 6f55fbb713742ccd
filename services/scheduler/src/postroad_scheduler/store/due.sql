-- name: tenants_to_wake
-- Who has something to look at, after the tenant last served; nobody while the database is held. $1 tenant, $2 how many
-- at most.
SELECT tenant_id FROM schedule.tenants_to_wake($1, $2) AS tenant_id
WHERE NOT coalesce((SELECT held FROM views.hold), false);

-- name: recalling
-- Whether steps are being recalled that may have been sent before the database was restored.
SELECT FROM views.hold WHERE held AND NOT moved AND NOT copied AND reconciling_at IS NOT NULL;

-- name: recall
-- Takes rows whose step was due when the database was lost, whatever holds them: the senders record of each that it may
-- have been sent. A lease and a new fence for each, as in a claim. What waits for a time that was lost is awake, so only
-- what is held is looked at ahead of its time, and no row that waits for later is read. $1 tenants, $2 rows a tenant of
-- either kind, $3 lease.
WITH clock AS MATERIALIZED (
    SELECT postroad.now() AS at, h.lost_until FROM views.hold h WHERE h.held AND h.reconciling_at IS NOT NULL
    LIMIT 1  -- there is no more; the planner does not know
),
awake AS MATERIALIZED (
    SELECT p.*, clock.at
    FROM clock CROSS JOIN unnest($1::uuid[]) AS t (tenant_id) CROSS JOIN LATERAL (
        SELECT w.tenant_id, w.enrollment_id, w.emissions, w.wake_at
        FROM schedule.progress w
        WHERE w.tenant_id = t.tenant_id AND w.wake_at <= clock.at AND w.phase <> 'held'
          AND w.next_due_at <= clock.lost_until
        ORDER BY w.wake_at
        LIMIT $2::integer
        FOR UPDATE SKIP LOCKED
    ) AS p
),
held AS MATERIALIZED (
    SELECT p.*, clock.at
    FROM clock CROSS JOIN unnest($1::uuid[]) AS t (tenant_id) CROSS JOIN LATERAL (
        SELECT w.tenant_id, w.enrollment_id, w.emissions, w.wake_at
        FROM schedule.progress w
        WHERE w.tenant_id = t.tenant_id AND w.phase = 'held' AND w.next_due_at <= clock.lost_until
        LIMIT $2::integer
        FOR UPDATE SKIP LOCKED
    ) AS p
),
lost AS MATERIALIZED (
    SELECT * FROM awake UNION ALL SELECT * FROM held
)
UPDATE schedule.progress p
SET phase = 'claimed',
    attempt = p.attempt + (lost.emissions = 0)::integer,
    emissions = lost.emissions + 1,
    fence = p.fence + 1,
    wake_at = lost.at + $3::interval,
    updated_at = lost.at
FROM lost
WHERE p.tenant_id = lost.tenant_id AND p.enrollment_id = lost.enrollment_id
RETURNING p.tenant_id, p.enrollment_id, true AS emit, p.sender_id, p.contact_id, p.sequence_id, p.version, p.step_key,
          p.step_number, p.attempt, p.emissions, p.fence, p.next_due_at, p.send_before, p.traceparent,
          greatest(lost.at - lost.wake_at, interval '0') AS lag;

-- name: claim
-- Takes rows whose time has come: a lease and a new fence for each. What may run is ours to publish (emit): a fresh
-- attempt of what was waiting, the same attempt of what went unanswered. All else keeps its phase and is to be decided on.
-- A tenant with its cap of steps in flight is passed over, so that the broker holds only what can run.
-- $1 tenants, $2 rows a tenant, $3 in-flight cap a tenant, $4 lease, $5 emissions of an attempt at most.
WITH clock AS MATERIALIZED (SELECT postroad.now() AS at),
tenant AS MATERIALIZED (
    SELECT t.tenant_id, clock.at
    FROM unnest($1::uuid[]) AS t (tenant_id) CROSS JOIN clock
    WHERE $3::integer > (
        SELECT count(*) FROM (
            SELECT FROM schedule.progress f
            WHERE f.tenant_id = t.tenant_id AND f.phase = 'in_flight' AND f.wake_at > clock.at
            LIMIT $3::integer
        ) AS in_flight
    )
),
due AS MATERIALIZED (
    SELECT p.*, tenant.at,
           (SELECT e.intent FROM views.enrollments e
            WHERE e.tenant_id = p.tenant_id AND e.enrollment_id = p.enrollment_id) AS intent,
           (SELECT s.state FROM views.sequences s
            WHERE s.tenant_id = p.tenant_id AND s.sequence_id = p.sequence_id) AS sequence_state,
           EXISTS (SELECT FROM views.senders s
                   WHERE s.tenant_id = p.tenant_id AND s.sender_id = p.sender_id AND s.paused_at IS NOT NULL)
           OR EXISTS (SELECT FROM views.sender_state s
                      WHERE s.tenant_id = p.tenant_id AND s.sender_id = p.sender_id AND s.retry_at > tenant.at)
           AS sender_paused
    FROM tenant CROSS JOIN LATERAL (
        SELECT w.tenant_id, w.enrollment_id, w.sequence_id, w.sender_id, w.phase, w.emissions, w.send_before, w.wake_at
        FROM schedule.progress w
        WHERE w.tenant_id = tenant.tenant_id AND w.wake_at <= tenant.at
        ORDER BY w.wake_at
        LIMIT $2::integer
        FOR UPDATE SKIP LOCKED
    ) AS p
),
judged AS MATERIALIZED (
    SELECT due.tenant_id, due.enrollment_id, due.wake_at, due.at, due.phase = 'waiting' AS fresh,
           coalesce(CASE due.phase
               WHEN 'waiting' THEN due.intent = 'run' AND due.sequence_state = 'active'
                                   AND NOT due.sender_paused AND due.send_before > due.at
               WHEN 'held' THEN due.intent <> 'stop' AND due.emissions > 0
               ELSE due.intent <> 'stop' AND due.emissions < $5::integer
           END, false) AS emit
    FROM due
)
UPDATE schedule.progress p
SET phase = CASE WHEN j.emit THEN 'claimed' ELSE p.phase END,
    attempt = p.attempt + (j.emit AND j.fresh)::integer,
    emissions = CASE WHEN j.emit AND j.fresh THEN 1 ELSE p.emissions + j.emit::integer END,
    fence = p.fence + 1,
    wake_at = j.at + $4::interval,
    updated_at = CASE WHEN j.emit THEN j.at ELSE p.updated_at END
FROM judged j
WHERE p.tenant_id = j.tenant_id AND p.enrollment_id = j.enrollment_id
RETURNING p.tenant_id, p.enrollment_id, j.emit, p.sender_id, p.contact_id, p.sequence_id, p.version, p.step_key,
          p.step_number, p.attempt, p.emissions, p.fence, p.next_due_at, p.send_before, p.traceparent,
          j.at - j.wake_at AS lag;

-- name: mark_in_flight
-- Published: from now on the sender's answer is waited for. A row that somebody else holds is being settled right now,
-- one with another fence was taken over: neither is marked. $1 tenants, $2 enrollments, $3 fences, $4 time to answer.
WITH clock AS MATERIALIZED (SELECT postroad.now() AS at),
mine AS MATERIALIZED (
    SELECT p.tenant_id, p.enrollment_id, clock.at
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS given (tenant_id, enrollment_id, fence)
    JOIN schedule.progress p USING (tenant_id, enrollment_id)
    CROSS JOIN clock
    WHERE p.phase = 'claimed' AND p.fence = given.fence
    FOR UPDATE OF p SKIP LOCKED
)
UPDATE schedule.progress p
SET phase = 'in_flight', wake_at = mine.at + $4::interval, updated_at = mine.at
FROM mine
WHERE p.tenant_id = mine.tenant_id AND p.enrollment_id = mine.enrollment_id AND p.phase = 'claimed'
RETURNING p.enrollment_id;
