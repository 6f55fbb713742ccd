-- name: insert_sequence
INSERT INTO sequence.sequences (tenant_id, sequence_id, name)
VALUES ($1, $2, $3);

-- name: insert_version
INSERT INTO sequence.sequence_versions (tenant_id, sequence_id, version, sender_id)
VALUES ($1, $2, $3, $4);

-- name: insert_steps
INSERT INTO sequence.steps
    (tenant_id, sequence_id, version, number, step_key, kind, delay_seconds, preferred_time, template_id, thread)
SELECT $1, $2, $3, new.*
FROM unnest($4::integer[], $5::text[], $6::text[], $7::bigint[], $8::time[], $9::uuid[], $10::text[]) AS new;

-- name: copy_steps
-- The steps of a version ($4 of $3) as a draft's: their templates are not pinned.
INSERT INTO sequence.steps
    (tenant_id, sequence_id, version, number, step_key, kind, delay_seconds, preferred_time, template_id, thread)
SELECT tenant_id, $2, 1, number, step_key, kind, delay_seconds, preferred_time, template_id, thread
FROM sequence.steps
WHERE tenant_id = $1 AND sequence_id = $3 AND version = $4;

-- name: delete_steps
-- Of a draft that is written anew; a trigger refuses it for an activated version.
DELETE FROM sequence.steps
WHERE tenant_id = $1 AND sequence_id = $2 AND version = $3;

-- name: lock_sequence
-- Everything that changes a sequence begins here, so that its changes happen one after the other.
SELECT FROM sequence.sequences WHERE tenant_id = $1 AND sequence_id = $2 FOR UPDATE;

-- name: locked_sequence
-- A statement of its own: one that had waited for the lock would see the versions of before.
SELECT s.name, s.state, s.active_version, s.revision, latest.version AS latest_version,
       CASE WHEN latest.activated_at IS NULL THEN latest.version END AS draft_version
FROM sequence.sequences s
CROSS JOIN LATERAL (
    SELECT v.version, v.activated_at FROM sequence.sequence_versions v
    WHERE v.tenant_id = $1 AND v.sequence_id = $2 ORDER BY v.version DESC LIMIT 1
) latest
WHERE s.tenant_id = $1 AND s.sequence_id = $2;

-- name: share_sequence
-- Held while contacts are enrolled: a sequence cannot be archived between the look at its state and the enrollments.
SELECT state, active_version
FROM sequence.sequences
WHERE tenant_id = $1 AND sequence_id = $2
FOR SHARE;

-- name: name_sequence
-- Whoever writes the draft writes this row too: its revision is that of the draft.
UPDATE sequence.sequences
SET name = $3, updated_at = postroad.now()
WHERE tenant_id = $1 AND sequence_id = $2;

-- name: set_draft_sender
UPDATE sequence.sequence_versions
SET sender_id = $4
WHERE tenant_id = $1 AND sequence_id = $2 AND version = $3 AND activated_at IS NULL;

-- name: pin_templates
-- The draft's steps say what their templates say now, for ever.
UPDATE sequence.steps s
SET template_version = t.current_version
FROM sequence.templates t
WHERE s.tenant_id = $1 AND s.sequence_id = $2 AND s.version = $3
  AND t.tenant_id = s.tenant_id AND t.template_id = s.template_id;

-- name: pinned_sources
-- What the pinned templates say, to be compiled before the version is frozen.
SELECT s.number, v.subject, v.html, v.text
FROM sequence.steps s
JOIN sequence.template_versions v
    ON v.tenant_id = s.tenant_id AND v.template_id = s.template_id AND v.version = s.template_version
WHERE s.tenant_id = $1 AND s.sequence_id = $2 AND s.version = $3
ORDER BY s.number;

-- name: freeze_version
UPDATE sequence.sequence_versions
SET activated_at = postroad.now()
WHERE tenant_id = $1 AND sequence_id = $2 AND version = $3 AND activated_at IS NULL
RETURNING version;

-- name: set_state
-- The one way a sequence changes state. No row: somebody else was first.
UPDATE sequence.sequences
SET state = $4, active_version = coalesce($5, active_version), updated_at = postroad.now()
WHERE tenant_id = $1 AND sequence_id = $2 AND state = $3
RETURNING state;

-- name: sequences
-- One sequence ($2), or a page of them. The version shown is the draft, or else the latest.
SELECT s.sequence_id AS id, s.name, s.state, s.active_version, latest.version, latest.sender_id,
       CASE WHEN latest.activated_at IS NULL THEN latest.version END AS draft_version, s.revision, s.created_at,
       s.updated_at
FROM sequence.sequences s
CROSS JOIN LATERAL (
    SELECT v.version, v.sender_id, v.activated_at FROM sequence.sequence_versions v
    WHERE v.tenant_id = $1 AND v.sequence_id = s.sequence_id ORDER BY v.version DESC LIMIT 1
) latest
WHERE s.tenant_id = $1
  AND ($2::uuid IS NULL OR s.sequence_id = $2)
  AND ($3::uuid IS NULL OR s.sequence_id > $3)
  AND ($4::text IS NULL OR s.state = $4)
ORDER BY s.sequence_id
LIMIT $5;

-- name: steps
SELECT number, step_key AS key, kind, template_id, template_version, delay_seconds AS delay, preferred_time, thread
FROM sequence.steps
WHERE tenant_id = $1 AND sequence_id = $2 AND version = $3
ORDER BY number;

-- name: versions
-- The versions of a sequence before one ($3), newest first.
SELECT v.version, v.sender_id, v.created_at, v.activated_at,
       (SELECT count(*) FROM sequence.steps s
        WHERE s.tenant_id = $1 AND s.sequence_id = $2 AND s.version = v.version) AS step_count
FROM sequence.sequence_versions v
WHERE v.tenant_id = $1 AND v.sequence_id = $2 AND ($3::integer IS NULL OR v.version < $3)
ORDER BY v.version DESC
LIMIT $4;

-- name: version
SELECT sequence_id, version, sender_id, created_at, activated_at
FROM sequence.sequence_versions
WHERE tenant_id = $1 AND sequence_id = $2 AND version = $3;

-- name: running_enrollments
-- Those that have not ended. One that the scheduler has not taken up runs too.
SELECT e.enrollment_id
FROM sequence.enrollments e
LEFT JOIN views.progress p ON p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id
WHERE e.tenant_id = $1 AND e.sequence_id = $2 AND p.phase IS DISTINCT FROM 'ended'
ORDER BY e.enrollment_id;
