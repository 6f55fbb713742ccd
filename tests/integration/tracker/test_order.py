"""However often and in whatever order events come, the same state stands at the end."""

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.size import FULL

from .town import Mail, Tenant, Town

KINDS = [
    ("processed", {}),
    ("delivered", {}),
    ("deferred", {}),
    ("open", {}),
    ("click", {"url": "https://shop.example/x"}),
    ("bounce", {"type": "blocked"}),
    ("bounce", {"type": "bounce"}),
    ("spamreport", {}),
    ("unsubscribe", {}),
    ("group_resubscribe", {}),
]


def log_of(tenant: Tenant, mails: list[Mail], chosen: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Distinct events: (kind, mail) pairs, each with an id and a time of its own."""
    events = []
    for number, (kind, mail) in enumerate(chosen):
        name, fields = KINDS[kind]
        about = mails[mail]
        events.append(
            tenant.sendgrid.event(
                name,
                email=about.email,
                ref=about.ref,
                sg_event_id=f"event-{number}",
                timestamp=1772366400 + number,
                **fields,
            )
        )
    return events


async def state_after(
    town: Town, chosen: list[tuple[int, int]], rng: random.Random, repeats: int
) -> tuple[list[Any], list[Any]]:
    """The state that a new tenant ends in: events and stops, ids replaced by what they are of."""
    tenant = await town.tenant()
    mails = [await town.mail(tenant) for _ in range(3)]
    log = log_of(tenant, mails, chosen)
    arrivals = log * repeats
    rng.shuffle(arrivals)
    while arrivals:
        cut = rng.randrange(1, 6)
        batch, arrivals = arrivals[:cut], arrivals[cut:]
        answer = await town.post(tenant.sendgrid_path, tenant.sendgrid.request(batch))
        assert answer.status_code == 200
    numbers = {mail.message_id: number for number, mail in enumerate(mails)}
    enrollments = {mail.enrollment_id: number for number, mail in enumerate(mails)}
    events = sorted(
        (event["occurred_at"], event["type"], event["bounce_type"] or "", numbers[event["message_id"]])
        for event in await town.events(tenant.tenant_id)
    )
    stops = sorted(
        (stop["kind"], enrollments[stop["enrollment_id"]], stop["acknowledged_at"] is not None)
        for stop in await town.stops(tenant.tenant_id)
    )
    return events, stops


@settings(max_examples=150 if FULL else 8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.lists(st.tuples(st.integers(0, len(KINDS) - 1), st.integers(0, 2)), min_size=1, max_size=14),
    seed=st.integers(0, 2**32),
    repeats=st.integers(1, 3),
)
async def test_permuted_and_repeated_log_ends_in_the_state_of_the_log(
    town: Town, chosen: list[tuple[int, int]], seed: int, repeats: int
) -> None:
    shuffled = await state_after(town, chosen, random.Random(seed), repeats)
    again = await state_after(town, chosen, random.Random(seed + 1), repeats + 1)
    assert shuffled == again
    assert len(shuffled[0]) == len(chosen)
