-- migrate:up
CREATE SCHEMA postroad AUTHORIZATION postroad_owner;
CREATE SCHEMA sequence AUTHORIZATION postroad_owner;
CREATE SCHEMA schedule AUTHORIZATION postroad_owner;
CREATE SCHEMA delivery AUTHORIZATION postroad_owner;
CREATE SCHEMA tracking AUTHORIZATION postroad_owner;
CREATE SCHEMA views AUTHORIZATION postroad_views;
GRANT USAGE ON SCHEMA postroad, sequence, schedule, delivery, tracking TO postroad_views, postroad_definer;
SET ROLE postroad_owner;

-- The one clock that says what is due. Test databases replace it to travel in time.
CREATE FUNCTION postroad.now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT clock_timestamp()';

-- The tenants of the transaction in hand; none set means none seen.
CREATE FUNCTION postroad.tenants() RETURNS uuid[]
    LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT string_to_array(nullif(current_setting('app.tenants', true), ''), ',')::uuid[] $$;

-- Puts the tenant wall on a table, partitions included (each must be named: a partition does not inherit it).
-- IS TRUE changes nothing but the plans: statements name their tenant, and an index condition on it twice makes the
-- planner believe that any index which begins with the tenant finds one row.
CREATE PROCEDURE postroad.wall(target regclass) LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY tenants ON %s USING ((tenant_id = ANY ((SELECT postroad.tenants())::uuid[])) IS TRUE)', target);
END
$$;

-- Lets the functions that look across tenants read a table. They return ids only.
CREATE PROCEDURE postroad.show_to_definer(target regclass) LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE format('CREATE POLICY definer ON %s FOR SELECT TO postroad_definer USING (true)', target);
END
$$;

CREATE FUNCTION postroad.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_RELID::regclass, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Makes a table append-only for everybody, its owner included.
CREATE PROCEDURE postroad.append_only(target regclass) LANGUAGE plpgsql AS
$$
BEGIN
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s FOR EACH ROW '
                   'EXECUTE FUNCTION postroad.refuse_change()', target);
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT '
                   'EXECUTE FUNCTION postroad.refuse_change()', target);
END
$$;
RESET ROLE;

-- migrate:down
DO $$ BEGIN RAISE EXCEPTION 'forward only: what a release did is undone by the next release'; END $$;
