-- name: tenants_to_count
-- Whose counts are behind, a page of tenants at a time: ids only.
SELECT tracking.tenants_to_count($1::uuid, $2::integer) AS tenant_id;

-- name: make_mark
INSERT INTO tracking.count_marks (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: take_mark
-- Locks the tenant's mark, unless another process has it, and says how far it may move. Positions become visible in their
-- order. Ids of attempts do not: next_attempt_id was the last one in sight when next_transaction was the next to begin, so
-- with everything before that ended, whatever is not in sight below it never will be. A database that was restored from a
-- dump counts its transactions anew; then the mark waits for one more round. greatest(): where the row has moved since the
-- statement began, the feed is seen as it was before, and a mark never moves back.
SELECT c.position, c.attempt_id,
       greatest(c.position,
                least(coalesce((SELECT f.last_position FROM tracking.feeds f WHERE f.tenant_id = $1), 0), c.position + $2))
           AS to_position,
       coalesce((SELECT max(a.attempt_id)
                 FROM (SELECT a.attempt_id FROM views.attempts a
                       WHERE a.tenant_id = $1 AND a.outcome IN ('accepted', 'refused') AND a.attempt_id > c.attempt_id
                         AND a.attempt_id <= c.next_attempt_id
                         AND c.next_transaction <= pg_snapshot_xmin(pg_current_snapshot())
                       ORDER BY a.attempt_id LIMIT $2) a), c.attempt_id) AS to_attempt
FROM tracking.count_marks c
WHERE c.tenant_id = $1
FOR UPDATE SKIP LOCKED;

-- name: count
-- Adds what has changed from one mark ($2, $4) to the next ($3, $5).
INSERT INTO tracking.message_counts AS o (
    tenant_id, sequence_id, step_key, version, quarter,
    accepted, refused, attempted, sent, arrived, delivered, opened, machine_opened, clicked, machine_clicked, replied,
    bounced, complained, unsubscribed)
SELECT $1, sequence_id, step_key, version,
       coalesce(date_bin('15 minutes', transmitting_at, '2000-01-01 00:00:00+00'), '-infinity'),
       sum(accepted), sum(refused), sum(attempted), sum(sent), sum(arrived), sum(delivered), sum(opened),
       sum(machine_opened), sum(clicked), sum(machine_clicked), sum(replied), sum(bounced), sum(complained),
       sum(unsubscribed)
FROM postroad.count_changes($1, $2, $3, $4, $5)
GROUP BY sequence_id, step_key, version, 5
ORDER BY sequence_id, step_key, version, 5
ON CONFLICT (tenant_id, sequence_id, step_key, version, quarter) DO UPDATE
SET accepted = o.accepted + excluded.accepted, refused = o.refused + excluded.refused, attempted = o.attempted +
    excluded.attempted, sent = o.sent + excluded.sent, arrived = o.arrived + excluded.arrived, delivered = o.delivered
    + excluded.delivered, opened = o.opened + excluded.opened, machine_opened = o.machine_opened +
    excluded.machine_opened, clicked = o.clicked + excluded.clicked, machine_clicked = o.machine_clicked +
    excluded.machine_clicked, replied = o.replied + excluded.replied, bounced = o.bounced + excluded.bounced,
    complained = o.complained + excluded.complained, unsubscribed = o.unsubscribed + excluded.unsubscribed;

-- name: move_mark
-- To where is counted. Once all that had appeared is, or when transactions are counted anew, to what has appeared by now.
UPDATE tracking.count_marks c
SET position = $2, attempt_id = $3,
    next_attempt_id = CASE WHEN n.now THEN n.last_attempt_id ELSE c.next_attempt_id END,
    next_transaction = CASE WHEN n.now THEN pg_snapshot_xmax(pg_current_snapshot()) ELSE c.next_transaction END
FROM (SELECT c.next_attempt_id <= $3 OR c.next_transaction > pg_snapshot_xmax(pg_current_snapshot()) AS now,
             coalesce((SELECT a.attempt_id FROM views.attempts a
                       WHERE a.tenant_id = $1 AND a.outcome IN ('accepted', 'refused')
                       ORDER BY a.attempt_id DESC LIMIT 1), 0) AS last_attempt_id
      FROM tracking.count_marks c WHERE c.tenant_id = $1) n
WHERE c.tenant_id = $1;
