"""grants.sql is the whole truth: what it names exists, what it does not name does not."""

from importlib.resources import files

import asyncpg

GRANTS = files("postroad_common.migrations").joinpath("grants.sql").read_text()

PRIVILEGES = """
WITH objects AS (
    SELECT 'schema ' || nspname AS object, nspowner AS owner, nspacl AS acl FROM pg_namespace
    WHERE nspname IN ('public', 'postroad', 'sequence', 'schedule', 'delivery', 'tracking', 'views', 'monitor')
    UNION ALL
    SELECT 'table ' || c.oid::regclass, c.relowner, c.relacl FROM pg_class c
    WHERE c.relnamespace::regnamespace::text = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'S')
    UNION ALL
    SELECT 'column ' || c.oid::regclass || '.' || a.attname, c.relowner, a.attacl
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace::regnamespace::text = ANY ($1) AND a.attacl IS NOT NULL
    UNION ALL
    SELECT 'routine ' || p.oid::regprocedure, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p WHERE p.pronamespace::regnamespace::text = ANY ($1)
)
SELECT object || ': ' || CASE grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(grantee) END || ' ' || privilege_type
       || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END AS privilege
FROM objects, aclexplode(acl) WHERE grantee <> owner
"""
SCHEMAS = ["public", "postroad", "sequence", "schedule", "delivery", "tracking", "views", "monitor"]
ROLES = (
    "postroad_sequence_api, postroad_scheduler, postroad_sender, postroad_tracker, postroad_monitor, postroad_views, "
    "postroad_definer"
)


async def privileges(admin: asyncpg.Connection) -> set[str]:
    """Every privilege that anybody but the owner has on our objects."""
    return {row["privilege"] for row in await admin.fetch(PRIVILEGES, SCHEMAS)}


async def test_running_the_grants_again_changes_nothing(admin: asyncpg.Connection) -> None:
    before = await privileges(admin)

    await admin.execute(GRANTS)

    assert len(before) > 100
    assert await privileges(admin) == before


async def test_no_privilege_exists_that_the_grants_do_not_name(admin: asyncpg.Connection) -> None:
    migrated = await privileges(admin)
    for schema in SCHEMAS:
        for objects in (f"SCHEMA {schema}", f"ALL TABLES IN SCHEMA {schema}", f"ALL ROUTINES IN SCHEMA {schema}"):
            await admin.execute(f"REVOKE ALL ON {objects} FROM PUBLIC, {ROLES}")
    await admin.execute("GRANT ALL ON SCHEMA views TO postroad_views")  # its owner
    assert not any("postroad_" in privilege.partition(": ")[2] for privilege in await privileges(admin))

    await admin.execute(GRANTS)

    assert await privileges(admin) == migrated


async def test_a_privilege_given_by_hand_is_gone_after_the_next_migration(admin: asyncpg.Connection) -> None:
    migrated = await privileges(admin)
    await admin.execute(
        """
        GRANT USAGE ON SCHEMA delivery, tracking TO postroad_scheduler;
        GRANT DELETE ON delivery.messages TO postroad_sender;
        GRANT UPDATE (state) ON sequence.sequences TO postroad_tracker;
        GRANT SELECT ON views.contacts TO PUBLIC;
        GRANT EXECUTE ON FUNCTION tracking.make_event_partitions(integer) TO postroad_sender, PUBLIC;
        GRANT CREATE ON SCHEMA public, sequence TO postroad_sequence_api;
        GRANT SELECT ON views.contacts TO postroad_monitor;
        GRANT USAGE ON SCHEMA monitor TO postroad_tracker;
        """
    )
    assert await privileges(admin) != migrated

    await admin.execute(GRANTS)

    assert await privileges(admin) == migrated


async def test_no_service_changes_or_deletes_what_is_append_only(admin: asyncpg.Connection) -> None:
    append_only = (
        "tracking.events",
        "tracking.event_keys",
        "tracking.matches",
        "delivery.attempts",
        "schedule.decisions",
    )
    for privilege in await privileges(admin):
        object_, _, given = privilege.partition(": ")
        if object_.startswith(append_only):
            assert given.split()[1] in {"SELECT", "INSERT"}, privilege


async def test_nobody_may_make_objects_in_the_public_schema(admin: asyncpg.Connection) -> None:
    assert not any(p.startswith("schema public:") and p.endswith("CREATE") for p in await privileges(admin))
