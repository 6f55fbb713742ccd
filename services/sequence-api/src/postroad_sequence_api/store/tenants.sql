-- name: insert_tenant
-- The caller has set app.tenants to the new id: the wall lets nobody else write it.
INSERT INTO sequence.tenants (tenant_id, name, timezone, postal_address)
VALUES ($1, $2, $3, $4)
RETURNING tenant_id AS id, name, timezone, postal_address, revision, created_at;

-- name: tenant
SELECT tenant_id AS id, name, timezone, postal_address, revision, created_at
FROM sequence.tenants
WHERE tenant_id = $1;

-- name: lock_tenant
-- For a change that is merged with what stands.
SELECT name, timezone, postal_address, revision
FROM sequence.tenants
WHERE tenant_id = $1
FOR UPDATE;

-- name: update_tenant
UPDATE sequence.tenants
SET name = $2, timezone = $3, postal_address = $4
WHERE tenant_id = $1
RETURNING tenant_id AS id, name, timezone, postal_address, revision, created_at;
