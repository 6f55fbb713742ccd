-- Says of a database that it was restored: it is held until it is reconciled and released. For copies that nothing in them
-- could tell from the original, such as the snapshot of a volume. Held from now on, also when a hold stands: it may be the
-- backup's own, of before its release. A backup of before there were holds has no row yet.
INSERT INTO sequence.installation AS i
    (system_identifier, timeline, database_oid, written_by, held_at, held_because, last_beat_at)
SELECT server.system_identifier, postroad.timeline(), d.oid, pg_current_xact_id()::text::bigint, postroad.now(),
       'it was restored, as the operator said', (SELECT max(coalesce(beat_at, started_at)) FROM delivery.incarnations)
FROM pg_control_system() AS server, pg_database d
WHERE d.datname = current_database()
ON CONFLICT (single) DO UPDATE
SET held_at = excluded.held_at, held_because = excluded.held_because, written_by = excluded.written_by,
    reconciling_at = NULL, last_beat_at = excluded.last_beat_at;
