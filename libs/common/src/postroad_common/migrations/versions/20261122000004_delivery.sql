-- migrate:up
SET ROLE postroad_owner;

-- A sender process. What it transmits is marked with it; once its heartbeat has expired, others may judge.
-- No tenant: a process serves all.
CREATE TABLE delivery.incarnations (
    incarnation_id  uuid PRIMARY KEY,
    host            text NOT NULL,
    pid             integer NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT postroad.now(),
    expires_at      timestamptz NOT NULL,
    stopped_at      timestamptz
);

-- The ledger: one row per enrollment and step, for ever.
-- open: held, deferred (a higher attempt may claim); transmitting; final: accepted, refused, unknown, cancelled.
CREATE TABLE delivery.messages (
    tenant_id            uuid NOT NULL,
    enrollment_id        uuid NOT NULL,
    step_key             text NOT NULL,
    message_id           uuid NOT NULL,  -- UUIDv5 of tenant, enrollment and step: the same in every attempt
    state                text NOT NULL CHECK (state IN
                             ('transmitting', 'held', 'deferred', 'accepted', 'refused', 'unknown', 'cancelled')),
    attempt              integer NOT NULL CHECK (attempt > 0),
    incarnation_id       uuid REFERENCES delivery.incarnations,
    sequence_id          uuid NOT NULL,
    version              integer NOT NULL,
    step_number          integer NOT NULL,
    contact_id           uuid NOT NULL,
    sender_id            uuid NOT NULL,
    template_id          uuid,
    template_version     integer,
    recipient            text NOT NULL,
    subject              text,
    rfc_message_id       text NOT NULL,
    provider_message_id  text,
    due_at               timestamptz NOT NULL,
    transmitting_at      timestamptz,       -- (a) committed
    gated_at             timestamptz,       -- (b) intents, stops and suppressions were read
    settled_at           timestamptz,
    reason               jsonb NOT NULL DEFAULT '[]',
    bounce_type          text CHECK (bounce_type IN ('hard', 'soft', 'undetermined')),
    reply_code           integer,
    reply_status         text,              -- RFC 3463, such as 5.1.1
    reply_text           text,
    created_at           timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, enrollment_id, step_key),
    CHECK ((state = 'transmitting') <= (incarnation_id IS NOT NULL AND transmitting_at IS NOT NULL)),
    CHECK ((state IN ('accepted', 'refused', 'unknown', 'cancelled')) <= (settled_at IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX messages_id ON delivery.messages (tenant_id, message_id);
CREATE INDEX messages_open ON delivery.messages (tenant_id, sequence_id) WHERE state = 'transmitting';
CREATE INDEX messages_unknown ON delivery.messages (tenant_id, enrollment_id) WHERE state = 'unknown';
-- These do not begin with the tenant: the ledger is read by its key in every batch, and while there are no statistics
-- yet, an index on the tenant and another column of the key looks as good as the primary key and reads everything.
CREATE INDEX messages_contact ON delivery.messages (contact_id);
CREATE INDEX messages_sequence ON delivery.messages (sequence_id, step_key, state, tenant_id);
CREATE INDEX messages_provider ON delivery.messages (tenant_id, provider_message_id) WHERE provider_message_id IS NOT NULL;
CALL postroad.wall('delivery.messages');
CALL postroad.show_to_definer('delivery.messages');

-- Every hand-over that was begun or settled, as it happened.
CREATE TABLE delivery.attempts (
    tenant_id       uuid NOT NULL,
    attempt_id      bigint GENERATED ALWAYS AS IDENTITY,
    enrollment_id   uuid NOT NULL,
    step_key        text NOT NULL,
    attempt         integer NOT NULL,
    incarnation_id  uuid,
    outcome         text NOT NULL CHECK (outcome IN
                        ('held', 'deferred', 'accepted', 'refused', 'unknown', 'cancelled')),
    transmitting_at timestamptz,
    gated_at        timestamptz,
    settled_at      timestamptz NOT NULL,
    reason          jsonb NOT NULL DEFAULT '[]',
    reply_code      integer,
    reply_status    text,
    reply_text      text,
    PRIMARY KEY (tenant_id, enrollment_id, step_key, attempt_id)
);
CALL postroad.wall('delivery.attempts');
CALL postroad.append_only('delivery.attempts');

-- Addresses that a server has named dead (RFC 3463 x.1.x and the like) while we spoke to it.
CREATE TABLE delivery.bounced_addresses (
    tenant_id   uuid NOT NULL,
    email       text NOT NULL,
    message_id  uuid NOT NULL,
    bounced_at  timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, email)
);
CALL postroad.wall('delivery.bounced_addresses');

-- A sender that we paused ourselves: credentials refused, policy, quota.
CREATE TABLE delivery.sender_state (
    tenant_id   uuid NOT NULL,
    sender_id   uuid NOT NULL,
    paused_at   timestamptz NOT NULL,
    retry_at    timestamptz NOT NULL,  -- tried again by itself from then on
    reason      jsonb NOT NULL,
    PRIMARY KEY (tenant_id, sender_id)
);
CALL postroad.wall('delivery.sender_state');
RESET ROLE;

-- Tenants with messages left transmitting by a process whose heartbeat has expired.
CREATE FUNCTION delivery.tenants_with_orphans(up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT DISTINCT m.tenant_id FROM delivery.messages m
    JOIN delivery.incarnations i USING (incarnation_id)
    WHERE m.state = 'transmitting' AND i.expires_at < postroad.now()
    LIMIT up_to
$$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
