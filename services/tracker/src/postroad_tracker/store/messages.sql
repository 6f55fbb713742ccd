-- name: held
-- Whether the database is held after a restore: then a message that it does not have may come to be there.
SELECT FROM views.hold WHERE held;

-- name: unsubscribe_page
-- Whom a page to unsubscribe speaks of, and for whom.
SELECT m.recipient, t.name AS tenant_name
FROM views.messages m
JOIN views.tenants t ON t.tenant_id = m.tenant_id
WHERE m.tenant_id = $1 AND m.message_id = $2;
