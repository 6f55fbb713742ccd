-- name: definitions
-- What a filter may speak of: the attributes that are in use, those whose index is complete marked.
SELECT entity, name, type, CASE WHEN indexed AND indexed_to IS NULL THEN attribute_id END AS index
FROM sequence.attributes
WHERE tenant_id = $1 AND archived_at IS NULL;

-- name: sequences_named
-- The sequences that a filter names, by name or by id.
SELECT named.name, s.sequence_id
FROM unnest($2::text[]) AS named (name)
JOIN sequence.sequences s ON s.tenant_id = $1 AND (s.name = named.name OR s.sequence_id::text = lower(named.name));

-- name: now
SELECT postroad.now() FROM (SELECT $1::uuid) AS tenant;

-- name: set_patience
-- How long each statement of the rest of the transaction may take.
SELECT set_config('statement_timeout', $2::text, true) FROM (SELECT $1::uuid) AS tenant;
