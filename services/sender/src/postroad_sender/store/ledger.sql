-- name: look
-- The one look at an item: what the ledger says of it and everything that may forbid it, in one snapshot. Each side is
-- fetched by key for each item, so that the plan cannot turn into a scan when statistics are old.
WITH hold AS MATERIALIZED (SELECT held, lost_from, lost_until FROM views.hold)
SELECT m.state, m.attempt, m.incarnation_id, m.settled_at, m.reason, m.bounce_type,
       past.outcome AS past_outcome, past.settled_at AS past_settled_at, past.reason AS past_reason,
       coalesce(mine.expires_at > postroad.now() AND mine.stopped_at IS NULL, false) AS incarnation_live,
       contact.email, enrollment.intent, progress.state AS progress_state, sequence.state AS sequence_state,
       sender.from_email, sender.paused_at IS NOT NULL AS sender_paused_by_person, rest.retry_at AS sender_paused_until,
       ARRAY(SELECT s.kind FROM views.stops s
             WHERE s.tenant_id = due.tenant_id AND s.enrollment_id = due.enrollment_id
             UNION
             SELECT a.kind FROM views.suppressed_addresses a
             WHERE a.tenant_id = due.tenant_id AND a.email IN (due.recipient, contact.email)) AS stops,
       coalesce(hold.held, false) AS held, hold.lost_from, hold.lost_until, postroad.now() AS now
FROM json_to_recordset($1) AS due (place integer, tenant_id uuid, enrollment_id uuid, step_key text, attempt integer,
                                   contact_id uuid, sequence_id uuid, sender_id uuid, recipient text)
LEFT JOIN hold ON true
LEFT JOIN delivery.incarnations mine ON mine.incarnation_id = $2
LEFT JOIN LATERAL (
    SELECT * FROM delivery.messages m
    WHERE m.tenant_id = due.tenant_id AND m.enrollment_id = due.enrollment_id AND m.step_key = due.step_key LIMIT 1) m ON true
LEFT JOIN LATERAL (
    SELECT a.outcome, a.settled_at, a.reason FROM delivery.attempts a
    WHERE m.attempt > due.attempt AND a.tenant_id = due.tenant_id AND a.enrollment_id = due.enrollment_id
      AND a.step_key = due.step_key AND a.attempt = due.attempt
    ORDER BY a.attempt_id DESC LIMIT 1) past ON true
LEFT JOIN LATERAL (
    SELECT c.email FROM views.contacts c
    WHERE c.tenant_id = due.tenant_id AND c.contact_id = due.contact_id LIMIT 1) contact ON true
LEFT JOIN LATERAL (
    SELECT e.intent FROM views.enrollments e
    WHERE e.tenant_id = due.tenant_id AND e.enrollment_id = due.enrollment_id LIMIT 1) enrollment ON true
LEFT JOIN LATERAL (
    SELECT p.state FROM views.progress p
    WHERE p.tenant_id = due.tenant_id AND p.enrollment_id = due.enrollment_id LIMIT 1) progress ON true
LEFT JOIN LATERAL (
    SELECT q.state FROM views.sequences q
    WHERE q.tenant_id = due.tenant_id AND q.sequence_id = due.sequence_id LIMIT 1) sequence ON true
LEFT JOIN LATERAL (
    SELECT s.paused_at, s.from_email FROM views.senders s
    WHERE s.tenant_id = due.tenant_id AND s.sender_id = due.sender_id LIMIT 1) sender ON true
LEFT JOIN LATERAL (
    SELECT r.retry_at FROM views.sender_state r
    WHERE r.tenant_id = due.tenant_id AND r.sender_id = due.sender_id LIMIT 1) rest ON true
ORDER BY due.place;

-- name: claim
-- (a) of design's way of a step: the permit to transmit. No row, or an open one with a lower attempt, and only for a
-- process whose heartbeat has not expired. What was not claimed the look afterwards tells. With it goes the source of each
-- message that was claimed, where one is given ($3, $4).
WITH claimed AS (
    INSERT INTO delivery.messages AS m (
        tenant_id, enrollment_id, step_key, message_id, state, attempt, incarnation_id, sequence_id, version, step_number,
        contact_id, sender_id, template_id, template_version, recipient, subject, rfc_message_id, due_at, transmitting_at)
    SELECT due.tenant_id, due.enrollment_id, due.step_key, due.message_id, 'transmitting', due.attempt, $1, due.sequence_id,
           due.version, due.step_number, due.contact_id, due.sender_id, due.template_id, due.template_version, due.recipient,
           due.subject, due.rfc_message_id, due.due_at, postroad.now()
    FROM json_to_recordset($2) AS due (
        tenant_id uuid, enrollment_id uuid, step_key text, message_id uuid, attempt integer, sequence_id uuid, version integer,
        step_number integer, contact_id uuid, sender_id uuid, template_id uuid, template_version integer, recipient text,
        subject text, rfc_message_id text, due_at timestamptz)
    WHERE EXISTS (SELECT FROM delivery.incarnations i
                  WHERE i.incarnation_id = $1 AND i.expires_at > postroad.now() AND i.stopped_at IS NULL)
    ORDER BY due.tenant_id, due.enrollment_id, due.step_key  -- two senders that claim the same items must not deadlock
    ON CONFLICT (tenant_id, enrollment_id, step_key) DO UPDATE
    SET state = 'transmitting', attempt = excluded.attempt, incarnation_id = excluded.incarnation_id,
        sequence_id = excluded.sequence_id, version = excluded.version, step_number = excluded.step_number,
        sender_id = excluded.sender_id, template_id = excluded.template_id, template_version = excluded.template_version,
        recipient = excluded.recipient, subject = excluded.subject, rfc_message_id = excluded.rfc_message_id,
        due_at = excluded.due_at, transmitting_at = excluded.transmitting_at, gated_at = NULL, settled_at = NULL,
        reason = '[]', bounce_type = NULL, reply_code = NULL, reply_status = NULL, reply_text = NULL
    WHERE m.state IN ('held', 'deferred') AND m.attempt < excluded.attempt
    RETURNING m.tenant_id, m.message_id, m.attempt, m.transmitting_at,
              m.recipient = m.contact_id || '@erased.invalid' AS is_erased
)
INSERT INTO delivery.message_sources (tenant_id, message_id, attempt, made_at, source)
SELECT c.tenant_id, c.message_id, c.attempt, c.transmitting_at, s.source
FROM unnest($3::uuid[], $4::bytea[]) AS s (message_id, source)
JOIN claimed c USING (message_id)
WHERE NOT c.is_erased;

-- name: settle
-- transmitting -> the outcome, for the process and attempt that claimed it. Or, when that process was suspended and others
-- have judged it unknown meanwhile: unknown -> what it now knows (settled_late). Nothing else is touched.
WITH outcome AS (
    SELECT * FROM json_to_recordset($1) AS o (
        place integer, tenant_id uuid, enrollment_id uuid, step_key text, attempt integer, incarnation_id uuid, state text, late_state text,
        reason jsonb, bounce_type text, reply_code integer, reply_status text, reply_text text, provider_message_id text,
        gated_at timestamptz, dead_address boolean)
), settled AS (
    UPDATE delivery.messages m
    SET state = CASE WHEN m.state = 'transmitting' THEN o.state ELSE o.late_state END,
        settled_at = postroad.now(), gated_at = o.gated_at, reason = o.reason, bounce_type = o.bounce_type,
        reply_code = o.reply_code, reply_status = o.reply_status, reply_text = o.reply_text,
        provider_message_id = o.provider_message_id
    FROM outcome o
    WHERE m.tenant_id = o.tenant_id AND m.enrollment_id = o.enrollment_id AND m.step_key = o.step_key
      AND m.attempt = o.attempt AND m.incarnation_id = o.incarnation_id
      AND (m.state = 'transmitting' OR m.state = 'unknown' AND o.late_state IS NOT NULL)
    RETURNING m.tenant_id, m.enrollment_id, m.step_key, m.attempt, m.incarnation_id, m.state, m.transmitting_at, m.gated_at,
              m.settled_at, m.reason, m.reply_code, m.reply_status, m.reply_text, m.recipient, m.message_id, o.dead_address, o.place
), attempted AS (
    INSERT INTO delivery.attempts (tenant_id, enrollment_id, step_key, attempt, incarnation_id, outcome, transmitting_at,
                                   gated_at, settled_at, reason, reply_code, reply_status, reply_text)
    SELECT tenant_id, enrollment_id, step_key, attempt, incarnation_id, state, transmitting_at, gated_at, settled_at, reason,
           reply_code, reply_status, reply_text
    FROM settled
), dead AS (
    INSERT INTO delivery.bounced_addresses (tenant_id, email, message_id)
    SELECT DISTINCT ON (tenant_id, recipient) tenant_id, recipient, message_id FROM settled WHERE dead_address
    ORDER BY tenant_id, recipient
    ON CONFLICT DO NOTHING
)
SELECT place, state, settled_at FROM settled;

-- name: record_unsent
-- no row, or an open one with a lower attempt -> held, cancelled or unknown, without having touched the wire. What may
-- have been sent in a lost life of the database is settled at the earliest moment at which it may have been.
WITH recorded AS (
    INSERT INTO delivery.messages AS m (
        tenant_id, enrollment_id, step_key, message_id, state, attempt, sequence_id, version, step_number, contact_id,
        sender_id, recipient, rfc_message_id, due_at, settled_at, reason)
    SELECT due.tenant_id, due.enrollment_id, due.step_key, due.message_id, due.state, due.attempt, due.sequence_id,
           due.version, due.step_number, due.contact_id, due.sender_id, due.recipient, due.rfc_message_id, due.due_at,
           coalesce(due.settled_at, postroad.now()), due.reason
    FROM json_to_recordset($1) AS due (
        tenant_id uuid, enrollment_id uuid, step_key text, message_id uuid, state text, attempt integer, sequence_id uuid,
        version integer, step_number integer, contact_id uuid, sender_id uuid, recipient text, rfc_message_id text,
        due_at timestamptz, settled_at timestamptz, reason jsonb)
    ORDER BY due.tenant_id, due.enrollment_id, due.step_key
    ON CONFLICT (tenant_id, enrollment_id, step_key) DO UPDATE
    SET state = excluded.state, attempt = excluded.attempt, settled_at = excluded.settled_at, reason = excluded.reason,
        incarnation_id = NULL, transmitting_at = NULL, gated_at = NULL, bounce_type = NULL, reply_code = NULL,
        reply_status = NULL, reply_text = NULL, due_at = excluded.due_at
    WHERE m.state IN ('held', 'deferred') AND m.attempt < excluded.attempt
    RETURNING m.tenant_id, m.enrollment_id, m.step_key, m.attempt, m.state, m.settled_at, m.reason
), attempted AS (
    INSERT INTO delivery.attempts (tenant_id, enrollment_id, step_key, attempt, outcome, settled_at, reason)
    SELECT tenant_id, enrollment_id, step_key, attempt, state, settled_at, reason FROM recorded
)
SELECT tenant_id, enrollment_id, step_key, state, settled_at FROM recorded;

-- name: give_up_orphans
-- transmitting -> unknown, for rows whose process has let its heartbeat expire: only evidence can tell now. In a database
-- that was restored, what came next counts from when it may have been sent, not from today.
WITH orphan AS (
    SELECT m.tenant_id, m.enrollment_id, m.step_key
    FROM delivery.messages m
    WHERE m.tenant_id = ANY ($1::uuid[]) AND m.state = 'transmitting'
      AND EXISTS (SELECT FROM delivery.incarnations i
                  WHERE i.incarnation_id = m.incarnation_id AND i.expires_at < postroad.now())
    LIMIT $2 FOR UPDATE OF m SKIP LOCKED
), given_up AS (
    UPDATE delivery.messages m
    SET state = 'unknown', reason = $3,
        settled_at = CASE WHEN (SELECT held FROM views.hold) THEN m.transmitting_at ELSE postroad.now() END
    FROM orphan o
    WHERE m.tenant_id = o.tenant_id AND m.enrollment_id = o.enrollment_id AND m.step_key = o.step_key
      AND m.state = 'transmitting'
    RETURNING m.tenant_id, m.enrollment_id, m.step_key, m.attempt, m.incarnation_id, m.state, m.transmitting_at, m.gated_at,
              m.settled_at, m.reason
), attempted AS (
    INSERT INTO delivery.attempts (tenant_id, enrollment_id, step_key, attempt, incarnation_id, outcome, transmitting_at,
                                   gated_at, settled_at, reason)
    SELECT tenant_id, enrollment_id, step_key, attempt, incarnation_id, state, transmitting_at, gated_at, settled_at, reason
    FROM given_up
)
SELECT tenant_id, enrollment_id, step_key, attempt, settled_at, reason FROM given_up;

-- name: tenants_with_orphans
-- Where give_up_orphans has something to do.
SELECT tenant_id FROM delivery.tenants_with_orphans($1) AS tenant_id;

-- name: accept_by_evidence
-- unknown -> accepted: the provider told of the message, so its server had it.
WITH proof AS (
    SELECT * FROM json_to_recordset($2) AS p (message_id uuid, reason jsonb)
), proven AS (
    UPDATE delivery.messages m
    SET state = 'accepted', settled_at = postroad.now(), reason = p.reason
    FROM proof p
    WHERE m.tenant_id = $1 AND m.message_id = p.message_id AND m.state = 'unknown'
    RETURNING m.tenant_id, m.enrollment_id, m.step_key, m.attempt, m.incarnation_id, m.state, m.transmitting_at, m.gated_at,
              m.settled_at, m.reason
)
INSERT INTO delivery.attempts (tenant_id, enrollment_id, step_key, attempt, incarnation_id, outcome, transmitting_at,
                               gated_at, settled_at, reason)
SELECT tenant_id, enrollment_id, step_key, attempt, incarnation_id, state, transmitting_at, gated_at, settled_at, reason
FROM proven;

-- name: settle_by_hand
-- unknown -> accepted or cancelled, by the word of somebody who has looked. Whoever comes first holds the row: evidence that
-- has settled it stands.
WITH word AS (
    SELECT * FROM json_to_recordset($2) AS w (message_id uuid, state text, reason jsonb)
), settled AS (
    UPDATE delivery.messages m
    SET state = w.state, settled_at = postroad.now(), reason = w.reason
    FROM word w
    WHERE m.tenant_id = $1 AND m.message_id = w.message_id AND m.state = 'unknown'
    RETURNING m.tenant_id, m.enrollment_id, m.step_key, m.attempt, m.incarnation_id, m.state, m.transmitting_at, m.gated_at,
              m.settled_at, m.reason
)
INSERT INTO delivery.attempts (tenant_id, enrollment_id, step_key, attempt, incarnation_id, outcome, transmitting_at,
                               gated_at, settled_at, reason)
SELECT tenant_id, enrollment_id, step_key, attempt, incarnation_id, state, transmitting_at, gated_at, settled_at, reason
FROM settled;

-- name: still_transmitting
-- Of these messages, those on the wire: evidence about them comes too early and is looked at again.
SELECT count(*) FROM delivery.messages
WHERE tenant_id = $1 AND message_id = ANY ($2::uuid[]) AND state = 'transmitting';
