"""What was sent and what came back: by step, by day, by sequence; held against a count by hand."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import pytest_asyncio

from postroad_common.db import create_pool
from postroad_common.ids import new_id
from postroad_stack.databases import Database
from postroad_stack.eventually import eventually
from postroad_tracker.counting import count_some

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


@dataclass
class Ledger:
    """Messages and their events as they come in, with the tracker counting every now and then."""

    tenant: Tenant
    tracker: asyncpg.Pool
    rng: random.Random
    now: datetime
    sent: list[tuple[Enrolled, UUID, Sent]] = field(default_factory=list)

    async def count(self) -> bool:
        return await count_some(self.tracker, self.tenant.tenant_id, self.rng.randint(1, 9))

    async def furnish(self, messages: int, later: int) -> None:
        """Messages of all states over four days, with events of all kinds; then what comes later, in any order."""
        people = []
        for sequence in [await self.tenant.sequence(steps=2) for _ in range(2)]:
            people += [await self.tenant.enrolled(sequence=sequence) for _ in range(messages // 4)]
        for one in people:
            for number in (1, 2):
                await self.put(one, number)
        for _ in range(later):
            await self.rng.choice([self.event, self.settle, self.count])()

    async def put(self, one: Enrolled, number: int) -> None:
        rng, key = self.rng, f"step-{number}"
        state = rng.choice(["accepted"] * 6 + ["unknown", "unknown", "refused", "refused", "held", "cancelled"])
        bounce_type = rng.choice(["hard", None]) if state == "refused" else None
        at = self.now - timedelta(hours=rng.randrange(1, 96), minutes=rng.randrange(60))
        sent = Sent(one.sequence["id"], key, rng.choice([1, 1, 2]), state, bounce_type, at)
        row = {"step_key": key, "step_number": number, "version": sent.version, "transmitting_at": at}
        message_id = await one.message(state, bounce_type=bounce_type, answered=True, **row)
        self.sent.append((one, message_id, sent))
        for _ in range(rng.randrange(6)):
            await self.event(self.sent[-1])
        if rng.random() < 0.3:
            await self.count()

    async def event(self, of: tuple[Enrolled, UUID, Sent] | None = None) -> None:
        """An event, which may have found its message late."""
        one, message_id, sent = of or self.rng.choice(self.sent)
        kind = self.rng.choice(KINDS)
        machine = kind in {"opened", "clicked"} and self.rng.random() < 0.5
        sent.events.append((kind, machine))
        if self.rng.random() < 0.8:
            await one.event(kind, message_id, step_key=sent.key, machine=machine)
        else:
            await event_found_late(one, message_id, kind, step_key=sent.key, machine=machine)

    async def settle(self) -> None:
        """What was unknown is known after all."""
        unknown = [entry for entry in self.sent if entry[2].state == "unknown"]
        if not unknown:
            return
        one, message_id, sent = self.rng.choice(unknown)
        sent.state = self.rng.choice(["accepted", "refused", "cancelled"])
        sent.bounce_type = self.rng.choice(["hard", None]) if sent.state == "refused" else None
        await self.tenant.admin.execute(
            "UPDATE delivery.messages SET state = $2, bounce_type = $3 WHERE message_id = $1",
            message_id, sent.state, sent.bounce_type,
        )  # fmt: skip
        await one.attempt(sent.state, step_key=sent.key)


async def event_found_late(one: Enrolled, message_id: UUID, kind: str, *, step_key: str, machine: bool = False) -> None:
    now, event_id = await one.now(), new_id()
    await one.insert(
        "tracking.events", event_id=event_id, received_at=now, occurred_at=now, type=kind, source="postmark",
        provider_message_id="p-1", machine=machine,
    )  # fmt: skip
    await one.insert(
        "tracking.matches", event_id=event_id, message_id=message_id, enrollment_id=one.enrollment_id,
        contact_id=UUID(one.contact["id"]), sequence_id=UUID(one.sequence["id"]), step_key=step_key,
    )  # fmt: skip


@pytest_asyncio.fixture
async def tracker(api_database: Database) -> AsyncIterator[asyncpg.Pool]:
    """Connections of the tracker's role, which counts."""
    pool = await create_pool(api_database.dsn("postroad_tracker"), application_name="test", max_size=1)
    yield pool
    await pool.close()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.prove)])  # the same rule, drawn again
async def test_the_numbers_are_those_of_a_count_by_hand_whatever_was_counted_in_advance(
    tenant: Tenant, tracker: asyncpg.Pool, seed: int
) -> None:
    rng = random.Random(seed)
    ledger = Ledger(tenant, tracker, rng, await tenant.admin.fetchval("SELECT postroad.now()"))
    await ledger.furnish(messages=32, later=60)
    sent = [message for *_, message in ledger.sent]
    await everything_agrees(tenant, sent)
    await ledger.furnish(messages=8, later=20)
    await until_all_is_counted(tenant, tracker)
    await everything_agrees(tenant, [message for *_, message in ledger.sent])


async def until_all_is_counted(tenant: Tenant, tracker: asyncpg.Pool) -> None:
    """The last attempts are counted when whoever might have committed an earlier one has ended: in any database."""

    async def nothing_is_left() -> bool:
        while await count_some(tracker, tenant.tenant_id):
            pass
        left: int = await tenant.admin.fetchval(LEFT_TO_COUNT, tenant.tenant_id)
        return left == 0

    await eventually(nothing_is_left, timeout=60, reason="the end of the counting")


LEFT_TO_COUNT = """
SELECT (SELECT count(*) FROM delivery.attempts a
        WHERE a.tenant_id = $1 AND a.outcome IN ('accepted', 'refused') AND a.attempt_id > c.attempt_id)
     + (SELECT count(*) FROM tracking.feeds f WHERE f.tenant_id = $1 AND f.last_position > c.position)
FROM tracking.count_marks c WHERE c.tenant_id = $1
"""


async def everything_agrees(tenant: Tenant, ledger: list[Sent]) -> None:
    sequences = sorted({message.sequence_id for message in ledger})
    zone = ZoneInfo((await tenant.call("GET", "/tenant"))["timezone"])
    first = min(message.at for message in ledger)
    spans: list[dict[str, Any]] = [
        {}, {"version": 1}, {"since": first + timedelta(hours=30)}, {"until": first + timedelta(hours=60)},
        {"version": 2, "since": first, "until": first + timedelta(hours=70)},
        {"since": first, "until": first + timedelta(minutes=5)},
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
    message_id = await one.message(answered=True)
    [step] = (await tenant.call("GET", path))["steps"]
    assert (step["sent"], step["open_rate"], step["bounce_rate"], step["delivery_rate"]) == (1, 0.0, 0.0, None)
    await one.event("delivered", message_id)
    [step] = (await tenant.call("GET", path))["steps"]
    assert step["delivery_rate"] == 1.0


async def test_an_event_that_found_its_message_late_is_counted(tenant: Tenant) -> None:
    one = await tenant.enrolled()
    message_id = await one.message(answered=True)
    await event_found_late(one, message_id, "opened", step_key="step-1")
    steps = await tenant.call("GET", f"/analytics/sequences/{one.sequence['id']}/steps")
    assert steps["total"]["opened"] == 1


async def test_an_attempt_that_commits_behind_a_later_one_is_counted_all_the_same(
    tenant: Tenant, tracker: asyncpg.Pool, api_database: Database
) -> None:
    sequence = await tenant.sequence()
    first, slow, quick = [await tenant.enrolled(sequence=sequence) for _ in range(3)]
    await first.message(answered=True)
    own = await asyncpg.connect(api_database.admin_dsn)
    async with own.transaction():
        await replace(slow, tenant=replace(tenant, admin=own)).message(answered=True)
        await quick.message(answered=True)
        for _ in range(4):
            await count_some(tracker, tenant.tenant_id)
    await own.close()
    path = f"/analytics/sequences/{sequence['id']}/steps"
    assert (await tenant.call("GET", path))["total"]["sent"] == 3

    await until_all_is_counted(tenant, tracker)
    assert (await tenant.call("GET", path))["total"]["sent"] == 3


async def test_a_day_is_the_tenants_also_where_it_begins_at_half_past_an_hour(
    tenant: Tenant, tracker: asyncpg.Pool
) -> None:
    await tenant.call("PATCH", "/tenant", json={"timezone": "Asia/Kolkata"})
    sequence = await tenant.sequence()
    midnight = datetime(2026, 3, 9, 18, 30, tzinfo=UTC)
    for at in (midnight - timedelta(seconds=1), midnight):
        one = await tenant.enrolled(sequence=sequence)
        await one.message(answered=True, transmitting_at=at)
    await until_all_is_counted(tenant, tracker)
    days = (await tenant.call("GET", f"/analytics/sequences/{sequence['id']}/daily"))["days"]
    assert [(day["day"], day["sent"]) for day in days] == [("2026-03-09", 1), ("2026-03-10", 1)]
