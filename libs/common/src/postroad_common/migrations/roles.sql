-- The roles of Postroad. Run as an administrator, once per cluster, safe to repeat.
--
-- postroad_owner    owns every schema and table; cannot log in
-- postroad_views    owns the contract views; cannot log in, bypasses nothing: row-level security holds behind them
-- postroad_definer  owns the functions that look across tenants and return ids only; cannot log in
-- postroad_<service>  what a service logs in as: owns nothing, bypasses nothing
-- postroad_monitor  what a monitoring program logs in as: sees ids, counts and times across tenants, and no table
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['postroad_owner', 'postroad_views', 'postroad_definer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', role);
        END IF;
    END LOOP;
    FOREACH role IN ARRAY ARRAY[
        'postroad_sequence_api', 'postroad_scheduler', 'postroad_sender', 'postroad_tracker', 'postroad_monitor'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT', role);
        END IF;
    END LOOP;
    -- Managed clusters give an administrator that is no superuser: it must be a member to create objects for them.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT postroad_owner, postroad_views, postroad_definer TO %I', current_user);
    END IF;
END
$$;
