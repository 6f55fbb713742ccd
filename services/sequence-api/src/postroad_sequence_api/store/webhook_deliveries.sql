-- Deliveries of events to webhook subscriptions: recorded, claimed, settled, listed.

-- name: wanted
-- The event types that the tenant's enabled subscriptions name.
SELECT DISTINCT unnest(event_types) AS event_type
FROM sequence.webhook_subscriptions
WHERE tenant_id = $1 AND disabled_at IS NULL;

-- name: subscribers
-- The enabled subscriptions; none of them goes away before the deliveries are in.
SELECT subscription_id, event_types
FROM sequence.webhook_subscriptions
WHERE tenant_id = $1 AND disabled_at IS NULL
ORDER BY subscription_id
FOR KEY SHARE;

-- name: enrollments
-- What events tell of enrollments ($2).
SELECT enrollment_id, contact_id, sequence_id, version, created_at
FROM sequence.enrollments
WHERE tenant_id = $1 AND enrollment_id = ANY ($2::uuid[]);

-- name: record
-- Deliveries that are due at once; an event that a subscription has already is left as it is.
INSERT INTO sequence.webhook_deliveries
    (tenant_id, delivery_id, subscription_id, event_id, event_type, occurred_at, body, next_attempt_at)
SELECT $1, delivery_id, subscription_id, event_id, event_type, occurred_at, body, postroad.now()
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::bytea[])
    AS t (delivery_id, subscription_id, event_id, event_type, occurred_at, body)
ORDER BY subscription_id, event_id
ON CONFLICT (tenant_id, subscription_id, event_id) DO NOTHING
RETURNING delivery_id;

-- name: tenants_due
-- Who has a delivery to post, after the tenant last served: ids only, across the wall. Nobody while the database is held:
-- a copy for tests must not speak to the receivers of the original.
SELECT tenant_id FROM sequence.tenants_with_webhooks_due($1::uuid, $2::integer) AS tenant_id
WHERE NOT coalesce((SELECT held FROM views.hold), false);

-- name: claim
-- Takes deliveries whose time has come, each ours until its lease ends. A subscription has at most so many in flight, and
-- one that fails has one. Those that fail come last; before that, tenants take turns, whoever has fewer in flight first.
-- The last $5 places are for tenants with fewer than that in flight and for what does not fail: so what stalls holds up
-- neither the others nor the pool. A subscription's row is locked, so that two processes do not both give it all its room.
-- $1 tenants, $2 how many at most, $3 in flight a subscription, $4 lease, $5 how many of $2 are the reserve.
WITH clock AS MATERIALIZED (SELECT postroad.now() AS at),
subscription AS MATERIALIZED (
    SELECT s.tenant_id, s.subscription_id, s.url, s.secret_sealed, s.failing_since IS NOT NULL AS failing, clock.at,
           CASE WHEN s.previous_secret_until > clock.at THEN s.previous_secret_sealed END AS previous_secret_sealed,
           CASE WHEN s.failing_since IS NULL THEN $3::integer ELSE 1 END AS room
    FROM clock, sequence.webhook_subscriptions s
    WHERE s.tenant_id = ANY ($1::uuid[]) AND s.disabled_at IS NULL AND coalesce(s.held_until <= clock.at, true)
      AND (s.failing_since IS NULL OR $2::integer > $5::integer)
      AND EXISTS (SELECT FROM sequence.webhook_deliveries d
                  WHERE d.tenant_id = s.tenant_id AND d.subscription_id = s.subscription_id
                    AND d.next_attempt_at <= clock.at)
    FOR NO KEY UPDATE OF s SKIP LOCKED
),
busy AS MATERIALIZED (
    SELECT f.tenant_id, count(*) AS in_flight
    FROM clock, sequence.webhook_deliveries f
    WHERE f.tenant_id = ANY ($1::uuid[]) AND f.state = 'in_flight' AND f.next_attempt_at > clock.at
    GROUP BY f.tenant_id
),
due AS MATERIALIZED (
    SELECT s.*, d.delivery_id, d.next_attempt_at
    FROM subscription s CROSS JOIN LATERAL (
        SELECT w.delivery_id, w.next_attempt_at FROM sequence.webhook_deliveries w
        WHERE w.tenant_id = s.tenant_id AND w.subscription_id = s.subscription_id AND w.next_attempt_at <= s.at
        ORDER BY w.next_attempt_at, w.delivery_id
        LIMIT greatest(s.room - (SELECT count(*) FROM sequence.webhook_deliveries f
                                 WHERE f.tenant_id = s.tenant_id AND f.subscription_id = s.subscription_id
                                   AND f.state = 'in_flight' AND f.next_attempt_at > s.at), 0)
        FOR UPDATE SKIP LOCKED
    ) AS d
),
turns AS (
    SELECT due.*, coalesce(busy.in_flight, 0)
               + row_number() OVER (PARTITION BY due.tenant_id ORDER BY failing, next_attempt_at, delivery_id) AS turn
    FROM due LEFT JOIN busy USING (tenant_id)
),
places AS (
    SELECT turns.*, row_number() OVER (ORDER BY failing, turn, next_attempt_at, delivery_id) AS place FROM turns
),
taken AS (
    SELECT * FROM places
    WHERE place <= $2::integer - $5::integer OR (NOT failing AND turn <= $5::integer)
    ORDER BY place
    LIMIT $2::integer
)
UPDATE sequence.webhook_deliveries d
SET state = 'in_flight', attempts = d.attempts + 1, next_attempt_at = taken.at + $4::interval
FROM taken
WHERE d.tenant_id = taken.tenant_id AND d.delivery_id = taken.delivery_id
RETURNING d.tenant_id, d.delivery_id, d.subscription_id, d.event_id, d.body, d.attempts AS attempt, d.failures, taken.url,
          taken.secret_sealed, taken.previous_secret_sealed, taken.at AS claimed_at,
          taken.at - taken.next_attempt_at AS lag, taken.failing;

-- name: note_attempt
-- What came of an attempt ($3) of a delivery ($2) that is still there.
INSERT INTO sequence.webhook_attempts
    (tenant_id, delivery_id, attempt, started_at, latency_ms, status, error, response)
SELECT d.tenant_id, d.delivery_id, $3::integer, $4::timestamptz, $5::integer, $6::integer, $7::text, $8::text
FROM sequence.webhook_deliveries d
WHERE d.tenant_id = $1 AND d.delivery_id = $2
ON CONFLICT DO NOTHING;

-- name: deliver
-- The receiver has it, whoever else may be posting it again. What was failing does not any more.
WITH delivered AS (
    UPDATE sequence.webhook_deliveries
    SET state = 'delivered', next_attempt_at = NULL, settled_at = postroad.now()
    WHERE tenant_id = $1 AND delivery_id = $2 AND state <> 'delivered'
    RETURNING tenant_id, subscription_id
)
UPDATE sequence.webhook_subscriptions s
SET failing_since = NULL, last_failed_at = NULL, held_until = NULL
FROM delivered d
WHERE s.tenant_id = d.tenant_id AND s.subscription_id = d.subscription_id AND s.failing_since IS NOT NULL;

-- name: put_off
-- The attempt ($3) failed: the next one after $4, or none when that is null. Somebody else's attempt is left alone.
UPDATE sequence.webhook_deliveries
SET state = CASE WHEN $4::interval IS NULL THEN 'dead' ELSE 'pending' END, failures = failures + 1,
    next_attempt_at = postroad.now() + $4::interval,
    settled_at = CASE WHEN $4::interval IS NULL THEN postroad.now() END
WHERE tenant_id = $1 AND delivery_id = $2 AND state = 'in_flight' AND attempts = $3
RETURNING delivery_id;

-- name: note_failure
-- The subscription ($2) fails; a failure long after the last one ($4) begins anew. $3 is how long the receiver asked us to
-- wait. Answers with whether it has failed for $5 now.
UPDATE sequence.webhook_subscriptions
SET failing_since = CASE WHEN last_failed_at > postroad.now() - $4::interval THEN failing_since ELSE postroad.now() END,
    last_failed_at = postroad.now(),
    held_until = coalesce(postroad.now() + $3::interval, held_until)
WHERE tenant_id = $1 AND subscription_id = $2
RETURNING failing_since <= postroad.now() - $5::interval AS for_long;

-- name: disable
-- By us; one that is disabled already stays as it is.
UPDATE sequence.webhook_subscriptions
SET disabled_at = postroad.now(), disabled_reason = $3::text, updated_at = postroad.now(), revision = revision + 1
WHERE tenant_id = $1 AND subscription_id = $2 AND disabled_at IS NULL
RETURNING url, disabled_at;

-- name: tenants_with_old
-- Who has deliveries that are older than they are kept: ids only, across the wall.
SELECT tenant_id FROM sequence.tenants_with_old_webhooks($1::interval, $2::integer) AS tenant_id;

-- name: forget
-- The oldest of the tenants' deliveries, with their attempts, if they are older than they are kept ($2).
DELETE FROM sequence.webhook_deliveries d
USING (
    SELECT o.tenant_id, o.delivery_id FROM sequence.webhook_deliveries o
    WHERE o.tenant_id = ANY ($1::uuid[]) AND o.created_at < postroad.now() - $2::interval
    LIMIT $3
) AS old
WHERE d.tenant_id = old.tenant_id AND d.delivery_id = old.delivery_id;

-- name: deliveries
-- A page of the deliveries of a subscription ($2), the latest first, each with what came of its last attempt.
SELECT d.delivery_id AS id, d.subscription_id, d.event_id, d.event_type, d.occurred_at, d.state, d.attempts,
       d.next_attempt_at, d.settled_at, d.created_at, a.started_at AS last_attempt_at, a.status AS last_status,
       a.error AS last_error
FROM sequence.webhook_deliveries d
LEFT JOIN LATERAL (
    SELECT x.started_at, x.status, x.error FROM sequence.webhook_attempts x
    WHERE x.tenant_id = d.tenant_id AND x.delivery_id = d.delivery_id
    ORDER BY x.attempt DESC LIMIT 1
) AS a ON true
WHERE d.tenant_id = $1 AND d.subscription_id = $2
  AND ($3::uuid IS NULL OR d.delivery_id < $3)
  AND ($4::text IS NULL OR d.state = $4)
  AND ($5::text IS NULL OR d.event_type = $5)
ORDER BY d.delivery_id DESC
LIMIT $6;

-- name: delivery
-- One delivery with what is posted.
SELECT d.delivery_id AS id, d.subscription_id, d.event_id, d.event_type, d.occurred_at, d.state, d.attempts,
       d.next_attempt_at, d.settled_at, d.created_at, d.body, a.started_at AS last_attempt_at, a.status AS last_status,
       a.error AS last_error
FROM sequence.webhook_deliveries d
LEFT JOIN LATERAL (
    SELECT x.started_at, x.status, x.error FROM sequence.webhook_attempts x
    WHERE x.tenant_id = d.tenant_id AND x.delivery_id = d.delivery_id
    ORDER BY x.attempt DESC LIMIT 1
) AS a ON true
WHERE d.tenant_id = $1 AND d.delivery_id = $2;

-- name: attempts
-- What came of each attempt, oldest first.
SELECT attempt, started_at, latency_ms, status, error, response
FROM sequence.webhook_attempts
WHERE tenant_id = $1 AND delivery_id = $2
ORDER BY attempt;

-- name: retry
-- Due at once, with the whole retry schedule before it; one that somebody is posting is left to him.
UPDATE sequence.webhook_deliveries
SET state = 'pending', failures = 0, next_attempt_at = postroad.now(), settled_at = NULL
WHERE tenant_id = $1 AND delivery_id = $2 AND state <> 'in_flight'
RETURNING delivery_id;

-- name: replay
-- The same for deliveries of a subscription ($2) made since $3 that are given up, or wait after a failure; the oldest
-- first, at most $4.
WITH failed AS (
    SELECT o.delivery_id FROM sequence.webhook_deliveries o
    WHERE o.tenant_id = $1 AND o.subscription_id = $2 AND o.created_at >= $3
      AND (o.state = 'dead' OR (o.state = 'pending' AND o.failures > 0))
    ORDER BY o.delivery_id
    LIMIT $4
    FOR UPDATE
), again AS (
    UPDATE sequence.webhook_deliveries d
    SET state = 'pending', failures = 0, next_attempt_at = postroad.now(), settled_at = NULL
    FROM failed f
    WHERE d.tenant_id = $1 AND d.delivery_id = f.delivery_id
    RETURNING d.delivery_id
)
SELECT count(*) AS replayed FROM again;
