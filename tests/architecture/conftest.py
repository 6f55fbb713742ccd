"""An administrator's connection to a migrated database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from postroad_stack.databases import Database


@pytest.fixture
async def admin(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Sees everything, whatever the walls."""
    connection = await asyncpg.connect(database.admin_dsn)
    yield connection
    await connection.close()
