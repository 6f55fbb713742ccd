-- name: mark
-- Up to where the tenant's messages are counted. A statement of its own: the planner knows then how little is to come.
SELECT coalesce(max(position), 0) AS position, coalesce(max(attempt_id), 0) AS attempt_id
FROM views.count_marks WHERE tenant_id = $1;

-- name: counts
-- What became of the messages that were handed over in a span of time, of a version ($9) or of all: by sequence ($10), by
-- step ($11), by day in a zone ($12). Of what is final, the tracker has counted whole quarters of an hour: those of the
-- span ($5 to $6; null: without an end) are added up, with what has come since the mark ($7, $8). Looked at one by one are
-- messages whose outcome is unknown, and all of the pieces of a quarter at the span's ends ($3 to $5, $6 to $4).
WITH single AS (
    SELECT m.message_id, m.sequence_id, m.step_key, m.version, m.transmitting_at, m.state, m.bounce_type
    FROM views.messages m
    WHERE m.tenant_id = $1 AND m.sequence_id = ANY ($2::uuid[]) AND m.state = 'unknown'
      AND ($3::timestamptz IS NULL OR m.transmitting_at >= $3) AND ($4::timestamptz IS NULL OR m.transmitting_at < $4)
    UNION ALL
    SELECT m.message_id, m.sequence_id, m.step_key, m.version, m.transmitting_at, m.state, m.bounce_type
    FROM views.messages m
    WHERE m.tenant_id = $1 AND m.sequence_id = ANY ($2::uuid[]) AND m.state IN ('accepted', 'refused')
      AND m.transmitting_at >= $3 AND m.transmitting_at < $5
    UNION ALL
    SELECT m.message_id, m.sequence_id, m.step_key, m.version, m.transmitting_at, m.state, m.bounce_type
    FROM views.messages m
    WHERE m.tenant_id = $1 AND m.sequence_id = ANY ($2::uuid[]) AND m.state IN ('accepted', 'refused')
      AND m.transmitting_at >= $6 AND m.transmitting_at < $4
), part AS (
    SELECT sequence_id, step_key, version, quarter AS at,
           accepted, refused, attempted, sent, arrived, delivered, opened, machine_opened, clicked, machine_clicked, replied,
           bounced, complained, unsubscribed
    FROM views.message_counts
    WHERE tenant_id = $1 AND sequence_id = ANY ($2::uuid[])
      AND ($5::timestamptz IS NULL OR quarter >= $5) AND ($6::timestamptz IS NULL OR quarter < $6)
    UNION ALL
    SELECT c.*
    FROM postroad.count_changes($1, $7, 9223372036854775807, $8, 9223372036854775807) c
    WHERE c.sequence_id = ANY ($2::uuid[])
      AND ($5::timestamptz IS NULL OR c.transmitting_at >= $5) AND ($6::timestamptz IS NULL OR c.transmitting_at < $6)
    UNION ALL
    SELECT s.sequence_id, s.step_key, s.version, s.transmitting_at, c.*
    FROM single s
    CROSS JOIN LATERAL (
        SELECT coalesce(bit_or(e.bit), 0) AS bits FROM views.message_event_bits e
        WHERE e.tenant_id = $1 AND e.message_id = s.message_id) came_back
    CROSS JOIN LATERAL postroad.counts_of(s.state, s.bounce_type, s.transmitting_at, came_back.bits, 1) c
)
SELECT CASE WHEN $10::boolean THEN sequence_id END AS sequence_id, CASE WHEN $11::boolean THEN step_key END AS key,
       CASE WHEN $12::text IS NOT NULL THEN (at AT TIME ZONE $12)::date END AS day,
       sum(accepted)::bigint AS accepted, sum(refused)::bigint AS refused, sum(attempted)::bigint AS attempted,
       sum(sent)::bigint AS sent, sum(arrived)::bigint AS arrived, sum(delivered)::bigint AS delivered,
       sum(opened)::bigint AS opened, sum(machine_opened)::bigint AS machine_opened, sum(clicked)::bigint AS clicked,
       sum(machine_clicked)::bigint AS machine_clicked, sum(replied)::bigint AS replied, sum(bounced)::bigint AS
       bounced, sum(complained)::bigint AS complained, sum(unsubscribed)::bigint AS unsubscribed
FROM part
WHERE $9::integer IS NULL OR version = $9
GROUP BY 1, 2, 3
HAVING $11 OR sum(attempted) > 0;

-- name: sequences
-- Whose numbers are asked for: one sequence ($2), or all of the tenant.
SELECT sequence_id, name FROM sequence.sequences
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR sequence_id = $2)
ORDER BY sequence_id;

-- name: zone
SELECT timezone FROM sequence.tenants WHERE tenant_id = $1;
