-- name: enroll
-- Up to 500 contacts at once. A contact takes its slot, in the order of its id, or has one.
-- Whoever deletes or erases one of them waits, or has done so before.
WITH clock AS MATERIALIZED (
    SELECT postroad.now() AS at  -- asked once: as the columns' defaults it is called twice for each row
), known AS (
    SELECT contact_id, email
    FROM sequence.contacts
    WHERE tenant_id = $1 AND contact_id = ANY ($4::uuid[])
    ORDER BY contact_id
    FOR KEY SHARE
), wanted AS (
    SELECT w.contact_id, w.enrollment_id, c.email
    FROM unnest($4::uuid[], $5::uuid[]) AS w (contact_id, enrollment_id)
    LEFT JOIN known c ON c.contact_id = w.contact_id
), barred AS (
    SELECT DISTINCT w.contact_id
    FROM wanted w
    JOIN views.suppressed_addresses s ON s.tenant_id = $1 AND s.email = w.email
), slots AS (
    INSERT INTO sequence.active_slots (tenant_id, contact_id, scope, enrollment_id)
    SELECT $1, w.contact_id, 'sequence:' || ($2::uuid)::text, w.enrollment_id
    FROM wanted w
    WHERE w.email IS NOT NULL AND w.contact_id NOT IN (SELECT contact_id FROM barred)
    ORDER BY w.contact_id
    ON CONFLICT DO NOTHING
    RETURNING contact_id, enrollment_id
), enrolled AS (
    INSERT INTO sequence.enrollments
        (tenant_id, enrollment_id, sequence_id, version, contact_id, traceparent, intent_at, created_at)
    SELECT $1, s.enrollment_id, $2, $3, s.contact_id, $6, clock.at, clock.at
    FROM slots s, clock
    RETURNING enrollment_id, contact_id
)
SELECT w.contact_id, e.enrollment_id,
       CASE WHEN e.enrollment_id IS NOT NULL THEN 'enrolled'
            WHEN w.email IS NULL THEN 'unknown'
            WHEN w.contact_id IN (SELECT contact_id FROM barred) THEN 'suppressed'
            ELSE 'already_active' END AS result
FROM wanted w
LEFT JOIN enrolled e ON e.contact_id = w.contact_id;

-- name: holders_of_slots
-- Which enrollment a contact that was already active is in; read after, so that one enrolled meanwhile is seen too.
SELECT contact_id, enrollment_id
FROM sequence.active_slots
WHERE tenant_id = $1 AND scope = 'sequence:' || ($2::uuid)::text AND contact_id = ANY ($3::uuid[]);

-- name: contacts_named
-- The contacts that a file names, each by what it is named by.
SELECT 'email' AS named_by, email AS value, contact_id
FROM sequence.contacts
WHERE tenant_id = $1 AND email = ANY ($2::text[])
UNION ALL
SELECT 'external_id', external_id, contact_id
FROM sequence.contacts
WHERE tenant_id = $1 AND external_id = ANY ($3::text[])
UNION ALL
SELECT 'contact_id', contact_id::text, contact_id
FROM sequence.contacts
WHERE tenant_id = $1 AND contact_id = ANY ($4::uuid[]);

-- name: enrollments
-- One enrollment ($2), or a page of them. What the scheduler has not taken up yet is active.
SELECT e.enrollment_id AS id, e.sequence_id, e.version, e.contact_id, e.intent, e.intent_at,
       coalesce(p.state, 'active') AS state, p.phase, p.step_number, p.step_key, p.attempt, p.next_due_at,
       p.needs_attention_at, p.paused_at,
       coalesce(p.completed_at, p.replied_at, p.bounced_at, p.unenrolled_at, p.failed_at) AS ended_at, e.created_at
FROM sequence.enrollments e
LEFT JOIN views.progress p ON p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id
WHERE e.tenant_id = $1
  AND ($2::uuid IS NULL OR e.enrollment_id = $2)
  AND ($3::uuid IS NULL OR e.enrollment_id > $3)
  AND ($4::uuid IS NULL OR e.sequence_id = $4)
  AND ($5::uuid IS NULL OR e.contact_id = $5)
  AND ($6::text IS NULL OR coalesce(p.state, 'active') = $6)
ORDER BY e.enrollment_id
LIMIT $7;

-- name: lock_enrollment
-- Before its intent changes.
SELECT enrollment_id, sequence_id, intent
FROM sequence.enrollments
WHERE tenant_id = $1 AND enrollment_id = $2
FOR UPDATE;

-- name: state_of_enrollment
-- In a statement after the lock, so that it is not older than the lock.
SELECT state
FROM views.progress
WHERE tenant_id = $1 AND enrollment_id = $2;

-- name: set_intent
-- The one way the intent of an enrollment changes. No row: somebody else was first.
UPDATE sequence.enrollments
SET intent = $4, intent_at = postroad.now()
WHERE tenant_id = $1 AND enrollment_id = $2 AND intent = $3
RETURNING intent;

-- name: stop_all
-- Those that still run of a sequence that is archived.
UPDATE sequence.enrollments
SET intent = 'stop', intent_at = postroad.now()
WHERE tenant_id = $1 AND enrollment_id = ANY ($2::uuid[]) AND intent <> 'stop'
RETURNING enrollment_id;

-- name: running_of_address
-- Whose way a suppressed address ends.
SELECT s.enrollment_id
FROM sequence.contacts c
JOIN sequence.active_slots s ON s.tenant_id = c.tenant_id AND s.contact_id = c.contact_id
WHERE c.tenant_id = $1 AND c.email = $2
ORDER BY s.enrollment_id;
