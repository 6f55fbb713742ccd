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

-- name: contacts_named
-- What stands of the contacts that a batch of imported rows names, by address or by the tenant's own id.
SELECT contact_id, email, external_id, first_name, last_name, company, kind, timezone, attributes
FROM sequence.contacts
WHERE tenant_id = $1 AND email = ANY ($2::text[])
UNION
SELECT contact_id, email, external_id, first_name, last_name, company, kind, timezone, attributes
FROM sequence.contacts
WHERE tenant_id = $1 AND external_id = ANY ($3::text[]);

-- name: insert_contacts
-- A batch of new contacts. One that came in meanwhile by another way breaks a unique index, and the batch is read anew.
INSERT INTO sequence.contacts
    (tenant_id, contact_id, email, external_id, first_name, last_name, company, kind, timezone, attributes)
SELECT $1, new.*
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::jsonb[]) AS new;

-- name: update_contacts
-- A batch of changed contacts, each row whole.
UPDATE sequence.contacts c
SET email = new.email, external_id = new.external_id, first_name = new.first_name, last_name = new.last_name,
    company = new.company, kind = new.kind, timezone = new.timezone, attributes = new.attributes,
    updated_at = postroad.now()
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::jsonb[])
     AS new (contact_id, email, external_id, first_name, last_name, company, kind, timezone, attributes)
WHERE c.tenant_id = $1 AND c.contact_id = new.contact_id;
