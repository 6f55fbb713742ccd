-- name: insert_account
INSERT INTO sequence.accounts (tenant_id, account_id, name, domain, external_id, attributes)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING account_id AS id, name, domain, external_id, attributes, revision, created_at, updated_at;

-- name: account
SELECT account_id AS id, name, domain, external_id, attributes, revision, created_at, updated_at
FROM sequence.accounts
WHERE tenant_id = $1 AND account_id = $2;

-- name: lock_account
-- For a change that is merged with what stands.
SELECT name, domain, external_id, attributes, revision
FROM sequence.accounts
WHERE tenant_id = $1 AND account_id = $2
FOR UPDATE;

-- name: insert_account_with_external_id
-- No row: another request has just added it.
INSERT INTO sequence.accounts (tenant_id, account_id, name, domain, external_id, attributes)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
RETURNING account_id AS id, name, domain, external_id, attributes, revision, created_at, updated_at;

-- name: lock_account_with_external_id
SELECT account_id AS id, name, domain, external_id, attributes, revision, created_at, updated_at
FROM sequence.accounts
WHERE tenant_id = $1 AND external_id = $2
FOR UPDATE;

-- name: list_accounts
SELECT account_id AS id, name, domain, external_id, attributes, revision, created_at, updated_at
FROM sequence.accounts
WHERE tenant_id = $1
  AND ($2::uuid IS NULL OR account_id > $2)
  AND ($3::text IS NULL OR domain = $3)
  AND ($4::text IS NULL OR external_id = $4)
ORDER BY account_id
LIMIT $5;

-- name: update_account
UPDATE sequence.accounts
SET name = $3, domain = $4, external_id = $5, attributes = $6, updated_at = postroad.now()
WHERE tenant_id = $1 AND account_id = $2
RETURNING account_id AS id, name, domain, external_id, attributes, revision, created_at, updated_at;

-- name: count_contacts_of_account
-- What keeps an account from being deleted.
SELECT count(*)
FROM sequence.contacts
WHERE tenant_id = $1 AND account_id = $2;

-- name: delete_account
DELETE FROM sequence.accounts
WHERE tenant_id = $1 AND account_id = $2
RETURNING account_id;

-- name: known_accounts
-- Which of these the tenant has; they stay until the transaction ends.
SELECT account_id
FROM sequence.accounts
WHERE tenant_id = $1 AND account_id = ANY ($2::uuid[])
ORDER BY account_id
FOR KEY SHARE;
