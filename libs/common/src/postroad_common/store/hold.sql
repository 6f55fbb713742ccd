-- name: hold
-- Why the database may not send; no row: it may. What nobody has noticed yet has no cause yet.
SELECT coalesce(held_because, 'it does not run where it was last released') AS held_because
FROM views.hold WHERE held OR elsewhere;
