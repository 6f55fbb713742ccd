-- name: blank_messages
-- The trigger keep_erased sets what stands for whom it was.
UPDATE delivery.messages SET recipient = recipient
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[]);

-- name: delete_sources
-- What was written to them, whole.
DELETE FROM delivery.message_sources s
USING delivery.messages m
WHERE m.tenant_id = $1 AND m.contact_id = ANY ($2::uuid[]) AND s.tenant_id = $1 AND s.message_id = m.message_id;

-- name: unlink_bounced
-- An address that is dead stays suppressed, and leads to no message any more.
UPDATE delivery.bounced_addresses SET message_id = '00000000-0000-0000-0000-000000000000'
WHERE tenant_id = $1 AND email = ANY ($2::text[]);
