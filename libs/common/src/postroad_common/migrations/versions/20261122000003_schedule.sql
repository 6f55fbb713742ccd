-- migrate:up
SET ROLE postroad_owner;

-- Where each enrollment is. Every row that has not ended has a wake_at: when the scheduler looks at it again,
-- whatever messages were lost. phase says what is being waited for:
--   waiting    the due time of the step           wake_at = next_due_at
--   claimed    our own publish                    wake_at = end of the lease
--   in_flight  the sender's settlement            wake_at = the deadline
--   held       a person or an outage (see reason) wake_at = the next look
--   ended      nothing                            wake_at is null
CREATE TABLE schedule.progress (
    tenant_id           uuid NOT NULL,
    enrollment_id       uuid NOT NULL,
    sequence_id         uuid NOT NULL,
    version             integer NOT NULL,
    contact_id          uuid NOT NULL,
    sender_id           uuid NOT NULL,
    state               text NOT NULL CHECK (state IN
                            ('active', 'paused', 'completed', 'replied', 'bounced', 'unenrolled', 'failed')),
    phase               text NOT NULL CHECK (phase IN ('waiting', 'claimed', 'in_flight', 'held', 'ended')),
    step_number         integer NOT NULL,          -- the step that is next or in hand; the last one when ended
    step_key            text NOT NULL,
    attempt             integer NOT NULL DEFAULT 0,  -- of this step; grows with each fresh emission
    emissions           integer NOT NULL DEFAULT 0,  -- of this attempt, without an answer yet; 0: nothing is asked
    deferrals           integer NOT NULL DEFAULT 0,  -- how often a mail server put off this step
    fence               bigint NOT NULL DEFAULT 0,   -- grows with each claim: a late writer matches nothing
    anchor_at           timestamptz NOT NULL,        -- what the step's delay counts from
    next_due_at         timestamptz NOT NULL,
    send_before         timestamptz NOT NULL,
    wake_at             timestamptz,
    reason              jsonb NOT NULL,              -- the last decision's reasons
    traceparent         text,
    needs_attention_at  timestamptz,
    started_at          timestamptz NOT NULL,
    paused_at           timestamptz,
    completed_at        timestamptz,
    replied_at          timestamptz,
    bounced_at          timestamptz,
    unenrolled_at       timestamptz,
    failed_at           timestamptz,
    updated_at          timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, enrollment_id),
    CHECK ((state IN ('active', 'paused')) = (phase <> 'ended')),
    CHECK ((phase = 'ended') = (wake_at IS NULL)),
    CHECK ((phase IN ('claimed', 'in_flight')) <= (emissions > 0 AND attempt > 0)),
    CHECK ((state = 'paused') = (phase <> 'ended' AND paused_at IS NOT NULL)),
    CHECK ((state = 'completed') = (completed_at IS NOT NULL)),
    CHECK ((state = 'replied') = (replied_at IS NOT NULL)),
    CHECK ((state = 'bounced') = (bounced_at IS NOT NULL)),
    CHECK ((state = 'unenrolled') = (unenrolled_at IS NOT NULL)),
    CHECK ((state = 'failed') = (failed_at IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
-- A step writes its row three times, and each index more costs as much again: who asks by contact or sequence comes
-- through sequence.enrollments, which has both.
CREATE INDEX progress_wake ON schedule.progress (tenant_id, wake_at) WHERE wake_at IS NOT NULL;
-- How much a tenant has in flight whose deadline is to come.
CREATE INDEX progress_in_flight ON schedule.progress (tenant_id, wake_at) WHERE phase = 'in_flight';
CREATE INDEX progress_held ON schedule.progress (tenant_id, sequence_id, enrollment_id) WHERE phase = 'held';
CALL postroad.wall('schedule.progress');
CALL postroad.show_to_definer('schedule.progress');

-- Each decision as it was taken, with a hash of its inputs: explain and audit read it.
CREATE TABLE schedule.decisions (
    tenant_id      uuid NOT NULL,
    decision_id    bigint GENERATED ALWAYS AS IDENTITY,
    enrollment_id  uuid NOT NULL,
    step_key       text NOT NULL,
    attempt        integer NOT NULL,
    decided_at     timestamptz NOT NULL DEFAULT postroad.now(),
    outcome        text NOT NULL,       -- the kind of Decision: send, hold, end
    due_at         timestamptz,
    reasons        jsonb NOT NULL,
    inputs_hash    bytea NOT NULL,
    PRIMARY KEY (tenant_id, enrollment_id, decision_id)
);
CALL postroad.wall('schedule.decisions');
CALL postroad.append_only('schedule.decisions');
RESET ROLE;

-- Tenants that have something to wake, after the one last served: round-robin, so that none starves.
CREATE FUNCTION schedule.tenants_to_wake(after uuid, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    WITH RECURSIVE tenant AS (
        (SELECT tenant_id, wake_at FROM schedule.progress
         WHERE wake_at IS NOT NULL AND tenant_id > after ORDER BY tenant_id, wake_at LIMIT 1)
        UNION ALL
        SELECT following.tenant_id, following.wake_at
        FROM tenant CROSS JOIN LATERAL (
            SELECT p.tenant_id, p.wake_at FROM schedule.progress p
            WHERE p.wake_at IS NOT NULL AND p.tenant_id > tenant.tenant_id
            ORDER BY p.tenant_id, p.wake_at LIMIT 1
        ) AS following
    )
    -- Each tenant's first entry in the index is its earliest wake_at: one probe a tenant.
    SELECT tenant_id FROM tenant WHERE wake_at <= (SELECT postroad.now()) LIMIT up_to
$$;
-- Tenants that ever enrolled anybody, after the one last looked at: those whose rows are reconciled.
CREATE FUNCTION schedule.tenants_enrolled(after uuid, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    WITH RECURSIVE tenant AS (
        (SELECT tenant_id FROM sequence.enrollments WHERE tenant_id > after ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT e.tenant_id FROM sequence.enrollments e
                WHERE e.tenant_id > tenant.tenant_id ORDER BY e.tenant_id LIMIT 1)
        FROM tenant WHERE tenant.tenant_id IS NOT NULL
    )
    SELECT tenant_id FROM tenant WHERE tenant_id IS NOT NULL LIMIT up_to
$$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
