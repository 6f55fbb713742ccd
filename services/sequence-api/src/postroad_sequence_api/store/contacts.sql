-- name: insert_contact
INSERT INTO sequence.contacts
    (tenant_id, contact_id, email, external_id, first_name, last_name, company, kind, timezone,
     account_id, attributes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes,
          revision, created_at, updated_at;

-- name: contact
SELECT contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes,
       revision, created_at, updated_at
FROM sequence.contacts
WHERE tenant_id = $1 AND contact_id = $2;

-- name: contact_detail
-- A contact with its account, what it did, and what is against its address.
SELECT c.contact_id AS id, c.email, c.external_id, c.first_name, c.last_name, c.company, c.kind, c.timezone,
       c.account_id, c.attributes, c.revision, c.created_at, c.updated_at,
       (SELECT jsonb_build_object('id', a.account_id, 'name', a.name, 'domain', a.domain, 'external_id', a.external_id)
        FROM sequence.accounts a WHERE a.tenant_id = $1 AND a.account_id = c.account_id) AS account,
       g.last_opened_at, g.last_clicked_at, g.last_replied_at, coalesce(g.opens, 0) AS opens,
       coalesce(g.clicks, 0) AS clicks, coalesce(g.replies, 0) AS replies,
       ARRAY(SELECT DISTINCT s.kind FROM views.suppressed_addresses s
             WHERE s.tenant_id = $1 AND s.email = c.email ORDER BY s.kind) AS suppressed
FROM sequence.contacts c
LEFT JOIN views.contact_engagement g ON g.tenant_id = $1 AND g.contact_id = c.contact_id
WHERE c.tenant_id = $1 AND c.contact_id = $2;

-- name: contacts_by_id
-- The contacts of a page, in its order.
SELECT contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes,
       revision, created_at, updated_at
FROM sequence.contacts
WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[])
ORDER BY contact_id;

-- name: lock_upserted
-- What stands of the contacts that a batch names, by the tenant's own id or by address, in the order of their ids so
-- that two batches cannot wait for each other.
SELECT contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes,
       revision, created_at, updated_at
FROM sequence.contacts
WHERE tenant_id = $1 AND contact_id IN (
    SELECT contact_id FROM sequence.contacts WHERE tenant_id = $1 AND external_id = ANY ($2::text[])
    UNION
    SELECT contact_id FROM sequence.contacts WHERE tenant_id = $1 AND email = ANY ($3::text[]))
ORDER BY contact_id
FOR UPDATE;

-- name: insert_upserted
-- New contacts; one whose address or external id somebody else took meanwhile is not answered with. In the order of
-- addresses, as another batch has them.
INSERT INTO sequence.contacts
    (tenant_id, contact_id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes)
SELECT $1, new.*
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::uuid[], $11::jsonb[])
     AS new (contact_id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes)
ORDER BY new.email
ON CONFLICT DO NOTHING
RETURNING contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes,
          revision, created_at, updated_at;

-- name: update_upserted
-- Changed contacts, each row whole.
UPDATE sequence.contacts c
SET email = new.email, external_id = new.external_id, first_name = new.first_name, last_name = new.last_name,
    company = new.company, kind = new.kind, timezone = new.timezone, account_id = new.account_id,
    attributes = new.attributes, updated_at = postroad.now()
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::uuid[], $11::jsonb[])
     AS new (contact_id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes)
WHERE c.tenant_id = $1 AND c.contact_id = new.contact_id
RETURNING c.contact_id AS id, c.email, c.external_id, c.first_name, c.last_name, c.company, c.kind, c.timezone,
          c.account_id, c.attributes, c.revision, c.created_at, c.updated_at;

-- name: lock_contact
-- For a change that is merged with what stands.
SELECT contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes,
       revision
FROM sequence.contacts
WHERE tenant_id = $1 AND contact_id = $2
FOR UPDATE;

-- name: update_contact
UPDATE sequence.contacts
SET email = $3, external_id = $4, first_name = $5, last_name = $6, company = $7, kind = $8, timezone = $9,
    account_id = $10, attributes = $11, updated_at = postroad.now()
WHERE tenant_id = $1 AND contact_id = $2
RETURNING contact_id AS id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes,
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

-- name: last_contact
-- The moment, and the last of the contacts that there are: ids are in the order of time.
SELECT postroad.now() AS now,
       (SELECT contact_id FROM sequence.contacts WHERE tenant_id = $1 ORDER BY contact_id DESC LIMIT 1) AS last;

-- name: count_contacts
SELECT count(*) FROM sequence.contacts WHERE tenant_id = $1;

-- name: exported
-- Contacts in the order of their ids, as many of these as have so many bytes of attributes, and the first in any case.
SELECT contact_id, email, external_id, first_name, last_name, company, kind, timezone, account_external_id, created_at,
       updated_at, attributes
FROM (
    SELECT c.*, a.external_id AS account_external_id,
           sum(octet_length(c.attributes::text)) OVER (ORDER BY c.contact_id) - octet_length(c.attributes::text) AS before
    FROM sequence.contacts c
    LEFT JOIN sequence.accounts a ON a.tenant_id = $1 AND a.account_id = c.account_id
    WHERE c.tenant_id = $1 AND c.contact_id = ANY ($2::uuid[])
) AS found
WHERE before < $3
ORDER BY contact_id;
