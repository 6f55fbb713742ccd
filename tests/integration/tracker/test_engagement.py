"""What contacts did, summed up as the events come: by people, once each, whoever comes late."""

from typing import Any

from postroad_stack.eventually import eventually

from .town import Mail, Tenant, Town

FIRST = 1772366400


async def engagement(town: Town, mail: Mail) -> dict[str, Any] | None:
    row = await town.admin.fetchrow(
        "SELECT extract(epoch FROM last_opened_at)::int AS opened, extract(epoch FROM last_clicked_at)::int AS clicked,"
        " extract(epoch FROM last_replied_at)::int AS replied, opens, clicks, replies"
        " FROM tracking.contact_engagement WHERE tenant_id = $1 AND contact_id = $2",
        mail.tenant_id,
        mail.contact_id,
    )
    return dict(row) if row is not None else None


def opened(tenant: Tenant, mail: Mail, number: int, **more: Any) -> dict[str, Any]:
    fields = {"email": mail.email, "ref": mail.ref, "sg_event_id": f"e{number}", "timestamp": FIRST + number, **more}
    return tenant.sendgrid.event("open", **fields)


async def test_opens_and_clicks_count_once_each_and_the_latest_stays_whatever_comes_after(town: Town) -> None:
    mill = await town.tenant()
    mail, other = await town.mail(mill), await town.mail(mill)
    click = mill.sendgrid.event(
        "click", email=mail.email, ref=mail.ref, sg_event_id="c", timestamp=FIRST + 7, url="https://shop.example/x"
    )
    late_first = [opened(mill, mail, 5), opened(mill, other, 1), click, opened(mill, mail, 3)]
    delivered = mill.sendgrid.event("delivered", email=mail.email, ref=mail.ref)
    for events in (late_first, late_first, [opened(mill, mail, 4), delivered]):
        answer = await town.post(mill.sendgrid_path, mill.sendgrid.request(events))
        assert answer.status_code == 200

    assert await engagement(town, mail) == {
        "opened": FIRST + 5, "clicked": FIRST + 7, "replied": None, "opens": 3, "clicks": 1, "replies": 0,
    }  # fmt: skip
    assert (await engagement(town, other) or {})["opens"] == 1


async def test_an_open_by_a_program_is_no_engagement(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill)
    events = [opened(mill, mail, 1, sg_machine_open=True)]
    await town.post(mill.sendgrid_path, mill.sendgrid.request(events))

    assert [event["type"] for event in await town.events(mill.tenant_id)] == ["opened"]
    assert await engagement(town, mail) is None


async def test_an_event_that_finds_its_message_late_counts_then_and_not_twice(town: Town) -> None:
    mill = await town.tenant()
    mail = await town.mail(mill, "transmitting")
    known = opened(mill, mail, 1, ref=None, sg_message_id="late.x")  # the address says whose it is
    unknown = opened(mill, mail, 2, ref=None, email="", sg_message_id="late.x")
    await town.post(mill.sendgrid_path, mill.sendgrid.request([known, unknown]))
    assert (await engagement(town, mail) or {})["opens"] == 1

    await town.settle(mail, provider_message_id="late")

    async def both_matched() -> bool:
        return await town.count("tracking.matches", mill.tenant_id) == 2

    assert await eventually(both_matched)
    assert (await engagement(town, mail) or {})["opens"] == 2
