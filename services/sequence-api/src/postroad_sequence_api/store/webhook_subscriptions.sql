-- Webhook subscriptions. Secrets are sealed; none of these statements but `claim` of deliveries and `signing_secrets` reads them.

-- name: count_subscriptions
SELECT count(*) FROM sequence.webhook_subscriptions WHERE tenant_id = $1;

-- name: insert_subscription
INSERT INTO sequence.webhook_subscriptions
    (tenant_id, subscription_id, url, event_types, description, secret_sealed, disabled_at, disabled_reason)
VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7::boolean THEN NULL ELSE postroad.now() END,
        CASE WHEN $7::boolean THEN NULL ELSE 'manual' END);

-- name: subscriptions
-- A page of subscriptions, oldest first, or one ($2).
SELECT subscription_id AS id, url, event_types, description, disabled_at IS NULL AS enabled, disabled_at, disabled_reason,
       failing_since, held_until,
       CASE WHEN previous_secret_until > postroad.now() THEN previous_secret_until END AS previous_secret_until,
       revision, created_at, updated_at
FROM sequence.webhook_subscriptions
WHERE tenant_id = $1 AND ($2::uuid IS NULL OR subscription_id = $2) AND ($3::uuid IS NULL OR subscription_id > $3)
ORDER BY subscription_id
LIMIT $4;

-- name: lock_subscription
SELECT subscription_id AS id, url, event_types, description, disabled_at IS NULL AS enabled, revision
FROM sequence.webhook_subscriptions
WHERE tenant_id = $1 AND subscription_id = $2
FOR NO KEY UPDATE;

-- name: update_subscription
-- Enabling it forgets its failures; what waits is due when it was.
UPDATE sequence.webhook_subscriptions
SET url = $3, event_types = $4, description = $5,
    disabled_at = CASE WHEN $6::boolean THEN NULL ELSE coalesce(disabled_at, postroad.now()) END,
    disabled_reason = CASE WHEN $6::boolean THEN NULL ELSE coalesce(disabled_reason, 'manual') END,
    failing_since = CASE WHEN $6::boolean AND disabled_at IS NOT NULL THEN NULL ELSE failing_since END,
    last_failed_at = CASE WHEN $6::boolean AND disabled_at IS NOT NULL THEN NULL ELSE last_failed_at END,
    held_until = CASE WHEN $6::boolean AND disabled_at IS NOT NULL THEN NULL ELSE held_until END,
    revision = revision + 1, updated_at = postroad.now()
WHERE tenant_id = $1 AND subscription_id = $2;

-- name: rotate_secret
-- The current secret becomes the previous one, valid for a while ($4); the one before that goes.
UPDATE sequence.webhook_subscriptions
SET previous_secret_sealed = secret_sealed, previous_secret_until = postroad.now() + $4::interval, secret_sealed = $3,
    revision = revision + 1, updated_at = postroad.now()
WHERE tenant_id = $1 AND subscription_id = $2
RETURNING subscription_id;

-- name: signing_secrets
-- The secrets that sign now, for a test.
SELECT url, secret_sealed, CASE WHEN previous_secret_until > postroad.now() THEN previous_secret_sealed END
           AS previous_secret_sealed, postroad.now() AS now
FROM sequence.webhook_subscriptions
WHERE tenant_id = $1 AND subscription_id = $2;

-- name: empty_subscription
-- Some of the deliveries of a subscription that is to go.
WITH of_it AS (
    SELECT delivery_id FROM sequence.webhook_deliveries WHERE tenant_id = $1 AND subscription_id = $2 LIMIT $3
), gone AS (
    DELETE FROM sequence.webhook_deliveries d USING of_it
    WHERE d.tenant_id = $1 AND d.delivery_id = of_it.delivery_id
    RETURNING d.delivery_id
)
SELECT count(*) FROM gone;

-- name: delete_subscription
DELETE FROM sequence.webhook_subscriptions
WHERE tenant_id = $1 AND subscription_id = $2
RETURNING subscription_id;
