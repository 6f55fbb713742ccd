-- migrate:up
SET ROLE postroad_owner;

-- Whose data was erased: the id, which says nothing about anybody any more. Of each service its own, so that each tells
-- when it is done, and knows whom it must not write of again. xid: the next transaction to begin when the row was there for
-- all to see; once everything before it has ended, nobody can still write who has not seen it.
CREATE TABLE sequence.erasures (
    tenant_id   uuid NOT NULL REFERENCES sequence.tenants,
    contact_id  uuid NOT NULL,
    erased_at   timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, contact_id)
);
CALL postroad.wall('sequence.erasures');
CREATE TABLE delivery.erasures (
    tenant_id   uuid NOT NULL,
    contact_id  uuid NOT NULL,
    xid         xid8,
    told_at     timestamptz NOT NULL DEFAULT postroad.now(),
    erased_at   timestamptz,
    PRIMARY KEY (tenant_id, contact_id)
);
CALL postroad.wall('delivery.erasures');
CREATE TABLE tracking.erasures (LIKE delivery.erasures INCLUDING ALL);
CALL postroad.wall('tracking.erasures');

-- An enrollment is a record that outlives its contact: it keeps the id. Whoever enrolls locks the contact.
ALTER TABLE sequence.enrollments DROP CONSTRAINT enrollments_tenant_id_contact_id_fkey;
ALTER TABLE sequence.active_slots DROP CONSTRAINT active_slots_tenant_id_contact_id_fkey;

-- The ledger keeps its rows for ever. A mail that was rendered before the erasure may still ask for its permit after it,
-- and be refused: its row names nobody.
CREATE FUNCTION delivery.keep_erased() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF EXISTS (SELECT FROM delivery.erasures e WHERE e.tenant_id = NEW.tenant_id AND e.contact_id = NEW.contact_id) THEN
        NEW.recipient := NEW.contact_id || '@erased.invalid';
        NEW.subject := NULL;
        NEW.reply_text := NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_erased BEFORE INSERT OR UPDATE OF recipient, subject, reply_text ON delivery.messages
    FOR EACH ROW EXECUTE FUNCTION delivery.keep_erased();

-- Events stay as they are, for everybody, but for what may name a person: that can become null.
CREATE FUNCTION tracking.refuse_change_of_event() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.detail IS NULL AND NEW.url IS NULL
       AND to_jsonb(NEW) - 'detail' - 'url' = to_jsonb(OLD) - 'detail' - 'url' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_RELID::regclass, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
DROP TRIGGER append_only ON tracking.events;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tracking.events
    FOR EACH ROW EXECUTE FUNCTION tracking.refuse_change_of_event();
CREATE INDEX events_contact ON tracking.events (tenant_id, contact_id)
    WHERE enrollment_id IS NULL AND contact_id IS NOT NULL;
CREATE INDEX event_personal_data_recipient ON tracking.event_personal_data (tenant_id, lower(recipient))
    WHERE recipient IS NOT NULL;
RESET ROLE;

-- Blanks what may name these people in their events, within the wall of the caller's transaction.
CREATE FUNCTION tracking.blank_events(tenant uuid, people uuid[], ways uuid[]) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS
$$
    UPDATE tracking.events SET detail = NULL, url = NULL
    WHERE tenant_id = tenant AND (detail IS NOT NULL OR url IS NOT NULL)
      AND (enrollment_id = ANY (ways)
           OR enrollment_id IS NULL AND contact_id = ANY (people)
           OR message_id IS NULL AND event_id = ANY (ARRAY(
               SELECT m.event_id FROM tracking.matches m WHERE m.tenant_id = tenant AND m.enrollment_id = ANY (ways))))
$$;
GRANT CREATE ON SCHEMA tracking TO postroad_definer;
ALTER FUNCTION tracking.blank_events OWNER TO postroad_definer;
REVOKE CREATE ON SCHEMA tracking FROM postroad_definer;

-- Who has erased whom.
CREATE VIEW views.erasures AS
    SELECT tenant_id, contact_id, 'sender' AS service FROM delivery.erasures WHERE erased_at IS NOT NULL
    UNION ALL
    SELECT tenant_id, contact_id, 'tracker' FROM tracking.erasures WHERE erased_at IS NOT NULL;
ALTER VIEW views.erasures OWNER TO postroad_views;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
