-- Says of a database that it was restored: it is held until it is reconciled and released. For copies that nothing in them
-- could tell from the original, such as the snapshot of a volume. A hold that stands stays.
UPDATE sequence.installation
SET held_at = postroad.now(), held_because = 'it was restored, as the operator said',
    written_by = pg_current_xact_id()::text::bigint, reconciling_at = NULL,
    last_beat_at = (SELECT max(coalesce(beat_at, started_at)) FROM delivery.incarnations)
WHERE held_at IS NULL OR reconciling_at IS NOT NULL;
