-- name: insert_template
INSERT INTO sequence.templates (tenant_id, template_id, name)
VALUES ($1, $2, $3);

-- name: insert_template_version
INSERT INTO sequence.template_versions (tenant_id, template_id, version, subject, html, text)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: template
SELECT t.template_id AS id, t.name, v.version, v.subject, v.html, v.text, t.revision, t.created_at, t.updated_at
FROM sequence.templates t
JOIN sequence.template_versions v
    ON v.tenant_id = t.tenant_id AND v.template_id = t.template_id AND v.version = t.current_version
WHERE t.tenant_id = $1 AND t.template_id = $2;

-- name: template_version
SELECT template_id, version, subject, html, text, created_at
FROM sequence.template_versions
WHERE tenant_id = $1 AND template_id = $2 AND version = $3;

-- name: template_versions
-- The versions of a template before one ($3), newest first, without what is long.
SELECT template_id, version, subject, created_at
FROM sequence.template_versions
WHERE tenant_id = $1 AND template_id = $2 AND ($3::integer IS NULL OR version < $3)
ORDER BY version DESC
LIMIT $4;

-- name: lock_template
-- Two who save at once make two versions, one after the other.
SELECT name, current_version, revision
FROM sequence.templates
WHERE tenant_id = $1 AND template_id = $2
FOR UPDATE;

-- name: set_current_version
UPDATE sequence.templates
SET name = $3, current_version = $4, updated_at = postroad.now()
WHERE tenant_id = $1 AND template_id = $2;

-- name: list_templates
SELECT t.template_id AS id, t.name, v.version, v.subject, t.revision, t.created_at, t.updated_at
FROM sequence.templates t
JOIN sequence.template_versions v
    ON v.tenant_id = t.tenant_id AND v.template_id = t.template_id AND v.version = t.current_version
WHERE t.tenant_id = $1 AND ($2::uuid IS NULL OR t.template_id > $2)
ORDER BY t.template_id
LIMIT $3;

-- name: uses_of_template
-- Where a template is in use, drafts and past versions included: what forbids deleting it.
SELECT s.sequence_id, s.name, t.version, array_agg(t.number ORDER BY t.number) AS steps
FROM sequence.steps t
JOIN sequence.sequences s ON s.tenant_id = t.tenant_id AND s.sequence_id = t.sequence_id
WHERE t.tenant_id = $1 AND t.template_id = $2
GROUP BY s.sequence_id, s.name, t.version
ORDER BY s.name, t.version;

-- name: delete_template
DELETE FROM sequence.templates
WHERE tenant_id = $1 AND template_id = $2
RETURNING template_id;

-- name: known_templates
-- Which of these the tenant has.
SELECT template_id
FROM sequence.templates
WHERE tenant_id = $1 AND template_id = ANY ($2::uuid[]);

-- name: preview_parties
-- Whom a template is rendered for, and as if from whom; the sender may be left out.
SELECT to_jsonb(c) - 'tenant_id' AS contact, to_jsonb(t) - 'tenant_id' AS tenant,
       (SELECT jsonb_build_object('from_email', s.from_email, 'from_name', s.from_name, 'reply_to', s.reply_to)
        FROM sequence.senders s WHERE s.tenant_id = $1 AND s.sender_id = $3) AS sender
FROM views.contacts c
JOIN views.tenants t ON t.tenant_id = c.tenant_id
WHERE c.tenant_id = $1 AND c.contact_id = $2;
