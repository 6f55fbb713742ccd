-- Messages on their way out of a schema: written with the change they tell of, deleted when the broker has them.

-- name: enqueue
-- In the caller's transaction, so that message and change are one.
INSERT INTO {schema}.outbox (tenant_id, type, body, traceparent)
SELECT tenant_id, type, body, traceparent
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[]) AS message (tenant_id, type, body, traceparent);

-- name: tenants
-- Who has something to relay; ids only, across the tenant wall.
SELECT tenant_id FROM {schema}.tenants_with_outbox($1::integer) AS tenant_id;

-- name: claim
-- The oldest rows of each tenant that no other relay has in hand; locked until they are deleted.
SELECT claimed.tenant_id, claimed.outbox_id, claimed.type, claimed.body, claimed.traceparent
FROM unnest($1::uuid[]) AS tenant (tenant_id)
CROSS JOIN LATERAL (
    SELECT o.tenant_id, o.outbox_id, o.type, o.body, o.traceparent
    FROM {schema}.outbox o
    WHERE o.tenant_id = tenant.tenant_id
    ORDER BY o.outbox_id
    LIMIT $2::integer
    FOR UPDATE SKIP LOCKED
) AS claimed;

-- name: oldest
-- Seconds that the oldest message of these tenants has waited; null when none waits. A probe a tenant.
SELECT extract(epoch FROM postroad.now() - min(oldest.created_at))::double precision
FROM unnest($1::uuid[]) AS tenant (tenant_id)
CROSS JOIN LATERAL (
    SELECT o.created_at FROM {schema}.outbox o WHERE o.tenant_id = tenant.tenant_id ORDER BY o.outbox_id LIMIT 1
) AS oldest;

-- name: delete
-- What the broker has confirmed.
DELETE FROM {schema}.outbox o
USING unnest($1::uuid[], $2::bigint[]) AS done (tenant_id, outbox_id)
WHERE o.tenant_id = done.tenant_id AND o.outbox_id = done.outbox_id;
