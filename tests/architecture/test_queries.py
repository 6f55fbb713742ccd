"""Every statement of every package prepares, and may be run, as the login role that runs it."""

from importlib.resources import files
from importlib.util import find_spec
from typing import NamedTuple

import asyncpg
import pytest

from postroad_common.db import queries
from postroad_stack.databases import ROLES, Database

COMMON = {
    "outbox": {
        "sequence": "postroad_sequence_api",
        "schedule": "postroad_scheduler",
        "tracking": "postroad_tracker",
    },
    "erasures": {"delivery": "postroad_sender", "tracking": "postroad_tracker"},
    "hold": {"": "postroad_scheduler"},
}
"""A service's package is called as its role; the common package's statements are run by those whose schema it is, or
who look."""


class Statement(NamedTuple):
    """A statement of a file, as a role runs it."""

    role: str
    package: str
    file: str
    schema: str
    name: str

    @property
    def sql(self) -> str:
        return queries(self.package, self.file, schema=self.schema)[self.name]


def statements() -> list[Statement]:
    found = []
    for package in ("postroad_common", *ROLES):
        store = files(package).joinpath("store") if find_spec(package) else None
        if store is None or not store.is_dir():
            continue
        for file in sorted(entry.name for entry in store.iterdir() if entry.name.endswith(".sql")):
            stem = file.removesuffix(".sql")
            for schema, role in (COMMON[stem] if package == "postroad_common" else {"": package}).items():
                found += [Statement(role, package, stem, schema, name) for name in queries(package, stem)]
    return found


STATEMENTS = statements()


@pytest.mark.parametrize("statement", STATEMENTS, ids=["/".join(filter(None, one[1:])) for one in STATEMENTS])
async def test_a_statement_prepares_and_its_role_may_run_it(template_database: Database, statement: Statement) -> None:
    conn = await asyncpg.connect(template_database.dsn(statement.role))
    try:
        prepared = await conn.prepare(statement.sql)
        parameters = ", ".join(f"NULL::{_type_name(parameter)}" for parameter in prepared.get_parameters())
        await conn.execute(f"PREPARE statement AS {statement.sql}")
        await conn.execute("SET plan_cache_mode = force_generic_plan")
        # EXPLAIN starts the executor without running it, which is where privileges are checked.
        await conn.execute(f"EXPLAIN EXECUTE statement{f' ({parameters})' if parameters else ''}")
    finally:
        await conn.close()


def _type_name(parameter: asyncpg.Type) -> str:
    return f"{parameter.schema}.{parameter.name}" if not parameter.name.endswith("[]") else f"{parameter.name}"


def test_there_are_statements_of_every_service() -> None:
    assert {statement.role for statement in STATEMENTS} == set(ROLES)


@pytest.mark.parametrize("planted", ["SELECT nonsense FROM views.contacts", "SELECT 1 FROM sequence.contacts"])
async def test_the_check_sees_a_column_that_is_not_there_and_a_table_that_is_not_granted(
    template_database: Database, planted: str
) -> None:
    conn = await asyncpg.connect(template_database.dsn("postroad_sender"))
    with pytest.raises(asyncpg.PostgresError):
        await conn.execute(f"EXPLAIN {planted}")
    await conn.close()
