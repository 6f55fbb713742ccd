"""Templates: checked when they are saved, never changed after, shown as a contact would get them."""

import asyncio

import pytest

from .house import Tenant, in_pages


async def test_a_template_that_does_not_compile_is_refused_with_part_and_line(tenant: Tenant) -> None:
    body = {"name": "t", "subject": "Hi", "html": "<p>ok</p>\n{% if %}", "text": ""}
    problem = await tenant.refused("POST", "/templates", 422, json=body)
    assert problem["code"] == "template_refused"
    assert (problem["part"], problem["line"]) == ("html", 2)
    assert problem["message"]
    made = await tenant.template()
    problem = await tenant.refused("PUT", f"/templates/{made['id']}", 422, json={"subject": "{{", "html": "x"})
    assert problem["part"] == "subject"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ contact.__init__.__globals__ }}",
        "{{ cycler.__init__ }}",
        "{{ lipsum() }}",
        "{% for a in range(10000000) %}x{% endfor %}",
        "{{ 'a' * 300000000 }}",
        "{{ '%0300000000d' | format(1) }}",
        "{{ 'x' | center(300000000) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ 9 ** 9 ** 9 }}",
    ],
)
async def test_an_escape_or_a_bomb_is_refused_when_it_is_saved(tenant: Tenant, source: str) -> None:
    for part in ("html", "text", "subject"):
        body = {"name": f"t-{tenant.number()}", "subject": "s", "html": "h", "text": "t", part: source}
        problem = await tenant.refused("POST", "/templates", 422, json=body)
        assert problem["part"] == part


async def test_each_save_is_a_version_and_the_older_ones_stay(tenant: Tenant) -> None:
    made = await tenant.template(subject="One")
    changed = await tenant.call("PUT", f"/templates/{made['id']}", json={"subject": "Two", "html": "<p>2</p>"})
    assert (made["version"], changed["version"], changed["name"]) == (1, 2, made["name"])
    rows = await tenant.admin.fetch(
        "SELECT version, subject FROM sequence.template_versions WHERE template_id = $1 ORDER BY version", made["id"]
    )
    assert [tuple(row) for row in rows] == [(1, "One"), (2, "Two")]


async def test_saving_what_stands_makes_no_version(tenant: Tenant) -> None:
    made = await tenant.template(subject="One", html="<p>1</p>", text="")
    body = {"name": "renamed", "subject": "One", "html": "<p>1</p>"}
    assert (await tenant.call("PUT", f"/templates/{made['id']}", json=body))["version"] == 1
    assert (await tenant.call("GET", f"/templates/{made['id']}"))["name"] == "renamed"


async def test_two_who_save_at_once_make_two_versions(tenant: Tenant) -> None:
    made = await tenant.template()
    bodies = [{"subject": f"S{n}", "html": "h"} for n in range(6)]
    saved = await asyncio.gather(*(tenant.call("PUT", f"/templates/{made['id']}", json=body) for body in bodies))
    assert sorted(one["version"] for one in saved) == [2, 3, 4, 5, 6, 7]


async def test_a_template_in_use_is_not_deleted_and_the_answer_says_where_it_is_used(tenant: Tenant) -> None:
    used = await tenant.template()
    other = await tenant.template()
    steps = [{"template_id": id_, "delay": "1d"} for id_ in (used["id"], other["id"], used["id"])]
    welcome = await tenant.sequence(name="Welcome", steps=steps)
    draft = await tenant.draft(name="Draft only", steps=steps[:1])
    problem = await tenant.refused("DELETE", f"/templates/{used['id']}", 409)
    assert problem["code"] == "in_use"
    uses = {use["sequence"]: (use["sequence_id"], use["version"], use["steps"]) for use in problem["uses"]}
    assert uses == {"Welcome": (welcome["id"], 1, [1, 3]), "Draft only": (draft["id"], 1, [1])}
    assert "Welcome" in problem["detail"]
    assert "steps 1, 3" in problem["detail"]


async def test_a_template_that_no_step_uses_is_deleted_with_its_versions(tenant: Tenant) -> None:
    made = await tenant.template()
    await tenant.call("PUT", f"/templates/{made['id']}", json={"subject": "Two", "html": "2"})
    await tenant.call("DELETE", f"/templates/{made['id']}", expect=204)
    await tenant.refused("GET", f"/templates/{made['id']}", 404)


async def test_a_preview_shows_what_the_contact_would_get(tenant: Tenant) -> None:
    made = await tenant.template(
        subject="Hi {{ contact.first_name }}",
        html="<p>{{ contact.company }} {{ contact.attributes.plan }} {{ sender.name }} {{ tenant.name }}</p>"
        '<a href="{{ unsubscribe_url }}">x</a>',
        text="{{ contact.email }}",
    )
    contact = await tenant.contact(first_name="Ada", company="<b>&", attributes={"plan": "gold"})
    sender = await tenant.sender(from_name="Us")
    body = {"contact_id": contact["id"], "sender_id": sender["id"]}
    shown = await tenant.call("POST", f"/templates/{made['id']}/preview", json=body)
    assert shown["subject"] == "Hi Ada"
    assert "&lt;b&gt;&amp; gold Us Acme" in shown["html"]
    assert "https://track.ours.example/u/" in shown["html"]
    assert shown["text"] == contact["email"]


async def test_a_preview_names_the_variable_that_the_contact_lacks(tenant: Tenant) -> None:
    made = await tenant.template(html="<p>\n{{ contact.attributes.nickname }}</p>")
    contact = await tenant.contact()
    problem = await tenant.refused("POST", f"/templates/{made['id']}/preview", 422, json={"contact_id": contact["id"]})
    assert problem["part"] == "html"
    assert "nickname" in problem["message"]


async def test_a_list_of_templates_leaves_their_bodies_out(tenant: Tenant) -> None:
    made = await tenant.template()
    [listed] = (await tenant.call("GET", "/templates"))["items"]
    assert listed["id"] == made["id"]
    assert "html" not in listed


async def test_every_version_of_a_template_can_be_read_and_keeps_what_it_said(tenant: Tenant) -> None:
    made = await tenant.template(subject="One", html="1", text="")
    await tenant.call("PUT", f"/templates/{made['id']}", json={"subject": "Two", "html": "2"})
    path = f"/templates/{made['id']}/versions"
    listed = (await tenant.call("GET", path))["items"]
    assert [(version["version"], version["subject"]) for version in listed] == [(2, "Two"), (1, "One")]
    assert await in_pages(tenant, path) == listed
    first = await tenant.call("GET", f"{path}/1")
    assert (first["subject"], first["html"], first["template_id"]) == ("One", "1", made["id"])
    await tenant.refused("GET", f"{path}/3", 404)
