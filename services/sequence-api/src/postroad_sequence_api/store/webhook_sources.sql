-- name: insert_webhook_source
INSERT INTO sequence.webhook_sources (tenant_id, source_id, name, esp, secrets_sealed)
VALUES ($1, $2, $3, $4, $5)
RETURNING source_id AS id, name, esp, created_at;

-- name: webhook_sources
-- One source ($2), or all of them: a tenant has a few.
SELECT source_id AS id, name, esp, created_at
FROM sequence.webhook_sources
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR source_id = $2)
ORDER BY source_id;

-- name: delete_webhook_source
DELETE FROM sequence.webhook_sources
WHERE tenant_id = $1 AND source_id = $2
RETURNING source_id;
