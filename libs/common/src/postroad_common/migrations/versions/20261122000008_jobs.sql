-- migrate:up
SET ROLE postroad_owner;

-- Work that takes longer than a request. A job moves in chunks; a chunk's effects, its report, its counts and the new
-- position are one transaction, guarded by the fence: whoever claims the job raises it, and an older holder matches no row.
--   receiving  the file is being uploaded; nobody else sees the job
--   queued     all that it needs is durable
--   running    has been claimed; without a lease, or with one that is over, it waits for whoever claims it next
CREATE TABLE sequence.jobs (
    tenant_id            uuid NOT NULL REFERENCES sequence.tenants,
    job_id               uuid NOT NULL,
    kind                 text NOT NULL CHECK (kind IN ('import', 'enroll', 'export', 'erase')),
    state                text NOT NULL CHECK (state IN ('receiving', 'queued', 'running', 'completed', 'failed', 'cancelled')),
    params               jsonb NOT NULL DEFAULT '{}',
    position             jsonb NOT NULL DEFAULT '{}',  -- where the next chunk begins; its shape is the kind's
    done                 bigint NOT NULL DEFAULT 0,
    total                bigint,                       -- of the same unit as done; null: not known
    counts               jsonb NOT NULL DEFAULT '{}',  -- how many had which result
    error_code           text,
    error_detail         text,
    fence                bigint NOT NULL DEFAULT 0,
    lease_until          timestamptz,
    claims               integer NOT NULL DEFAULT 0,   -- since the last chunk: a job that takes its process down stops
    served_at            timestamptz,                  -- when it was last given back: a tenant's jobs take turns
    chunks               bigint NOT NULL DEFAULT 0,
    created_by           uuid NOT NULL,                -- the API key
    created_at           timestamptz NOT NULL DEFAULT postroad.now(),
    started_at           timestamptz,
    cancel_requested_at  timestamptz,
    ended_at             timestamptz,
    input_deleted_at     timestamptz,
    report_deleted_at    timestamptz,
    PRIMARY KEY (tenant_id, job_id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES sequence.api_keys,
    CHECK ((ended_at IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled')))
);
CREATE INDEX jobs_open ON sequence.jobs (tenant_id, served_at, job_id) WHERE state IN ('receiving', 'queued', 'running');
CREATE INDEX jobs_remains ON sequence.jobs (tenant_id, ended_at)
    WHERE ended_at IS NOT NULL AND (input_deleted_at IS NULL OR report_deleted_at IS NULL);
CALL postroad.wall('sequence.jobs');
CALL postroad.show_to_definer('sequence.jobs');

-- The uploaded file in pieces of 1 MiB, so that any replica can go on with it.
CREATE TABLE sequence.job_input (
    tenant_id  uuid NOT NULL,
    job_id     uuid NOT NULL,
    number     integer NOT NULL CHECK (number >= 0),
    bytes      bytea NOT NULL,
    PRIMARY KEY (tenant_id, job_id, number),
    FOREIGN KEY (tenant_id, job_id) REFERENCES sequence.jobs
);
ALTER TABLE sequence.job_input ALTER COLUMN bytes SET STORAGE EXTERNAL;  -- written once, read once: not worth compressing
CALL postroad.wall('sequence.job_input');

-- What a chunk has to report: a list of rows, each in the order of the kind's columns.
CREATE TABLE sequence.job_reports (
    tenant_id  uuid NOT NULL,
    job_id     uuid NOT NULL,
    number     bigint NOT NULL,
    rows       jsonb NOT NULL,
    PRIMARY KEY (tenant_id, job_id, number),
    FOREIGN KEY (tenant_id, job_id) REFERENCES sequence.jobs
);
CALL postroad.wall('sequence.job_reports');

-- Which line of an imported file was the first about a contact, so that a later one can name it without anybody
-- keeping the file's addresses in memory. In a dry run also what the contact would be: the next lines build on it.
CREATE TABLE sequence.job_contacts (
    tenant_id    uuid NOT NULL,
    job_id       uuid NOT NULL,
    contact_id   uuid NOT NULL,
    line         bigint NOT NULL,
    email        text,
    external_id  text,
    contact      jsonb,
    PRIMARY KEY (tenant_id, job_id, contact_id),
    FOREIGN KEY (tenant_id, job_id) REFERENCES sequence.jobs
);
CREATE INDEX job_contacts_email ON sequence.job_contacts (tenant_id, job_id, email) WHERE email IS NOT NULL;
CREATE INDEX job_contacts_external_id ON sequence.job_contacts (tenant_id, job_id, external_id)
    WHERE external_id IS NOT NULL;
CALL postroad.wall('sequence.job_contacts');
RESET ROLE;

-- Tenants with a job that waits for somebody to claim it, after the one last served: round-robin, so that none starves.
CREATE FUNCTION sequence.tenants_with_jobs(after uuid, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT DISTINCT tenant_id FROM sequence.jobs
    WHERE state IN ('queued', 'running') AND (lease_until IS NULL OR lease_until < postroad.now()) AND tenant_id > after
    ORDER BY tenant_id
    LIMIT up_to
$$;
-- Tenants whose ended jobs have left something to delete, or whose uploads were never finished.
CREATE FUNCTION sequence.tenants_with_job_remains(keep interval, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT tenant_id FROM (
        SELECT tenant_id FROM sequence.jobs
        WHERE ended_at IS NOT NULL AND (input_deleted_at IS NULL OR report_deleted_at IS NULL)
          AND (input_deleted_at IS NULL OR ended_at < postroad.now() - keep)
        UNION
        SELECT tenant_id FROM sequence.jobs WHERE state = 'receiving' AND lease_until < postroad.now()
    ) AS remains
    ORDER BY random()
    LIMIT up_to
$$;
GRANT CREATE ON SCHEMA sequence TO postroad_definer;
ALTER FUNCTION sequence.tenants_with_jobs OWNER TO postroad_definer;
ALTER FUNCTION sequence.tenants_with_job_remains OWNER TO postroad_definer;
REVOKE CREATE ON SCHEMA sequence FROM postroad_definer;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
