"""Sequences: drafts that change, versions that do not, and the states between them."""

import asyncio
import itertools
from typing import Any

import asyncpg
import pytest

from postroad_sequence_api.models.sequences import SequenceState
from postroad_sequence_api.services.sequences import TRANSITIONS, Action

from .house import Listener, Tenant, in_pages


async def steps(tenant: Tenant, *delays: object, **more: object) -> list[dict[str, Any]]:
    template = await tenant.template()
    return [{"template_id": template["id"], "delay": delay, **more} for delay in delays]


async def test_a_draft_comes_back_as_it_was_given(tenant: Tenant) -> None:
    given = await steps(tenant, "3d", 5400, "5s", "2w", preferred_time="09:30")
    given[2] |= {"key": "bye", "thread": "reply"}
    made = await tenant.draft(steps=given)
    assert (made["state"], made["version"], made["draft_version"], made["active_version"]) == ("draft", 1, 1, None)
    assert [step["delay"] for step in made["steps"]] == ["3d", "90m", "5s", "14d"]
    assert [step["key"] for step in made["steps"]] == ["step-1", "step-2", "bye", "step-4"]
    assert [step["thread"] for step in made["steps"]] == ["new", "new", "reply", "new"]
    assert {step["preferred_time"] for step in made["steps"]} == {"09:30"}
    assert {step["template_version"] for step in made["steps"]} == {None}
    again = {"sender_id": made["sender_id"], "steps": [_as_given(step) for step in made["steps"]]}
    assert (await tenant.call("PUT", f"/sequences/{made['id']}", json=again))["steps"] == made["steps"]


def _as_given(step: dict[str, Any]) -> dict[str, Any]:
    return {name: step[name] for name in ("key", "kind", "template_id", "delay", "preferred_time", "thread")}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({1: {"key": "step-1"}}, "steps.1.key"),
        ({0: {"thread": "reply"}}, "steps.0.thread"),
        ({1: {"delay": "3 moons"}}, "steps.1.delay"),
        ({1: {"delay": -5}}, "steps.1.delay"),
        ({1: {"delay": "366d"}}, "steps.1.delay"),
        ({1: {"delay": True}}, "steps.1.delay"),
        ({1: {"delay": 1.5}}, "steps.1.delay"),
        ({0: {"preferred_time": "25:00"}}, "steps.0.preferred_time"),
        ({0: {"preferred_time": "9 o'clock"}}, "steps.0.preferred_time"),
        ({0: {"key": "UPPER"}}, "steps.0.key"),
        ({0: {"kind": "pigeon"}}, "steps.0.kind"),
    ],
)
async def test_steps_that_do_not_fit_are_refused_and_named(
    tenant: Tenant, change: dict[int, dict[str, Any]], field: str
) -> None:
    given = await steps(tenant, "1d", "1d")
    for place, values in change.items():
        given[place] |= values
    sender = await tenant.sender()
    body = {"name": "s", "sender_id": sender["id"], "steps": given}
    assert (await tenant.refused("POST", "/sequences", 422, json=body))["field"] == field


async def test_activation_pins_the_templates_of_that_moment(tenant: Tenant) -> None:
    template = await tenant.template(subject="One")
    made = await tenant.draft(steps=[{"template_id": template["id"], "delay": "1d"}])
    await tenant.call("PUT", f"/templates/{template['id']}", json={"subject": "Two", "html": "2"})
    active = await tenant.call("POST", f"/sequences/{made['id']}/activate")
    assert (active["state"], active["active_version"], active["draft_version"]) == ("active", 1, None)
    assert active["steps"][0]["template_version"] == 2
    await tenant.call("PUT", f"/templates/{template['id']}", json={"subject": "Three", "html": "3"})
    version = await tenant.call("GET", f"/sequences/{made['id']}/versions/1")
    assert version["steps"][0]["template_version"] == 2
    assert version["activated_at"]


async def test_an_activated_version_cannot_be_changed_by_anybody(tenant: Tenant) -> None:
    made = await tenant.sequence()
    for statement in (
        "UPDATE sequence.steps SET delay_seconds = 1 WHERE sequence_id = $1",
        "DELETE FROM sequence.steps WHERE sequence_id = $1",
        "UPDATE sequence.sequence_versions SET sender_id = sender_id WHERE sequence_id = $1",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await tenant.admin.execute(statement, made["id"])


async def test_a_change_after_activation_drafts_the_next_version_and_leaves_the_active_one(tenant: Tenant) -> None:
    made = await tenant.sequence(steps=2)
    body = {"sender_id": made["sender_id"], "steps": await steps(tenant, "7d")}
    drafted = await tenant.call("PUT", f"/sequences/{made['id']}", json=body)
    assert (drafted["state"], drafted["active_version"], drafted["draft_version"]) == ("active", 1, 2)
    assert len((await tenant.call("GET", f"/sequences/{made['id']}/versions/1"))["steps"]) == 2
    again = await tenant.call("PUT", f"/sequences/{made['id']}", json={**body, "name": "renamed"})
    assert (again["draft_version"], again["name"]) == (2, "renamed")
    active = await tenant.call("POST", f"/sequences/{made['id']}/activate")
    assert (active["active_version"], active["draft_version"], active["state"]) == (2, None, "active")
    path = f"/sequences/{made['id']}/versions"
    listed = (await tenant.call("GET", path))["items"]
    assert [(one["version"], one["step_count"]) for one in listed] == [(2, 1), (1, 2)]
    assert await in_pages(tenant, path) == listed


async def test_who_was_enrolled_keeps_the_version_he_was_enrolled_in(tenant: Tenant) -> None:
    enrolled = await tenant.enrolled()
    sequence = enrolled.sequence
    body = {"sender_id": sequence["sender_id"], "steps": await steps(tenant, "7d")}
    await tenant.call("PUT", f"/sequences/{sequence['id']}", json=body)
    await tenant.call("POST", f"/sequences/{sequence['id']}/activate")
    late = await tenant.enrolled(sequence=sequence)
    assert (await tenant.reopen(enrolled.enrollment_id))["version"] == 1
    assert (await tenant.reopen(late.enrollment_id))["version"] == 2


async def test_a_sequence_without_steps_or_without_a_draft_is_not_activated(tenant: Tenant) -> None:
    empty = await tenant.draft(steps=[])
    problem = await tenant.refused("POST", f"/sequences/{empty['id']}/activate", 422)
    assert problem["field"] == "steps"
    active = await tenant.sequence()
    problem = await tenant.refused("POST", f"/sequences/{active['id']}/activate", 409)
    assert problem["code"] == "nothing_to_activate"
    assert problem["state"] == "active"


async def test_a_template_that_no_longer_compiles_stops_the_activation_and_names_the_step(tenant: Tenant) -> None:
    good, bad = await tenant.template(), await tenant.template()
    made = await tenant.draft(steps=[{"template_id": t["id"], "delay": "1d"} for t in (good, bad)])
    await tenant.admin.execute(
        "INSERT INTO sequence.template_versions (tenant_id, template_id, version, subject, html, text)"
        " VALUES ($1, $2, 2, '{{ oops', 'x', '')",
        tenant.tenant_id,
        bad["id"],
    )
    await tenant.admin.execute("UPDATE sequence.templates SET current_version = 2 WHERE template_id = $1", bad["id"])
    problem = await tenant.refused("POST", f"/sequences/{made['id']}/activate", 422)
    assert (problem["step"], problem["field"], problem["part"]) == (2, "steps.1.template_id", "subject")
    assert (await tenant.call("GET", f"/sequences/{made['id']}"))["state"] == "draft"


async def in_state(tenant: Tenant, state: str) -> str:
    made = await (tenant.draft() if state == "draft" else tenant.sequence())
    for action in {"paused": ["pause"], "archived": ["archive"]}.get(state, []):
        await tenant.call("POST", f"/sequences/{made['id']}/{action}")
    return str(made["id"])


SAFE_TO_REPEAT = {("paused", "pause"), ("archived", "archive")}


@pytest.mark.parametrize(
    ("state", "action"),
    list(itertools.product(("draft", "active", "paused", "archived"), ("activate", "pause", "resume", "archive"))),
)
async def test_a_transition_that_the_table_does_not_have_is_409_and_says_the_state(
    tenant: Tenant, state: SequenceState, action: Action
) -> None:
    sequence_id = await in_state(tenant, state)
    if action == "activate" and state in {"active", "paused"}:
        body = {"sender_id": (await tenant.sender())["id"], "steps": await steps(tenant, "7d")}
        await tenant.call("PUT", f"/sequences/{sequence_id}", json=body)
    expected = TRANSITIONS.get((state, action))
    if expected is None and (state, action) not in SAFE_TO_REPEAT:
        problem = await tenant.refused("POST", f"/sequences/{sequence_id}/{action}", 409)
        assert problem["code"] == "illegal_transition"
        assert problem["state"] == state
        assert state in problem["detail"]
    else:
        answer = await tenant.call("POST", f"/sequences/{sequence_id}/{action}")
        assert answer["state"] == (expected or state)


async def test_of_two_who_change_a_sequence_at_once_the_second_sees_what_the_first_did(tenant: Tenant) -> None:
    sequence_id = await in_state(tenant, "draft")
    body = {"sender_id": (await tenant.sender())["id"], "steps": await steps(tenant, "7d")}
    for _ in range(5):
        asked = [
            ("POST", "/activate", {}),
            ("POST", "/activate", {}),
            ("PUT", "", {"json": body}),
            ("PUT", "", {"json": body}),
        ]
        answers = await asyncio.gather(
            *(tenant.ask(method, f"/sequences/{sequence_id}{tail}", **request) for method, tail, request in asked)
        )
        assert {answer.status_code for answer in answers} <= {200, 409}, [answer.text for answer in answers]


async def test_an_archived_sequence_is_not_changed(tenant: Tenant) -> None:
    sequence_id = await in_state(tenant, "archived")
    body = {"sender_id": (await tenant.sender())["id"], "steps": await steps(tenant, "7d")}
    assert (await tenant.refused("PUT", f"/sequences/{sequence_id}", 409, json=body))["state"] == "archived"


async def test_running_enrollments_forbid_archiving_unless_they_are_to_be_stopped(tenant: Tenant) -> None:
    running, taken = await tenant.enrolled(), None
    sequence = running.sequence
    taken = await tenant.enrolled(sequence=sequence)
    await taken.taken_up()
    over = await tenant.enrolled(sequence=sequence)
    await over.ended()
    problem = await tenant.refused("POST", f"/sequences/{sequence['id']}/archive", 409)
    assert (problem["code"], problem["count"]) == ("enrollments_running", 2)
    assert (await tenant.call("GET", f"/sequences/{sequence['id']}"))["state"] == "active"
    answer = await tenant.call("POST", f"/sequences/{sequence['id']}/archive", json={"stop_running": True})
    assert (answer["state"], answer["stopped_enrollments"]) == ("archived", 2)
    assert answer["stop"]["acknowledged_at"]
    intents = {
        str(one.enrollment_id): (await tenant.reopen(one.enrollment_id))["intent"] for one in (running, taken, over)
    }
    assert list(intents.values()) == ["stop", "stop", "run"]


async def test_nobody_slips_into_a_sequence_while_it_is_archived(tenant: Tenant) -> None:
    sequence = await tenant.sequence()
    people = [(await tenant.contact())["id"] for _ in range(6)]

    async def enroll(contact_id: str) -> int:
        body = {"contact_ids": [contact_id]}
        return (await tenant.ask("POST", f"/sequences/{sequence['id']}/enrollments", json=body)).status_code

    answers = await asyncio.gather(
        *(enroll(contact_id) for contact_id in people[:3]),
        tenant.call("POST", f"/sequences/{sequence['id']}/archive", json={"stop_running": True}),
        *(enroll(contact_id) for contact_id in people[3:]),
    )
    assert {200, 409} >= {answer for answer in answers if isinstance(answer, int)}
    rows = await tenant.admin.fetch("SELECT intent FROM sequence.enrollments WHERE sequence_id = $1", sequence["id"])
    assert {row["intent"] for row in rows} <= {"stop"}


async def test_names_are_taken_once_and_states_filter_the_list(tenant: Tenant) -> None:
    first = await tenant.draft(name="Welcome")
    body = {"name": "Welcome", "sender_id": first["sender_id"], "steps": []}
    assert (await tenant.refused("POST", "/sequences", 409, json=body))["field"] == "name"
    active = await tenant.sequence()
    listed = await tenant.call("GET", "/sequences", params={"state": "active"})
    assert [one["id"] for one in listed["items"]] == [active["id"]]
    assert len((await tenant.call("GET", "/sequences"))["items"]) == 2


async def test_a_version_that_never_was_is_404(tenant: Tenant) -> None:
    made = await tenant.sequence()
    for version in ("2", "0", "-1", "x", "1e3", "9" * 30, "\u0661"):
        await tenant.refused("GET", f"/sequences/{made['id']}/versions/{version}", 404)


async def test_each_change_of_state_is_told_to_the_scheduler(tenant: Tenant, outbox: Listener) -> None:
    made = await tenant.sequence()
    await tenant.call("POST", f"/sequences/{made['id']}/pause")
    await tenant.call("POST", f"/sequences/{made['id']}/resume")
    told = await outbox.received("sequences.state_changed.v1", 3)
    assert [body["sequence_id"] for body in told] == [made["id"]] * 3


async def test_a_clone_is_a_draft_with_the_same_steps_that_lives_its_own_life(tenant: Tenant) -> None:
    original = await tenant.sequence(steps=2)
    made = await tenant.ask("POST", f"/sequences/{original['id']}/clone")
    clone = made.json()
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/sequences/{clone['id']}")
    assert (clone["state"], clone["version"], clone["name"]) == ("draft", 1, f"{original['name']} (copy)")
    assert clone["sender_id"] == original["sender_id"]
    unpinned = [step | {"template_version": None} for step in original["steps"]]
    assert clone["steps"] == unpinned
    body = {"sender_id": clone["sender_id"], "steps": []}
    await tenant.call("PUT", f"/sequences/{clone['id']}", json=body)
    assert (await tenant.call("GET", f"/sequences/{original['id']}"))["steps"] == original["steps"]


async def test_a_clone_can_be_of_an_older_version_and_under_another_name(tenant: Tenant) -> None:
    original = await tenant.sequence(steps=2)
    await tenant.call("PUT", f"/sequences/{original['id']}", json={"sender_id": original["sender_id"], "steps": []})
    body = {"name": "Again", "version": 1}
    clone = await tenant.call("POST", f"/sequences/{original['id']}/clone", json=body, expect=201)
    assert (clone["name"], len(clone["steps"])) == ("Again", 2)
    await tenant.refused("POST", f"/sequences/{original['id']}/clone", 404, json={"version": 9})
    longest = await tenant.draft(name="n" * 200)
    clone = await tenant.call("POST", f"/sequences/{longest['id']}/clone", expect=201)
    assert len(clone["name"]) == 200


async def test_a_diff_names_what_was_added_removed_and_changed_by_key(tenant: Tenant) -> None:
    template = (await tenant.template())["id"]

    def step(key: str, delay: str, **more: str) -> dict[str, str]:
        return {"key": key, "template_id": template, "delay": delay, **more}

    one = await tenant.sequence(steps=[step("a", "1d"), step("b", "2d"), step("c", "3d")])
    await tenant.call("PUT", f"/templates/{template}", json={"subject": "New", "html": "new"})
    other_sender = (await tenant.sender())["id"]
    steps = [step("a", "1d"), step("c", "5d", preferred_time="09:00"), step("d", "1d")]
    await tenant.call("PUT", f"/sequences/{one['id']}", json={"sender_id": other_sender, "steps": steps})
    await tenant.call("POST", f"/sequences/{one['id']}/activate")
    diff = await tenant.call("GET", f"/sequences/{one['id']}/versions/2/diff")
    assert (diff["version"], diff["against"]) == (2, 1)
    assert diff["fields"] == [{"field": "sender_id", "before": one["sender_id"], "after": other_sender}]
    changes = {
        change["key"]: (change["change"], {f["field"]: (f["before"], f["after"]) for f in change["fields"]})
        for change in diff["steps"]
    }
    assert list(changes) == ["a", "c", "d", "b"]
    assert changes["a"] == ("changed", {"template_version": (1, 2)})
    assert changes["c"] == (
        "changed",
        {"number": (3, 2), "delay": ("3d", "5d"), "preferred_time": (None, "09:00"), "template_version": (1, 2)},
    )
    assert (changes["b"][0], changes["b"][1]["delay"]) == ("removed", ("2d", None))
    assert (changes["d"][0], changes["d"][1]["delay"]) == ("added", (None, "1d"))
    same = await tenant.call("GET", f"/sequences/{one['id']}/versions/2/diff", params={"against": 2})
    assert (same["fields"], same["steps"]) == ([], [])
    first = await tenant.call("GET", f"/sequences/{one['id']}/versions/1/diff")
    assert (first["against"], {change["change"] for change in first["steps"]}) == (None, {"added"})
    await tenant.refused("GET", f"/sequences/{one['id']}/versions/1/diff", 404, params={"against": 9})
