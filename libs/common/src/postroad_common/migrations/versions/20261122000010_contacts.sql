-- migrate:up
SET ROLE postroad_owner;

-- Text as it is compared: case does not count, in any script, whatever the locale of the server.
CREATE FUNCTION postroad.folded(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT lower(value COLLATE "und-x-icu") COLLATE "C" $$;

-- The companies that contacts belong to.
CREATE TABLE sequence.accounts (
    tenant_id    uuid NOT NULL REFERENCES sequence.tenants,
    account_id   uuid NOT NULL,
    name         text NOT NULL CHECK (name <> ''),
    domain       text CHECK (domain = lower(domain)),
    external_id  text,
    attributes   jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT postroad.now(),
    updated_at   timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, account_id)
);
CREATE UNIQUE INDEX accounts_external_id ON sequence.accounts (tenant_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX accounts_domain ON sequence.accounts (tenant_id, domain, account_id) WHERE domain IS NOT NULL;
CALL postroad.count_revisions('sequence.accounts');
CALL postroad.wall('sequence.accounts');

-- What custom attributes are of which type. indexed: contact_values holds the values of all contacts, once the filling
-- has come to the end; indexed_to is how far it has come, null when it is there.
CREATE TABLE sequence.attributes (
    tenant_id     uuid NOT NULL REFERENCES sequence.tenants,
    attribute_id  uuid NOT NULL,
    entity        text NOT NULL CHECK (entity IN ('contact', 'account')),
    name          text NOT NULL CHECK (name <> ''),
    type          text NOT NULL CHECK (type IN ('text', 'number', 'boolean', 'date', 'datetime')),
    description   text NOT NULL DEFAULT '',
    indexed       boolean NOT NULL DEFAULT false,
    indexed_to    uuid,
    archived_at   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT postroad.now(),
    updated_at    timestamptz NOT NULL DEFAULT postroad.now(),
    PRIMARY KEY (tenant_id, attribute_id),
    CHECK (NOT indexed OR (entity = 'contact' AND archived_at IS NULL)),
    CHECK (indexed OR indexed_to IS NULL)
);
CREATE UNIQUE INDEX attributes_name ON sequence.attributes (tenant_id, entity, name);
CALL postroad.count_revisions('sequence.attributes');
CREATE INDEX attributes_filling ON sequence.attributes (tenant_id) WHERE indexed_to IS NOT NULL;
CALL postroad.wall('sequence.attributes');
CALL postroad.show_to_definer('sequence.attributes');

-- Values of attributes as filters compare them; null when the value is of another type. Moments are texts of one form,
-- which sort as the moments do: no cast that could fail, and a text comparison is leakproof.
CREATE FUNCTION sequence.text_value(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE jsonb_typeof(value) WHEN 'string' THEN postroad.folded(value #>> '{}') END $$;
CREATE FUNCTION sequence.number_value(value jsonb) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE jsonb_typeof(value) WHEN 'number' THEN (value #>> '{}')::double precision END $$;
CREATE FUNCTION sequence.flag_value(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE jsonb_typeof(value) WHEN 'boolean' THEN (value #>> '{}') COLLATE "C" END $$;
CREATE FUNCTION sequence.moment_value(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT CASE WHEN jsonb_typeof(value) <> 'string' THEN NULL
                WHEN value #>> '{}' ~ '^\d{4}-\d\d-\d\d$' THEN (value #>> '{}') || 'T00:00:00.000Z'
                WHEN value #>> '{}' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$' THEN value #>> '{}'
           END COLLATE "C"
$$;

-- The values of indexed attributes, by value. Candidates for filters: whoever is found here is looked at again.
-- Texts are cut to what an index entry can hold. No foreign keys: triggers write it, and attributes are never deleted.
CREATE TABLE sequence.contact_values (
    tenant_id     uuid NOT NULL,
    attribute_id  uuid NOT NULL,
    contact_id    uuid NOT NULL,
    text_value    text COLLATE "C",
    number_value  double precision,
    PRIMARY KEY (tenant_id, attribute_id, contact_id),
    CHECK (num_nonnulls(text_value, number_value) = 1)
);
CREATE INDEX contact_values_text ON sequence.contact_values (tenant_id, attribute_id, text_value, contact_id)
    WHERE text_value IS NOT NULL;
CREATE INDEX contact_values_number ON sequence.contact_values (tenant_id, attribute_id, number_value, contact_id)
    WHERE number_value IS NOT NULL;
CALL postroad.wall('sequence.contact_values');

-- What an index entry is made of: the attribute's value as its type says, null when it has none.
CREATE FUNCTION sequence.indexed_text(type text, value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$
    SELECT CASE type WHEN 'text' THEN left(sequence.text_value(value), 200)
                     WHEN 'boolean' THEN sequence.flag_value(value)
                     WHEN 'date' THEN sequence.moment_value(value)
                     WHEN 'datetime' THEN sequence.moment_value(value) END COLLATE "C"
$$;
CREATE FUNCTION sequence.indexed_number(type text, value jsonb) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE type WHEN 'number' THEN sequence.number_value(value) END $$;

-- Keeps contact_values in the statement that writes contacts. The shared lock lets whoever switches an index on wait
-- for all writers that may not have seen it.
CREATE FUNCTION sequence.index_contact_values() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM sequence.contact_values v
        USING gone g
        JOIN sequence.attributes a ON a.tenant_id = g.tenant_id AND a.indexed
        WHERE v.tenant_id = g.tenant_id AND v.attribute_id = a.attribute_id AND v.contact_id = g.contact_id;
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(hashtext('sequence.contact_values'), hashtext(t.tenant_id::text))
    FROM (SELECT DISTINCT tenant_id FROM changed) AS t;
    IF NOT EXISTS (SELECT FROM sequence.attributes a
                   WHERE a.tenant_id IN (SELECT tenant_id FROM changed) AND a.indexed) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM sequence.contact_values v
        USING changed c
        JOIN sequence.attributes a ON a.tenant_id = c.tenant_id AND a.indexed
        WHERE v.tenant_id = c.tenant_id AND v.attribute_id = a.attribute_id AND v.contact_id = c.contact_id
          AND (sequence.indexed_text(a.type, c.attributes -> a.name) IS DISTINCT FROM v.text_value
               OR sequence.indexed_number(a.type, c.attributes -> a.name) IS DISTINCT FROM v.number_value);
    END IF;
    INSERT INTO sequence.contact_values (tenant_id, attribute_id, contact_id, text_value, number_value)
    SELECT tenant_id, attribute_id, contact_id, text_value, number_value
    FROM (SELECT c.tenant_id, a.attribute_id, c.contact_id,
                 sequence.indexed_text(a.type, c.attributes -> a.name) AS text_value,
                 sequence.indexed_number(a.type, c.attributes -> a.name) AS number_value
          FROM changed c
          JOIN sequence.attributes a ON a.tenant_id = c.tenant_id AND a.indexed
          WHERE c.attributes ? a.name) AS found
    WHERE text_value IS NOT NULL OR number_value IS NOT NULL
    ORDER BY attribute_id, contact_id
    ON CONFLICT (tenant_id, attribute_id, contact_id)
        DO UPDATE SET text_value = excluded.text_value, number_value = excluded.number_value
        WHERE (contact_values.text_value, contact_values.number_value)
              IS DISTINCT FROM (excluded.text_value, excluded.number_value);
    RETURN NULL;
END
$$;

-- What contacts are looked for by, in the form in which it is compared.
ALTER TABLE sequence.contacts
    ADD COLUMN account_id uuid,
    ADD COLUMN domain text COLLATE "C" NOT NULL GENERATED ALWAYS AS (split_part(email, '@', 2)) STORED,
    ADD COLUMN first_name_folded text COLLATE "C" NOT NULL GENERATED ALWAYS AS (postroad.folded(first_name)) STORED,
    ADD COLUMN last_name_folded text COLLATE "C" NOT NULL GENERATED ALWAYS AS (postroad.folded(last_name)) STORED,
    ADD COLUMN company_folded text COLLATE "C" NOT NULL GENERATED ALWAYS AS (postroad.folded(company)) STORED,
    ADD FOREIGN KEY (tenant_id, account_id) REFERENCES sequence.accounts;
-- Equality as before, and prefixes whatever the collation of the database.
DROP INDEX sequence.contacts_email;
CREATE UNIQUE INDEX contacts_email ON sequence.contacts (tenant_id, email text_pattern_ops);
-- Each ends with the id: those of one value come in the order of pages.
CREATE INDEX contacts_account ON sequence.contacts (tenant_id, account_id, contact_id) WHERE account_id IS NOT NULL;
CREATE INDEX contacts_kind ON sequence.contacts (tenant_id, kind, contact_id);
CREATE INDEX contacts_domain ON sequence.contacts (tenant_id, domain, contact_id);
CREATE INDEX contacts_created ON sequence.contacts (tenant_id, created_at, contact_id);
CREATE INDEX contacts_first_name ON sequence.contacts (tenant_id, first_name_folded, contact_id)
    WHERE first_name_folded <> '';
CREATE INDEX contacts_last_name ON sequence.contacts (tenant_id, last_name_folded, contact_id)
    WHERE last_name_folded <> '';
CREATE INDEX contacts_company ON sequence.contacts (tenant_id, company_folded, contact_id) WHERE company_folded <> '';
CREATE TRIGGER index_values_of_new AFTER INSERT ON sequence.contacts
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sequence.index_contact_values();
CREATE TRIGGER index_values_of_changed AFTER UPDATE ON sequence.contacts
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sequence.index_contact_values();
CREATE TRIGGER index_values_of_gone AFTER DELETE ON sequence.contacts
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION sequence.index_contact_values();

-- The contacts that a sequence ever had, in the order of pages; and those whose way has ended so.
CREATE INDEX enrollments_sequence_contact ON sequence.enrollments (tenant_id, sequence_id, contact_id);
CREATE INDEX progress_ended ON schedule.progress (tenant_id, state, contact_id) WHERE phase = 'ended';

-- What a contact last did, and how often: from the events, in the transaction that stores them. Opens and clicks are
-- those of people: what a provider says that a program did does not count.
CREATE TABLE tracking.contact_engagement (
    tenant_id        uuid NOT NULL,
    contact_id       uuid NOT NULL,
    last_opened_at   timestamptz,
    last_clicked_at  timestamptz,
    last_replied_at  timestamptz,
    opens            integer NOT NULL DEFAULT 0,
    clicks           integer NOT NULL DEFAULT 0,
    replies          integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, contact_id)
) WITH (fillfactor = 80);
CREATE INDEX contact_engagement_opened ON tracking.contact_engagement (tenant_id, last_opened_at, contact_id)
    WHERE last_opened_at IS NOT NULL;
CREATE INDEX contact_engagement_clicked ON tracking.contact_engagement (tenant_id, last_clicked_at, contact_id)
    WHERE last_clicked_at IS NOT NULL;
CREATE INDEX contact_engagement_replied ON tracking.contact_engagement (tenant_id, last_replied_at, contact_id)
    WHERE last_replied_at IS NOT NULL;

-- From the events that are there already. Their wall is down for this transaction only.
ALTER TABLE tracking.events NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tracking.matches NO FORCE ROW LEVEL SECURITY;
INSERT INTO tracking.contact_engagement
    (tenant_id, contact_id, last_opened_at, last_clicked_at, last_replied_at, opens, clicks, replies)
SELECT tenant_id, contact_id, max(occurred_at) FILTER (WHERE type = 'opened'),
       max(occurred_at) FILTER (WHERE type = 'clicked'), max(occurred_at) FILTER (WHERE type = 'replied'),
       count(*) FILTER (WHERE type = 'opened'), count(*) FILTER (WHERE type = 'clicked'),
       count(*) FILTER (WHERE type = 'replied')
FROM (SELECT e.tenant_id, coalesce(e.contact_id, m.contact_id) AS contact_id, e.type, e.occurred_at
      FROM tracking.events e
      LEFT JOIN tracking.matches m ON m.tenant_id = e.tenant_id AND m.event_id = e.event_id
      WHERE e.type IN ('opened', 'clicked', 'replied') AND NOT e.machine) AS done
WHERE contact_id IS NOT NULL
GROUP BY tenant_id, contact_id;
ALTER TABLE tracking.events FORCE ROW LEVEL SECURITY;
ALTER TABLE tracking.matches FORCE ROW LEVEL SECURITY;
CALL postroad.wall('tracking.contact_engagement');
RESET ROLE;

-- Tenants whose indexes of attributes are not filled yet.
CREATE FUNCTION sequence.tenants_with_indexes_to_fill(up_to integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT DISTINCT tenant_id FROM sequence.attributes WHERE indexed_to IS NOT NULL LIMIT up_to $$;
GRANT CREATE ON SCHEMA sequence TO postroad_definer;
ALTER FUNCTION sequence.tenants_with_indexes_to_fill OWNER TO postroad_definer;
REVOKE CREATE ON SCHEMA sequence FROM postroad_definer;

-- company is what mails show: the contact's own, or else the name of its account.
CREATE OR REPLACE VIEW views.contacts AS
    SELECT tenant_id, contact_id, kind, email, external_id, first_name, last_name,
           CASE WHEN c.company = '' AND c.account_id IS NOT NULL
                THEN (SELECT a.name FROM sequence.accounts a
                      WHERE a.tenant_id = c.tenant_id AND a.account_id = c.account_id)
                ELSE c.company END AS company,
           timezone, attributes
    FROM sequence.contacts c;
CREATE VIEW views.contact_engagement AS
    SELECT tenant_id, contact_id, last_opened_at, last_clicked_at, last_replied_at, opens, clicks, replies
    FROM tracking.contact_engagement;
ALTER VIEW views.contact_engagement OWNER TO postroad_views;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
