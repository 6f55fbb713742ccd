-- name: insert_suppression
-- Again for the same address: nothing new, the first one stands.
INSERT INTO sequence.suppressions (tenant_id, email, reason)
VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, email) DO NOTHING
RETURNING email;

-- name: delete_suppression
-- Lifts what was set by hand; the recipient's own word stays.
DELETE FROM sequence.suppressions
WHERE tenant_id = $1 AND email = $2
RETURNING email;

-- name: suppressions
-- One address ($2), or a page of them, with every reason why it must not be mailed.
SELECT s.email, array_agg(DISTINCT s.kind ORDER BY s.kind) AS kinds, min(s.created_at) AS created_at,
       coalesce((SELECT m.reason FROM sequence.suppressions m WHERE m.tenant_id = $1 AND m.email = s.email), '') AS reason
FROM views.suppressed_addresses s
WHERE s.tenant_id = $1
  AND ($2::text IS NULL OR s.email = $2)
  AND ($3::text IS NULL OR s.email COLLATE "C" > $3)
GROUP BY s.email
ORDER BY s.email COLLATE "C"
LIMIT $4;
