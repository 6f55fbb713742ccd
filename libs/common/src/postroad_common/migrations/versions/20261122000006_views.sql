-- migrate:up

-- Which tenants have messages to relay: ids only, across the wall. From one tenant to the next by the primary key,
-- because a backlog may be long.
CREATE FUNCTION sequence.tenants_with_outbox(up_to integer) RETURNS SETOF uuid
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    WITH RECURSIVE tenant AS (
        (SELECT tenant_id FROM sequence.outbox ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT o.tenant_id FROM sequence.outbox o
                WHERE o.tenant_id > tenant.tenant_id ORDER BY o.tenant_id LIMIT 1)
        FROM tenant WHERE tenant.tenant_id IS NOT NULL
    )
    -- At random, so that no number of busy tenants keeps another one waiting.
    SELECT tenant_id FROM tenant WHERE tenant_id IS NOT NULL ORDER BY random() LIMIT up_to
$$;
CREATE FUNCTION tracking.tenants_with_outbox(up_to integer) RETURNS SETOF uuid
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    WITH RECURSIVE tenant AS (
        (SELECT tenant_id FROM tracking.outbox ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT o.tenant_id FROM tracking.outbox o
                WHERE o.tenant_id > tenant.tenant_id ORDER BY o.tenant_id LIMIT 1)
        FROM tenant WHERE tenant.tenant_id IS NOT NULL
    )
    -- At random, so that no number of busy tenants keeps another one waiting.
    SELECT tenant_id FROM tenant WHERE tenant_id IS NOT NULL ORDER BY random() LIMIT up_to
$$;
-- Tenants with young events that have not found their message, page by page: some never do, and must not stand before
-- the others.
CREATE FUNCTION tracking.tenants_with_unmatched(after uuid, younger_than interval, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT DISTINCT e.tenant_id FROM tracking.events e
    WHERE e.message_id IS NULL AND e.provider_message_id IS NOT NULL AND e.received_at > postroad.now() - younger_than
      AND e.tenant_id > after
      AND NOT EXISTS (SELECT FROM tracking.matches m WHERE m.tenant_id = e.tenant_id AND m.event_id = e.event_id)
    ORDER BY e.tenant_id
    LIMIT up_to
$$;
-- Tenants with stops that nobody has acknowledged: the process that wrote them died before it answered.
CREATE FUNCTION tracking.tenants_with_open_stops(older_than interval, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT DISTINCT tenant_id FROM tracking.stops
    WHERE acknowledged_at IS NULL AND created_at < postroad.now() - older_than
    LIMIT up_to
$$;
-- Whoever comes to own a function must be allowed to create in its schema.
GRANT CREATE ON SCHEMA sequence, schedule, delivery, tracking TO postroad_definer;
ALTER FUNCTION sequence.tenants_with_outbox OWNER TO postroad_definer;
ALTER FUNCTION tracking.tenants_with_outbox OWNER TO postroad_definer;
ALTER FUNCTION tracking.tenants_with_unmatched OWNER TO postroad_definer;
ALTER FUNCTION tracking.tenants_with_open_stops OWNER TO postroad_definer;
ALTER FUNCTION schedule.tenants_to_wake OWNER TO postroad_definer;
ALTER FUNCTION schedule.tenants_enrolled OWNER TO postroad_definer;
ALTER FUNCTION delivery.tenants_with_orphans OWNER TO postroad_definer;
REVOKE CREATE ON SCHEMA sequence, schedule, delivery, tracking FROM postroad_definer;

-- The contract views: what a service may read of another. They are owned by a role that bypasses nothing, so the
-- tenant wall of the tables beneath holds through them.
CREATE VIEW views.contacts AS
    SELECT tenant_id, contact_id, kind, email, external_id, first_name, last_name, company, timezone, attributes
    FROM sequence.contacts;
CREATE VIEW views.tenants AS SELECT tenant_id, name, timezone, postal_address FROM sequence.tenants;
CREATE VIEW views.sequences AS SELECT tenant_id, sequence_id, name, state, active_version FROM sequence.sequences;
CREATE VIEW views.sequence_versions AS
    SELECT tenant_id, sequence_id, version, sender_id FROM sequence.sequence_versions WHERE activated_at IS NOT NULL;
CREATE VIEW views.steps AS
    SELECT s.tenant_id, s.sequence_id, s.version, s.number, s.step_key, s.kind, s.delay_seconds, s.preferred_time,
           s.template_id, s.template_version, s.thread
    FROM sequence.steps s
    JOIN sequence.sequence_versions v USING (tenant_id, sequence_id, version)
    WHERE v.activated_at IS NOT NULL;
CREATE VIEW views.template_versions AS
    SELECT tenant_id, template_id, version, subject, html, text FROM sequence.template_versions;
CREATE VIEW views.senders AS
    SELECT tenant_id, sender_id, from_email, from_name, reply_to, esp, host, port, security, username, password_sealed,
           max_connections, paused_at, updated_at
    FROM sequence.senders;
CREATE VIEW views.enrollments AS
    SELECT tenant_id, enrollment_id, sequence_id, version, contact_id, intent, intent_at, traceparent, created_at
    FROM sequence.enrollments;
CREATE VIEW views.intents AS
    SELECT tenant_id, intent_id, sequence_id, enrollment_id, sender_id, email, intent, requested_at, acknowledged_at,
           on_the_wire
    FROM sequence.intents;
CREATE VIEW views.webhook_sources AS
    SELECT tenant_id, source_id, esp, secrets_sealed FROM sequence.webhook_sources;
CREATE VIEW views.progress AS
    SELECT tenant_id, enrollment_id, sequence_id, version, contact_id, sender_id, state, phase, step_number, step_key,
           attempt, emissions, deferrals, anchor_at, next_due_at, send_before, wake_at, reason, needs_attention_at, started_at,
           paused_at, completed_at, replied_at, bounced_at, unenrolled_at, failed_at, updated_at
    FROM schedule.progress;
CREATE VIEW views.decisions AS
    SELECT tenant_id, decision_id, enrollment_id, step_key, attempt, decided_at, outcome, due_at, reasons
    FROM schedule.decisions;
CREATE VIEW views.messages AS
    SELECT tenant_id, enrollment_id, step_key, message_id, state, attempt, incarnation_id, sequence_id, version,
           step_number, contact_id, sender_id, template_id, template_version, recipient, subject, rfc_message_id,
           provider_message_id, due_at, transmitting_at, gated_at, settled_at, reason, bounce_type, reply_code,
           reply_status, reply_text, created_at
    FROM delivery.messages;
CREATE VIEW views.attempts AS
    SELECT tenant_id, attempt_id, enrollment_id, step_key, attempt, incarnation_id, outcome, transmitting_at, gated_at,
           settled_at, reason, reply_code, reply_status, reply_text
    FROM delivery.attempts;
-- A rest ends when somebody changes or resumes the sender: what was wrong may be mended, and it is tried at once.
CREATE VIEW views.sender_state AS
    SELECT r.tenant_id, r.sender_id, r.paused_at, r.retry_at, r.reason
    FROM delivery.sender_state r JOIN sequence.senders s USING (tenant_id, sender_id)
    WHERE s.updated_at <= r.paused_at;
-- An event with its message, also when they found each other late: in the order of arrival.
CREATE VIEW views.events AS
    SELECT e.tenant_id, e.event_id, e.received_at, e.occurred_at, e.type, e.source, e.source_id,
           coalesce(e.message_id, m.message_id) AS message_id, e.provider_message_id,
           coalesce(e.enrollment_id, m.enrollment_id) AS enrollment_id, coalesce(e.contact_id, m.contact_id) AS contact_id,
           coalesce(e.sequence_id, m.sequence_id) AS sequence_id, coalesce(e.step_key, m.step_key) AS step_key,
           e.bounce_type, e.detail, e.url, e.machine
    FROM tracking.events e LEFT JOIN tracking.matches m USING (tenant_id, event_id);
-- Those that have a message: by enrollment or sequence. Two arms, because an index serves no expression over both.
CREATE VIEW views.message_events AS
    SELECT tenant_id, event_id, received_at, occurred_at, type, source, source_id, message_id, provider_message_id,
           enrollment_id, contact_id, sequence_id, step_key, bounce_type, detail, url, machine
    FROM tracking.events
    WHERE message_id IS NOT NULL
    UNION ALL
    SELECT e.tenant_id, e.event_id, e.received_at, e.occurred_at, e.type, e.source, e.source_id, m.message_id,
           e.provider_message_id, m.enrollment_id, m.contact_id, m.sequence_id, m.step_key, e.bounce_type, e.detail,
           e.url, e.machine
    FROM tracking.matches m
    JOIN tracking.events e USING (tenant_id, event_id)
    WHERE e.message_id IS NULL;
CREATE VIEW views.stops AS
    SELECT tenant_id, stop_id, kind, event_id, enrollment_id, contact_id, email, created_at, acknowledged_at, on_the_wire
    FROM tracking.stops;
-- What the proofs on live data look at besides: whose heartbeat has expired, what waits to be relayed, the event keys.
CREATE VIEW views.incarnations AS
    SELECT incarnation_id, host, pid, started_at, expires_at, stopped_at FROM delivery.incarnations;
CREATE VIEW views.outbox AS
    SELECT tenant_id, 'sequence' AS schema, outbox_id, type, created_at FROM sequence.outbox
    UNION ALL
    SELECT tenant_id, 'tracking', outbox_id, type, created_at FROM tracking.outbox;
CREATE VIEW views.event_keys AS SELECT tenant_id, key, event_id FROM tracking.event_keys;
-- Every address that must not be mailed, and whose word that is.
CREATE VIEW views.suppressed_addresses AS
    SELECT tenant_id, email, 'manual' AS kind, created_at FROM sequence.suppressions
    UNION ALL
    SELECT tenant_id, email, kind, created_at FROM tracking.stops WHERE email IS NOT NULL
    UNION ALL
    SELECT tenant_id, email, 'bounced', bounced_at FROM delivery.bounced_addresses;

DO $$
DECLARE
    view regclass;
BEGIN
    FOR view IN SELECT oid::regclass FROM pg_class WHERE relkind = 'v' AND relnamespace = 'views'::regnamespace LOOP
        EXECUTE format('ALTER VIEW %s OWNER TO postroad_views', view);
    END LOOP;
END
$$;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
