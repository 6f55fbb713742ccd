-- name: insert_attribute
-- indexed_to: the index is filled from the first contact on.
INSERT INTO sequence.attributes (tenant_id, attribute_id, entity, name, type, description, indexed, indexed_to)
VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $7 THEN '00000000-0000-0000-0000-000000000000'::uuid END)
RETURNING attribute_id AS id, entity, name, type, description, indexed, indexed_to IS NOT NULL AS indexing,
          archived_at, revision, created_at, updated_at;

-- name: count_attributes
-- How many an entity has, and how many of them are indexed.
SELECT count(*) AS defined, count(*) FILTER (WHERE indexed) AS indexed
FROM sequence.attributes
WHERE tenant_id = $1 AND entity = $2;

-- name: attribute
SELECT attribute_id AS id, entity, name, type, description, indexed, indexed_to IS NOT NULL AS indexing,
       archived_at, revision, created_at, updated_at
FROM sequence.attributes
WHERE tenant_id = $1 AND attribute_id = $2;

-- name: lock_attribute
SELECT entity, description, indexed, indexed_to, archived_at, revision
FROM sequence.attributes
WHERE tenant_id = $1 AND attribute_id = $2
FOR NO KEY UPDATE;

-- name: list_attributes
SELECT attribute_id AS id, entity, name, type, description, indexed, indexed_to IS NOT NULL AS indexing,
       archived_at, revision, created_at, updated_at
FROM sequence.attributes
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR attribute_id > $2) AND ($3::text IS NULL OR entity = $3)
ORDER BY attribute_id
LIMIT $4;

-- name: update_attribute
UPDATE sequence.attributes
SET description = $3, indexed = $4, indexed_to = $5, updated_at = postroad.now(),
    archived_at = CASE WHEN $6 THEN coalesce(archived_at, postroad.now()) END
WHERE tenant_id = $1 AND attribute_id = $2
RETURNING attribute_id AS id, entity, name, type, description, indexed, indexed_to IS NOT NULL AS indexing,
          archived_at, revision, created_at, updated_at;

-- name: await_writers
-- Wait for the transactions that write contacts and may not have seen an index switched on; those that begin later see
-- it, because they wait for this one.
SELECT pg_advisory_xact_lock(hashtext('sequence.contact_values'), hashtext(($1::uuid)::text));

-- name: forget_values
DELETE FROM sequence.contact_values
WHERE tenant_id = $1 AND attribute_id = $2;

-- name: typed_attributes
-- The attributes in use whose values are checked.
SELECT name, type
FROM sequence.attributes
WHERE tenant_id = $1 AND entity = $2 AND archived_at IS NULL;

-- name: tenants_with_indexes_to_fill
SELECT sequence.tenants_with_indexes_to_fill($1::integer) AS tenant_id;

-- name: index_to_fill
-- One index of the tenant that is not filled yet. Whoever fills it holds the row, others pass by.
SELECT attribute_id, name, type, indexed_to
FROM sequence.attributes
WHERE tenant_id = $1 AND indexed_to IS NOT NULL
ORDER BY attribute_id
LIMIT 1
FOR NO KEY UPDATE SKIP LOCKED;

-- name: fill_index
-- The next contacts in the order of their ids. A value that a writer of contacts has put there is newer.
WITH chunk AS MATERIALIZED (
    SELECT contact_id, attributes -> $3::text AS value
    FROM sequence.contacts
    WHERE tenant_id = $1 AND contact_id > $5
    ORDER BY contact_id
    LIMIT $6
), put AS (
    INSERT INTO sequence.contact_values (tenant_id, attribute_id, contact_id, text_value, number_value)
    SELECT $1, $2, contact_id, sequence.indexed_text($4, value), sequence.indexed_number($4, value)
    FROM chunk
    WHERE sequence.indexed_text($4, value) IS NOT NULL OR sequence.indexed_number($4, value) IS NOT NULL
    ON CONFLICT DO NOTHING
)
UPDATE sequence.attributes
SET indexed_to = CASE WHEN (SELECT count(*) FROM chunk) = $6
                      THEN (SELECT contact_id FROM chunk ORDER BY contact_id DESC LIMIT 1) END
WHERE tenant_id = $1 AND attribute_id = $2
RETURNING indexed_to;
