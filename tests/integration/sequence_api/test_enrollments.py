"""Enrollments: begun in bulk, each contact with its result, and told to the scheduler."""

import asyncio
import time
from typing import Any
from uuid import UUID

from postroad_common.ids import new_id

from .house import Listener, Tenant


async def test_each_contact_gets_its_own_result(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    free, active, suppressed = [await tenant.contact() for _ in range(3)]
    unsubscribed = await tenant.enrolled()
    await unsubscribed.stopped("unsubscribed")
    [first] = await tenant.enroll(sequence["id"], active["id"])
    await tenant.call("POST", "/suppressions", json={"email": suppressed["email"]}, expect=201)
    unknown = str(new_id())
    ids = [unknown, free["id"], active["id"], suppressed["id"], unsubscribed.contact["id"], free["id"]]
    answer = await tenant.call("POST", f"/sequences/{sequence['id']}/enrollments", json={"contact_ids": ids})
    results = {result["contact_id"]: result for result in answer["results"]}
    assert {id_: results[id_]["result"] for id_ in ids} == {
        unknown: "unknown",
        free["id"]: "enrolled",
        active["id"]: "already_active",
        suppressed["id"]: "suppressed",
        unsubscribed.contact["id"]: "suppressed",
    }
    assert len(answer["results"]) == 5
    assert results[active["id"]]["enrollment_id"] == first["enrollment_id"]
    assert results[suppressed["id"]]["enrollment_id"] is None
    assert answer["counts"] == {"enrolled": 1, "already_active": 1, "suppressed": 2, "unknown": 1}
    assert answer["version"] == 1


async def test_enrolling_tells_the_scheduler_in_messages_of_at_most_500(tenant: Tenant, outbox: Listener) -> None:
    sequence = await tenant.sequence()
    ids = await people(tenant, 1000)
    results = await tenant.enroll(sequence["id"], *ids)
    told = await outbox.received("enrollments.created.v1", 2)
    assert [len(body["items"]) for body in told] == [500, 500]
    assert {(body["sequence_id"], body["version"]) for body in told} == {(sequence["id"], 1)}
    items = {(item["contact_id"], item["enrollment_id"]) for body in told for item in body["items"]}
    assert items == {(result["contact_id"], result["enrollment_id"]) for result in results}


async def people(tenant: Tenant, count: int) -> list[str]:
    rows = await tenant.admin.fetch(
        "INSERT INTO sequence.contacts (tenant_id, contact_id, email)"
        " SELECT $1, gen_random_uuid(), 'crowd-' || n || '@people.example' FROM generate_series(1, $2::int) n"
        " RETURNING contact_id",
        tenant.tenant_id,
        count,
    )
    return [str(row["contact_id"]) for row in rows]


async def test_a_thousand_at_once_take_less_than_seconds(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    ids = await people(tenant, 1000)
    began = time.monotonic()
    results = await tenant.enroll(sequence["id"], *ids)
    took = time.monotonic() - began
    print(f"1,000 enrolled in {took * 1000:.0f} ms")
    assert {result["result"] for result in results} == {"enrolled"}
    assert [result["contact_id"] for result in results] == ids
    assert took < 10


async def test_the_same_contacts_enrolled_by_several_calls_at_once_run_once(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    ids = await people(tenant, 700)
    answers = await asyncio.gather(
        tenant.enroll(sequence["id"], *ids),
        tenant.enroll(sequence["id"], *reversed(ids)),
        tenant.enroll(sequence["id"], *ids[::2], *ids[1::2]),
    )
    enrolled = [result["contact_id"] for results in answers for result in results if result["result"] == "enrolled"]
    assert sorted(enrolled) == sorted(ids)
    holders = {result["contact_id"]: result["enrollment_id"] for results in answers for result in results}
    assert all(holders.values())
    assert all(result["enrollment_id"] == holders[result["contact_id"]] for results in answers for result in results)


async def test_only_an_active_sequence_takes_enrollments(tenant: Tenant) -> None:
    contact = await tenant.contact()
    draft = await tenant.draft()
    paused, archived = await tenant.sequence(), await tenant.sequence()
    await tenant.call("POST", f"/sequences/{paused['id']}/pause")
    await tenant.call("POST", f"/sequences/{archived['id']}/archive")
    for sequence, state in ((draft, "draft"), (paused, "paused"), (archived, "archived")):
        body = {"contact_ids": [contact["id"]]}
        problem = await tenant.refused("POST", f"/sequences/{sequence['id']}/enrollments", 409, json=body)
        assert (problem["code"], problem["state"]) == ("sequence_not_active", state)


async def test_one_names_contacts_and_not_more_than_a_thousand(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    one = str(new_id())
    bodies: list[dict[str, Any]] = [
        {},
        {"all": True, "contact_ids": [one]},
        {"contact_ids": []},
        {"contact_ids": [one] * 1001},
    ]
    for body in bodies:
        await tenant.refused("POST", f"/sequences/{sequence['id']}/enrollments", 422, json=body)


async def test_a_contact_may_run_in_two_sequences_and_again_in_one_that_has_ended(tenant: Tenant) -> None:
    first = await tenant.enrolled()
    other = await tenant.enrolled(contact=first.contact)
    await first.ended()
    again = await tenant.enrolled(sequence=first.sequence, contact=first.contact)
    assert len({first.enrollment_id, other.enrollment_id, again.enrollment_id}) == 3


async def test_enrollments_are_listed_by_sequence_contact_and_state(tenant: Tenant) -> None:
    fresh = await tenant.enrolled()
    taken = await tenant.enrolled(sequence=fresh.sequence)
    await taken.taken_up()
    over = await tenant.enrolled(sequence=fresh.sequence)
    await over.ended("replied")
    other = await tenant.enrolled(contact=fresh.contact)

    async def listed(**wanted: str) -> list[UUID]:
        page = await tenant.call("GET", "/enrollments", params=wanted)
        return [UUID(one["id"]) for one in page["items"]]

    sequence_id = fresh.sequence["id"]
    assert await listed() == [fresh.enrollment_id, taken.enrollment_id, over.enrollment_id, other.enrollment_id]
    assert await listed(contact_id=fresh.contact["id"]) == [fresh.enrollment_id, other.enrollment_id]
    assert await listed(sequence_id=sequence_id, state="active") == [fresh.enrollment_id, taken.enrollment_id]
    assert await listed(sequence_id=sequence_id, state="replied") == [over.enrollment_id]
    assert await listed(sequence_id=sequence_id, after=str(taken.enrollment_id)) == [over.enrollment_id]


async def test_an_enrollment_shows_what_is_wanted_and_where_it_is(tenant: Tenant) -> None:
    enrolled = await tenant.enrolled()
    fresh = await tenant.reopen(enrolled.enrollment_id)
    assert (fresh["intent"], fresh["state"], fresh["phase"], fresh["next_due_at"]) == ("run", "active", None, None)
    await enrolled.taken_up()
    waiting = await tenant.reopen(enrolled.enrollment_id)
    assert (waiting["phase"], waiting["step_number"], waiting["step_key"]) == ("waiting", 1, "step-1")
    await enrolled.ended("bounced")
    over = await tenant.reopen(enrolled.enrollment_id)
    assert (over["state"], over["phase"]) == ("bounced", "ended")
    assert over["ended_at"]


async def test_a_sampled_call_is_the_parent_of_all_that_its_enrollments_do(tenant: Tenant, outbox: Listener) -> None:
    """Without a receiver of traces nothing is recorded, so nothing claims a parent that nobody will find."""
    sequence = await tenant.sequence()
    contact = await tenant.contact()
    traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    await tenant.call(
        "POST",
        f"/sequences/{sequence['id']}/enrollments",
        json={"contact_ids": [contact["id"]]},
        headers={"traceparent": traceparent},
    )
    [told] = await outbox.received("enrollments.created.v1", 1)
    assert told["items"][0]["traceparent"] is None
