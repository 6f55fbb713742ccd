"""Opens and clicks: recorded, and nothing is told to those who tamper."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from postroad_common.amqp import Broker
from postroad_common.contracts import TrackingHit, TrackingHitsV1
from postroad_common.contracts.tokens import TokenKind
from postroad_common.ids import new_id
from postroad_stack.eventually import eventually
from tests.size import FULL

from .town import Mail, Town

URL = "https://shop.example/spring?b=1&c=%20d#top"
WRONG_KIND = {"o": TokenKind.CLICK, "c": TokenKind.UNSUBSCRIBE, "u": TokenKind.OPEN}


async def hits(town: Town, tenant_id: UUID) -> list[tuple[str, UUID]]:
    return [(event["type"], event["message_id"]) for event in await town.events(tenant_id)]


@pytest.mark.parametrize("suffix", ["", ".gif"])
async def test_open_is_stored_before_the_picture_is_sent_and_is_never_cached(town: Town, suffix: str) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    token = town.token(TokenKind.OPEN, mail)
    for seen in (1, 2):
        answer = await town.http.get(f"/o/{token}{suffix}", headers={"User-Agent": "Thunderbird"})
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/gif"
        assert answer.content.startswith(b"GIF89a")
        assert "no-store" in answer.headers["Cache-Control"]
        assert "Set-Cookie" not in answer.headers
        assert await hits(town, mill.tenant_id) == [("opened", mail.message_id)] * seen
    kept = await town.admin.fetchrow(
        "SELECT host(ip) AS ip, user_agent FROM tracking.event_personal_data WHERE tenant_id = $1", mill.tenant_id
    )
    assert kept is not None
    assert tuple(kept) == ("127.0.0.1", "Thunderbird")


async def test_head_counts_nothing(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    assert (await town.http.head(f"/o/{town.token(TokenKind.OPEN, mail)}")).status_code == 200
    click = await town.http.head(f"/c/{town.token(TokenKind.CLICK, mail, url=URL)}")
    assert (click.status_code, click.headers["Location"]) == (302, URL)
    assert await hits(town, mill.tenant_id) == []


async def test_click_leads_to_the_sealed_url_and_is_stored_with_it(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    token = town.token(TokenKind.CLICK, mail, url=URL)
    answer = await town.http.get(f"/c/{token}?url=https://evil.example&next=//evil.example")
    assert (answer.status_code, answer.headers["Location"]) == (302, URL)
    (event,) = await town.events(mill.tenant_id)
    assert (event["type"], event["url"], event["message_id"]) == ("clicked", URL, mail.message_id)
    assert (event["enrollment_id"], event["contact_id"]) == (mail.enrollment_id, mail.contact_id)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example/", "ftp://x.example/", "https://a.example/\r\nX: y", None]
)
async def test_token_with_another_kind_of_url_leads_nowhere(town: Town, url: str | None) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    answer = await town.http.get(f"/c/{town.token(TokenKind.CLICK, mail, url=url)}")
    assert answer.status_code == 404
    assert "Location" not in answer.headers
    assert await hits(town, mill.tenant_id) == []


def token_of(town: Town, path: str, mail: Mail) -> str:
    kinds = {"o": TokenKind.OPEN, "c": TokenKind.CLICK, "u": TokenKind.UNSUBSCRIBE}
    return town.token(kinds[path], mail, url=URL if path == "c" else None)


@pytest.mark.parametrize("path", ["o", "c", "u"])
async def test_damaged_token_is_not_found(town: Town, path: str) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    token = token_of(town, path, mail)
    for position in range(0, len(token), 1 if FULL else 13):
        for bit in range(7):
            other = chr(ord(token[position]) ^ (1 << bit))
            if not (other.isalnum() or other in "-_~!$"):
                continue
            answer = await town.http.get(f"/{path}/{token[:position]}{other}{token[position + 1 :]}")
            assert answer.status_code == 404, (position, other)
            assert "Location" not in answer.headers
    for other in (token[:-1], token[1:], token + "A", token * 2, "A", "%00", "a" * 5_000):
        assert (await town.http.get(f"/{path}/{other}")).status_code == 404
    assert await hits(town, mill.tenant_id) == []
    assert (await town.http.get(f"/{path}/{token}")).status_code in (200, 302), "the token as it was made is good"


@pytest.mark.parametrize("path", ["o", "c", "u"])
async def test_token_of_another_kind_is_not_found(town: Town, path: str) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    kind = WRONG_KIND[path]
    token = town.token(kind, mail, url=URL if kind is TokenKind.CLICK else None)
    assert (await town.http.get(f"/{path}/{token}")).status_code == 404
    assert (
        await town.http.post(f"/u/{token_of(town, 'o', mail)}", data={"List-Unsubscribe": "One-Click"})
    ).status_code == 404


async def test_token_under_one_tenant_with_a_message_of_another_is_about_nobody(town: Town) -> None:
    mill, other = await town.tenant(), await town.tenant("Other")
    theirs = await town.mail(mill, "transmitting")
    mixed = replace(theirs, tenant_id=other.tenant_id)
    assert (await town.http.get(f"/o/{town.token(TokenKind.OPEN, mixed)}")).status_code == 200
    unsubscribe = town.token(TokenKind.UNSUBSCRIBE, mixed)
    assert (await town.http.get(f"/u/{unsubscribe}")).status_code == 404
    assert (await town.http.post(f"/u/{unsubscribe}", data={"List-Unsubscribe": "One-Click"})).status_code == 404
    assert [event["message_id"] for event in await town.events(other.tenant_id)] == [None]
    assert await town.events(mill.tenant_id) == []
    assert await town.stops(mill.tenant_id) == await town.stops(other.tenant_id) == []
    assert (await town.http.get(f"/o/{town.token(TokenKind.OPEN, theirs)}")).status_code == 200
    assert await hits(town, mill.tenant_id) == [("opened", theirs.message_id)], "the message under its own tenant"


async def test_deferred_hit_that_the_broker_gives_many_times_is_stored_once(town: Town, town_vhost: str) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    hits_ = [
        TrackingHit(event_id=new_id(), kind=kind, message_id=mail.message_id, received_at=at, url=url)
        for kind, url in (("open", None), ("click", URL))
    ]
    message = TrackingHitsV1(tenant_id=mill.tenant_id, items=tuple(hits_))
    async with await Broker.connect(town_vhost, name="test") as broker:
        await broker.publish_all([message] * 20)

        async def all_taken() -> bool:
            async with broker.channel(prefetch=1) as channel:
                declared = await channel.queue_declare("tracker.hits", passive=True)
            return not declared.message_count and len(await town.events(mill.tenant_id)) == 2

        assert await eventually(all_taken)
    stored = await town.events(mill.tenant_id)
    assert {event["event_id"] for event in stored} == {hit.event_id for hit in hits_}
    assert {event["occurred_at"] for event in stored} == {at}
    assert await town.count("tracking.event_keys", mill.tenant_id) == 2
