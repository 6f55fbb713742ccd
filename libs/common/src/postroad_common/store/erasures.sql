-- name: note
-- Who is to be erased: from the commit on, what the service writes names nobody of them.
INSERT INTO {schema}.erasures (tenant_id, contact_id)
SELECT $1, contact_id FROM unnest($2::uuid[]) AS contact_id ORDER BY contact_id
ON CONFLICT DO NOTHING;

-- name: left
-- Those of them who are not erased yet.
SELECT p.contact_id FROM unnest($2::uuid[]) AS p (contact_id)
WHERE NOT EXISTS (SELECT FROM {schema}.erasures e
                  WHERE e.tenant_id = $1 AND e.contact_id = p.contact_id AND e.erased_at IS NOT NULL);

-- name: date
-- After the note has committed: which transaction is the next to begin.
UPDATE {schema}.erasures SET xid = pg_snapshot_xmax(pg_current_snapshot())
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[]) AND xid IS NULL
RETURNING contact_id;

-- name: unseen
-- Those of them whom a transaction may not have seen that began before and still runs. None of ours takes minutes; and
-- what was noted in another life of the database is older than all.
SELECT contact_id FROM {schema}.erasures
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[])
  AND xid > pg_snapshot_xmin(pg_current_snapshot()) AND told_at > postroad.now() - interval '5 minutes';

-- name: done
-- The API reads it: this service has erased them.
UPDATE {schema}.erasures SET erased_at = coalesce(erased_at, postroad.now())
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[]);
