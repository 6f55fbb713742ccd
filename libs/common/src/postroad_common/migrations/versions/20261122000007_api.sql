-- migrate:up
SET ROLE postroad_owner;

-- What an editor's If-Match is compared with: grows by one with every change of the row.
CREATE FUNCTION postroad.next_revision() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END
$$;

-- Gives a table its revision.
CREATE PROCEDURE postroad.count_revisions(target regclass) LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE format('ALTER TABLE %s ADD COLUMN revision bigint NOT NULL DEFAULT 1', target);
    EXECUTE format('CREATE TRIGGER revision BEFORE UPDATE ON %s FOR EACH ROW '
                   'EXECUTE FUNCTION postroad.next_revision()', target);
END
$$;
CALL postroad.count_revisions('sequence.tenants');
CALL postroad.count_revisions('sequence.contacts');
CALL postroad.count_revisions('sequence.templates');
CALL postroad.count_revisions('sequence.senders');
CALL postroad.count_revisions('sequence.sequences');

ALTER TABLE sequence.api_keys
    ADD COLUMN scopes       text[],       -- null: all that the role may
    ADD COLUMN expires_at   timestamptz,
    ADD COLUMN last_used_at timestamptz;  -- to the minute

-- What a POST with an Idempotency-Key did, so that it is done once and answered alike. The row is written in the
-- transaction of what it stands for; status is null while a request of several transactions is under way.
-- Per API key: what a key with more rights was answered is not another's to read.
CREATE TABLE sequence.idempotency_keys (
    tenant_id     uuid NOT NULL,
    api_key_id    uuid NOT NULL,
    key           text NOT NULL,
    request_hash  bytea NOT NULL,  -- SHA-256 of method, path, query and body
    status        smallint,
    headers       jsonb,
    body_sealed   bytea,           -- answers may hold secrets that are shown once
    claimed_at    timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, api_key_id, key)
);
CREATE INDEX idempotency_keys_created ON sequence.idempotency_keys (created_at, tenant_id);
CALL postroad.wall('sequence.idempotency_keys');
CALL postroad.show_to_definer('sequence.idempotency_keys');
RESET ROLE;

-- Tenants with keys that are old enough to be forgotten.
CREATE FUNCTION sequence.tenants_with_idempotency_keys(older_than interval, up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    SELECT DISTINCT tenant_id FROM sequence.idempotency_keys
    WHERE created_at < postroad.now() - older_than
    LIMIT up_to
$$;
GRANT CREATE ON SCHEMA sequence TO postroad_definer;
ALTER FUNCTION sequence.tenants_with_idempotency_keys OWNER TO postroad_definer;
REVOKE CREATE ON SCHEMA sequence FROM postroad_definer;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
