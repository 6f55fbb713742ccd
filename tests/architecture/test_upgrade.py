"""Two releases beside each other: what a build asks of a newer schema and reads in messages stays what it was."""

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

import asyncpg
import pytest

from postroad_common.contracts import REGISTRY, from_bytes
from postroad_common.errors import ContractError
from postroad_stack.databases import Database, expand
from tests.architecture.test_contracts import SNAPSHOTS
from tests.architecture.test_queries import STATEMENTS

Meaning = tuple[list[str], list[tuple[str, str]]]


async def meanings(database: Database) -> dict[str, Meaning]:
    """Types of the parameters, names and types of the columns of each statement, as the role that runs it."""
    found: dict[str, Meaning] = {}
    for role, statements in groupby(sorted(STATEMENTS), key=lambda statement: statement.role):
        conn = await asyncpg.connect(database.dsn(role))
        for one in statements:
            found["/".join(one[1:])] = await _meaning(conn, one.sql)
        await conn.close()
    return found


async def _meaning(conn: asyncpg.Connection, sql: str) -> Meaning:
    prepared = await conn.prepare(sql)
    columns = [(attribute.name, attribute.type.name) for attribute in prepared.get_attributes()]
    return [parameter.name for parameter in prepared.get_parameters()], columns


async def test_a_statement_means_the_same_on_a_schema_newer_than_its_own(
    template_database: Database, module_database: Database
) -> None:
    before = await meanings(template_database)
    await expand(module_database)

    assert await meanings(module_database) == before


@pytest.mark.parametrize("planted", ["SELECT * FROM sequence.contacts", "TABLE sequence.templates"])
async def test_the_check_sees_a_statement_that_takes_whatever_columns_there_are(
    template_database: Database, module_database: Database, planted: str
) -> None:
    seen = []
    await expand(module_database)
    for database in (template_database, module_database):
        conn = await asyncpg.connect(database.dsn("postroad_sequence_api"))
        seen.append(await _meaning(conn, planted))
        await conn.close()
    assert seen[0] != seen[1]


TEXTS = {"uuid": "01995d1c-0000-7000-8000-000000000000", "date-time": "2026-11-22T12:00:00Z"}
PLAIN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "string": lambda node: TEXTS.get(node.get("format", ""), "text"),
    "integer": lambda node: node.get("minimum", 1),
    "number": lambda node: node.get("minimum", 1.5),
    "boolean": lambda _: True,
}


def sample_of(schema: dict[str, Any], *, optional: bool, added: bool) -> Any:
    """A value of a schema: with what is optional or without, and with a field that nobody knows."""

    def one(node: dict[str, Any]) -> Any:
        if "$ref" in node:
            return one(schema["$defs"][node["$ref"].rpartition("/")[2]])
        if "anyOf" in node:
            return one(node["anyOf"][0])
        if "enum" in node:
            return node["enum"][0]
        return PLAIN[node["type"]](node) if node["type"] in PLAIN else composed(node)

    def composed(node: dict[str, Any]) -> Any:
        if node["type"] == "array":
            return [one(node["items"])]
        known = node.get("properties", {})
        fields = {name: one(known[name]) for name in (known if optional else node.get("required", []))}
        return fields | ({"added_later": {"by": "a newer release"}} if added and known else {})

    return one(schema)


@pytest.mark.parametrize("type_", sorted(REGISTRY))
@pytest.mark.parametrize("added", [False, True], ids=["known", "added"])
@pytest.mark.parametrize("optional", [False, True], ids=["required", "optional"])
def test_a_message_of_each_snapshot_is_read_with_and_without_what_is_optional(
    type_: str, optional: bool, added: bool
) -> None:
    snapshot = json.loads((SNAPSHOTS / f"{type_}.json").read_text())
    sample = sample_of(snapshot, optional=optional, added=added)

    message = from_bytes(type_, json.dumps(sample).encode())

    assert type(message) is REGISTRY[type_]
    assert "added_later" not in message.to_bytes().decode()


def test_the_check_sees_a_message_that_lacks_what_its_snapshot_requires() -> None:
    snapshot = json.loads((SNAPSHOTS / "steps.due.v1.json").read_text())
    snapshot["$defs"]["StepDue"]["required"].remove("attempt")
    sample = sample_of(snapshot, optional=False, added=False)

    with pytest.raises(ContractError, match="attempt"):
        from_bytes("steps.due.v1", json.dumps(sample).encode())
