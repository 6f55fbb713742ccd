-- migrate:up
SET ROLE postroad_owner;

CREATE TABLE sequence.tenants (
    tenant_id       uuid PRIMARY KEY,
    name            text NOT NULL CHECK (name <> ''),
    timezone        text NOT NULL DEFAULT 'UTC',
    postal_address  text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT postroad.now()
);
CALL postroad.wall('sequence.tenants');

CREATE TABLE sequence.api_keys (
    tenant_id    uuid NOT NULL REFERENCES sequence.tenants,
    api_key_id   uuid NOT NULL,
    name         text NOT NULL,
    role         text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    secret_hash  bytea NOT NULL,  -- SHA-256 of 32 random bytes: nothing to guess, so no slow hash
    created_at   timestamptz NOT NULL DEFAULT postroad.now(),
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_id, api_key_id)
);
CALL postroad.wall('sequence.api_keys');

CREATE TABLE sequence.contacts (
    tenant_id    uuid NOT NULL REFERENCES sequence.tenants,
    contact_id   uuid NOT NULL,
    kind         text NOT NULL DEFAULT 'lead' CHECK (kind IN ('lead', 'party')),
    email        text NOT NULL CHECK (email = lower(email)),
    external_id  text,
    first_name   text NOT NULL DEFAULT '',
    last_name    text NOT NULL DEFAULT '',
    company      text NOT NULL DEFAULT '',
    timezone     text,  -- IANA name; null: the tenant's
    attributes   jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT postroad.now(),
    updated_at   timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, contact_id)
);
CREATE UNIQUE INDEX contacts_email ON sequence.contacts (tenant_id, email);
CREATE UNIQUE INDEX contacts_external_id ON sequence.contacts (tenant_id, external_id) WHERE external_id IS NOT NULL;
CALL postroad.wall('sequence.contacts');

CREATE TABLE sequence.templates (
    tenant_id        uuid NOT NULL REFERENCES sequence.tenants,
    template_id      uuid NOT NULL,
    name             text NOT NULL,
    current_version  integer NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT postroad.now(),
    updated_at       timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, template_id)
);
CREATE UNIQUE INDEX templates_name ON sequence.templates (tenant_id, name);
CALL postroad.wall('sequence.templates');

CREATE TABLE sequence.template_versions (
    tenant_id    uuid NOT NULL,
    template_id  uuid NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    subject      text NOT NULL,
    html         text NOT NULL,
    text         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, template_id, version),
    FOREIGN KEY (tenant_id, template_id) REFERENCES sequence.templates ON DELETE CASCADE
);
CALL postroad.wall('sequence.template_versions');

CREATE TABLE sequence.senders (
    tenant_id        uuid NOT NULL REFERENCES sequence.tenants,
    sender_id        uuid NOT NULL,
    name             text NOT NULL,
    from_email       text NOT NULL,
    from_name        text NOT NULL DEFAULT '',
    reply_to         text,
    esp              text NOT NULL DEFAULT 'smtp' CHECK (esp IN ('smtp', 'sendgrid', 'postmark')),
    host             text NOT NULL,
    port             integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    security         text NOT NULL DEFAULT 'starttls' CHECK (security IN ('none', 'starttls', 'tls')),
    username         text,
    password_sealed  bytea,
    max_connections  integer NOT NULL DEFAULT 10 CHECK (max_connections BETWEEN 1 AND 200),
    paused_at        timestamptz,  -- by a person; the sender service's own pause is delivery.sender_state
    created_at       timestamptz NOT NULL DEFAULT postroad.now(),
    updated_at       timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, sender_id)
);
CREATE UNIQUE INDEX senders_name ON sequence.senders (tenant_id, name);
CALL postroad.wall('sequence.senders');

CREATE TABLE sequence.sequences (
    tenant_id       uuid NOT NULL REFERENCES sequence.tenants,
    sequence_id     uuid NOT NULL,
    name            text NOT NULL,
    state           text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'active', 'paused', 'archived')),
    active_version  integer,
    created_at      timestamptz NOT NULL DEFAULT postroad.now(),
    updated_at      timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, sequence_id),
    CHECK (state = 'draft' OR active_version IS NOT NULL OR state = 'archived')
);
CREATE UNIQUE INDEX sequences_name ON sequence.sequences (tenant_id, name);
CALL postroad.wall('sequence.sequences');

-- A version is a draft until activated_at is set, and from then on never changes.
CREATE TABLE sequence.sequence_versions (
    tenant_id     uuid NOT NULL,
    sequence_id   uuid NOT NULL,
    version       integer NOT NULL CHECK (version > 0),
    sender_id     uuid NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT postroad.now(),
    activated_at  timestamptz,
    PRIMARY KEY (tenant_id, sequence_id, version),
    FOREIGN KEY (tenant_id, sequence_id) REFERENCES sequence.sequences ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, sender_id) REFERENCES sequence.senders
);
CREATE UNIQUE INDEX sequence_versions_one_draft ON sequence.sequence_versions (tenant_id, sequence_id)
    WHERE activated_at IS NULL;
CALL postroad.wall('sequence.sequence_versions');

ALTER TABLE sequence.sequences ADD FOREIGN KEY (tenant_id, sequence_id, active_version)
    REFERENCES sequence.sequence_versions (tenant_id, sequence_id, version) DEFERRABLE INITIALLY DEFERRED;

-- step_key lives across versions and is what the ledger is unique on; number is the order inside one version.
CREATE TABLE sequence.steps (
    tenant_id         uuid NOT NULL,
    sequence_id       uuid NOT NULL,
    version           integer NOT NULL,
    number            integer NOT NULL CHECK (number > 0),
    step_key          text NOT NULL CHECK (step_key ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    kind              text NOT NULL CHECK (kind IN ('email')),
    delay_seconds     bigint NOT NULL CHECK (delay_seconds BETWEEN 0 AND 31536000),
    preferred_time    time,           -- wall clock in the contact's zone; null: as soon as the delay is over
    template_id       uuid NOT NULL,
    template_version  integer,        -- null in a draft: pinned on activation
    thread            text NOT NULL DEFAULT 'new' CHECK (thread IN ('new', 'reply')),
    PRIMARY KEY (tenant_id, sequence_id, version, number),
    FOREIGN KEY (tenant_id, sequence_id, version) REFERENCES sequence.sequence_versions ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, template_id) REFERENCES sequence.templates,
    FOREIGN KEY (tenant_id, template_id, template_version) REFERENCES sequence.template_versions
);
CREATE UNIQUE INDEX steps_key ON sequence.steps (tenant_id, sequence_id, version, step_key);
CREATE INDEX steps_template ON sequence.steps (tenant_id, template_id);
CALL postroad.wall('sequence.steps');

CREATE FUNCTION sequence.refuse_change_of_activated() RETURNS trigger LANGUAGE plpgsql AS
$$
DECLARE
    changed record := CASE WHEN TG_OP = 'INSERT' THEN NEW ELSE OLD END;
BEGIN
    IF EXISTS (SELECT FROM sequence.sequence_versions v
               WHERE v.tenant_id = changed.tenant_id AND v.sequence_id = changed.sequence_id
                 AND v.version = changed.version AND v.activated_at IS NOT NULL) THEN
        RAISE EXCEPTION 'version % is activated and immutable', changed.version USING ERRCODE = 'check_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER immutable_once_activated BEFORE INSERT OR UPDATE OR DELETE ON sequence.steps
    FOR EACH ROW EXECUTE FUNCTION sequence.refuse_change_of_activated();
CREATE TRIGGER immutable_once_activated BEFORE UPDATE OR DELETE ON sequence.sequence_versions
    FOR EACH ROW WHEN (OLD.activated_at IS NOT NULL) EXECUTE FUNCTION postroad.refuse_change();
CALL postroad.append_only('sequence.template_versions');
DROP TRIGGER append_only ON sequence.template_versions;
CREATE TRIGGER append_only BEFORE UPDATE ON sequence.template_versions
    FOR EACH ROW EXECUTE FUNCTION postroad.refuse_change();

-- intent is what is wanted; schedule.progress is what is.
CREATE TABLE sequence.enrollments (
    tenant_id      uuid NOT NULL,
    enrollment_id  uuid NOT NULL,
    sequence_id    uuid NOT NULL,
    version        integer NOT NULL,
    contact_id     uuid NOT NULL,
    intent         text NOT NULL DEFAULT 'run' CHECK (intent IN ('run', 'pause', 'stop')),
    intent_at      timestamptz NOT NULL DEFAULT postroad.now(),
    traceparent    text,  -- W3C, when the creating call was sampled: the trace of all that follows
    created_at     timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, enrollment_id),
    FOREIGN KEY (tenant_id, sequence_id, version) REFERENCES sequence.sequence_versions,
    FOREIGN KEY (tenant_id, contact_id) REFERENCES sequence.contacts
);
CREATE INDEX enrollments_contact ON sequence.enrollments (tenant_id, contact_id);
CREATE INDEX enrollments_sequence ON sequence.enrollments (tenant_id, sequence_id, enrollment_id);
CREATE INDEX enrollments_created ON sequence.enrollments (tenant_id, created_at);
-- Pauses and stops by their time: the scheduler compares the young ones with what it has applied.
CREATE INDEX enrollments_intent ON sequence.enrollments (tenant_id, intent_at) WHERE intent <> 'run';
CALL postroad.wall('sequence.enrollments');

-- At most one running enrollment per contact and exclusivity scope. The API inserts, the scheduler deletes
-- in the transaction that ends the enrollment: the one sanctioned cross-write.
CREATE TABLE sequence.active_slots (
    tenant_id      uuid NOT NULL,
    contact_id     uuid NOT NULL,
    scope          text NOT NULL,  -- 'sequence:<id>'
    enrollment_id  uuid NOT NULL,
    PRIMARY KEY (tenant_id, contact_id, scope),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES sequence.contacts
);
CREATE INDEX active_slots_enrollment ON sequence.active_slots (tenant_id, enrollment_id);
CALL postroad.wall('sequence.active_slots');

-- Every pause, resume and stop that was asked for through the API: of a sequence, of one of its enrollments, of a
-- sender, or of an address (a manual suppression and its lifting). A stop is acknowledged when what was on the wire
-- has drained or is listed; from then on, until the next resume of the same subject, nothing of it may begin.
CREATE TABLE sequence.intents (
    tenant_id        uuid NOT NULL,
    intent_id        uuid NOT NULL,
    sequence_id      uuid,
    enrollment_id    uuid,  -- null: the whole sequence
    sender_id        uuid,
    email            text CHECK (email = lower(email)),
    intent           text NOT NULL CHECK (intent IN ('run', 'pause', 'stop')),
    requested_at     timestamptz NOT NULL DEFAULT postroad.now(),
    acknowledged_at  timestamptz,
    on_the_wire      uuid[] NOT NULL DEFAULT '{}',  -- message ids
    PRIMARY KEY (tenant_id, intent_id),
    CHECK (num_nonnulls(sequence_id, sender_id, email) = 1),
    CHECK (enrollment_id IS NULL OR sequence_id IS NOT NULL),
    FOREIGN KEY (tenant_id, sequence_id) REFERENCES sequence.sequences ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, sender_id) REFERENCES sequence.senders ON DELETE CASCADE
);
CREATE INDEX intents_subject ON sequence.intents (tenant_id, sequence_id, enrollment_id, requested_at);
CREATE INDEX intents_sender ON sequence.intents (tenant_id, sender_id, requested_at) WHERE sender_id IS NOT NULL;
CREATE INDEX intents_email ON sequence.intents (tenant_id, email, requested_at) WHERE email IS NOT NULL;
CALL postroad.wall('sequence.intents');

-- Addresses a person has suppressed. What bounced, complained or unsubscribed is in delivery and tracking.
CREATE TABLE sequence.suppressions (
    tenant_id   uuid NOT NULL REFERENCES sequence.tenants,
    email       text NOT NULL CHECK (email = lower(email)),
    reason      text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, email)
);
CALL postroad.wall('sequence.suppressions');

-- An ESP's inbound endpoint at the tracker. secrets_sealed holds JSON: {"public_keys": [...]} or {"credentials": [...]}.
CREATE TABLE sequence.webhook_sources (
    tenant_id       uuid NOT NULL REFERENCES sequence.tenants,
    source_id       uuid NOT NULL,
    name            text NOT NULL,
    esp             text NOT NULL CHECK (esp IN ('sendgrid', 'postmark')),
    secrets_sealed  bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, source_id)
);
CALL postroad.wall('sequence.webhook_sources');

CREATE TABLE sequence.outbox (
    tenant_id    uuid NOT NULL,
    outbox_id    bigint GENERATED ALWAYS AS IDENTITY,
    type         text NOT NULL,
    body         bytea NOT NULL,
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, outbox_id)
);
CALL postroad.wall('sequence.outbox');
CALL postroad.show_to_definer('sequence.outbox');
CALL postroad.show_to_definer('sequence.enrollments');
CALL postroad.show_to_definer('sequence.intents');
RESET ROLE;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
