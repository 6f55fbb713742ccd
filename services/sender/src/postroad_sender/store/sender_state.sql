-- name: pause
-- The sender rests; a longer rest that is already known stays, unless the sender was changed since.
INSERT INTO delivery.sender_state AS s (tenant_id, sender_id, paused_at, retry_at, reason)
VALUES ($1, $2, postroad.now(), postroad.now() + $3::interval, $4)
ON CONFLICT (tenant_id, sender_id) DO UPDATE
SET paused_at = excluded.paused_at, retry_at = excluded.retry_at, reason = excluded.reason
WHERE s.retry_at < excluded.retry_at
   OR NOT EXISTS (SELECT FROM views.sender_state v WHERE v.tenant_id = $1 AND v.sender_id = $2);

-- name: paused_until
-- When the rest ends.
SELECT retry_at FROM delivery.sender_state WHERE tenant_id = $1 AND sender_id = $2;

-- name: clear
-- A message was accepted after the rest was over, or after the sender was changed: nothing is wrong any more.
DELETE FROM delivery.sender_state s
WHERE s.tenant_id = $1 AND s.sender_id = $2
  AND (s.retry_at <= postroad.now()
       OR NOT EXISTS (SELECT FROM views.sender_state v WHERE v.tenant_id = $1 AND v.sender_id = $2));
