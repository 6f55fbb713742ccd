-- name: standing
-- What stands of the contacts that a batch of rows names, by address or by the tenant's own id, locked until the batch is
-- written; and the first line of the file that was about each. A contact named both ways comes twice.
WITH by_email AS (
    SELECT c.contact_id, c.email, c.external_id, c.first_name, c.last_name, c.company, c.kind, c.timezone, c.account_id,
           c.attributes
    FROM sequence.contacts c
    WHERE c.tenant_id = $1 AND c.email = ANY ($3::text[])
    FOR UPDATE
), by_external_id AS (
    SELECT c.contact_id, c.email, c.external_id, c.first_name, c.last_name, c.company, c.kind, c.timezone, c.account_id,
           c.attributes
    FROM sequence.contacts c
    WHERE c.tenant_id = $1 AND c.external_id = ANY ($4::text[])
    FOR UPDATE
), named AS (
    SELECT * FROM by_email UNION ALL SELECT * FROM by_external_id
)
SELECT named.*, j.line
FROM named
LEFT JOIN sequence.job_contacts j ON j.tenant_id = $1 AND j.job_id = $2 AND j.contact_id = named.contact_id;

-- name: insert
-- A batch of new contacts. One that came in meanwhile by another way breaks a unique index, and the batch is read anew.
INSERT INTO sequence.contacts
    (tenant_id, contact_id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes)
SELECT $1, new.*
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::uuid[], $11::jsonb[]) AS new;

-- name: update
-- A batch of changed contacts, each row whole.
UPDATE sequence.contacts c
SET email = new.email, external_id = new.external_id, first_name = new.first_name, last_name = new.last_name,
    company = new.company, kind = new.kind, timezone = new.timezone, account_id = new.account_id,
    attributes = new.attributes, updated_at = postroad.now()
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::uuid[], $11::jsonb[])
     AS new (contact_id, email, external_id, first_name, last_name, company, kind, timezone, account_id, attributes)
WHERE c.tenant_id = $1 AND c.contact_id = new.contact_id;

-- name: meet
-- Which line was the first about a contact.
INSERT INTO sequence.job_contacts (tenant_id, job_id, contact_id, line)
SELECT $1, $2, contact_id, line FROM unnest($3::uuid[], $4::bigint[]) AS met (contact_id, line)
ON CONFLICT DO NOTHING;

-- name: rehearsed
-- As `standing`, in a dry run: what earlier lines would have made of a contact stands before what it is.
WITH planned AS (
    SELECT contact_id, contact, line
    FROM sequence.job_contacts
    WHERE tenant_id = $1 AND job_id = $2 AND email = ANY ($3::text[])
    UNION ALL
    SELECT contact_id, contact, line
    FROM sequence.job_contacts
    WHERE tenant_id = $1 AND job_id = $2 AND external_id = ANY ($4::text[])
), named AS (
    SELECT contact_id FROM sequence.contacts WHERE tenant_id = $1 AND email = ANY ($3::text[])
    UNION
    SELECT contact_id FROM sequence.contacts WHERE tenant_id = $1 AND external_id = ANY ($4::text[])
)
SELECT contact_id, contact ->> 'email' AS email, contact ->> 'external_id' AS external_id,
       contact ->> 'first_name' AS first_name, contact ->> 'last_name' AS last_name, contact ->> 'company' AS company,
       contact ->> 'kind' AS kind, contact ->> 'timezone' AS timezone, (contact ->> 'account_id')::uuid AS account_id,
       contact -> 'attributes' AS attributes, line
FROM planned
UNION ALL
SELECT c.contact_id, c.email, c.external_id, c.first_name, c.last_name, c.company, c.kind, c.timezone, c.account_id,
       c.attributes, NULL
FROM named
JOIN sequence.contacts c ON c.tenant_id = $1 AND c.contact_id = named.contact_id
WHERE NOT EXISTS (
    SELECT FROM sequence.job_contacts j
    WHERE j.tenant_id = $1 AND j.job_id = $2 AND j.contact_id = named.contact_id);

-- name: rehearse
-- What a dry run would have made of contacts.
INSERT INTO sequence.job_contacts (tenant_id, job_id, contact_id, line, email, external_id, contact)
SELECT $1, $2, planned.*
FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::jsonb[])
     AS planned (contact_id, line, email, external_id, contact)
ON CONFLICT (tenant_id, job_id, contact_id)
DO UPDATE SET email = excluded.email, external_id = excluded.external_id, contact = excluded.contact;

-- name: accounts_named
-- The accounts that rows name by the tenant's own ids; they stay until the rows are written.
SELECT external_id, account_id
FROM sequence.accounts
WHERE tenant_id = $1 AND external_id = ANY ($2::text[])
ORDER BY account_id
FOR KEY SHARE;
