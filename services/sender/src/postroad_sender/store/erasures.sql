-- name: note
-- Who is to be erased: from the commit on, the ledger takes nothing that names them.
INSERT INTO delivery.erasures (tenant_id, contact_id)
SELECT $1, contact_id FROM unnest($2::uuid[]) AS contact_id ORDER BY contact_id
ON CONFLICT DO NOTHING;

-- name: left
-- Those of them who are not erased yet.
SELECT p.contact_id FROM unnest($2::uuid[]) AS p (contact_id)
WHERE NOT EXISTS (SELECT FROM delivery.erasures e
                  WHERE e.tenant_id = $1 AND e.contact_id = p.contact_id AND e.erased_at IS NOT NULL);

-- name: date
-- After the note has committed: which transaction is the next to begin.
UPDATE delivery.erasures SET xid = pg_snapshot_xmax(pg_current_snapshot())
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[]) AND xid IS NULL
RETURNING contact_id;

-- name: unseen
-- Those of them whom a transaction may not have seen that began before and still runs. None of ours takes minutes; and
-- what was noted in another life of the database is older than all.
SELECT contact_id FROM delivery.erasures
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[])
  AND xid > pg_snapshot_xmin(pg_current_snapshot()) AND told_at > postroad.now() - interval '5 minutes';

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

-- name: done
UPDATE delivery.erasures SET erased_at = coalesce(erased_at, postroad.now())
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[]);
