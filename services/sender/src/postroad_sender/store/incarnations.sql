-- name: begin
-- A process announces itself before it may claim anything.
INSERT INTO delivery.incarnations (incarnation_id, host, pid, expires_at) VALUES ($1, $2, $3, postroad.now() + $4::interval);

-- name: beat
-- Alive -> alive for longer. An expired incarnation stays expired: others may have judged what it held.
UPDATE delivery.incarnations SET expires_at = postroad.now() + $2::interval
WHERE incarnation_id = $1 AND expires_at > postroad.now() AND stopped_at IS NULL;

-- name: stop
-- Alive -> ended in order: nothing is left transmitting.
UPDATE delivery.incarnations SET stopped_at = postroad.now(), expires_at = least(expires_at, postroad.now())
WHERE incarnation_id = $1 AND stopped_at IS NULL;
