"""The tracker as a process over real servers, and tenants with messages that the ledger knows."""

import asyncio
import base64
import os
import secrets
import sys
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from postroad_common.sealing import KeyRing
from postroad_stack.databases import Database
from postroad_stack.process import Process
from postroad_stack.pytest_plugin import own_database, own_vhost
from postroad_stack.servers import Stack
from postroad_stack.vhosts import VhostSupply
from tests.http import http_client

from .town import Town, Tracker, listening_port

KEYS = "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


class Trackers:
    """Starts trackers; stops those that are left at the end."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Process] = []

    def start(self, database_url: str, amqp_url: str, settings: Mapping[str, str] | None = None) -> Tracker:
        """A tracker process that is listening."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD_")}
        env = inherited | {
            "POSTROAD_DATABASE_URL": database_url,
            "POSTROAD_AMQP_URL": amqp_url,
            "POSTROAD_SECRET_KEYS": KEYS,
            "POSTROAD_TRACKER_MATCH_SECONDS": "0.1",
            "POSTROAD_TRACKER_MATCH_AGAIN_SECONDS": "0.3",
            "POSTROAD_TRACKER_SOURCE_CACHE_SECONDS": "0.2",
            **(settings or {}),
        }
        log = self._logs / f"tracker-{len(self._running)}.log"
        process = Process([sys.executable, "-m", "postroad_tracker"], log=log, env=env, name="tracker")
        self._running.append(process)
        return Tracker(process, f"http://127.0.0.1:{listening_port(process)}")

    def stop(self) -> None:
        """Kill what still runs."""
        for process in self._running:
            asyncio.run(process.kill())


@pytest.fixture(scope="module")
def trackers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trackers]:
    """For trackers of a test's own."""
    started = Trackers(tmp_path_factory.mktemp("trackers"))
    yield started
    started.stop()


@pytest.fixture(scope="package")
def town_database(stack: Stack, template_database: Database) -> Iterator[Database]:
    with own_database(stack, template_database) as own:
        yield own


@pytest.fixture(scope="package")
def town_vhost(vhost_supply: VhostSupply) -> Iterator[str]:
    with own_vhost(vhost_supply) as url:
        yield url


@pytest.fixture(scope="package")
def tracker(town_database: Database, town_vhost: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    """One tracker for all tests that need no other: each of them has tenants of its own."""
    started = Trackers(tmp_path_factory.mktemp("tracker"))
    yield started.start(town_database.dsn("postroad_tracker"), town_vhost)
    started.stop()


@pytest_asyncio.fixture
async def town(town_database: Database, tracker: Tracker) -> AsyncIterator[Town]:
    """A town to put tenants into, and a client of the tracker."""
    admin = await asyncpg.connect(town_database.admin_dsn)
    async with http_client(base_url=tracker.url, timeout=30) as http:
        yield Town(admin, http, KeyRing.parse(KEYS))
    await admin.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the trackers wrote under a test that failed."""
    report = yield
    if report.failed:
        for name in ("tracker", "own_tracker"):
            running = getattr(item, "funcargs", {}).get(name)
            if isinstance(running, Tracker):
                report.sections.append((name, running.process.log_tail(60)))
    return report
