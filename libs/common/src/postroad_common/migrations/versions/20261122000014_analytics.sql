-- migrate:up
SET ROLE postroad_owner;

-- What analytics count of a sequence, from the indexes alone.
DROP INDEX delivery.messages_sequence;
CREATE INDEX messages_sequence ON delivery.messages (sequence_id, step_key, state, tenant_id)
    INCLUDE (message_id, version, transmitting_at, bounce_type);
DROP INDEX tracking.events_sequence;
CREATE INDEX events_sequence ON tracking.events (tenant_id, sequence_id, message_id, type, machine)
    WHERE message_id IS NOT NULL;

-- The API key that asked; null: before keys were noted.
ALTER TABLE sequence.intents ADD COLUMN requested_by uuid;
RESET ROLE;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
