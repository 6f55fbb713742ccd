-- name: tenants_with_old
-- Where forget has something to do.
SELECT tenant_id FROM delivery.tenants_with_old_sources($1, $2) AS tenant_id;

-- name: forget
-- The oldest sources of these tenants that are older than that, so many of each.
DELETE FROM delivery.message_sources s
USING unnest($1::uuid[]) AS tenant (tenant_id)
CROSS JOIN LATERAL (
    SELECT o.tenant_id, o.message_id, o.attempt FROM delivery.message_sources o
    WHERE o.tenant_id = tenant.tenant_id AND o.made_at < postroad.now() - $2::interval
    ORDER BY o.made_at LIMIT $3
) AS old
WHERE s.tenant_id = old.tenant_id AND s.message_id = old.message_id AND s.attempt = old.attempt;
