"""Migrating: from nothing, again, at once, by an administrator that is no superuser."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from yarl import URL

from postroad_common.db import check_schema, create_pool
from postroad_common.errors import MigrationError
from postroad_common.migrations import LOGIN_ROLES, hold_restored, migrate
from postroad_stack.process import Process
from postroad_stack.pytest_plugin import ROLE_PASSWORD
from postroad_stack.servers import Stack


@pytest.fixture
async def empty(stack: Stack) -> AsyncIterator[str]:
    """An administrator's address of a database with nothing in it."""
    name = f"test_empty_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(stack.postgres.dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    yield str(URL(stack.postgres.dsn).with_path(f"/{name}"))
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def has_our_schema(dsn: str) -> None:
    async with await create_pool(dsn, application_name="test", max_size=1) as pool:
        await check_schema(pool)


async def test_an_empty_database_gets_the_schema_and_migrating_again_does_nothing(empty: str) -> None:
    await migrate(empty, role_password=ROLE_PASSWORD)
    await has_our_schema(empty)

    await migrate(empty)
    for role in LOGIN_ROLES:
        await has_our_schema(str(URL(empty).with_user(role).with_password(ROLE_PASSWORD)))


async def test_several_may_migrate_one_database_at_once(empty: str) -> None:
    await asyncio.gather(*(migrate(empty, role_password=ROLE_PASSWORD) for _ in range(4)))

    await has_our_schema(empty)


async def test_an_administrator_need_not_be_a_superuser(stack: Stack, empty: str) -> None:
    name, database = f"test_admin_{secrets.token_hex(4)}", URL(empty).path[1:]
    superuser = await asyncpg.connect(empty)
    await superuser.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x' CREATEROLE CREATEDB NOSUPERUSER")
    await superuser.execute(f"ALTER DATABASE {database} OWNER TO {name}")
    try:
        dsn = str(URL(empty).with_user(name).with_password("x"))
        await migrate(dsn, role_password=ROLE_PASSWORD)
        await migrate(dsn)
        await has_our_schema(dsn)
        await hold_restored(dsn)
    finally:
        await superuser.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}")
        await superuser.close()


async def test_a_failing_migration_says_what_the_database_said(empty: str) -> None:
    admin = await asyncpg.connect(empty)
    await admin.execute("CREATE SCHEMA tracking")
    await admin.close()

    with pytest.raises(MigrationError, match='schema "tracking" already exists'):
        await migrate(empty)


async def test_the_command_migrates_and_its_arguments_hold_no_password(empty: str, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "POSTROAD_DATABASE_URL": empty}
    command = [str(Path(sys.executable).with_name("postroad-migrate"))]
    process = Process(command, log=tmp_path / "log", env=env)

    assert await process.wait(60) == 0, process.log_tail()
    await has_our_schema(empty)


async def test_restored_holds_from_now_on_whatever_the_backup_knew_of_a_hold(empty: str, tmp_path: Path) -> None:
    """It is older than holds are, or was held or being reconciled itself, and was released and sent from afterwards."""
    env = {"PATH": os.environ["PATH"], "POSTROAD_DATABASE_URL": empty}
    command = [str(Path(sys.executable).with_name("postroad-migrate")), "--restored"]
    process = Process(command, log=tmp_path / "log", env=env)
    assert await process.wait(60) == 0, process.log_tail()
    assert "it is held" in process.log.read_text()

    admin = await asyncpg.connect(empty)
    assert await admin.fetchval("SELECT held AND NOT moved AND NOT copied FROM views.hold")
    for reconciling in ("NULL", "held_at"):
        await admin.execute("UPDATE sequence.installation SET held_at = held_at - interval '1 hour'")
        await admin.execute(f"UPDATE sequence.installation SET lost_until = held_at, reconciling_at = {reconciling}")
        restored_at = await admin.fetchval("SELECT postroad.now()")
        await hold_restored(empty)
        hold = await admin.fetchrow("SELECT held, held_at, reconciling_at, copied FROM views.hold")
        assert hold is not None
        assert hold["held_at"] >= restored_at
        assert (hold["held"], hold["reconciling_at"], hold["copied"]) == (True, None, False)
    await admin.close()


@pytest.mark.parametrize(("url", "code"), [("", 2), ("postgresql://127.0.0.1:1/nothing", 1)])
async def test_the_command_says_what_is_wrong_without_a_traceback(url: str, code: int, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("postroad-migrate"))]
    env = {"PATH": os.environ["PATH"], "POSTROAD_DATABASE_URL": url}
    process = Process(command, log=tmp_path / "log", env=env)

    assert await process.wait(60) == code
    assert process.log.read_text().startswith("postroad-migrate: ")
    assert "Traceback" not in process.log.read_text()
