-- migrate:up
SET ROLE postroad_owner;

-- What makes an event once: written in the statement that stores it. A unique index on the partitioned table
-- would have to hold the month, and a redelivery may come in the next one.
CREATE TABLE tracking.event_keys (
    tenant_id  uuid NOT NULL,
    key        text NOT NULL,
    event_id   uuid NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CALL postroad.wall('tracking.event_keys');
CALL postroad.append_only('tracking.event_keys');

-- Append-only, a partition per month. No foreign key to the ledger: an event may precede its message.
CREATE TABLE tracking.events (
    tenant_id            uuid NOT NULL,
    event_id             uuid NOT NULL,
    received_at          timestamptz NOT NULL,
    occurred_at          timestamptz NOT NULL,
    type                 text NOT NULL CHECK (type IN
                             ('queued', 'sent', 'rejected', 'failed', 'bounced', 'deferred', 'delivered', 'autoresponded',
                              'opened', 'clicked', 'complained', 'unsubscribed', 'subscribed', 'replied', 'unknown')),
    source               text NOT NULL,   -- pixel, click, unsubscribe, or the ESP's name
    source_id            uuid,            -- the webhook source
    message_id           uuid,
    provider_message_id  text,
    enrollment_id        uuid,
    contact_id           uuid,
    sequence_id          uuid,
    step_key             text,
    bounce_type          text CHECK (bounce_type IN ('hard', 'soft', 'undetermined')),
    detail               text,            -- the ESP's words, bounded
    url                  text,            -- of a click
    machine              boolean NOT NULL DEFAULT false,  -- the ESP says that a program opened or clicked, not a person
    PRIMARY KEY (tenant_id, received_at, event_id)
) PARTITION BY RANGE (received_at);
CREATE INDEX events_enrollment ON tracking.events (tenant_id, enrollment_id, occurred_at);
CREATE INDEX events_sequence ON tracking.events (tenant_id, sequence_id, step_key, type);
-- By time: the search for their messages looks at the young ones only, whatever older ones have piled up.
CREATE INDEX events_unmatched ON tracking.events (received_at, tenant_id)
    WHERE message_id IS NULL AND provider_message_id IS NOT NULL;
-- The few that came before their message could be known, for those that found it later.
CREATE INDEX events_without_message ON tracking.events (tenant_id, event_id) WHERE message_id IS NULL;
CALL postroad.wall('tracking.events');
CALL postroad.show_to_definer('tracking.events');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tracking.events
    FOR EACH ROW EXECUTE FUNCTION postroad.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON tracking.events
    FOR EACH STATEMENT EXECUTE FUNCTION postroad.refuse_change();

-- What names a person, apart from the event so that it can be deleted while the event stays.
CREATE TABLE tracking.event_personal_data (
    tenant_id    uuid NOT NULL,
    event_id     uuid NOT NULL,
    received_at  timestamptz NOT NULL,
    recipient    text,
    ip           inet,
    user_agent   text,
    PRIMARY KEY (tenant_id, event_id)
);
CALL postroad.wall('tracking.event_personal_data');

-- The webhook as it came, for replay and for disputes. rejected names each element that could not be read.
CREATE TABLE tracking.raw_requests (
    tenant_id       uuid NOT NULL,
    raw_request_id  uuid NOT NULL,
    source_id       uuid NOT NULL,
    received_at     timestamptz NOT NULL,
    headers         jsonb NOT NULL,
    body            bytea NOT NULL,
    rejected        jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (tenant_id, raw_request_id)
);
CALL postroad.wall('tracking.raw_requests');

-- What ends sending: to an enrollment (a reply) or to an address (unsubscribe, complaint, hard bounce).
-- Acknowledged when what was on the wire has drained or is listed in the answer.
CREATE TABLE tracking.stops (
    tenant_id        uuid NOT NULL,
    stop_id          uuid NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('replied', 'bounced', 'complained', 'unsubscribed')),
    event_id         uuid NOT NULL,
    enrollment_id    uuid,
    contact_id       uuid,
    email            text,      -- null for a reply: it stops the enrollment, not the address
    created_at       timestamptz NOT NULL DEFAULT postroad.now(),
    acknowledged_at  timestamptz,
    on_the_wire      uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, stop_id),
    CHECK (enrollment_id IS NOT NULL OR email IS NOT NULL)
);
CREATE INDEX stops_enrollment ON tracking.stops (tenant_id, enrollment_id);
CREATE INDEX stops_email ON tracking.stops (tenant_id, email);
CREATE INDEX stops_event ON tracking.stops (tenant_id, event_id);
CREATE INDEX stops_open ON tracking.stops (created_at, tenant_id) WHERE acknowledged_at IS NULL;
CALL postroad.wall('tracking.stops');
CALL postroad.show_to_definer('tracking.stops');

-- An event that found its message later than it came.
CREATE TABLE tracking.matches (
    tenant_id      uuid NOT NULL,
    event_id       uuid NOT NULL,
    message_id     uuid NOT NULL,
    enrollment_id  uuid NOT NULL,
    contact_id     uuid NOT NULL,
    sequence_id    uuid NOT NULL,
    step_key       text NOT NULL,
    matched_at     timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, event_id)
);
CALL postroad.wall('tracking.matches');
CALL postroad.show_to_definer('tracking.matches');
CALL postroad.append_only('tracking.matches');

CREATE TABLE tracking.outbox (
    tenant_id    uuid NOT NULL,
    outbox_id    bigint GENERATED ALWAYS AS IDENTITY,
    type         text NOT NULL,
    body         bytea NOT NULL,
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, outbox_id)
);
CALL postroad.wall('tracking.outbox');
CALL postroad.show_to_definer('tracking.outbox');

-- Makes the partitions of this month and the given number of months to come; safe to call often and at once.
CREATE FUNCTION tracking.make_event_partitions(months_ahead integer) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
DECLARE
    month date;
    name  text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('tracking.make_event_partitions'));
    FOR offset_months IN 0..months_ahead LOOP
        month := date_trunc('month', postroad.now() AT TIME ZONE 'UTC') + make_interval(months => offset_months);
        name := 'events_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('tracking.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE tracking.%I PARTITION OF tracking.events FOR VALUES FROM (%L) TO (%L)',
                       name, month::text || ' 00:00:00+00', (month + interval '1 month')::date::text || ' 00:00:00+00');
        EXECUTE format('CALL postroad.wall(%L)', 'tracking.' || name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON tracking.%I FOR EACH STATEMENT '
                       'EXECUTE FUNCTION postroad.refuse_change()', name);
        RETURN NEXT name;
    END LOOP;
END
$$;
SELECT tracking.make_event_partitions(3);
RESET ROLE;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
