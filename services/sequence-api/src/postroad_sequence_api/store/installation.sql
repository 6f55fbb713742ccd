-- name: adopt
-- The first start on a new database: it may send here.
INSERT INTO sequence.installation (system_identifier, timeline, database_oid, written_by)
SELECT server.system_identifier, postroad.timeline(), d.oid, pg_current_xact_id()::text::bigint
FROM pg_control_system() AS server, pg_database d
WHERE d.datname = current_database()
ON CONFLICT DO NOTHING;

-- name: notice
-- A row that does not fit where it stands: the database is a copy, or its server went over to another timeline. Or a
-- sender lost its last heartbeat. From now
-- on it is held, and that is written where it stands. A new timeline alone is a failover while a sender was heard of less
-- than $1 ago, and then the hold, if any, stays as it was; $1 of zero: never.
WITH misfit AS MATERIALIZED (
    SELECT h.*, server.system_identifier, d.oid AS database_oid, beat.at AS beat_at,
           NOT h.copied AND NOT h.elsewhere AND NOT h.set_back AND i.database_oid = d.oid
               AND coalesce(beat.at > postroad.now() - $1::interval, false) AS follows
    FROM views.hold h CROSS JOIN sequence.installation i CROSS JOIN pg_control_system() AS server
    JOIN pg_database d ON d.datname = current_database()
    CROSS JOIN (SELECT max(coalesce(beat_at, started_at)) AS at FROM views.incarnations) AS beat
    WHERE (h.moved OR h.copied OR h.elsewhere OR h.set_back) AND postroad.timeline() IS NOT NULL
)
UPDATE sequence.installation i
SET system_identifier = m.system_identifier, timeline = postroad.timeline(), database_oid = m.database_oid,
    written_by = pg_current_xact_id()::text::bigint,
    held_at = CASE WHEN m.follows THEN i.held_at ELSE postroad.now() END,
    held_because = CASE WHEN m.follows THEN i.held_because
                        WHEN m.elsewhere THEN 'it runs on another server than before: it was restored'
                        WHEN m.copied THEN 'its rows were copied: it was restored'
                        WHEN i.database_oid <> m.database_oid THEN 'it is a copy of another database'
                        WHEN m.set_back THEN 'a sender''s last heartbeat is gone: it was put back to an earlier state'
                        ELSE 'its server began a new timeline: a failover, or a recovery to a point in time' END,
    last_beat_at = CASE WHEN m.follows THEN i.last_beat_at ELSE m.beat_at END,
    reconciling_at = CASE WHEN m.follows THEN i.reconciling_at END
FROM misfit m
RETURNING m.follows, i.held_because;

-- name: hold
-- Somebody says that this database must not send.
UPDATE sequence.installation
SET held_at = postroad.now(), held_because = $1, written_by = pg_current_xact_id()::text::bigint, reconciling_at = NULL,
    last_beat_at = (SELECT max(coalesce(beat_at, started_at)) FROM views.incarnations)
WHERE held_at IS NULL;

-- name: reconcile
-- From now on, steps that were due up to the end of the lost time are recorded as unknown. $1 and $2 are its beginning
-- and end; unless somebody knows better, it began with the last sign of life and ended with the hold.
UPDATE sequence.installation
SET lost_from = coalesce($1::timestamptz, last_beat_at), reconciling_at = postroad.now(),
    lost_until = greatest(lost_until, coalesce($2::timestamptz, held_at)), written_by = pg_current_xact_id()::text::bigint
WHERE held_at IS NOT NULL AND NOT EXISTS (SELECT FROM views.hold h WHERE h.moved OR h.copied);

-- name: release
-- It may send here. $1: it was reconciled.
UPDATE sequence.installation
SET held_at = NULL, held_because = NULL, reconciling_at = NULL, released_at = postroad.now(),
    written_by = pg_current_xact_id()::text::bigint
WHERE held_at IS NOT NULL AND (reconciling_at IS NOT NULL) = $1::boolean
  AND NOT EXISTS (SELECT FROM views.hold h WHERE h.moved OR h.copied OR h.set_back);

-- name: standing
-- The hold and the time that was lost. `recording`: steps of it have been recorded since the last release, also when it
-- was held anew meanwhile.
SELECT held, held_at, held_because, last_beat_at, released_at, lost_from, lost_until, reconciling_at,
       reconciling_at IS NOT NULL OR coalesce(lost_until > coalesce(released_at, '-infinity'), false) AS recording,
       postroad.now() AS now
FROM views.hold;

-- name: tenants
-- Tenants that ever enrolled anybody, after one. $1 tenant, $2 how many at most.
SELECT tenant_id FROM schedule.tenants_enrolled($1, $2) AS tenant_id;

-- name: progress
-- How far these tenants are reconciled: what still waits for a time that was lost, what is on the wire, and of what it
-- was said that it may have been sent. $1 tenants.
SELECT (SELECT count(*) FROM views.progress p, views.hold h
        WHERE p.tenant_id = ANY ($1::uuid[]) AND p.phase <> 'ended' AND p.next_due_at <= h.keeps_due_until)
       + (SELECT count(*) FROM sequence.enrollments e, views.hold h
          WHERE e.tenant_id = ANY ($1::uuid[]) AND e.created_at <= h.keeps_due_until
            AND NOT EXISTS (SELECT FROM views.progress p
                            WHERE p.tenant_id = e.tenant_id AND p.enrollment_id = e.enrollment_id)) AS waiting,
       (SELECT count(*) FROM views.messages m
        WHERE m.tenant_id = ANY ($1::uuid[]) AND m.state = 'transmitting') AS transmitting,
       (SELECT count(*) FROM views.messages m
        WHERE m.tenant_id = ANY ($1::uuid[]) AND m.state = 'unknown'
          AND m.reason -> 0 ->> 'kind' = 'may_have_been_sent') AS may_have_been_sent;

-- name: named
-- The messages of these ids. $1 tenants, $2 messages.
SELECT m.tenant_id, m.message_id, m.state, m.settled_at
FROM views.messages m
WHERE m.tenant_id = ANY ($1::uuid[]) AND m.message_id = ANY ($2::uuid[]);
