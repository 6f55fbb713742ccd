-- migrate:up

-- What an operator or a monitoring program may ask across tenants: ids, counts and times, never a person, an address or
-- a text of theirs. Each function reads what waits, by the indexes that the services work with, and no finished row.
CREATE SCHEMA monitor AUTHORIZATION postroad_owner;
SET ROLE postroad_owner;
CALL postroad.show_to_definer('delivery.sender_state');
RESET ROLE;

-- Per tenant: rows past their time and since when, steps with the senders, held rows, those only a person can help.
CREATE FUNCTION monitor.steps()
    RETURNS TABLE (tenant_id uuid, overdue bigint, oldest_due_at timestamptz, in_flight bigint, held bigint,
                   needs_attention bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT p.tenant_id,
           count(*) FILTER (WHERE p.wake_at <= clock.now),
           min(p.wake_at) FILTER (WHERE p.wake_at <= clock.now),
           count(*) FILTER (WHERE p.phase = 'in_flight'),
           count(*) FILTER (WHERE p.phase = 'held'),
           count(p.needs_attention_at) FILTER (WHERE p.phase = 'held')
    FROM schedule.progress p CROSS JOIN (SELECT postroad.now() AS now) AS clock
    WHERE p.wake_at IS NOT NULL AND (p.wake_at <= clock.now OR p.phase IN ('in_flight', 'held'))
    GROUP BY p.tenant_id
$$;
-- Per tenant: messages on the wire, and messages of which nobody knows whether the server has them.
CREATE FUNCTION monitor.messages()
    RETURNS TABLE (tenant_id uuid, state text, messages bigint, oldest_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT m.tenant_id, m.state, count(*), min(m.transmitting_at)
    FROM delivery.messages m WHERE m.state = 'transmitting' GROUP BY m.tenant_id, m.state
    UNION ALL
    SELECT m.tenant_id, m.state, count(*), min(m.transmitting_at)
    FROM delivery.messages m WHERE m.state = 'unknown' GROUP BY m.tenant_id, m.state
$$;
-- Per tenant and outbox: what waits for a relay.
CREATE FUNCTION monitor.outboxes()
    RETURNS TABLE (tenant_id uuid, schema text, messages bigint, oldest_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT o.tenant_id, 'sequence', count(*), min(o.created_at) FROM sequence.outbox o GROUP BY o.tenant_id
    UNION ALL
    SELECT o.tenant_id, 'tracking', count(*), min(o.created_at) FROM tracking.outbox o GROUP BY o.tenant_id
    UNION ALL
    SELECT o.tenant_id, 'schedule', count(*), min(o.created_at) FROM schedule.outbox o GROUP BY o.tenant_id
$$;
-- Sender processes that live, or that died with messages on the wire which nobody has judged yet.
CREATE FUNCTION monitor.incarnations()
    RETURNS TABLE (incarnation_id uuid, host text, pid integer, started_at timestamptz, expires_at timestamptz,
                   live boolean, transmitting bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT i.incarnation_id, i.host, i.pid, i.started_at, i.expires_at, i.expires_at > postroad.now(), open.count
    FROM delivery.incarnations i
    LEFT JOIN (SELECT m.incarnation_id, count(*) FROM delivery.messages m WHERE m.state = 'transmitting'
               GROUP BY m.incarnation_id) AS open USING (incarnation_id)
    WHERE i.stopped_at IS NULL AND i.expires_at > postroad.now() OR open.count > 0
$$;
-- Senders that we let rest because their server would not have us: until when, and the kind of reason.
CREATE FUNCTION monitor.resting_senders()
    RETURNS TABLE (tenant_id uuid, sender_id uuid, paused_at timestamptz, retry_at timestamptz, reason text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT s.tenant_id, s.sender_id, s.paused_at, s.retry_at, s.reason -> 0 ->> 'kind' FROM delivery.sender_state s
$$;
-- Per tenant: stops that nobody has acknowledged yet.
CREATE FUNCTION monitor.open_stops() RETURNS TABLE (tenant_id uuid, stops bigint, oldest_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT s.tenant_id, count(*), min(s.created_at) FROM tracking.stops s WHERE s.acknowledged_at IS NULL
    GROUP BY s.tenant_id
$$;
GRANT CREATE ON SCHEMA monitor TO postroad_definer;
ALTER FUNCTION monitor.steps OWNER TO postroad_definer;
ALTER FUNCTION monitor.messages OWNER TO postroad_definer;
ALTER FUNCTION monitor.outboxes OWNER TO postroad_definer;
ALTER FUNCTION monitor.incarnations OWNER TO postroad_definer;
ALTER FUNCTION monitor.resting_senders OWNER TO postroad_definer;
ALTER FUNCTION monitor.open_stops OWNER TO postroad_definer;
REVOKE CREATE ON SCHEMA monitor FROM postroad_definer;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
