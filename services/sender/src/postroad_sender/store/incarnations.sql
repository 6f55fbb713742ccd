-- name: begin
-- A process announces itself before it may claim anything. In a database that may not send nobody can.
INSERT INTO delivery.incarnations (incarnation_id, host, pid, expires_at, beat_at)
SELECT $1, $2, $3, postroad.now() + $4::interval, postroad.now()
WHERE NOT EXISTS (SELECT FROM views.hold h WHERE h.held OR h.elsewhere)
RETURNING beat_at;

-- name: beat
-- Alive -> alive for longer, if the last heartbeat is there. An expired incarnation stays expired:
-- others may have judged what it held. $1 incarnation, $2 how long it lives, $3 the last heartbeat.
UPDATE delivery.incarnations SET expires_at = postroad.now() + $2::interval, beat_at = postroad.now()
WHERE incarnation_id = $1 AND expires_at > postroad.now() AND stopped_at IS NULL
  AND beat_at >= $3::timestamptz AND NOT EXISTS (SELECT FROM views.hold h WHERE h.held OR h.elsewhere)
RETURNING beat_at;

-- name: notice_setback
-- The last heartbeat was committed. If it is gone, so is what was sent since: the database holds itself.
INSERT INTO delivery.setbacks (incarnation_id, beat_at)
SELECT $1, $2::timestamptz
WHERE NOT EXISTS (SELECT FROM delivery.incarnations WHERE incarnation_id = $1 AND beat_at >= $2::timestamptz)
ON CONFLICT DO NOTHING;

-- name: stop
-- Alive -> ended in order: nothing is left transmitting.
UPDATE delivery.incarnations SET stopped_at = postroad.now(), expires_at = least(expires_at, postroad.now())
WHERE incarnation_id = $1 AND stopped_at IS NULL;
