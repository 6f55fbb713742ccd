-- name: delete_personal_data
-- $2 the contacts, $3 their enrollments, $4 their addresses.
DELETE FROM tracking.event_personal_data
WHERE tenant_id = $1
  AND (lower(recipient) = ANY ($4::text[]) AND recipient IS NOT NULL
       OR event_id = ANY (ARRAY(
           SELECT e.event_id FROM tracking.events e WHERE e.tenant_id = $1 AND e.enrollment_id = ANY ($3::uuid[])
           UNION ALL
           SELECT e.event_id FROM tracking.events e
           WHERE e.tenant_id = $1 AND e.enrollment_id IS NULL AND e.contact_id = ANY ($2::uuid[])
           UNION ALL
           SELECT m.event_id FROM tracking.matches m WHERE m.tenant_id = $1 AND m.enrollment_id = ANY ($3::uuid[]))));

-- name: blank_events
SELECT tracking.blank_events($1::uuid, $2::uuid[], $3::uuid[]);

-- name: delete_engagement
DELETE FROM tracking.contact_engagement WHERE tenant_id = $1 AND contact_id = ANY ($2::uuid[]);

-- name: unlink_stops
-- An address that unsubscribed, complained or bounced stays suppressed, and leads to no event and no message any more.
UPDATE tracking.stops SET enrollment_id = NULL, contact_id = NULL, event_id = stop_id
WHERE tenant_id = $1 AND email = ANY ($2::text[]);

-- name: delete_raw_requests
-- A webhook that names them anywhere goes as a whole, in steps of $4 after $3. Answers with how far the step looked.
WITH step AS MATERIALIZED (
    SELECT raw_request_id, lower(encode(body, 'escape')) AS body
    FROM tracking.raw_requests
    WHERE tenant_id = $1 AND raw_request_id > $3
    ORDER BY raw_request_id
    LIMIT $4
), deleted AS (
    DELETE FROM tracking.raw_requests r
    USING step s
    WHERE r.tenant_id = $1 AND r.raw_request_id = s.raw_request_id
      AND EXISTS (SELECT FROM unnest($2::text[]) AS address WHERE strpos(s.body, address) > 0)
)
SELECT raw_request_id FROM step ORDER BY raw_request_id DESC LIMIT 1;
