-- migrate:up
SET ROLE postroad_owner;

-- What the scheduler tells: written with the change, deleted when the broker has it.
CREATE TABLE schedule.outbox (
    tenant_id    uuid NOT NULL,
    outbox_id    bigint GENERATED ALWAYS AS IDENTITY,
    type         text NOT NULL,
    body         bytea NOT NULL,
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, outbox_id)
);
CALL postroad.wall('schedule.outbox');
CALL postroad.show_to_definer('schedule.outbox');

-- Where a tenant wants to be told of which events. The secrets sign what is posted; the previous one beside the new one
-- until its time is over.
CREATE TABLE sequence.webhook_subscriptions (
    tenant_id               uuid NOT NULL REFERENCES sequence.tenants,
    subscription_id         uuid NOT NULL,
    url                     text NOT NULL,
    event_types             text[] NOT NULL CHECK (cardinality(event_types) > 0),  -- '*': all, those to come included
    description             text NOT NULL DEFAULT '',
    secret_sealed           bytea NOT NULL,
    previous_secret_sealed  bytea,
    previous_secret_until   timestamptz,
    disabled_at             timestamptz,
    disabled_reason         text CHECK (disabled_reason IN ('manual', 'failing', 'gone')),
    failing_since           timestamptz,  -- every attempt since then has failed
    last_failed_at          timestamptz,
    held_until              timestamptz,  -- the receiver asked for it (Retry-After)
    revision                integer NOT NULL DEFAULT 1,
    created_at              timestamptz NOT NULL DEFAULT postroad.now(),
    updated_at              timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, subscription_id),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CHECK ((failing_since IS NULL) = (last_failed_at IS NULL)),
    CHECK ((previous_secret_sealed IS NULL) = (previous_secret_until IS NULL))
);
CALL postroad.wall('sequence.webhook_subscriptions');
CALL postroad.show_to_definer('sequence.webhook_subscriptions');

-- One event on its way to one subscription.
--   pending    waits                          next_attempt_at = when it is due
--   in_flight  somebody posts it              next_attempt_at = end of the lease
--   delivered  the receiver has it            settled_at = since when
--   dead       given up; a person may retry   settled_at = since when
CREATE TABLE sequence.webhook_deliveries (
    tenant_id         uuid NOT NULL,
    delivery_id       uuid NOT NULL,
    subscription_id   uuid NOT NULL,
    event_id          uuid NOT NULL,
    event_type        text NOT NULL,
    occurred_at       timestamptz NOT NULL,
    body              bytea NOT NULL,              -- what is signed and posted, the same each time
    state             text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'in_flight', 'delivered', 'dead')),
    attempts          integer NOT NULL DEFAULT 0,  -- grows with each claim, so it is the fence too
    failures          integer NOT NULL DEFAULT 0,  -- of this round: how far the retry schedule is used up
    next_attempt_at   timestamptz,
    settled_at        timestamptz,
    created_at        timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, delivery_id),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES sequence.webhook_subscriptions ON DELETE CASCADE,
    CHECK ((state IN ('pending', 'in_flight')) = (next_attempt_at IS NOT NULL)),
    CHECK ((state IN ('delivered', 'dead')) = (settled_at IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE UNIQUE INDEX webhook_deliveries_event ON sequence.webhook_deliveries (tenant_id, subscription_id, event_id);
CREATE INDEX webhook_deliveries_log ON sequence.webhook_deliveries (tenant_id, subscription_id, delivery_id);
CREATE INDEX webhook_deliveries_due
    ON sequence.webhook_deliveries (tenant_id, subscription_id, next_attempt_at, delivery_id)
    WHERE next_attempt_at IS NOT NULL;
CREATE INDEX webhook_deliveries_in_flight ON sequence.webhook_deliveries (tenant_id, subscription_id, next_attempt_at)
    WHERE state = 'in_flight';
CREATE INDEX webhook_deliveries_created ON sequence.webhook_deliveries (tenant_id, created_at);
CALL postroad.wall('sequence.webhook_deliveries');
CALL postroad.show_to_definer('sequence.webhook_deliveries');

-- What came of each attempt that came to an end; one whose process died has no row.
CREATE TABLE sequence.webhook_attempts (
    tenant_id    uuid NOT NULL,
    delivery_id  uuid NOT NULL,
    attempt      integer NOT NULL,
    started_at   timestamptz NOT NULL,
    latency_ms   integer NOT NULL,
    status       integer,                   -- HTTP; null: there was no answer
    error        text,                      -- null: delivered
    response     text NOT NULL DEFAULT '',  -- the beginning of the answer's body
    PRIMARY KEY (tenant_id, delivery_id, attempt),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES sequence.webhook_deliveries ON DELETE CASCADE
);
CALL postroad.wall('sequence.webhook_attempts');
RESET ROLE;

CREATE FUNCTION schedule.tenants_with_outbox(up_to integer) RETURNS SETOF uuid
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    WITH RECURSIVE tenant AS (
        (SELECT tenant_id FROM schedule.outbox ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT o.tenant_id FROM schedule.outbox o
                WHERE o.tenant_id > tenant.tenant_id ORDER BY o.tenant_id LIMIT 1)
        FROM tenant WHERE tenant.tenant_id IS NOT NULL
    )
    -- At random, so that no number of busy tenants keeps another one waiting.
    SELECT tenant_id FROM tenant WHERE tenant_id IS NOT NULL ORDER BY random() LIMIT up_to
$$;
-- Tenants that have a delivery to post, after the one last served: round-robin, so that none starves. From one
-- subscription to the next, one probe each, because a backlog may be long.
CREATE FUNCTION sequence.tenants_with_webhooks_due(after uuid, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    WITH RECURSIVE waiting AS (
        (SELECT tenant_id, subscription_id, next_attempt_at FROM sequence.webhook_deliveries
         WHERE next_attempt_at IS NOT NULL AND tenant_id > after
         ORDER BY tenant_id, subscription_id, next_attempt_at LIMIT 1)
        UNION ALL
        SELECT following.tenant_id, following.subscription_id, following.next_attempt_at
        FROM waiting CROSS JOIN LATERAL (
            SELECT d.tenant_id, d.subscription_id, d.next_attempt_at FROM sequence.webhook_deliveries d
            WHERE d.next_attempt_at IS NOT NULL
              AND (d.tenant_id, d.subscription_id) > (waiting.tenant_id, waiting.subscription_id)
            ORDER BY d.tenant_id, d.subscription_id, d.next_attempt_at LIMIT 1
        ) AS following
    )
    SELECT DISTINCT w.tenant_id FROM waiting w
    JOIN sequence.webhook_subscriptions s USING (tenant_id, subscription_id)
    WHERE w.next_attempt_at <= (SELECT postroad.now()) AND s.disabled_at IS NULL
      AND coalesce(s.held_until <= (SELECT postroad.now()), true)
    ORDER BY w.tenant_id LIMIT up_to
$$;
-- Tenants whose oldest delivery is older than it is kept.
CREATE FUNCTION sequence.tenants_with_old_webhooks(older_than interval, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    WITH RECURSIVE tenant AS (
        (SELECT tenant_id, created_at FROM sequence.webhook_deliveries ORDER BY tenant_id, created_at LIMIT 1)
        UNION ALL
        SELECT following.tenant_id, following.created_at
        FROM tenant CROSS JOIN LATERAL (
            SELECT d.tenant_id, d.created_at FROM sequence.webhook_deliveries d
            WHERE d.tenant_id > tenant.tenant_id ORDER BY d.tenant_id, d.created_at LIMIT 1
        ) AS following
    )
    SELECT tenant_id FROM tenant WHERE created_at < (SELECT postroad.now()) - older_than LIMIT up_to
$$;
GRANT CREATE ON SCHEMA sequence, schedule TO postroad_definer;
ALTER FUNCTION schedule.tenants_with_outbox OWNER TO postroad_definer;
ALTER FUNCTION sequence.tenants_with_webhooks_due OWNER TO postroad_definer;
ALTER FUNCTION sequence.tenants_with_old_webhooks OWNER TO postroad_definer;
REVOKE CREATE ON SCHEMA sequence, schedule FROM postroad_definer;

CREATE OR REPLACE VIEW views.outbox AS
    SELECT tenant_id, 'sequence' AS schema, outbox_id, type, created_at FROM sequence.outbox
    UNION ALL
    SELECT tenant_id, 'tracking', outbox_id, type, created_at FROM tracking.outbox
    UNION ALL
    SELECT tenant_id, 'schedule', outbox_id, type, created_at FROM schedule.outbox;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
