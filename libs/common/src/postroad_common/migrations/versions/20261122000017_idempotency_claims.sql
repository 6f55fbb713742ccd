-- migrate:up
SET ROLE postroad_owner;
-- A long request with a key shows again and again that it is under way; claimed_at tells its claim from a later one.
ALTER TABLE sequence.idempotency_keys ADD COLUMN seen_at timestamptz;
RESET ROLE;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
