-- name: insert_sender
INSERT INTO sequence.senders
    (tenant_id, sender_id, name, from_email, from_name, reply_to, esp, host, port, security, username,
     password_sealed, max_connections)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: lock_sender
-- For a change that is merged with what stands.
SELECT name, from_email, from_name, reply_to, esp, host, port, security, username, password_sealed, max_connections,
       revision
FROM sequence.senders
WHERE tenant_id = $1 AND sender_id = $2
FOR UPDATE;

-- name: update_sender
UPDATE sequence.senders
SET name = $3, from_email = $4, from_name = $5, reply_to = $6, esp = $7, host = $8, port = $9, security = $10,
    username = $11, password_sealed = $12, max_connections = $13, updated_at = postroad.now()
WHERE tenant_id = $1 AND sender_id = $2;

-- name: senders
-- One sender ($2), or a page of them; with the pause that the sending service made itself.
SELECT s.sender_id AS id, s.name, s.from_email, s.from_name, s.reply_to, s.esp, s.host, s.port, s.security,
       s.username, s.password_sealed IS NOT NULL AS has_password, s.max_connections, s.paused_at,
       s.revision, s.created_at, s.updated_at,
       own.paused_at AS own_paused_at, own.retry_at AS own_retry_at, own.reason AS own_reason
FROM sequence.senders s
LEFT JOIN views.sender_state own ON own.tenant_id = $1 AND own.sender_id = s.sender_id
WHERE s.tenant_id = $1
  AND ($2::uuid IS NULL OR s.sender_id = $2)
  AND ($3::uuid IS NULL OR s.sender_id > $3)
ORDER BY s.sender_id
LIMIT $4;

-- name: pause_sender
UPDATE sequence.senders
SET paused_at = postroad.now(), updated_at = postroad.now()
WHERE tenant_id = $1 AND sender_id = $2 AND paused_at IS NULL
RETURNING sender_id;

-- name: resume_sender
UPDATE sequence.senders
SET paused_at = NULL, updated_at = postroad.now()
WHERE tenant_id = $1 AND sender_id = $2 AND paused_at IS NOT NULL
RETURNING sender_id;

-- name: sequences_of_sender
-- Which sequences the scheduler should look at when a sender pauses or resumes: all with an activated version on it.
SELECT DISTINCT v.sequence_id
FROM sequence.sequence_versions v
WHERE v.tenant_id = $1 AND v.sender_id = $2 AND v.activated_at IS NOT NULL;

-- name: sender_exists
SELECT EXISTS (SELECT FROM sequence.senders WHERE tenant_id = $1 AND sender_id = $2);
