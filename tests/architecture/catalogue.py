"""What the catalogue of a database says against the rules: each check gives the names of what breaks it."""

import asyncpg

SCHEMAS = ["sequence", "schedule", "delivery", "tracking"]

_TABLES = """
SELECT c.oid::regclass::text AS name, c.relrowsecurity, c.relforcerowsecurity, c.relispartition,
       EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnotnull) AS has_tenant
FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text = ANY ($1)
"""

_POLICIES = """
SELECT p.polrelid::regclass::text AS table, p.polname AS name, p.polcmd::text AS command, p.polpermissive AS permissive,
       ARRAY(SELECT CASE role WHEN 0 THEN 'public' ELSE pg_get_userbyid(role) END
             FROM unnest(p.polroles) role) AS roles,
       pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check
FROM pg_policy p
"""

_FOREIGN_KEYS = """
SELECT conrelid::regclass::text AS source, confrelid::regclass::text AS target, conname AS name,
       ARRAY(SELECT a.attname::text FROM unnest(conkey) WITH ORDINALITY k (n, i)
             JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.n ORDER BY k.i) AS source_columns,
       ARRAY(SELECT a.attname::text FROM unnest(confkey) WITH ORDINALITY k (n, i)
             JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = k.n ORDER BY k.i) AS target_columns
FROM pg_constraint WHERE contype = 'f'
"""

_INDEXES = """
SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS table, i.indisunique AS is_unique,
       pg_get_indexdef(i.indexrelid, 1, true) AS first
FROM pg_index i WHERE i.indrelid = ANY ($1::text[]::regclass[])
"""

_VIEWS = """
SELECT c.oid::regclass::text AS name, c.relkind::text AS kind, pg_get_userbyid(c.relowner) AS owner,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS has_tenant
FROM pg_class c
WHERE c.relkind IN ('v', 'm') AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
"""

_DEFINERS = """
SELECT pronamespace::regnamespace || '.' || proname AS name, pg_get_userbyid(proowner) AS owner,
       pg_get_function_result(oid) AS result, coalesce(proconfig, '{}') AS config
FROM pg_proc WHERE prosecdef AND pronamespace::regnamespace::text <> 'pg_catalog'
"""


async def tables(admin: asyncpg.Connection) -> list[asyncpg.Record]:
    """Our tables and partitions: name, relrowsecurity, relforcerowsecurity, relispartition, has_tenant."""
    found: list[asyncpg.Record] = await admin.fetch(_TABLES, SCHEMAS)
    return found


async def tenants_tables(admin: asyncpg.Connection) -> list[str]:
    """Names of those that have a tenant."""
    return [table["name"] for table in await tables(admin) if table["has_tenant"]]


async def unwalled(admin: asyncpg.Connection) -> list[str]:
    """Tenants' tables that do not hold everybody, their owner included, to the tenants of the transaction."""
    policies = [policy for policy in await admin.fetch(_POLICIES) if policy["name"] == "tenants"]
    walls = {policy["table"]: policy for policy in policies if _is_wall(policy)}
    return [
        table["name"]
        for table in await tables(admin)
        if table["has_tenant"]
        and not (table["relrowsecurity"] and table["relforcerowsecurity"] and table["name"] in walls)
    ]


def _is_wall(policy: asyncpg.Record) -> bool:
    return (
        policy["command"] == "*"
        and policy["permissive"]
        and policy["roles"] == ["public"]
        and "tenant_id" in policy["using"]
        and "postroad.tenants()" in policy["using"]
        and " OR " not in policy["using"]
        and policy["check"] is None
    )


async def holes(admin: asyncpg.Connection) -> list[str]:
    """Policies beside the wall, other than the one that lets the definer read."""
    return [
        f"{policy['table']}: {policy['name']}"
        for policy in await admin.fetch(_POLICIES)
        if policy["name"] != "tenants"
        and (policy["name"], policy["command"], policy["roles"]) != ("definer", "r", ["postroad_definer"])
    ]


async def loose_foreign_keys(admin: asyncpg.Connection) -> list[str]:
    """Foreign keys between tenants' tables that do not carry the tenant."""
    walled = await tenants_tables(admin)
    return [
        f"{key['source']}: {key['name']}"
        for key in await admin.fetch(_FOREIGN_KEYS)
        if key["source"] in walled and key["target"] in walled
        if ("tenant_id", "tenant_id") not in zip(key["source_columns"], key["target_columns"], strict=True)
    ]


async def telling_unique_indexes(admin: asyncpg.Connection) -> list[str]:
    """Unique indexes through which one tenant would learn what another has."""
    indexes = await admin.fetch(_INDEXES, await tenants_tables(admin))
    return [index["name"] for index in indexes if index["is_unique"] and index["first"] != "tenant_id"]


async def unindexed(admin: asyncpg.Connection) -> list[str]:
    """Tenants' tables without an index that starts with the tenant."""
    walled = await tenants_tables(admin)
    indexed = {index["table"] for index in await admin.fetch(_INDEXES, walled) if index["first"] == "tenant_id"}
    return [name for name in walled if name not in indexed]


async def open_views(admin: asyncpg.Connection) -> list[str]:
    """Views whose owner the walls may not hold, and materialized ones, which have none."""
    views = await admin.fetch(_VIEWS)
    return [view["name"] for view in views if (view["kind"], view["owner"]) != ("v", "postroad_views")]


async def views_without_tenant(admin: asyncpg.Connection) -> set[str]:
    """Views that show no tenant."""
    return {view["name"] for view in await admin.fetch(_VIEWS) if not view["has_tenant"]}


async def definers(admin: asyncpg.Connection) -> dict[str, tuple[str, str, list[str]]]:
    """Functions that run as their owner: name to (owner, result, settings)."""
    return {row["name"]: (row["owner"], row["result"], row["config"]) for row in await admin.fetch(_DEFINERS)}
