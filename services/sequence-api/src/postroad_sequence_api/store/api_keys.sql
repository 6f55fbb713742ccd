-- name: insert_api_key
INSERT INTO sequence.api_keys (tenant_id, api_key_id, name, role, secret_hash, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING api_key_id AS id, name, role, scopes, created_at, expires_at, last_used_at, revoked_at;

-- name: api_key_for_login
-- Every request begins here, by primary key. Keys that have ended are found too: the caller says no in one place.
SELECT api_key_id, role, scopes, secret_hash, expires_at,
       revoked_at IS NULL AND (expires_at IS NULL OR expires_at > postroad.now()) AS valid
FROM sequence.api_keys
WHERE tenant_id = $1 AND api_key_id = $2;

-- name: api_key
SELECT api_key_id AS id, name, role, scopes, created_at, expires_at, last_used_at, revoked_at
FROM sequence.api_keys
WHERE tenant_id = $1 AND api_key_id = $2;

-- name: list_api_keys
SELECT api_key_id AS id, name, role, scopes, created_at, expires_at, last_used_at, revoked_at
FROM sequence.api_keys
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR api_key_id > $2)
ORDER BY api_key_id
LIMIT $3;

-- name: lock_owner_keys
-- The keys that can make others, locked in one order: of two that are revoked at once the second waits and counts anew.
SELECT api_key_id
FROM sequence.api_keys
WHERE tenant_id = $1 AND role = 'owner' AND scopes IS NULL AND expires_at IS NULL AND revoked_at IS NULL
ORDER BY api_key_id
FOR UPDATE;

-- name: revoke_api_key
UPDATE sequence.api_keys
SET revoked_at = postroad.now()
WHERE tenant_id = $1 AND api_key_id = $2 AND revoked_at IS NULL
RETURNING api_key_id AS id, name, role, scopes, created_at, expires_at, last_used_at, revoked_at;

-- name: touch_api_keys
-- That these keys were used; a minute is precise enough, and keeps reads from writing.
UPDATE sequence.api_keys
SET last_used_at = postroad.now()
WHERE tenant_id = $1 AND api_key_id = ANY ($2::uuid[])
  AND (last_used_at IS NULL OR last_used_at < postroad.now() - interval '1 minute');
