-- name: lock_contacts
-- Those that are there, with every address that was written to. Whoever enrolls one of them waits.
SELECT c.contact_id, c.email,
       ARRAY(SELECT DISTINCT m.recipient FROM views.messages m
             WHERE m.tenant_id = $1 AND m.contact_id = c.contact_id) AS recipients
FROM sequence.contacts c
WHERE c.tenant_id = $1 AND c.contact_id = ANY ($2::uuid[])
ORDER BY c.contact_id
FOR UPDATE OF c;

-- name: ways
-- Their enrollments. One runs until the scheduler has ended it, nothing of it is on the wire, and its stop is
-- acknowledged.
SELECT e.enrollment_id, e.contact_id, e.sequence_id, e.intent,
       p.phase IS DISTINCT FROM 'ended'
       OR EXISTS (SELECT FROM views.messages m
                  WHERE m.tenant_id = $1 AND m.enrollment_id = e.enrollment_id AND m.state = 'transmitting')
       OR EXISTS (SELECT FROM sequence.intents i
                  WHERE i.tenant_id = $1 AND i.sequence_id = e.sequence_id AND i.enrollment_id = e.enrollment_id
                    AND i.intent = 'stop' AND i.acknowledged_at IS NULL) AS running
FROM sequence.enrollments e
LEFT JOIN views.progress p ON p.tenant_id = $1 AND p.enrollment_id = e.enrollment_id
WHERE e.tenant_id = $1 AND e.contact_id = ANY ($2::uuid[])
ORDER BY e.enrollment_id;

-- name: stop
UPDATE sequence.enrollments
SET intent = 'stop', intent_at = postroad.now()
WHERE tenant_id = $1 AND enrollment_id = ANY ($2::uuid[]) AND intent <> 'stop'
RETURNING enrollment_id;

-- name: open_stops
-- Stops of their enrollments that nobody has acknowledged.
SELECT i.intent_id, i.sequence_id, i.enrollment_id
FROM sequence.enrollments e
JOIN sequence.intents i ON i.tenant_id = $1 AND i.sequence_id = e.sequence_id AND i.enrollment_id = e.enrollment_id
WHERE e.tenant_id = $1 AND e.contact_id = ANY ($2::uuid[]) AND i.intent = 'stop' AND i.acknowledged_at IS NULL;

-- name: note
INSERT INTO sequence.erasures (tenant_id, contact_id)
SELECT $1, contact_id FROM unnest($2::uuid[]) AS contact_id
ON CONFLICT DO NOTHING
RETURNING contact_id, erased_at;

-- name: erased_before
SELECT contact_id FROM sequence.erasures WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[]);

-- name: known
-- Whether there is such a contact, or was one that is erased.
SELECT EXISTS (SELECT FROM sequence.contacts WHERE tenant_id = $1 AND contact_id = $2)
    OR EXISTS (SELECT FROM sequence.erasures WHERE tenant_id = $1 AND contact_id = $2);

-- name: delete_contacts
DELETE FROM sequence.contacts WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[]);

-- name: unname_intents
-- What was wanted of their addresses by hand: that somebody wanted it, and when, stays.
UPDATE sequence.intents SET email = 'erased@erased.invalid'
WHERE tenant_id = $1 AND email = ANY ($2::text[]);

-- name: unexplain_suppressions
-- A suppressed address stays suppressed; what a person wrote about it does not.
UPDATE sequence.suppressions SET reason = ''
WHERE tenant_id = $1 AND email = ANY ($2::text[]) AND reason <> '';

-- name: unname_jobs
-- What ended jobs were asked for and failed of, where that names one of the addresses.
UPDATE sequence.jobs
SET params = params - 'filter' - 'header', error_detail = CASE WHEN error_detail IS NOT NULL THEN '' END
WHERE tenant_id = $1 AND ended_at IS NOT NULL
  AND EXISTS (SELECT FROM unnest($2::text[]) AS address
              WHERE strpos(lower(params::text), address) > 0 OR strpos(lower(error_detail), address) > 0);

-- name: next_reports
-- Parts of reports after one of them, those of this job ($4) excepted.
SELECT job_id, number, rows
FROM sequence.job_reports
WHERE tenant_id = $1 AND (job_id, number) > ($2::uuid, $3::bigint) AND job_id <> $4
ORDER BY job_id, number
LIMIT $5;

-- name: rewrite_report
UPDATE sequence.job_reports SET rows = $4 WHERE tenant_id = $1 AND job_id = $2 AND number = $3;

-- name: unconfirmed
-- How many of them a service has yet to erase.
SELECT count(*)
FROM sequence.erasures e
WHERE e.tenant_id = $1 AND e.contact_id = ANY ($2::uuid[])
  AND (SELECT count(*) FROM views.erasures v WHERE v.tenant_id = $1 AND v.contact_id = e.contact_id) < 2;
