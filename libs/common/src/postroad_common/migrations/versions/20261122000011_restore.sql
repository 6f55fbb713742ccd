-- migrate:up
SET ROLE postroad_owner;

-- Which timeline of its history the server writes: a standby that is promoted begins a new one, and so does every recovery
-- from a backup and archived log. Null on a standby.
CREATE FUNCTION postroad.timeline() RETURNS integer
    LANGUAGE sql STABLE AS
$$
    SELECT CASE WHEN pg_is_in_recovery() THEN NULL
                ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END
$$;

-- The one row that says which database may send: this one, on the server it was written on. A copy of the database has
-- the row too, but it does not fit there: another server, another timeline, another database, or a row that was written
-- by another transaction than it says. No row: nobody has started sequence-api on this database yet.
CREATE TABLE sequence.installation (
    single             boolean PRIMARY KEY DEFAULT true CHECK (single),
    system_identifier  bigint NOT NULL,
    timeline           integer NOT NULL,
    database_oid       oid NOT NULL,
    written_by         bigint NOT NULL,  -- the transaction that wrote the row last
    released_at        timestamptz,      -- when it was last said that it may send again
    held_at            timestamptz,      -- nothing is sent from then on
    held_because       text,
    last_beat_at       timestamptz,      -- the last sign of life of a sender before that
    lost_from          timestamptz,      -- what was due up to lost_until may have been sent after lost_from
    lost_until         timestamptz,
    reconciling_at     timestamptz,      -- since when such steps are being recorded as unknown
    CHECK ((held_at IS NULL) = (held_because IS NULL)),
    CHECK (reconciling_at IS NULL OR held_at IS NOT NULL AND lost_until IS NOT NULL)
);

-- A restored database tells by it when it was last in use.
ALTER TABLE delivery.incarnations ADD beat_at timestamptz;

-- A sender process whose last heartbeat was committed and is not there any more: the database went back in time under it.
CREATE TABLE delivery.setbacks (
    incarnation_id  uuid NOT NULL,
    beat_at         timestamptz NOT NULL,
    noticed_at      timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (incarnation_id, beat_at)
);
RESET ROLE;

CREATE OR REPLACE VIEW views.incarnations AS
    SELECT incarnation_id, host, pid, started_at, expires_at, stopped_at, beat_at FROM delivery.incarnations;

-- May this database send? `elsewhere` reads a file of the server: it is asked when a process begins, not for every batch.
-- While it is not known yet what may have been sent, everything up to now may have been.
CREATE VIEW views.hold AS
    SELECT i.held_at IS NOT NULL OR h.moved OR h.copied OR h.set_back AS held,
           h.moved, h.copied, h.set_back,
           i.system_identifier IS DISTINCT FROM (SELECT system_identifier FROM pg_control_system()) AS elsewhere,
           i.held_at, i.held_because, i.last_beat_at, i.released_at, i.lost_from, i.lost_until, i.reconciling_at,
           CASE WHEN h.moved OR h.copied OR h.set_back OR i.held_at IS NOT NULL AND i.reconciling_at IS NULL
                THEN postroad.now() ELSE i.lost_until END AS keeps_due_until
    FROM sequence.installation i
    CROSS JOIN LATERAL (
        SELECT (i.timeline, i.database_oid)
                   IS DISTINCT FROM (postroad.timeline(), (SELECT oid FROM pg_database WHERE datname = current_database()))
               AS moved,
               i.xmin::text::bigint <> i.written_by % 4294967296 AS copied,
               EXISTS (SELECT FROM delivery.setbacks s
                       WHERE s.noticed_at > coalesce(i.held_at, i.released_at, '-infinity')) AS set_back
        OFFSET 0
    ) AS h;
ALTER VIEW views.hold OWNER TO postroad_views;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
