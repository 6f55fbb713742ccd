"""Settings that change what the public sees."""

import asyncio

import asyncpg

from postroad_common.contracts.tokens import TokenKind
from postroad_common.sealing import KeyRing
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from tests.http import http_client

from .conftest import KEYS, Trackers
from .town import Town


async def test_revoked_tokens_are_not_found_and_proxies_are_believed_as_set(
    trackers: Trackers, database: Database, vhost: str
) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    async with http_client(timeout=30) as nowhere:
        town = Town(admin, nowhere, KeyRing.parse(KEYS))
        gone, mill = await town.tenant("Gone"), await town.tenant()
        theirs, revoked, good = await town.mail(gone), await town.mail(mill), await town.mail(mill)
    settings = {
        "POSTROAD_TRACKER_REVOKED_TOKENS": f"{gone.tenant_id}, {revoked.message_id}",
        "POSTROAD_TRACKER_TRUSTED_PROXIES": "127.0.0.0/8, 10.0.0.0/8",
    }
    tracker = await asyncio.to_thread(trackers.start, database.dsn("postroad_tracker"), vhost, settings)
    async with http_client(base_url=tracker.url, timeout=30) as http:
        for mail, status in ((theirs, 404), (revoked, 404), (good, 200)):
            headers = {"X-Forwarded-For": "203.0.113.9, 10.0.0.7"}
            answer = await http.get(f"/o/{town.token(TokenKind.OPEN, mail)}", headers=headers)
            assert answer.status_code == status
            assert (await http.get(f"/u/{town.token(TokenKind.UNSUBSCRIBE, mail)}")).status_code == status
            click = await http.get(f"/c/{town.token(TokenKind.CLICK, mail, url='https://shop.example/')}")
            assert click.status_code == (302 if status == 200 else 404)
    addresses = await admin.fetch("SELECT host(ip) AS ip FROM tracking.event_personal_data ORDER BY 1")
    assert [row["ip"] for row in addresses] == ["127.0.0.1", "203.0.113.9"]
    await admin.close()


async def test_partitions_are_there_for_the_months_to_come(trackers: Trackers, database: Database, vhost: str) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute(
        "CREATE OR REPLACE FUNCTION postroad.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE"
        " AS $$ SELECT clock_timestamp() + interval '400 days' $$"
    )
    tracker = await asyncio.to_thread(trackers.start, database.dsn("postroad_tracker"), vhost)

    async def forced() -> list[asyncpg.Record]:
        return await admin.fetch(
            "SELECT c.relname, c.relforcerowsecurity FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'tracking.events'::regclass"
            " AND c.relname >= 'events_' || to_char(postroad.now(), 'YYYY_MM')"
        )

    rows = await eventually(forced)
    assert len(rows) == 4
    assert all(row["relforcerowsecurity"] for row in rows)
    async with http_client(base_url=tracker.url, timeout=30) as http:
        town = Town(admin, http, KeyRing.parse(KEYS))
        mill = await town.tenant()
        mail = await town.mail(mill)
        assert (await http.get(f"/o/{town.token(TokenKind.OPEN, mail)}")).status_code == 200
        assert len(await town.events(mill.tenant_id)) == 1
    await admin.close()
