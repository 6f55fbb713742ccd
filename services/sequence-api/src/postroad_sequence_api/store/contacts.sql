-- name: insert_contact
INSERT INTO sequence.contacts
    (tenant_id, contact_id, email, external_id, first_name, last_name, company, kind, timezone, attributes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, attributes,
          revision, created_at, updated_at;

-- name: contact
SELECT contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, attributes,
       revision, created_at, updated_at
FROM sequence.contacts
WHERE tenant_id = $1 AND contact_id = $2;

-- name: lock_contact
-- For a change that is merged with what stands.
SELECT contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, attributes,
       revision
FROM sequence.contacts
WHERE tenant_id = $1 AND contact_id = $2
FOR UPDATE;

-- name: list_contacts
SELECT contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, attributes,
       revision, created_at, updated_at
FROM sequence.contacts
WHERE tenant_id = $1
  AND ($2::uuid IS NULL OR contact_id > $2)
  AND ($3::text IS NULL OR email = $3)
ORDER BY contact_id
LIMIT $4;

-- name: update_contact
UPDATE sequence.contacts
SET email = $3, external_id = $4, first_name = $5, last_name = $6, company = $7, kind = $8, timezone = $9,
    attributes = $10, updated_at = postroad.now()
WHERE tenant_id = $1 AND contact_id = $2
RETURNING contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, attributes,
          revision, created_at, updated_at;

-- name: count_enrollments_of_contact
-- What keeps a contact from being deleted: its history, running or not.
SELECT count(*)
FROM sequence.enrollments
WHERE tenant_id = $1 AND contact_id = $2;

-- name: delete_contact
DELETE FROM sequence.contacts
WHERE tenant_id = $1 AND contact_id = $2
RETURNING contact_id;
