-- name: find
-- A webhook source under its tenant, with the clock that its signatures are judged by.
SELECT s.esp, s.secrets_sealed, postroad.now() AS now
FROM (SELECT) AS always
LEFT JOIN views.webhook_sources s ON s.tenant_id = $1 AND s.source_id = $2;
