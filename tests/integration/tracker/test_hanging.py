"""A database that hangs: the connection is there, and no answer comes."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio
from yarl import URL

from postroad_common.contracts.tokens import TokenKind
from postroad_common.sealing import KeyRing
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_stack.tcp_proxy import TcpProxy
from tests.http import http_client

from .conftest import KEYS, Trackers
from .town import Town

SHOP = "https://shop.example/x"


@pytest_asyncio.fixture
async def frozen(trackers: Trackers, database: Database, vhost: str) -> AsyncIterator[tuple[Town, TcpProxy]]:
    """A town whose tracker reaches the database through a proxy that can hold every byte back."""
    direct = URL(database.dsn("postroad_tracker"))
    proxy = TcpProxy(direct.host or "", direct.port or 5432)
    await proxy.start()
    through = str(direct.with_host("127.0.0.1").with_port(proxy.port))
    tracker = await asyncio.to_thread(trackers.start, through, vhost, {"POSTROAD_TRACKER_STORE_SECONDS": "2"})
    admin = await asyncpg.connect(database.admin_dsn)
    async with http_client(base_url=tracker.url, timeout=30) as http:
        yield Town(admin, http, KeyRing.parse(KEYS)), proxy
    proxy.thaw()
    await admin.close()
    await tracker.process.kill()
    await proxy.aclose()


async def test_database_that_hangs_holds_nobody_up_and_loses_no_hit(frozen: tuple[Town, TcpProxy]) -> None:
    town, proxy = frozen
    mill = await town.tenant()
    mail = await town.mail(mill)
    event = mill.sendgrid.event("open", email=mail.email, ref=mail.ref)
    request = mill.sendgrid.request([event])
    unsubscribe = f"/u/{town.token(TokenKind.UNSUBSCRIBE, mail)}"
    proxy.freeze()
    started = time.monotonic()
    click, opened, webhook, page, one_click = await asyncio.gather(
        town.http.get(f"/c/{town.token(TokenKind.CLICK, mail, url=SHOP)}"),
        town.http.get(f"/o/{town.token(TokenKind.OPEN, mail)}"),
        town.post(mill.sendgrid_path, request),
        town.http.get(unsubscribe, headers={"Accept": "text/html"}),
        town.http.post(unsubscribe, data={"List-Unsubscribe": "One-Click"}),
    )
    assert time.monotonic() - started < 6
    assert (click.status_code, click.headers["Location"]) == (302, SHOP)
    assert opened.status_code == 200
    assert (webhook.status_code, one_click.status_code) == (429, 429)
    assert (page.status_code, "this sender" in page.text) == (200, True)

    proxy.thaw()
    proxy.cut()

    async def hits_stored() -> bool:
        return sorted(event["type"] for event in await town.events(mill.tenant_id)) == ["clicked", "opened"]

    assert await eventually(hits_stored, timeout=60)
    assert (await town.post(mill.sendgrid_path, request)).json()["accepted"] == 1
    assert len(await town.events(mill.tenant_id)) == 3
