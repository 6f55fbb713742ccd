-- name: claim_key
-- Two requests with one key: the second waits here until the first has committed, and then finds its row.
INSERT INTO sequence.idempotency_keys (tenant_id, api_key_id, key, request_hash, claimed_at)
VALUES ($1, $2, $3, $4, postroad.now())
ON CONFLICT DO NOTHING
RETURNING claimed_at;

-- name: standing_key
SELECT request_hash, status, headers, body_sealed
FROM sequence.idempotency_keys
WHERE tenant_id = $1 AND api_key_id = $2 AND key = $3;

-- name: take_over_key
-- A request of several transactions that was not seen for so long died under way; what it does is safe to repeat.
UPDATE sequence.idempotency_keys
SET claimed_at = postroad.now(), seen_at = NULL
WHERE tenant_id = $1 AND api_key_id = $2 AND key = $3 AND status IS NULL
  AND coalesce(seen_at, claimed_at) < postroad.now() - $4::interval
RETURNING claimed_at;

-- name: see_key
-- The request is still under way.
UPDATE sequence.idempotency_keys
SET seen_at = postroad.now()
WHERE tenant_id = $1 AND api_key_id = $2 AND key = $3 AND claimed_at = $4 AND status IS NULL;

-- name: keep_answer
-- No row: another request has taken the key over.
UPDATE sequence.idempotency_keys
SET status = $5, headers = $6, body_sealed = $7
WHERE tenant_id = $1 AND api_key_id = $2 AND key = $3 AND claimed_at = $4
RETURNING key;

-- name: release_key
-- A request that was refused did nothing: the next one with the key begins anew.
DELETE FROM sequence.idempotency_keys
WHERE tenant_id = $1 AND api_key_id = $2 AND key = $3 AND claimed_at = $4 AND status IS NULL;

-- name: tenants_with_old_keys
SELECT sequence.tenants_with_idempotency_keys($1::interval, $2::integer) AS tenant_id;

-- name: forget_old_keys
DELETE FROM sequence.idempotency_keys
WHERE tenant_id = ANY ($1::uuid[]) AND created_at < postroad.now() - $2::interval;
