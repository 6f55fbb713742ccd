-- name: count_open
-- How many jobs of the tenant have not ended.
SELECT count(*) FROM sequence.jobs WHERE tenant_id = $1 AND state IN ('receiving', 'queued', 'running');

-- name: receive
-- A job whose file is about to come. Abandoned when its lease ends.
INSERT INTO sequence.jobs (tenant_id, job_id, kind, state, total, created_by, lease_until)
VALUES ($1, $2, $3, 'receiving', 0, $4, postroad.now() + $5::interval);

-- name: add_input
-- The next piece of a file. No row: the upload was taken for abandoned.
WITH job AS (
    UPDATE sequence.jobs
    SET total = total + octet_length($4::bytea), lease_until = postroad.now() + $5::interval
    WHERE tenant_id = $1 AND job_id = $2 AND state = 'receiving' AND lease_until > postroad.now()
    RETURNING job_id
)
INSERT INTO sequence.job_input (tenant_id, job_id, number, bytes)
SELECT $1, job_id, $3, $4 FROM job
RETURNING number;

-- name: queue_received
-- The whole file is here. No row: the upload was taken for abandoned.
UPDATE sequence.jobs
SET state = 'queued', lease_until = NULL, params = $3, position = $4, done = $5
WHERE tenant_id = $1 AND job_id = $2 AND state = 'receiving' AND lease_until > postroad.now()
RETURNING job_id;

-- name: drop_received
-- An upload that broke off; its pieces are deleted before.
DELETE FROM sequence.jobs
WHERE tenant_id = $1 AND job_id = $2 AND state = 'receiving' AND NOT EXISTS (
    SELECT FROM sequence.job_input i WHERE i.tenant_id = $1 AND i.job_id = $2);

-- name: queue
-- A job that needs no file.
INSERT INTO sequence.jobs (tenant_id, job_id, kind, state, params, total, created_by)
VALUES ($1, $2, $3, 'queued', $4, $5, $6);

-- name: keep_input
-- What a job that needs no file is about, when that is too much for its params.
INSERT INTO sequence.job_input (tenant_id, job_id, number, bytes) VALUES ($1, $2, 0, $3);

-- name: jobs
-- One job ($2), or a page of them, newest first.
SELECT job_id AS id, kind, state, params, done, total, counts, error_code, error_detail, created_by, created_at,
       started_at, cancel_requested_at, ended_at, report_deleted_at
FROM sequence.jobs
WHERE tenant_id = $1 AND state <> 'receiving'
  AND ($2::uuid IS NULL OR job_id = $2)
  AND ($3::uuid IS NULL OR job_id < $3)
  AND ($4::text IS NULL OR kind = $4)
  AND ($5::text IS NULL OR state = $5)
ORDER BY job_id DESC
LIMIT $6;

-- name: cancel
-- At once if nobody has it in hand; else whoever has it stops at the end of its chunk.
UPDATE sequence.jobs
SET cancel_requested_at = coalesce(cancel_requested_at, postroad.now()),
    state = CASE WHEN lease_until > postroad.now() THEN state ELSE 'cancelled' END,
    ended_at = CASE WHEN lease_until > postroad.now() THEN NULL ELSE postroad.now() END,
    fence = CASE WHEN lease_until > postroad.now() THEN fence ELSE fence + 1 END,
    position = CASE WHEN lease_until > postroad.now() THEN position ELSE position - 'addresses' END
WHERE tenant_id = $1 AND job_id = $2 AND state IN ('queued', 'running')
RETURNING job_id, kind, state, counts, error_code, ended_at;

-- name: tenants_with_jobs
-- Who has a job to claim, after the one last served; ids only, across the tenant wall.
SELECT tenant_id FROM sequence.tenants_with_jobs($1::uuid, $2::integer) AS tenant_id;

-- name: claim
-- The job of a tenant whose turn it is. Raises the fence: whoever held it before can write no more of it.
UPDATE sequence.jobs
SET state = 'running', fence = fence + 1, claims = claims + 1, lease_until = postroad.now() + $2::interval,
    started_at = coalesce(started_at, postroad.now())
WHERE tenant_id = $1 AND job_id = (
    SELECT job_id
    FROM sequence.jobs
    WHERE tenant_id = $1 AND state IN ('queued', 'running') AND (lease_until IS NULL OR lease_until < postroad.now())
    ORDER BY served_at NULLS FIRST, job_id
    LIMIT 1
    FOR UPDATE SKIP LOCKED)
RETURNING job_id, kind, params, position, done, total, counts, fence, claims, cancel_requested_at, created_by;

-- name: keep
-- The lease of a claim in hand, for longer. No row: somebody else has it.
UPDATE sequence.jobs
SET lease_until = postroad.now() + $4::interval
WHERE tenant_id = $1 AND job_id = $2 AND fence = $3 AND state = 'running'
RETURNING job_id;

-- name: advance
-- The end of a chunk, in the transaction of its effects. No row: somebody else has the job, so nothing may be kept.
UPDATE sequence.jobs
SET position = $4, done = $5, total = $6, counts = $7, claims = 0, chunks = chunks + 1,
    lease_until = postroad.now() + $8::interval
WHERE tenant_id = $1 AND job_id = $2 AND fence = $3 AND state = 'running'
RETURNING chunks, cancel_requested_at;

-- name: report
-- What the chunk has to say.
INSERT INTO sequence.job_reports (tenant_id, job_id, number, rows) VALUES ($1, $2, $3, $4);

-- name: give_back
-- For whoever comes next: the tenant's other jobs first; for nobody before it has rested.
UPDATE sequence.jobs
SET lease_until = postroad.now() + $4::interval, served_at = postroad.now(), claims = 0
WHERE tenant_id = $1 AND job_id = $2 AND fence = $3 AND state = 'running';

-- name: finish
-- Its end: completed, failed (with why) or cancelled.
UPDATE sequence.jobs
SET state = $4, error_code = $5, error_detail = $6, lease_until = NULL, ended_at = postroad.now(),
    position = position - 'addresses'
WHERE tenant_id = $1 AND job_id = $2 AND fence = $3 AND state = 'running'
RETURNING job_id, kind, state, counts, error_code, ended_at;

-- name: input
-- A piece of a file.
SELECT bytes FROM sequence.job_input WHERE tenant_id = $1 AND job_id = $2 AND number = $3;

-- name: report_form
-- What says how a job's report looks, and up to which chunk it is written.
SELECT kind, params, position, chunks, report_deleted_at
FROM sequence.jobs
WHERE tenant_id = $1 AND job_id = $2 AND state <> 'receiving';

-- name: report_rows
-- The next part of a report.
SELECT number, rows
FROM sequence.job_reports
WHERE tenant_id = $1 AND job_id = $2 AND number > $3 AND number <= $4
ORDER BY number
LIMIT $5;

-- name: tenants_with_remains
-- Whose ended jobs have left something to delete; ids only, across the tenant wall.
SELECT tenant_id FROM sequence.tenants_with_job_remains($1::interval, $2::integer) AS tenant_id;

-- name: remains
-- A job that has left something to delete: an upload that broke off, an input nobody needs, or a report that is too old.
-- Locked: of two who sweep, only one may find that nothing is left.
SELECT job_id, state, input_deleted_at IS NULL AS has_input
FROM sequence.jobs
WHERE tenant_id = $1
  AND ((ended_at IS NOT NULL AND input_deleted_at IS NULL)
       OR (ended_at < postroad.now() - $2::interval AND report_deleted_at IS NULL)
       OR (state = 'receiving' AND lease_until < postroad.now()))
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: delete_input
DELETE FROM sequence.job_input
WHERE tenant_id = $1 AND job_id = $2 AND number IN (
    SELECT number FROM sequence.job_input WHERE tenant_id = $1 AND job_id = $2 LIMIT $3)
RETURNING number;

-- name: delete_job_contacts
-- The first so many, as a range of the index: joined by their ids, they are compared each with each while the table has
-- no statistics.
DELETE FROM sequence.job_contacts
WHERE tenant_id = $1 AND job_id = $2 AND contact_id <= (
    SELECT contact_id FROM (
        SELECT contact_id FROM sequence.job_contacts WHERE tenant_id = $1 AND job_id = $2 ORDER BY contact_id LIMIT $3
    ) AS first
    ORDER BY contact_id DESC
    LIMIT 1)
RETURNING contact_id;

-- name: delete_report
DELETE FROM sequence.job_reports
WHERE tenant_id = $1 AND job_id = $2 AND number IN (
    SELECT number FROM sequence.job_reports WHERE tenant_id = $1 AND job_id = $2 ORDER BY number LIMIT $3)
RETURNING number;

-- name: input_is_deleted
UPDATE sequence.jobs SET input_deleted_at = postroad.now() WHERE tenant_id = $1 AND job_id = $2;

-- name: report_is_deleted
UPDATE sequence.jobs SET report_deleted_at = postroad.now() WHERE tenant_id = $1 AND job_id = $2;
