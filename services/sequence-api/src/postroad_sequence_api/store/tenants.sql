-- name: insert_tenant
-- The caller has set app.tenants to the new id: the wall lets nobody else write it.
INSERT INTO sequence.tenants (tenant_id, name, timezone, postal_address)
VALUES ($1, $2, $3, $4)
RETURNING tenant_id AS id, name, timezone, postal_address, created_at;

-- name: tenant
SELECT tenant_id AS id, name, timezone, postal_address, created_at
FROM sequence.tenants
WHERE tenant_id = $1;
