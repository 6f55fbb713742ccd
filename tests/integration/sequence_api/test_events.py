"""The events, as they may be read: page by page and as a stream."""

import gzip
import json
from typing import Any
from uuid import UUID

from postroad_common.ids import new_id

from .house import Enrolled, Tenant


async def test_events_are_listed_in_the_order_of_arrival_page_by_page(tenant: Tenant) -> None:
    one, other = await tenant.enrolled(), await tenant.enrolled()
    message_id = await one.message()
    ids = [str(await one.event(type_)) for type_ in ("delivered", "opened", "clicked")]
    ids.append(str(await other.event("opened")))
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await tenant.call("GET", "/events", params={"limit": 3} | after)
        seen += [event["id"] for event in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == ids
    first = (await tenant.call("GET", "/events", params={"type": "delivered"}))["items"]
    assert [(event["id"], event["message_id"]) for event in first] == [(ids[0], str(message_id))]
    for wanted in (
        {"enrollment_id": str(one.enrollment_id)},
        {"contact_id": one.contact["id"]},
        {"sequence_id": one.sequence["id"]},
    ):
        page = await tenant.call("GET", "/events", params=wanted)
        assert [event["id"] for event in page["items"]] == ids[:3]


async def test_an_event_that_found_its_message_late_shows_it(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    message_id = await one.message()
    nothing = {"message_id": None, "enrollment_id": None, "contact_id": None, "sequence_id": None, "step_key": None}
    now, event_id = await one.now(), new_id()
    await one.insert(
        "tracking.events", event_id=event_id, received_at=now, occurred_at=now, type="delivered", source="postmark",
        provider_message_id="p-1", **nothing,
    )  # fmt: skip
    [event] = (await tenant.call("GET", "/events"))["items"]
    assert (event["message_id"], event["enrollment_id"]) == (None, None)
    await one.insert(
        "tracking.matches", event_id=event_id, message_id=message_id, enrollment_id=one.enrollment_id,
        contact_id=one.contact["id"], sequence_id=one.sequence["id"], step_key="step-1",
    )  # fmt: skip
    for wanted in ({}, {"enrollment_id": str(one.enrollment_id)}, {"sequence_id": one.sequence["id"]}):
        [event] = (await tenant.call("GET", "/events", params=wanted))["items"]
        assert (event["message_id"], event["step_key"]) == (str(message_id), "step-1")


async def test_a_list_can_be_followed_from_its_last_event_to_those_that_come_later(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.message()
    first = str(await one.event("delivered"))
    page = await tenant.call("GET", "/events")
    assert ([event["id"] for event in page["items"]], page["next"]) == ([first], None)
    cursor = page["items"][-1]["cursor"]
    assert (await tenant.call("GET", "/events", params={"after": cursor}))["items"] == []
    later = [str(await one.event("opened")) for _ in range(2)]
    for wanted in ({}, {"sequence_id": one.sequence["id"]}, {"enrollment_id": str(one.enrollment_id)}):
        page = await tenant.call("GET", "/events", params={"after": cursor, **wanted})
        assert [event["id"] for event in page["items"]] == later


async def test_events_are_picked_by_when_they_were_received(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.message()
    days = [await one.now(f"{day - 2} days") for day in range(3)]
    ids = [str(await one.event("opened", received_at=day)) for day in days]
    everything: list[dict[str, str]] = [{}, {"sequence_id": one.sequence["id"]}, {"contact_id": one.contact["id"]}]
    for wanted in everything:

        async def picked(wanted: dict[str, str] = wanted, **times: Any) -> list[str]:
            params = wanted | {name: value.isoformat() for name, value in times.items()}
            return [event["id"] for event in (await tenant.call("GET", "/events", params=params))["items"]]

        assert await picked(since=days[1]) == ids[1:]
        assert await picked(until=days[1]) == ids[:1]
        assert await picked(since=days[1], until=days[2]) == ids[1:2]
        assert await picked(since=await one.now("1 day")) == []


async def exported(tenant: Tenant, **params: str) -> list[Any]:
    response = await tenant.ask("GET", "/events/export", params=params)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


async def test_an_export_holds_what_the_list_shows_however_many_pages_it_takes_and_goes_on_from_any_line(
    tenant: Tenant,
) -> None:
    one = await tenant.enrolled()
    message_id = await one.message()
    await many(one, 2_500, message_id)
    lines = await exported(tenant)
    assert len(lines) == 2_500
    assert lines[:200] == (await tenant.call("GET", "/events", params={"limit": 200}))["items"]
    assert await exported(tenant, after=lines[1700]["cursor"]) == lines[1701:]
    for wanted in ({"sequence_id": one.sequence["id"]}, {"message_id": str(message_id)}):
        assert await exported(tenant, **wanted) == lines
    assert await exported(tenant, type="bounced") == []


async def many(one: Enrolled, count: int, message_id: UUID) -> None:
    await one.tenant.admin.execute(
        "INSERT INTO tracking.events (tenant_id, event_id, received_at, occurred_at, type, source, message_id,"
        " enrollment_id, contact_id, sequence_id, step_key)"
        " SELECT $1, gen_random_uuid(), clock_timestamp(), now(), 'opened', 'pixel', $2, $3, $4, $5, 'step-1'"
        " FROM generate_series(1, $6)",
        one.tenant.tenant_id,
        message_id,
        one.enrollment_id,
        UUID(one.contact["id"]),
        UUID(one.sequence["id"]),
        count,
    )


async def test_an_export_is_compressed_for_who_takes_gzip_and_for_nobody_else(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    await one.event("opened")
    plain = await tenant.ask("GET", "/events/export", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    http = tenant.api.http
    headers = {"Authorization": f"Bearer {tenant.key}", "Accept-Encoding": "gzip"}
    async with http.stream("GET", "/v1/events/export", headers=headers) as response:
        raw = b"".join([piece async for piece in response.aiter_raw()])
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert len(plain.content.splitlines()) == 1
