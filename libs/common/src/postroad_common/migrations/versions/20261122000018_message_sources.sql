-- migrate:up
SET ROLE postroad_owner;

-- Messages as they went over the wire, zlib-compressed, kept for some days. Written with the permit to transmit, so that what
-- became unknown has one too; of an attempt that the last look stopped it is there and was not sent.
CREATE TABLE delivery.message_sources (
    tenant_id   uuid NOT NULL,
    message_id  uuid NOT NULL,
    attempt     integer NOT NULL,
    made_at     timestamptz NOT NULL,
    source      bytea NOT NULL,
    PRIMARY KEY (tenant_id, message_id, attempt)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE delivery.message_sources ALTER COLUMN source SET STORAGE EXTERNAL;  -- it is compressed already
CREATE INDEX message_sources_made ON delivery.message_sources (tenant_id, made_at);
CALL postroad.wall('delivery.message_sources');
CALL postroad.show_to_definer('delivery.message_sources');

-- Tenants whose oldest source is older than that, from one tenant to the next by the index.
CREATE FUNCTION delivery.tenants_with_old_sources(older_than interval, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    WITH RECURSIVE tenant AS (
        (SELECT tenant_id, made_at FROM delivery.message_sources ORDER BY tenant_id, made_at LIMIT 1)
        UNION ALL
        SELECT following.tenant_id, following.made_at
        FROM tenant CROSS JOIN LATERAL (
            SELECT s.tenant_id, s.made_at FROM delivery.message_sources s
            WHERE s.tenant_id > tenant.tenant_id ORDER BY s.tenant_id, s.made_at LIMIT 1
        ) AS following
    )
    SELECT tenant_id FROM tenant WHERE made_at < (SELECT postroad.now()) - older_than LIMIT up_to
$$;
RESET ROLE;
GRANT CREATE ON SCHEMA delivery TO postroad_definer;
ALTER FUNCTION delivery.tenants_with_old_sources OWNER TO postroad_definer;
REVOKE CREATE ON SCHEMA delivery FROM postroad_definer;

CREATE VIEW views.message_sources AS
    SELECT tenant_id, message_id, attempt, made_at, source FROM delivery.message_sources;
ALTER VIEW views.message_sources OWNER TO postroad_views;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
