"""Parked messages, for the operator alone."""

from typing import Any

import aio_pika
import pytest
from pamqp.common import FieldValue

from postroad_common.amqp.topology import QUEUES
from postroad_stack.eventually import eventually

from .house import OPERATOR_TOKEN, Api, Tenant

QUEUE = "sender.evidence"


async def park(api: Api, body: bytes, reason: str) -> None:
    """A message as the consumer parks it."""
    connection = await aio_pika.connect(api.amqp_url)
    async with connection:
        channel = await connection.channel()
        headers: dict[str, FieldValue] = {"x-postroad-attempt": 4, "x-postroad-reason": reason}
        message = aio_pika.Message(body, type="messages.delivered.v1", message_id="m-1", headers=headers)
        await channel.default_exchange.publish(message, routing_key=f"{QUEUE}.parking")


async def parked(api: Api, **wanted: int) -> dict[str, Any]:
    response = await api.ask("GET", "/operator/parking", key=OPERATOR_TOKEN, params=wanted)
    assert response.status_code == 200, response.text
    items = {item["queue"]: item for item in response.json()["items"]}
    assert len(items) == len(QUEUES)
    return items


async def test_what_is_parked_is_shown_with_its_reason_and_given_back_to_its_queue(api: Api) -> None:
    assert (await parked(api))[QUEUE] == {"queue": QUEUE, "depth": 0, "messages": []}
    for n in range(3):
        await park(api, b'{"n": %d}' % n, f"because of {n}")

    async def three() -> bool:
        return bool((await parked(api))[QUEUE]["depth"] == 3)

    await eventually(three)
    assert len((await parked(api, limit=2))[QUEUE]["messages"]) == 2
    shown = (await parked(api))[QUEUE]["messages"]
    assert sorted((one["body"]["n"], one["reason"], one["attempt"]) for one in shown) == [
        (n, f"because of {n}", 4) for n in range(3)
    ]
    response = await api.ask("POST", "/operator/parking/replay", key=OPERATOR_TOKEN, json={"queue": QUEUE, "limit": 2})
    assert response.json() == {"queue": QUEUE, "replayed": 2}
    assert (await parked(api))[QUEUE]["depth"] == 1
    connection = await aio_pika.connect(api.amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue(QUEUE)
        first = await queue.get(timeout=5)
        while first.message_id != "m-1":  # what other tests said to a sender that does not run
            await first.ack()
            first = await queue.get(timeout=5)
        assert first.headers["x-postroad-attempt"] == 1
        await first.ack()


@pytest.mark.parametrize("body", [{"queue": "no.such"}, {"queue": f"{QUEUE}.parking"}])
async def test_only_work_queues_are_replayed(api: Api, body: dict[str, Any]) -> None:
    response = await api.ask("POST", "/operator/parking/replay", key=OPERATOR_TOKEN, json=body)
    assert response.status_code == 404
    assert response.json()["field"] == "queue"


async def test_no_tenant_sees_or_replays_parked_messages(tenant: Tenant) -> None:
    assert (await tenant.ask("GET", "/operator/parking")).status_code == 401
    assert (await tenant.ask("POST", "/operator/parking/replay", json={"queue": QUEUE})).status_code == 401
