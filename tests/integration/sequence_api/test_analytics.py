"""What was sent and what came back: by step, by day, by sequence; held against a count by hand."""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from postroad_common.ids import new_id

from .house import Enrolled, Tenant

KINDS = ("delivered", "opened", "clicked", "replied", "bounced", "complained", "unsubscribed", "deferred")
SHARES = {
    "open_rate": ("opened", "arrived"),
    "click_rate": ("clicked", "arrived"),
    "reply_rate": ("replied", "arrived"),
    "complaint_rate": ("complained", "arrived"),
    "unsubscribe_rate": ("unsubscribed", "arrived"),
    "bounce_rate": ("bounced", "attempted"),
}


@dataclass
class Sent:
    """A message as it was put into the ledger, and its events."""

    sequence_id: str
    key: str
    version: int
    state: str
    bounce_type: str | None
    at: datetime
    events: list[tuple[str, bool]] = field(default_factory=list)

    def has(self, kind: str, *, machine: bool | None = False) -> bool:
        return any(type_ == kind and machine in {None, by} for type_, by in self.events)

    @property
    def sent(self) -> bool:
        return self.state in {"accepted", "unknown"}

    @property
    def attempted(self) -> bool:
        return self.sent or (self.state == "refused" and self.bounce_type is not None)

    def columns(self) -> dict[str, bool]:
        bounced = self.has("bounced", machine=None)
        return {
            "attempted": True,
            "sent": self.sent,
            "arrived": self.sent and not bounced,
            "bounced": bounced or not self.sent,
            "machine_opened": self.has("opened", machine=True) and not self.has("opened"),
            "machine_clicked": self.has("clicked", machine=True) and not self.has("clicked"),
            **{kind: self.has(kind) for kind in ("opened", "clicked")},
            **{kind: self.has(kind, machine=None) for kind in ("delivered", "replied", "complained", "unsubscribed")},
        }


def count(messages: Iterable[Sent]) -> dict[str, int]:
    """One message after the other: slow, and plainly right."""
    totals: defaultdict[str, int] = defaultdict(int)
    for message in messages:
        if message.attempted:
            for column, yes in message.columns().items():
                totals[column] += yes
    return totals


def agrees(shown: dict[str, Any], messages: Iterable[Sent]) -> bool:
    counted = count(messages)
    rates = {
        name: min(1.0, round(counted[part] / counted[whole], 6)) if counted[whole] else None
        for name, (part, whole) in SHARES.items()
    }
    return {name: shown[name] for name in [*counted, *rates]} == {**counted, **rates}


async def furnish(tenant: Tenant, seed: int) -> list[Sent]:
    """Two sequences of two steps, messages of all states over four days, events of all kinds, some twice."""
    rng = random.Random(seed)
    people = []
    for sequence in [await tenant.sequence(steps=2) for _ in range(2)]:
        people += [await tenant.enrolled(sequence=sequence) for _ in range(8)]
    now = await people[0].now()
    return [await put(one, number, rng, now) for one in people for number in (1, 2)]


async def put(one: Enrolled, number: int, rng: random.Random, now: datetime) -> Sent:
    states = ["accepted"] * 6 + ["unknown", "refused", "refused", "held", "deferred", "cancelled"]
    state, key = rng.choice(states), f"step-{number}"
    bounce_type = rng.choice(["hard", None]) if state == "refused" else None
    at = now - timedelta(hours=rng.randrange(1, 96))
    version = rng.choice([1, 1, 2])
    sent = Sent(one.sequence["id"], key, version, state, bounce_type, at)
    message_id = await one.message(
        state, step_key=key, step_number=number, version=version, bounce_type=bounce_type, transmitting_at=at
    )
    for kind in rng.choices(KINDS, k=rng.randrange(6)) if sent.attempted else []:
        machine = kind in {"opened", "clicked"} and rng.random() < 0.5
        sent.events.append((kind, machine))
        await one.event(kind, message_id, step_key=key, machine=machine)
    return sent


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_numbers_are_those_of_a_count_by_hand(tenant: Tenant, seed: int) -> None:
    ledger = await furnish(tenant, seed)
    sequences = sorted({message.sequence_id for message in ledger})
    zone = ZoneInfo((await tenant.call("GET", "/tenant"))["timezone"])
    first = min(message.at for message in ledger)
    spans: list[dict[str, Any]] = [
        {}, {"version": 1}, {"since": first + timedelta(hours=30)}, {"until": first + timedelta(hours=60)},
        {"version": 2, "since": first, "until": first + timedelta(hours=70)},
    ]  # fmt: skip
    for span in spans:
        params = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in span.items()}
        picked = [message for message in ledger if within(message, **span)]
        for sequence_id in sequences:
            own = [message for message in picked if message.sequence_id == sequence_id]
            path = f"/analytics/sequences/{sequence_id}"
            steps = await tenant.call("GET", f"{path}/steps", params=params)
            assert agrees(steps["total"], own), span
            for step in steps["steps"]:
                assert agrees(step, [message for message in own if message.key == step["key"]]), span
            assert [step["key"] for step in steps["steps"]] == ["step-1", "step-2"]
            days = (await tenant.call("GET", f"{path}/daily", params=params))["days"]
            sent_on = {message.at.astimezone(zone).date().isoformat() for message in own if message.attempted}
            assert [day["day"] for day in days] == sorted(sent_on)
            for day in days:
                of_day = [message for message in own if message.at.astimezone(zone).date().isoformat() == day["day"]]
                assert agrees(day, of_day), span
        if "version" not in span:
            overview = await tenant.call("GET", "/analytics/overview", params=params)
            assert agrees(overview["total"], picked)
            for shown in overview["sequences"]:
                assert agrees(shown, [message for message in picked if message.sequence_id == shown["sequence_id"]])


def within(
    message: Sent, version: int | None = None, since: datetime | None = None, until: datetime | None = None
) -> bool:
    return (
        version in {None, message.version}
        and (since is None or message.at >= since)
        and (until is None or message.at < until)
    )


async def test_a_share_of_nothing_is_null_and_deliveries_nobody_reports_are_no_rate(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    path = f"/analytics/sequences/{one.sequence['id']}/steps"
    [step] = (await tenant.call("GET", path))["steps"]
    assert (step["sent"], step["open_rate"], step["bounce_rate"], step["delivery_rate"]) == (0, None, None, None)
    message_id = await one.message()
    [step] = (await tenant.call("GET", path))["steps"]
    assert (step["sent"], step["open_rate"], step["bounce_rate"], step["delivery_rate"]) == (1, 0.0, 0.0, None)
    await one.event("delivered", message_id)
    [step] = (await tenant.call("GET", path))["steps"]
    assert step["delivery_rate"] == 1.0


async def test_an_event_that_found_its_message_late_is_counted(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    message_id = await one.message()
    now, event_id = await one.now(), new_id()
    await one.insert(
        "tracking.events", event_id=event_id, received_at=now, occurred_at=now, type="opened", source="postmark",
        provider_message_id="p-1",
    )  # fmt: skip
    await one.insert(
        "tracking.matches", event_id=event_id, message_id=message_id, enrollment_id=one.enrollment_id,
        contact_id=UUID(one.contact["id"]), sequence_id=UUID(one.sequence["id"]), step_key="step-1",
    )  # fmt: skip
    steps = await tenant.call("GET", f"/analytics/sequences/{one.sequence['id']}/steps")
    assert steps["total"]["opened"] == 1
