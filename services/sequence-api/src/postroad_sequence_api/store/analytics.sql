-- name: counts
-- What became of the messages that were handed over in a span of time ($3 to $4), of a version ($5) or of all: by
-- sequence ($6), by step ($7), by day in a zone ($8). Each message counts once in each column, however often it was
-- opened. machine_opened and machine_clicked: by programs only, as the provider says. Both tables are read from an index
-- alone; what came back of a message is one number while it is collected, a bit for each kind, and messages alike are
-- counted before their bits are looked at.
WITH came_back AS (
    SELECT message_id,
           bit_or(CASE type WHEN 'delivered' THEN 1
                            WHEN 'opened' THEN CASE WHEN machine THEN 2 ELSE 4 END
                            WHEN 'clicked' THEN CASE WHEN machine THEN 8 ELSE 16 END
                            WHEN 'replied' THEN 32
                            WHEN 'bounced' THEN 64
                            WHEN 'complained' THEN 128
                            WHEN 'unsubscribed' THEN 256
                            ELSE 0 END) AS bits
    FROM views.message_events
    WHERE tenant_id = $1 AND sequence_id = ANY ($2::uuid[])
    GROUP BY message_id
), alike AS (
    SELECT CASE WHEN $6::boolean THEN m.sequence_id END AS sequence_id,
           CASE WHEN $7::boolean THEN m.step_key END AS key,
           CASE WHEN $8::text IS NOT NULL THEN (m.transmitting_at AT TIME ZONE $8)::date END AS day,
           m.state = 'refused' AS refused, coalesce(b.bits, 0) AS bits, count(*) AS messages
    FROM views.messages m
    LEFT JOIN came_back b ON b.message_id = m.message_id
    WHERE m.tenant_id = $1 AND m.sequence_id = ANY ($2::uuid[])
      AND (m.state IN ('accepted', 'unknown') OR m.state = 'refused' AND m.bounce_type IS NOT NULL)
      AND m.transmitting_at >= $3 AND m.transmitting_at < $4
      AND ($5::integer IS NULL OR m.version = $5)
    GROUP BY 1, 2, 3, 4, 5
)
SELECT sequence_id, key, day,
       sum(messages)::bigint AS attempted,
       coalesce(sum(messages) FILTER (WHERE NOT refused), 0)::bigint AS sent,
       coalesce(sum(messages) FILTER (WHERE NOT refused AND bits & 64 = 0), 0)::bigint AS arrived,
       coalesce(sum(messages) FILTER (WHERE bits & 1 > 0), 0)::bigint AS delivered,
       coalesce(sum(messages) FILTER (WHERE bits & 4 > 0), 0)::bigint AS opened,
       coalesce(sum(messages) FILTER (WHERE bits & 6 = 2), 0)::bigint AS machine_opened,
       coalesce(sum(messages) FILTER (WHERE bits & 16 > 0), 0)::bigint AS clicked,
       coalesce(sum(messages) FILTER (WHERE bits & 24 = 8), 0)::bigint AS machine_clicked,
       coalesce(sum(messages) FILTER (WHERE bits & 32 > 0), 0)::bigint AS replied,
       coalesce(sum(messages) FILTER (WHERE refused OR bits & 64 > 0), 0)::bigint AS bounced,
       coalesce(sum(messages) FILTER (WHERE bits & 128 > 0), 0)::bigint AS complained,
       coalesce(sum(messages) FILTER (WHERE bits & 256 > 0), 0)::bigint AS unsubscribed
FROM alike
GROUP BY sequence_id, key, day;

-- name: sequences
-- Whose numbers are asked for: one sequence ($2), or all of the tenant.
SELECT sequence_id, name FROM sequence.sequences
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR sequence_id = $2)
ORDER BY sequence_id;

-- name: give_memory
-- For this transaction: the messages of a sequence are joined with their events in memory.
SELECT set_config('work_mem', '64MB', true) FROM (SELECT $1::uuid) AS tenant;

-- name: zone
SELECT timezone FROM sequence.tenants WHERE tenant_id = $1;
