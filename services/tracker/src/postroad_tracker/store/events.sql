-- name: store
-- The one durable write of events: keys, events with the message each belongs to, personal data apart, and what each
-- contact did. An event whose key is taken writes nothing at all. Keys are taken in order, feeds after them in order,
-- and then contacts, so that two batches cannot deadlock. Look-ups are LATERAL with a LIMIT, or a large batch would read
-- the whole ledger to join it once. Answers with what was new, and with whom it is about.
WITH incoming AS MATERIALIZED (
    SELECT * FROM ROWS FROM (unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::uuid[], $8::text[],
        $9::boolean[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::boolean[], $16::text[],
        $17::text[]
    )) WITH ORDINALITY AS t (tenant_id, event_id, key, occurred_at, type, source, source_id, provider_message_id,
                             foreign_ref, address, recipient, bounce_type, detail, url, machine, ip, user_agent, rank)
), candidate AS MATERIALIZED (
    SELECT * FROM unnest($18::uuid[], $19::uuid[], $20::uuid[], $21::integer[])
        AS t (tenant_id, event_id, message_id, rank)
), found AS MATERIALIZED (
    SELECT DISTINCT ON (event_id) * FROM (
        SELECT c.event_id, c.rank, m.*
        FROM candidate c
        CROSS JOIN LATERAL (
            SELECT message_id, enrollment_id, contact_id, sequence_id, step_key, recipient, state
            FROM views.messages m WHERE m.tenant_id = c.tenant_id AND m.message_id = c.message_id
            LIMIT 1
        ) AS m
        UNION ALL
        SELECT i.event_id, 2147483647, m.*
        FROM incoming i
        CROSS JOIN LATERAL (
            SELECT message_id, enrollment_id, contact_id, sequence_id, step_key, recipient, state
            FROM views.messages m
            WHERE m.tenant_id = i.tenant_id AND m.provider_message_id = i.provider_message_id
            ORDER BY created_at DESC
            LIMIT 1
        ) AS m
        WHERE NOT i.foreign_ref
    ) AS each_way
    ORDER BY event_id, rank
), person AS MATERIALIZED (
    SELECT i.event_id, c.contact_id
    FROM incoming i
    CROSS JOIN LATERAL (
        SELECT contact_id FROM views.contacts c WHERE c.tenant_id = i.tenant_id AND c.email = i.address LIMIT 1
    ) AS c
), keyed AS (
    INSERT INTO tracking.event_keys (tenant_id, key, event_id)
    SELECT tenant_id, key, event_id FROM incoming ORDER BY tenant_id, key
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, event_id
), placed AS MATERIALIZED (
    -- Locks the feeds until the commit, which makes the order of positions the order of commits. The time is taken
    -- under the lock, so that it has the same order.
    INSERT INTO tracking.feeds AS feed (tenant_id, last_position, received_at)
    SELECT tenant_id, count(*), postroad.now() FROM keyed GROUP BY tenant_id ORDER BY tenant_id
    ON CONFLICT (tenant_id) DO UPDATE
        SET last_position = feed.last_position + excluded.last_position,
            received_at = greatest(feed.received_at, postroad.now())
    RETURNING tenant_id, last_position, received_at
), fresh AS MATERIALIZED (
    SELECT i.tenant_id, i.event_id, i.type, i.source, i.source_id, i.provider_message_id, i.address, i.bounce_type,
           i.machine, CASE WHEN NOT x.erased THEN i.recipient END AS recipient,
           CASE WHEN NOT x.erased THEN i.ip END AS ip, CASE WHEN NOT x.erased THEN i.user_agent END AS user_agent,
           CASE WHEN NOT x.erased THEN i.detail END AS detail, CASE WHEN NOT x.erased THEN i.url END AS url, x.erased,
           placed.received_at, coalesce(i.occurred_at, placed.received_at) AS happened_at, f.message_id,
           f.enrollment_id, coalesce(f.contact_id, p.contact_id) AS contact_id, f.sequence_id, f.step_key,
           f.recipient AS message_recipient, f.state AS message_state,
           placed.last_position + 1 - row_number() OVER (PARTITION BY i.tenant_id ORDER BY i.rank DESC) AS position
    FROM incoming i
    JOIN keyed USING (event_id)
    JOIN placed ON placed.tenant_id = i.tenant_id
    LEFT JOIN found f USING (event_id)
    LEFT JOIN person p USING (event_id)
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM tracking.erasures e
                       WHERE e.tenant_id = i.tenant_id AND e.contact_id = coalesce(f.contact_id, p.contact_id)) AS erased
    ) AS x
), stored AS (
    INSERT INTO tracking.events (tenant_id, event_id, received_at, occurred_at, type, source, source_id, message_id,
                                 provider_message_id, enrollment_id, contact_id, sequence_id, step_key, bounce_type,
                                 detail, url, machine, position)
    SELECT tenant_id, event_id, received_at, happened_at, type, source, source_id, message_id, provider_message_id,
           enrollment_id, contact_id, sequence_id, step_key, bounce_type, detail, url, machine, position
    FROM fresh
), personal AS (
    INSERT INTO tracking.event_personal_data (tenant_id, event_id, received_at, recipient, ip, user_agent)
    SELECT tenant_id, event_id, received_at, recipient, ip::inet, user_agent
    FROM fresh WHERE coalesce(recipient, ip, user_agent) IS NOT NULL
), engaged AS (
    INSERT INTO tracking.contact_engagement AS g
        (tenant_id, contact_id, last_opened_at, last_clicked_at, last_replied_at, opens, clicks, replies)
    SELECT tenant_id, contact_id, max(happened_at) FILTER (WHERE type = 'opened'),
           max(happened_at) FILTER (WHERE type = 'clicked'), max(happened_at) FILTER (WHERE type = 'replied'),
           count(*) FILTER (WHERE type = 'opened'), count(*) FILTER (WHERE type = 'clicked'),
           count(*) FILTER (WHERE type = 'replied')
    FROM fresh
    WHERE contact_id IS NOT NULL AND NOT erased AND type IN ('opened', 'clicked', 'replied') AND NOT machine
    GROUP BY tenant_id, contact_id
    ORDER BY tenant_id, contact_id
    ON CONFLICT (tenant_id, contact_id) DO UPDATE
    SET last_opened_at = greatest(g.last_opened_at, excluded.last_opened_at),
        last_clicked_at = greatest(g.last_clicked_at, excluded.last_clicked_at),
        last_replied_at = greatest(g.last_replied_at, excluded.last_replied_at),
        opens = g.opens + excluded.opens, clicks = g.clicks + excluded.clicks, replies = g.replies + excluded.replies
)
SELECT tenant_id, event_id, received_at, happened_at AS occurred_at, type, bounce_type, url, machine, message_id,
       enrollment_id, contact_id, sequence_id, step_key, coalesce(message_recipient, address) AS address, message_state
FROM fresh;

-- name: keep_raw
-- The webhook as it came. Its id is made of source and body, so that a redelivery is kept once.
INSERT INTO tracking.raw_requests (tenant_id, raw_request_id, source_id, received_at, headers, body, rejected)
SELECT tenant_id, raw_request_id, source_id, postroad.now(), headers::jsonb, body, rejected::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::text[])
    AS t (tenant_id, raw_request_id, source_id, headers, body, rejected)
ORDER BY tenant_id, raw_request_id
ON CONFLICT DO NOTHING;

-- name: match_late
-- Events that came before the sender had noted the provider's id find their message, and take a place in the feed for
-- it: whoever follows the feed of a sequence is past their own. One that another process matches meanwhile is not
-- answered with, and its place stays empty. What was counted when it came, because its address named the contact, is
-- not counted again.
WITH young AS MATERIALIZED (
    SELECT e.tenant_id, e.event_id, e.received_at, e.occurred_at, e.type, e.bounce_type, e.url, e.machine,
           e.provider_message_id, e.contact_id AS person_id
    FROM tracking.events e
    WHERE e.tenant_id = ANY ($1::uuid[]) AND e.message_id IS NULL AND e.provider_message_id IS NOT NULL
      AND e.received_at > postroad.now() - $2::interval
      AND NOT EXISTS (SELECT FROM tracking.matches m WHERE m.tenant_id = e.tenant_id AND m.event_id = e.event_id)
), found AS MATERIALIZED (
    SELECT y.*, m.*
    FROM young y
    CROSS JOIN LATERAL (
        SELECT message_id, enrollment_id, contact_id, sequence_id, step_key, recipient, state
        FROM views.messages m
        WHERE m.tenant_id = y.tenant_id AND m.provider_message_id = y.provider_message_id
        ORDER BY created_at DESC
        LIMIT 1
    ) AS m
    LIMIT $3
), placed AS MATERIALIZED (
    INSERT INTO tracking.feeds AS feed (tenant_id, last_position, received_at)
    SELECT tenant_id, count(*), postroad.now() FROM found GROUP BY tenant_id ORDER BY tenant_id
    ON CONFLICT (tenant_id) DO UPDATE
        SET last_position = feed.last_position + excluded.last_position,
            received_at = greatest(feed.received_at, postroad.now())
    RETURNING tenant_id, last_position
), matched AS (
    INSERT INTO tracking.matches (tenant_id, event_id, message_id, enrollment_id, contact_id, sequence_id, step_key,
                                  position)
    SELECT tenant_id, event_id, message_id, enrollment_id, contact_id, sequence_id, step_key,
           placed.last_position + 1 - row_number() OVER (PARTITION BY tenant_id ORDER BY received_at DESC, event_id DESC)
    FROM found JOIN placed USING (tenant_id)
    ORDER BY tenant_id, event_id
    ON CONFLICT DO NOTHING
    RETURNING event_id
), engaged AS (
    INSERT INTO tracking.contact_engagement AS g
        (tenant_id, contact_id, last_opened_at, last_clicked_at, last_replied_at, opens, clicks, replies)
    SELECT tenant_id, contact_id, max(occurred_at) FILTER (WHERE type = 'opened'),
           max(occurred_at) FILTER (WHERE type = 'clicked'), max(occurred_at) FILTER (WHERE type = 'replied'),
           count(*) FILTER (WHERE type = 'opened'), count(*) FILTER (WHERE type = 'clicked'),
           count(*) FILTER (WHERE type = 'replied')
    FROM found JOIN matched USING (event_id)
    WHERE person_id IS NULL
      AND NOT EXISTS (SELECT FROM tracking.erasures e WHERE e.tenant_id = found.tenant_id AND e.contact_id = found.contact_id)
      AND type IN ('opened', 'clicked', 'replied') AND NOT machine
    GROUP BY tenant_id, contact_id
    ORDER BY tenant_id, contact_id
    ON CONFLICT (tenant_id, contact_id) DO UPDATE
    SET last_opened_at = greatest(g.last_opened_at, excluded.last_opened_at),
        last_clicked_at = greatest(g.last_clicked_at, excluded.last_clicked_at),
        last_replied_at = greatest(g.last_replied_at, excluded.last_replied_at),
        opens = g.opens + excluded.opens, clicks = g.clicks + excluded.clicks, replies = g.replies + excluded.replies
)
SELECT f.tenant_id, f.event_id, f.received_at, f.occurred_at, f.type, f.bounce_type, f.url, f.machine, f.message_id,
       f.enrollment_id, f.contact_id, f.sequence_id, f.step_key, f.recipient AS address, f.state AS message_state
FROM found f JOIN matched USING (event_id);

-- name: tenants_with_unmatched
-- Whose events of so long ago at most still look for their message, a page of tenants at a time: ids only.
SELECT tracking.tenants_with_unmatched($1::uuid, $2::interval, $3::integer) AS tenant_id;

-- name: make_partitions
-- The months to come get their partitions before the first event does.
SELECT tracking.make_event_partitions($1::integer);
