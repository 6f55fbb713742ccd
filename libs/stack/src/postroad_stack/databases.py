"""A migrated template database, and a clone of it for each test."""

import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Protocol

import asyncpg
from yarl import URL

ROLES = ("postroad_sequence_api", "postroad_scheduler", "postroad_sender", "postroad_tracker")
"""Login roles of the services."""

MONITOR = "postroad_monitor"
"""Login role of a monitoring program."""


class Migrate(Protocol):
    """`postroad_common.migrations.migrate`: makes roles, schemas, tables and grants in one database."""

    def __call__(self, dsn: str, *, role_password: str) -> Awaitable[None]:
        """Bring the database at `dsn` (a superuser's) to the newest schema."""


@dataclass(frozen=True)
class Database:
    """One test's own database."""

    name: str
    admin_dsn: str = field(repr=False)
    role_password: str = field(repr=False)

    def dsn(self, role: str) -> str:
        """Connection of a login role: a service's, or the monitor's."""
        if role not in (*ROLES, MONITOR):
            raise ValueError(f"{role} is none of {', '.join((*ROLES, MONITOR))}")
        return str(URL(self.admin_dsn).with_user(role).with_password(self.role_password))


async def create_template(server_dsn: str, migrate: Migrate, *, role_password: str) -> Database:
    """Create a database of a name never used before and migrate it."""
    name = f"postroad_template_{secrets.token_hex(4)}"
    await run(server_dsn, f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    template = at(server_dsn, name, role_password)
    await migrate(template.admin_dsn, role_password=role_password)
    return template


async def clone(server_dsn: str, template: Database) -> Database:
    """Copy the template; nobody may be connected to it."""
    name = f"postroad_test_{secrets.token_hex(6)}"
    await run(server_dsn, f'CREATE DATABASE "{name}" TEMPLATE "{template.name}"')
    return at(server_dsn, name, template.role_password)


async def drop(server_dsn: str, database: Database) -> None:
    """Remove a database, also from under those who are still connected."""
    await run(server_dsn, f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)')


_EXPAND = """
DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
           AND relnamespace::regnamespace::text IN ('sequence', 'schedule', 'delivery', 'tracking')
    LOOP
        EXECUTE format(
            'ALTER TABLE %s ADD COLUMN IF NOT EXISTS added_later text NOT NULL DEFAULT %L', relation, 'later'
        );
    END LOOP;
    INSERT INTO public.schema_migrations (version) VALUES ('99991231235959') ON CONFLICT DO NOTHING;
END
$$
"""


async def expand(database: Database) -> None:
    """Do what a migration of a later release may do while services of this one run: a column more in every table."""
    await run(database.admin_dsn, _EXPAND)


def at(server_dsn: str, name: str, role_password: str) -> Database:
    """The database of that name on the server."""
    return Database(name, str(URL(server_dsn).with_path("/" + name)), role_password)


async def run(dsn: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
